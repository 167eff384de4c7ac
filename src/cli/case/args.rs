//! Arguments of `case`.

use crate::case::Finding;
use crate::case::mistake::Mistake;
use crate::case::sheet::{SheetField, Tick};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Which case, and who acts.
#[derive(Debug, Args)]
pub struct Actor {
    /// The case, `C-…`, or the beginning of its id.
    pub id: String,
    /// Your name, or your key in the policy.
    #[arg(long)]
    pub by: String,
}

/// Verbs of `case`.
#[derive(Debug, Subcommand)]
pub enum CaseVerb {
    /// Open and taken cases, gravest first.
    List {
        /// Closed ones too.
        #[arg(long)]
        all: bool,
    },
    /// One case: why, what was sent, what happened.
    Show {
        /// Its id, `C-…`, or the beginning of it.
        id: String,
        /// The whole history instead of the newest events.
        #[arg(long)]
        history: bool,
    },
    /// Take a case: nobody else is woken.
    Ack(Actor),
    /// Ask that somebody else takes it: no reason needed, the next rung is told at once.
    Pass(Actor),
    /// Record what a person found; the machine's level stays beside it. That a level 4 is none, two people must say.
    Judge {
        /// Which case, and who.
        #[command(flatten)]
        actor: Actor,
        /// The finding.
        #[arg(long, value_enum)]
        finding: FindingArgument,
        /// What the machine took for harassment (誤検知; with 非該当): its weight leaves the memory of conversation and customer.
        #[arg(long, value_enum)]
        mistake: Option<MistakeArgument>,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Put something on record.
    Note {
        /// Which case, and who.
        #[command(flatten)]
        actor: Actor,
        /// What.
        #[arg(long)]
        text: String,
    },
    /// Let the desk answer this customer again, without taking or judging the case.
    Release {
        /// Which case, and who.
        #[command(flatten)]
        actor: Actor,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Write down or correct a field of the emergency sheet.
    Set {
        /// Which case, and who.
        #[command(flatten)]
        actor: Actor,
        /// The field.
        #[arg(long, value_enum)]
        field: FieldArgument,
        /// What is known.
        #[arg(long)]
        text: String,
    },
    /// Tick an item of the emergency checklist.
    Tick {
        /// Which case, and who.
        #[command(flatten)]
        actor: Actor,
        /// The item.
        #[arg(long, value_enum)]
        item: TickArgument,
    },
    /// Close a case: the next flagged message opens a new one.
    Close {
        /// Which case, and who.
        #[command(flatten)]
        actor: Actor,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// An operator's own flag: opens or raises a case, whatever the machine thinks.
    Flag(FlagArguments),
    /// Put off alerts that are not urgent, with an end, or quiet an entry that misfires on a queue; list and lift such silences.
    Silence(SilenceArguments),
    /// Everything about a case with its originals: JSON, or the A4 report sheet for police (HTML to print).
    Export {
        /// Its id, `C-…`, or the beginning of it.
        id: String,
        /// The report sheet.
        #[arg(long)]
        sheet: bool,
        /// Into this file instead of standard output.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// `case flag`
#[derive(Debug, Args)]
pub struct FlagArguments {
    /// The conversation, as your system names it.
    #[arg(long, conflicts_with = "customer")]
    pub conversation: Option<String>,
    /// The customer, where there is no conversation.
    #[arg(long)]
    pub customer: Option<String>,
    /// Tenant.
    #[arg(long)]
    pub tenant: Option<String>,
    /// Queue.
    #[arg(long)]
    pub queue: Option<String>,
    /// chat, email, phone, sns, letter, visit.
    #[arg(long)]
    pub channel: Option<String>,
    /// Who flags.
    #[arg(long)]
    pub by: String,
    /// What is asked for.
    #[arg(long, value_enum, default_value = "flag")]
    pub kind: KindArgument,
    /// Level 2 to 4, as you see it.
    #[arg(long, value_parser = clap::value_parser!(u8).range(2..=4))]
    pub level: Option<u8>,
    /// In your own words.
    #[arg(long, default_value = "")]
    pub note: String,
}

/// `case silence`
#[derive(Debug, Args)]
pub struct SilenceArguments {
    /// Lift this silence.
    #[arg(long, value_name = "S-…", conflicts_with_all = ["minutes", "days", "reason"])]
    pub lift: Option<String>,
    /// Minutes from now; without minutes and days: list the silences.
    #[arg(long, requires_all = ["by", "reason"], conflicts_with = "days")]
    pub minutes: Option<i64>,
    /// Days from now.
    #[arg(long, requires_all = ["by", "reason"])]
    pub days: Option<i64>,
    /// Only this tenant.
    #[arg(long)]
    pub tenant: Option<String>,
    /// Only this queue.
    #[arg(long)]
    pub queue: Option<String>,
    /// Only cases of this category alone.
    #[arg(long)]
    pub category: Option<String>,
    /// Only what this lexicon entry alone speaks for: such messages are listed and alert nobody. Needs the queue.
    #[arg(long, value_name = "ENTRY", requires = "queue", conflicts_with = "category")]
    pub entry: Option<String>,
    /// Your name.
    #[arg(long)]
    pub by: Option<String>,
    /// Why.
    #[arg(long)]
    pub reason: Option<String>,
}

/// Findings as they are typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum FindingArgument {
    /// 該当
    #[value(alias = "該当")]
    Applies,
    /// 非該当
    #[value(alias = "非該当")]
    DoesNotApply,
    /// 判断保留
    #[value(alias = "判断保留")]
    Undecided,
}

impl From<FindingArgument> for Finding {
    fn from(argument: FindingArgument) -> Self {
        match argument {
            FindingArgument::Applies => Self::Applies,
            FindingArgument::DoesNotApply => Self::DoesNotApply,
            FindingArgument::Undecided => Self::Undecided,
        }
    }
}

/// Kinds of mistakes as they are typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum MistakeArgument {
    /// 商品名
    #[value(alias = "商品名")]
    ProductName,
    /// 引用
    #[value(alias = "引用")]
    Quotation,
    /// 自虐
    #[value(alias = "自虐")]
    SelfDeprecation,
    /// 冗談
    #[value(alias = "冗談")]
    Joke,
    /// 方言
    #[value(alias = "方言")]
    Dialect,
}

impl From<MistakeArgument> for Mistake {
    fn from(argument: MistakeArgument) -> Self {
        match argument {
            MistakeArgument::ProductName => Self::ProductName,
            MistakeArgument::Quotation => Self::Quotation,
            MistakeArgument::SelfDeprecation => Self::SelfDeprecation,
            MistakeArgument::Joke => Self::Joke,
            MistakeArgument::Dialect => Self::Dialect,
        }
    }
}

/// Kinds of flags as they are typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum KindArgument {
    /// カスハラと感じる
    Flag,
    /// 今すぐ代わってほしい
    SwapNow,
    /// 上司以外に伝える
    OtherThanSupervisor,
}

/// A field as it is typed.
#[derive(Debug, Clone, Copy)]
pub struct FieldArgument(pub SheetField);

/// An item as it is typed.
#[derive(Debug, Clone, Copy)]
pub struct TickArgument(pub Tick);

macro_rules! typed {
    ($argument:ident, $it:ident, $all:expr) => {
        impl ValueEnum for $argument {
            fn value_variants<'a>() -> &'a [Self] {
                const ALL: [$argument; $it::ALL.len()] = $all;
                &ALL
            }
            fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
                Some(clap::builder::PossibleValue::new(self.0.id()).help(self.0.name()))
            }
        }
    };
}

typed!(FieldArgument, SheetField, {
    let mut all = [FieldArgument(SheetField::Target); SheetField::ALL.len()];
    let mut n = 0;
    while n < all.len() {
        all[n] = FieldArgument(SheetField::ALL[n]);
        n += 1;
    }
    all
});
typed!(TickArgument, Tick, {
    let mut all = [TickArgument(Tick::NoReply); Tick::ALL.len()];
    let mut n = 0;
    while n < all.len() {
        all[n] = TickArgument(Tick::ALL[n]);
        n += 1;
    }
    all
});
