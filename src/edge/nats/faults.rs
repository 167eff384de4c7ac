//! What the connection and the consumer went through: counts for metrics, reasons for readiness.

use async_nats::{Event, ServerError};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a refusal by the server speaks against readiness: the client is told of each one once, and hears nothing when the
/// right is given back.
const DENIED_FOR: Duration = Duration::from_secs(15);

/// Something that happened; a closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// A connection was made, the first one included.
    Connected,
    /// The connection was lost.
    Disconnected,
    /// The server is about to stop.
    LameDuck,
    /// The client dropped messages because this process is too slow.
    SlowConsumer,
    /// The server complained; a missing right among other things.
    ServerError,
    /// The client complained.
    ClientError,
    /// A pull request ended with an error.
    PullError,
    /// The pull was made anew because nothing was heard.
    Rebuilt,
    /// The durable consumer was gone and was made again.
    ConsumerMade,
    /// A stream or bucket is gone.
    Lost,
    /// A final acknowledgement found no consumer.
    AckLost,
}

impl Trouble {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Connected,
        Self::Disconnected,
        Self::LameDuck,
        Self::SlowConsumer,
        Self::ServerError,
        Self::ClientError,
        Self::PullError,
        Self::Rebuilt,
        Self::ConsumerMade,
        Self::Lost,
        Self::AckLost,
    ];
}

#[derive(Debug, Default)]
struct Reasons {
    stalled: Option<String>,
    denied: Option<(String, Instant)>,
}

/// What this process saw since it started.
#[derive(Debug, Default)]
pub struct Faults {
    counts: [AtomicU64; Trouble::ALL.len()],
    reasons: Mutex<Reasons>,
}

impl Faults {
    /// How often.
    pub fn count(&self, trouble: Trouble) -> u64 {
        self.counts[trouble as usize].load(Ordering::Relaxed)
    }

    pub(crate) fn note(&self, trouble: Trouble) {
        self.counts[trouble as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Takes an event of the client.
    pub(crate) fn heard(&self, event: &Event) {
        match event {
            Event::Connected => self.say(Trouble::Connected, tracing::Level::INFO, event),
            Event::Disconnected => self.say(Trouble::Disconnected, tracing::Level::WARN, event),
            Event::LameDuckMode => self.say(Trouble::LameDuck, tracing::Level::WARN, event),
            Event::SlowConsumer(_) => self.say(Trouble::SlowConsumer, tracing::Level::ERROR, event),
            Event::ClientError(_) => self.say(Trouble::ClientError, tracing::Level::WARN, event),
            Event::ServerError(error) => {
                self.say(Trouble::ServerError, tracing::Level::ERROR, event);
                let text = error.to_string();
                let is_denied = matches!(error, ServerError::AuthorizationViolation) || text.to_ascii_lowercase().contains("permissions");
                if is_denied {
                    self.with(|reasons| reasons.denied = Some((text, Instant::now())));
                }
            }
            Event::Draining | Event::Closed => tracing::info!(%event, "NATS"),
        }
    }

    fn say(&self, trouble: Trouble, level: tracing::Level, event: &Event) {
        self.note(trouble);
        match level {
            tracing::Level::ERROR => tracing::error!(%event, "NATS"),
            tracing::Level::WARN => tracing::warn!(%event, "NATS"),
            _ => tracing::info!(%event, "NATS"),
        }
    }

    /// Consumption stands still.
    pub(crate) fn stall(&self, why: String) {
        self.with(|reasons| reasons.stalled = Some(why));
    }

    /// Consumption goes on.
    pub(crate) fn flows(&self) {
        if self.with(|reasons| reasons.stalled.take()).is_some() {
            tracing::info!("messages come again");
        }
    }

    /// Why nothing new is welcome, if so.
    pub(crate) fn reason(&self) -> Option<String> {
        self.with(|reasons| {
            let denied = reasons.denied.as_ref().filter(|(_, at)| at.elapsed() < DENIED_FOR);
            reasons.stalled.clone().or_else(|| denied.map(|(why, _)| format!("the server refuses: {why}")))
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Reasons) -> T) -> T {
        act(&mut self.reasons.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
