//! Notifiers: one alert to one recipient over one channel.
//!
//! A notifier only carries; it decides nothing about who is told or when. Its outcome tells the caller what to do next
//! without matching on text, and never holds a secret, an address or a word of a message.

use crate::policy::{Recipient, Sender};
use async_trait::async_trait;
use serde_json::{Value, json};
use std::time::Duration;

pub mod alarm;
pub mod bundle;
pub mod digest;
pub mod event;
pub mod html;
pub mod outbox;
pub mod render;
pub mod smtp;
pub mod switchboard;
pub mod webhook;

/// An alert ready to leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The same for every attempt.
    pub message_id: String,
    /// Root of the case's thread: alerts of one case stand together in a mail program.
    pub thread_id: String,
    /// Who it comes from.
    pub from: Sender,
    /// Who it goes to.
    pub to: Recipient,
    /// The subject: no names, no abuse.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// It ends outside the company: `text` and `html` hold number, deadline and ways to answer, no word of the case.
    pub leaves_site: bool,
    /// A page on which the person takes the case or passes it on.
    pub link: Option<String>,
    /// Where a reply goes.
    pub reply_to: Option<String>,
}

impl Outgoing {
    /// The alert as other programs read it. Words of a case only where somebody decided that this channel stays inside.
    pub fn facts(&self) -> Value {
        let inside = (!self.leaves_site).then_some(self.text.as_str());
        json!({
            "type": "alert", "id": self.message_id, "to": self.to.address, "summary": self.subject, "thread": self.thread_id, "link": self.link,
            "text": inside,
        })
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The next hop has it.
    Sent,
    /// Trying again may help.
    Transient {
        /// Why.
        reason: Reason,
        /// The server asked for fewer or later attempts.
        slow_down: bool,
    },
    /// Too busy, and the server named the time to wait; already bounded.
    Later {
        /// From now.
        wait: Duration,
    },
    /// This recipient is refused for good; others may be told.
    RecipientRefused {
        /// Why.
        reason: Reason,
    },
    /// The channel is broken for every recipient until somebody mends it.
    ChannelBroken {
        /// Why.
        reason: Reason,
    },
}

/// Why an attempt failed; a closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// No connection.
    Connection,
    /// TLS could not be agreed on, or the certificate is not trusted.
    Tls,
    /// No answer in time.
    Timeout,
    /// The text was handed over, the answer is missing: it may have been delivered.
    MaybeSent,
    /// The server said "later".
    Busy,
    /// Nobody listens at the other end.
    NobodyListens,
    /// The server refused name or password.
    Authentication,
    /// The server refused for good.
    Refused,
    /// The folder or file cannot be written.
    Disk,
    /// The alert cannot be put into a mail.
    Unsendable,
    /// The policy names a channel for which the configuration has no way out.
    Unconfigured,
}

impl Reason {
    /// The id used in records and logs.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::MaybeSent => "maybe_sent",
            Self::Busy => "busy",
            Self::NobodyListens => "nobody_listens",
            Self::Authentication => "authentication",
            Self::Refused => "refused",
            Self::Disk => "disk",
            Self::Unsendable => "unsendable",
            Self::Unconfigured => "unconfigured",
        }
    }
}

/// A way out. Sending the same alert twice must be recognisable by its Message-ID.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Hands over one alert; bounded in time.
    async fn send(&self, alert: &Outgoing) -> Outcome;
}

/// Control characters out of a text that goes into a header: lettre panics on them in names, and they could add headers.
pub(crate) fn header_text(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}
