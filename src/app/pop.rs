//! Alerts on a NATS subject: for the screen of a contact center, on either backend.
//!
//! The alert's facts as JSON, its Message-ID as `Nats-Msg-Id`. It stands here because it joins two edges that do not know each other.

use crate::edge::nats::Access;
use crate::edge::nats::ring::{Bell, Missed};
use crate::edge::notify::{Notifier, Outcome, Outgoing, Reason};
use async_trait::async_trait;

/// A subject that alerts are told on.
#[derive(Debug)]
pub struct Pop {
    bell: Bell,
}

impl Pop {
    /// Connects to nothing yet.
    pub fn new(subject: String, access: Access) -> Self {
        Self { bell: Bell::new(subject, access) }
    }
}

#[async_trait]
impl Notifier for Pop {
    async fn send(&self, alert: &Outgoing) -> Outcome {
        let transient = |reason| Outcome::Transient { reason, slow_down: false };
        match self.bell.ring(&alert.message_id, alert.facts().to_string()).await {
            Ok(()) => Outcome::Sent,
            Err(Missed::Connection) => transient(Reason::Connection),
            Err(Missed::Nobody) => transient(Reason::NobodyListens),
            Err(Missed::Timeout) => transient(Reason::Timeout),
            Err(Missed::Busy) => transient(Reason::Busy),
            Err(Missed::Denied) => Outcome::ChannelBroken { reason: Reason::Authentication },
            Err(Missed::Unsendable) => Outcome::RecipientRefused { reason: Reason::Unsendable },
        }
    }
}
