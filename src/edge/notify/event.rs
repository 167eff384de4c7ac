//! Handing an event to another system: one attempt, and what came of it.

use crate::edge::notify::Reason;
use crate::model::event::EventKind;
use async_trait::async_trait;
use std::time::Duration;

/// What came of an attempt. Only [`Handed::Accepted`] means that the other system has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handed {
    /// It has it, durably as far as it can say.
    Accepted,
    /// Not now.
    Later {
        /// Why.
        reason: Reason,
        /// How long it asked to be left alone; already bounded.
        wait: Option<Duration>,
    },
    /// It does not want it like this: a person must look, here or there.
    Refused {
        /// Why.
        reason: Reason,
    },
    /// It wants no events any more (HTTP 410).
    Gone,
}

/// A way to another system.
#[async_trait]
pub trait EventSink: Send + Sync {
    /// Hands over one event; bounded in time. The same `id` for every attempt.
    async fn hand_over(&self, kind: EventKind, id: &str, body: &str) -> Handed;
}
