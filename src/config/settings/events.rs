//! `[[events.out]]`: other systems that are told what happens.

use crate::config::settings::SubjectSettings;
use crate::model::event::EventKind;
use crate::model::ids::{QueueName, Tenant};
use std::path::PathBuf;

/// Most targets: each is a label of metrics, two reads of the store a second, and a task.
pub const EVENT_TARGETS_MAX: usize = 16;

/// One other system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTargetSettings {
    /// Its name, in records, metrics and on the command line.
    pub id: String,
    /// How it is reached.
    pub way: EventWay,
    /// What it is told, never empty.
    pub kinds: Vec<EventKind>,
    /// Of which tenants; empty for all.
    pub tenants: Vec<Tenant>,
    /// Of which queues; empty for all.
    pub queues: Vec<QueueName>,
    /// A new target begins with the oldest entry of the store; else with what happens from now on.
    pub from_beginning: bool,
}

/// How another system is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventWay {
    /// A webhook, signed as in Standard Webhooks.
    Webhook {
        /// Where to.
        url: String,
        /// File with the signing key.
        secret_file: PathBuf,
        /// Hosts that may be in private networks or without TLS.
        private_hosts: Vec<String>,
    },
    /// Subjects `<subject>.<type>` that a stream keeps.
    Nats(SubjectSettings),
}
