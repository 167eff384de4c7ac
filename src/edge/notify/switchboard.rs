//! Which notifier carries which channel of the policy.

use crate::edge::notify::{Notifier, Outcome, Outgoing, Reason};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Notifiers by key of the channel.
#[derive(Default)]
pub struct Switchboard {
    channels: BTreeMap<String, Arc<dyn Notifier>>,
}

impl Switchboard {
    /// Lets `notifier` carry that channel.
    pub fn connect(&mut self, channel: &str, notifier: Arc<dyn Notifier>) {
        self.channels.insert(channel.to_owned(), notifier);
    }

    /// Whether somebody carries that channel.
    pub fn carries(&self, channel: &str) -> bool {
        self.channels.contains_key(channel)
    }
}

#[async_trait]
impl Notifier for Switchboard {
    async fn send(&self, alert: &Outgoing) -> Outcome {
        match self.channels.get(&alert.to.channel) {
            Some(notifier) => notifier.send(alert).await,
            None => Outcome::ChannelBroken { reason: Reason::Unconfigured },
        }
    }
}
