//! Who can be told, and over what: people, teams, channels.

use crate::model::severity::Category;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The channel of records that were written before channels had names.
pub const MAIL: &str = "mail";

/// A way out, as the policy knows it. How it is reached technically stands in the configuration, under the same id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Key in the policy file.
    pub id: String,
    /// What travels over it.
    pub kind: ChannelKind,
    /// Whether it wakes somebody who sleeps: mail does not.
    pub wakes: bool,
    /// What must work for it to work. Two channels over one transport are not independent.
    pub transport: String,
    /// Whether it ends outside the company: then number, level, kind, deadline and link are all that travels.
    pub leaves_site: bool,
}

/// Kinds of channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ChannelKind {
    Mail,
    Webhook,
    Slack,
    Teams,
    Nats,
}

impl ChannelKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Mail, Self::Webhook, Self::Slack, Self::Teams, Self::Nats];

    /// The id used in files.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::Nats => "nats",
        }
    }
}

/// Somebody who can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Key in the policy file.
    pub id: String,
    /// As it stands in the alert's To.
    pub name: String,
    /// Address by channel.
    pub reach: BTreeMap<String, String>,
    /// Days on which somebody else is told.
    pub absences: Vec<Absence>,
    /// Kinds of harm this person must not be shown.
    pub avoid: Vec<Category>,
    /// Cases of suspected harassment that this person is sent in a day, before others are asked.
    pub exposure_max_per_day: Option<u32>,
    /// Told nothing, keeps its name in the history.
    pub disabled: bool,
}

/// Days away, both ends included, in the policy's time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absence {
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// Who is told instead.
    pub substitute: Option<String>,
}

/// A group of people who are told together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// Key in the policy file.
    pub id: String,
    /// As people call it.
    pub name: String,
    /// Keys of people: all who may be on duty.
    pub members: Vec<String>,
    /// Whether the rota says which of them are told; else all are.
    pub has_rota: bool,
    /// Key of the working hours outside which they are only told of what is urgent; none: always.
    pub hours: Option<String>,
}

/// Somebody who is told over one channel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Recipient {
    /// Key in the policy file.
    pub person: String,
    /// As it stands in the alert's To.
    pub name: String,
    /// Key of the channel.
    #[serde(default = "mail")]
    pub channel: String,
    /// Address on that channel.
    pub address: String,
}

fn mail() -> String {
    MAIL.to_owned()
}
