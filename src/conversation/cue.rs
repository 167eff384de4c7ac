//! Ways of speaking that mean nothing in one message and something in a row of them.
//!
//! The words stand in the lexicon file `ledger.toml`; here they are only named. An id the program does not know is
//! ignored, so that a lexicon may be newer than the program.

use serde::{Deserialize, Serialize};

macro_rules! cues {
    ($($(#[$doc:meta])* $variant:ident = $id:literal;)+) => {
        /// One way of speaking. The order is the order of bits in stored records: append only.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Cue {
            $($(#[$doc])* $variant,)+
        }

        impl Cue {
            /// Every cue, in bit order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The id of its lexicon entry.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id),+ }
            }
        }
    };
}

cues! {
    /// The customer shows that an answer or refusal was received.
    Answered = "ledger.answered";
    /// Announces to go on whatever is said, or counts the own contacts.
    Insist = "ledger.insist";
    /// Denies the other side a say.
    Pressure = "ledger.pressure";
    /// Asks where the answer stays.
    Reminder = "ledger.reminder";
    /// Apologises.
    Apology = "ledger.apology";
    /// Thanks, or tells that it is solved.
    Thanks = "ledger.thanks";
    /// Was asked to write, or follows instructions.
    Asked = "ledger.asked";
    /// Forgets or mixes up.
    Forgetful = "ledger.forgetful";
    /// Watches a member of staff.
    Watching = "ledger.watching";
    /// Asks for private matters of a member of staff.
    PersonalQuestion = "ledger.personal_question";
    /// One-sided closeness.
    Attach = "ledger.attach";
    /// Praises looks or voice.
    Compliment = "ledger.compliment";
    /// Touches body, bed or romance.
    Intimate = "ledger.intimate";
    /// Counts days towards something unnamed.
    Countdown = "ledger.countdown";
    /// Hints at fate or farewell.
    Ominous = "ledger.ominous";
    /// A reason of work or life for days and contacts.
    Business = "ledger.business";
    /// Asks for more on top.
    MoreDemand = "ledger.more_demand";
    /// Belittles mind or work.
    Belittling = "ledger.belittling";
    /// Saves the talk and hints at publishing.
    SaveAndHint = "ledger.save_and_hint";
    /// Offers to stop in return.
    Leverage = "ledger.leverage";
    /// Has an apology or text written again.
    Rewrite = "ledger.rewrite";
    /// The same to many windows.
    ManyWindows = "ledger.many_windows";
    /// If you refuse I ask for more, if you give I relent.
    Barter = "ledger.barter";
}

/// A set of cues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CueSet(u32);

impl CueSet {
    /// From ids of lexicon entries; unknown ids are left out.
    pub fn from_ids<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        let mut set = Self::default();
        for id in ids {
            if let Some(cue) = Cue::ALL.iter().find(|cue| cue.id() == id) {
                set.0 |= 1 << *cue as u32;
            }
        }
        set
    }

    /// Whether `cue` was heard.
    pub const fn has(self, cue: Cue) -> bool {
        self.0 >> cue as u32 & 1 == 1
    }

    /// Whether one of `cues` was heard.
    pub fn has_any(self, cues: &[Cue]) -> bool {
        cues.iter().any(|cue| self.has(*cue))
    }

    /// Whether nothing was heard.
    pub const fn is_empty(&self) -> bool {
        self.0 == 0
    }
}
