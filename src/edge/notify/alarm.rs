//! What people are told about mimamori itself: it stands still, a channel is broken, messages are lost; and that it is over.
//! Pure. No word of a customer, so that every channel may carry it whole.

use crate::edge::notify::render::{Block, moment, text};
use crate::edge::notify::{Outgoing, header_text, html};
use crate::model::digest::Digest;
use crate::policy::{Policy, Recipient};
use crate::wording::Texts;
use crate::wording::hole::Hole;
use crate::wording::text::Text;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The colour of the badge while it lasts, and when it is over.
const COLOURS: (&str, &str) = ("#b3261e", "#2e7d32");

/// Ids of messages that an alarm names: enough to begin a search.
const IDS_MAX: usize = 10;

/// Where the way of a message is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leg {
    /// Between acceptance and judgement.
    Judging,
    /// Judged, but no mail leaves.
    Mail,
    /// The process does not answer, or says that it is not ready.
    Process,
}

impl Leg {
    const fn text(self) -> Text {
        match self {
            Self::Judging => Text::AlarmLegJudging,
            Self::Mail => Text::AlarmLegMail,
            Self::Process => Text::AlarmLegProcess,
        }
    }
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Trouble {
    /// Messages are not watched.
    Stopped {
        /// Where.
        leg: Leg,
        /// Messages accepted and not judged, if that is known.
        pending: Option<u64>,
    },
    /// A channel does not take alerts.
    Channel {
        /// Its key in the policy.
        channel: String,
        /// Why, a closed set.
        reason: String,
    },
    /// Accepted messages have no verdict or no case, and cannot be put right.
    Lost {
        /// How many.
        count: u64,
        /// Some of their ids.
        ids: Vec<String>,
    },
}

/// An alarm as it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarm {
    /// What is wrong.
    pub trouble: Trouble,
    /// Since when.
    pub since: Timestamp,
    /// When it was over, if it is.
    pub over_at: Option<Timestamp>,
}

/// Renders an alarm, or its end, for one recipient. The same outage, phase and recipient give the same Message-ID.
pub fn render(alarm: &Alarm, to: &Recipient, policy: &Policy, texts: &Texts) -> Outgoing {
    let (subject, lines) = words(alarm, policy, texts);
    let subject = header_text(&subject);
    let domain = policy.sender.address.rsplit('@').next().unwrap_or("localhost");
    let key = match &alarm.trouble {
        Trouble::Stopped { .. } => "stopped",
        Trouble::Channel { channel, .. } => channel.as_str(),
        Trouble::Lost { .. } => "lost",
    };
    let (since, phase) = (alarm.since.as_second().to_be_bytes(), [u8::from(alarm.over_at.is_some())]);
    let thread: String = Digest::of_fields(&[key.as_bytes(), &since]).key().chars().take(12).collect();
    let fields = [key.as_bytes(), &since[..], &phase[..], to.person.as_bytes(), to.channel.as_bytes()];
    let unique: String = Digest::of_fields(&fields).key().chars().take(20).collect();
    let badge = texts.plain(Text::AlarmBadge);
    let blocks = [Block::new(String::new(), lines)];
    let colour = if alarm.over_at.is_some() { COLOURS.1 } else { COLOURS.0 };
    let page = html::Page { language: texts.language(), subject: &subject, badge: (colour, &badge), below: "", blocks: &blocks };
    Outgoing {
        message_id: format!("alarm-{unique}@{domain}"),
        thread_id: format!("alarm-{thread}@{domain}"),
        from: policy.sender.clone(),
        to: to.clone(),
        text: text(&blocks),
        html: page.render(None),
        subject,
        leaves_site: false,
        link: None,
        reply_to: None,
    }
}

fn words(alarm: &Alarm, policy: &Policy, texts: &Texts) -> (String, Vec<String>) {
    let shown = |at: Timestamp| moment(texts, Text::FormatShort, at, &policy.time_zone);
    let (since, at) = (shown(alarm.since), alarm.over_at.map(shown).unwrap_or_default());
    let is_over = alarm.over_at.is_some();
    let (name, count, detail) = match &alarm.trouble {
        Trouble::Stopped { leg, pending } => {
            let count = pending.map_or_else(|| texts.plain(Text::AlarmUnknown), |pending| pending.to_string());
            (String::new(), count, texts.plain(leg.text()))
        }
        Trouble::Channel { channel, reason } => (channel.clone(), String::new(), reason.clone()),
        Trouble::Lost { count, ids } => {
            (String::new(), count.to_string(), ids.iter().take(IDS_MAX).cloned().collect::<Vec<_>>().join(", "))
        }
    };
    let values = [(Hole::Since, since), (Hole::At, at), (Hole::Name, name), (Hole::Count, count), (Hole::Detail, detail)];
    let values: Vec<(Hole, &str)> = values.iter().map(|(hole, value)| (*hole, value.as_str())).collect();
    let (subject, body) = match (&alarm.trouble, is_over) {
        (Trouble::Stopped { .. }, false) => (Text::SubjectStopped, Text::AlarmStopped),
        (Trouble::Stopped { .. }, true) => (Text::SubjectStoppedOver, Text::AlarmStoppedOver),
        (Trouble::Channel { .. }, false) => (Text::SubjectChannel, Text::AlarmChannel),
        (Trouble::Channel { .. }, true) => (Text::SubjectChannelOver, Text::AlarmChannelOver),
        (Trouble::Lost { .. }, false) => (Text::SubjectLost, Text::AlarmLost),
        (Trouble::Lost { .. }, true) => (Text::SubjectLostOver, Text::AlarmLostOver),
    };
    (texts.fill(subject, &values), texts.lines(body, &values))
}
