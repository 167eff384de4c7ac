//! An alert as people read it: subject, plain text, HTML. Pure.
//!
//! Every word comes from a checked set of texts; what is decided here is which of them an alert needs. The first characters of
//! the subject decide whether it is opened; no names and no abusive words stand there. Care alerts have their own wording: not
//! harassment, no law, no refusal, the customer's own words in full.

use crate::case::summary::{Origin, Summary};
use crate::case::{CaseRecord, Intent, Occasion, Step};
use crate::edge::notify::{Outgoing, header_text, html};
use crate::model::severity::{Category, Level};
use crate::model::verdict::Role;
use crate::policy::{Ladder, Policy, Track};
use crate::wording::hole::Hole;
use crate::wording::text::Text;
use crate::wording::{Piece, Texts};
use jiff::Timestamp;
use jiff::tz::TimeZone;

mod blocks;
mod take;

/// A titled block of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// 要点, 理由, …; empty for lines that stand between the blocks.
    pub title: String,
    /// Its lines.
    pub lines: Vec<String>,
    /// Small print below them: of use to those who tune, not to those who act.
    pub notes: Vec<String>,
}

impl Block {
    pub(crate) fn new(title: String, lines: Vec<String>) -> Self {
        Self { title, lines, notes: vec![] }
    }
}

/// How people answer alerts without a console; neither is there unless configured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ways {
    /// Where the app router is reached from the people's phones, without a slash at the end.
    pub base_url: Option<String>,
    /// Address whose mail arrives at the inbound queue.
    pub reply_address: Option<String>,
}

/// How one person answers one alert.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answers {
    /// A page with the buttons.
    pub link: Option<String>,
    /// Where a reply by mail goes.
    pub reply_to: Option<String>,
}

impl Ways {
    /// Whether there is any.
    pub const fn are_open(&self) -> bool {
        self.base_url.is_some() || self.reply_address.is_some()
    }

    /// The ways that this token opens.
    pub fn answers(&self, token: Option<&str>) -> Answers {
        let Some(token) = token else { return Answers::default() };
        let reply_to = |address: &String| address.split_once('@').map(|(local, domain)| format!("{local}+{token}@{domain}"));
        Answers {
            link: self.base_url.as_ref().map(|base| format!("{base}/ack/{token}")),
            reply_to: self.reply_address.as_ref().and_then(reply_to),
        }
    }
}

/// What one alert is made of.
pub(crate) struct Alert<'a> {
    case: &'a CaseRecord,
    intent: &'a Intent,
    summary: &'a Summary,
    ladder: &'a Ladder,
    policy: &'a Policy,
    texts: &'a Texts,
    answers: &'a Answers,
    now: Timestamp,
}

/// Renders the alert of one intent; `now` is what times are counted down from.
pub fn render(case: &CaseRecord, intent: &Intent, policy: &Policy, texts: &Texts, answers: &Answers, now: Timestamp) -> Outgoing {
    let none = Summary::default();
    let summary = case.summaries.get(&intent.track).unwrap_or(&none);
    let ladder = case.ladder(intent.track, policy);
    let alert = Alert { case, intent, summary, ladder, policy, texts, answers, now };
    let subject = alert.subject();
    let leaves_site = policy.channels.iter().any(|channel| channel.id == intent.to.channel && channel.leaves_site);
    let blocks = alert.body(if leaves_site { Text::BodyOffsite } else { Text::BodyAlert });
    let deadline = texts.fill(Text::HeadingDeadline, &[(Hole::Deadline, &alert.date(intent.deadline))]);
    let (colour, label) = alert.badge();
    let page = html::Page { language: texts.language(), subject: &subject, badge: (colour, &label), below: &deadline, blocks: &blocks };
    let button = answers.link.as_deref().map(|link| (link, texts.plain(Text::TakePage)));
    Outgoing {
        message_id: intent.message_id.clone(),
        thread_id: format!("{}@{}", case.id, policy.sender.address.rsplit('@').next().unwrap_or("localhost")),
        from: policy.sender.clone(),
        to: intent.to.clone(),
        text: format!("{deadline}\n\n{}", text(&blocks)),
        leaves_site,
        html: page.render(button.as_ref().map(|(link, label)| (*link, label.as_str()))),
        link: answers.link.clone(),
        reply_to: answers.reply_to.clone(),
        subject,
    }
}

impl Alert<'_> {
    fn subject(&self) -> String {
        let (case, texts) = (self.case, self.texts);
        let step = match self.intent.step {
            Step::First => None,
            Step::Raised => Some(Text::StepRaised),
            Step::Grown => Some(Text::StepGrown),
            Step::Repeat => Some(Text::StepRepeat),
            Step::Next => Some(Text::StepNext),
            Step::Returned => Some(Text::StepReturned),
        };
        let drill = if case.occasion.is_real() { String::new() } else { texts.plain(Text::StepDrill) };
        let step = format!("{drill}{}", step.map(|step| texts.plain(step)).unwrap_or_default());
        let text = match (&case.occasion, self.intent.track) {
            (Occasion::Check { .. }, _) => Text::SubjectCheck,
            (_, Track::Care) => Text::SubjectCare,
            (_, Track::Safety) => Text::SubjectSafety,
            (_, Track::Consult) => Text::SubjectConsult,
            (_, Track::Unchecked) => Text::SubjectUnchecked,
            (_, Track::Harassment) => Text::SubjectHarassment,
        };
        let values = [
            (Hole::Level, case.level.to_string()),
            (Hole::LevelName, texts.level(case.level).to_owned()),
            (Hole::Step, step),
            (Hole::Kind, texts.join(kinds(case, texts).take(2), Text::JointDot)),
            (Hole::Known, known(case, texts)),
            (Hole::Channel, case.channel().map_or("", |channel| texts.channel(channel)).to_owned()),
            (Hole::Case, case.id.to_string()),
            (Hole::Deadline, moment(texts, Text::FormatClock, self.intent.deadline, &self.policy.time_zone)),
            (Hole::Count, case.message_count().to_string()),
        ];
        let values: Vec<(Hole, &str)> = values.iter().map(|(hole, value)| (*hole, value.as_str())).collect();
        header_text(&texts.fill(text, &values))
    }

    /// Blocks and lines in the order of the text.
    fn body(&self, text: Text) -> Vec<Block> {
        let mut found = vec![];
        for piece in self.texts.pieces(text) {
            match piece {
                Piece::Hole(hole) => found.extend(self.block(*hole)),
                Piece::Words(words) => {
                    let lines: Vec<String> = words.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
                    found.extend((!lines.is_empty()).then(|| Block::new(String::new(), lines)));
                }
            }
        }
        found
    }

    fn date(&self, at: Timestamp) -> String {
        moment(self.texts, Text::FormatDate, at, &self.policy.time_zone)
    }

    /// The colour of the badge: one glance tells how grave. All of them carry white letters at 4.5:1 or more (WCAG 2.2, 1.4.3).
    fn badge(&self) -> (&'static str, String) {
        let (colour, text) = match self.intent.track {
            Track::Care => ("#1b5e20", Text::BadgeCare),
            Track::Safety => ("#bf360c", Text::BadgeSafety),
            Track::Consult => ("#4527a0", Text::BadgeConsult),
            Track::Unchecked => ("#455a64", Text::BadgeUnchecked),
            Track::Harassment => {
                let colour = match self.intent.level {
                    Level::Emergency => "#b71c1c",
                    Level::Severe => "#c43e00",
                    _ => "#995700",
                };
                (colour, Text::BadgeHarassment)
            }
        };
        let level = self.intent.level;
        (colour, self.texts.fill(text, &[(Hole::Level, &level.to_string()), (Hole::LevelName, self.texts.level(level))]))
    }
}

/// The kinds of harm, gravest first; that a colleague asked for help, where nothing else is known.
pub(crate) fn kinds<'a>(case: &'a CaseRecord, texts: &'a Texts) -> impl Iterator<Item = &'a str> {
    let found = case.categories.iter().filter(|one| **one != Category::SelfHarm).map(|one| texts.category(*one));
    found.chain(is_asked_only(case).then(|| texts.place(Origin::Operator.id())))
}

/// Whether a colleague's word is all there is: no machine found anything.
pub(crate) fn is_asked_only(case: &CaseRecord) -> bool {
    let is_asked = |summary: &Summary| {
        summary.reasons.iter().any(|reason| reason.place.as_ref().is_some_and(|place| place.starts_with(Origin::Operator.name())))
    };
    case.categories.is_empty() && case.summaries.get(&Track::Harassment).is_some_and(is_asked)
}

/// Which slots are known: that they are, never what they say.
pub(crate) fn known(case: &CaseRecord, texts: &Texts) -> String {
    let slots = case.summaries.get(&Track::Harassment).map(|summary| &summary.slots);
    let has = |role: Role| slots.is_some_and(|slots| slots.iter().any(|(known, _)| *known == role));
    let all = [
        (Role::When, Text::KnownWhen),
        (Role::Where, Text::KnownWhere),
        (Role::Means, Text::KnownMeans),
        (Role::Demand, Text::KnownDemand),
    ];
    let known: Vec<String> = all.into_iter().filter(|(role, _)| has(*role)).map(|(_, text)| texts.plain(text)).collect();
    if known.is_empty() {
        return String::new();
    }
    texts.fill(Text::KnownAll, &[(Hole::Known, &texts.join(known, Text::JointDot))])
}

/// Blocks as plain text.
pub(crate) fn text(blocks: &[Block]) -> String {
    let block = |block: &Block| {
        let lines = [block.lines.as_slice(), &block.notes].concat();
        if block.title.is_empty() { format!("{}\n", lines.join("\n")) } else { format!("■ {}\n  {}\n", block.title, lines.join("\n  ")) }
    };
    blocks.iter().map(block).collect::<Vec<_>>().join("\n")
}

/// A time as a text says that times are written.
pub fn moment(texts: &Texts, format: Text, at: Timestamp, zone: &TimeZone) -> String {
    let at = jiff::ZonedDateTime::new(at, zone.clone());
    let values = [
        (Hole::Year, at.year().to_string()),
        (Hole::Month, at.month().to_string()),
        (Hole::Day, at.day().to_string()),
        (Hole::Mm, format!("{:02}", at.month())),
        (Hole::Dd, format!("{:02}", at.day())),
        (Hole::Hour, format!("{:02}", at.hour())),
        (Hole::Minute, format!("{:02}", at.minute())),
    ];
    let values: Vec<(Hole, &str)> = values.iter().map(|(hole, value)| (*hole, value.as_str())).collect();
    texts.fill(format, &values)
}
