//! The pull: one inbox, requests for as many messages as there is room for, and an ear on it.
//!
//! Whoever leases asks for no more than it can take, so that nothing lies in a buffer while its lease runs out. The server
//! sends a heartbeat while a request stands; silence is therefore a fault, and every word of the server is a sign of life. No
//! word ends the pull: it is heard, counted, and asked again. Requests are bounded by count, never by bytes: a request for
//! fewer bytes than the next message has would stand for ever.

use crate::edge::nats::unavailable;
use crate::store::StoreError;
use async_nats::{Client, Message, StatusCode, Subscriber};
use futures_util::StreamExt;
use serde_json::json;
use std::time::{Duration, Instant};

/// Heartbeat of the server while a request stands.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(1);

/// Silence after which the pull is made anew: three heartbeats.
pub(crate) const SILENCE: Duration = Duration::from_secs(3);

/// Life of a request: a lost one is missed only for so long.
const EXPIRES: Duration = Duration::from_secs(5);

/// Pause after a refusal, before it is asked again: a server that refuses at once must not be hammered.
pub(crate) const REFUSED_PAUSE: Duration = Duration::from_millis(250);

/// Longest wait for what the server had sent before it heard that the pull ends: one round trip.
const DRAIN_MAX: Duration = Duration::from_millis(500);

/// What was heard.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A message.
    Message(Box<Message>),
    /// A heartbeat, or the end of a request.
    Sign,
    /// The consumer is gone.
    Deleted,
    /// The request was refused.
    Refused(String),
    /// Nothing until the time given.
    Nothing,
    /// Nothing for three heartbeats.
    Silence,
}

/// The state of the pull; whoever holds it leases.
pub(crate) struct Pull {
    ear: Option<(Subscriber, String)>,
    /// Messages asked for and not come.
    asked: usize,
    /// Last word of the server, or when listening began.
    sign: Instant,
    /// Last time somebody listened.
    listened: Instant,
    /// Rebuilt so often without a word.
    pub(crate) failures: u32,
    /// Messages that came and are not in the hands yet.
    pub(crate) held: Vec<Message>,
}

impl Pull {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self { ear: None, asked: 0, sign: now, listened: now, failures: 0, held: vec![] }
    }

    /// Somebody listens (again): time in which nobody did is no silence of the server.
    pub(crate) fn resume(&mut self) {
        if self.listened.elapsed() > HEARTBEAT / 2 {
            self.restart_clock();
        }
    }

    pub(crate) fn restart_clock(&mut self) {
        let now = Instant::now();
        (self.sign, self.listened) = (now, now);
    }

    /// Asks for `limit` messages if few are asked for.
    pub(crate) async fn ask(&mut self, client: &Client, subject: &str, limit: usize) -> Result<(), StoreError> {
        if self.ear.is_none() {
            let inbox = client.new_inbox();
            let subscriber = client.subscribe(inbox.clone()).await.map_err(unavailable)?;
            self.ear = Some((subscriber, inbox));
            self.asked = 0;
            self.restart_clock();
        }
        let Some((_, inbox)) = &self.ear else { return Ok(()) };
        if self.asked > 0 && self.asked >= limit / 2 {
            return Ok(());
        }
        let batch = limit - self.asked;
        let request = json!({ "batch": batch, "expires": nanoseconds(EXPIRES), "idle_heartbeat": nanoseconds(HEARTBEAT) });
        client.publish_with_reply(subject.to_owned(), inbox.clone(), request.to_string().into()).await.map_err(unavailable)?;
        self.asked += batch;
        Ok(())
    }

    /// Messages asked for and not come.
    pub(crate) fn asked(&self) -> usize {
        self.asked
    }

    /// Listens until something comes, at most until `until`; what is there is heard even if that has passed.
    pub(crate) async fn hear(&mut self, until: Instant) -> Heard {
        let Some((subscriber, _)) = &mut self.ear else { return Heard::Nothing };
        let latest = until.min(self.sign + SILENCE);
        let next = tokio::time::timeout_at(latest.into(), subscriber.next()).await;
        self.listened = Instant::now();
        match next {
            Ok(Some(message)) => self.understand(message),
            Ok(None) => {
                self.ear = None;
                Heard::Refused("the subscription has ended".to_owned())
            }
            Err(_) if self.asked > 0 && self.is_silent() => Heard::Silence,
            Err(_) => Heard::Nothing,
        }
    }

    /// No sign of life for three heartbeats.
    pub(crate) fn is_silent(&self) -> bool {
        self.sign.elapsed() >= SILENCE
    }

    fn understand(&mut self, message: Message) -> Heard {
        let Some(status) = message.status.filter(|status| *status != StatusCode::OK) else {
            self.asked = self.asked.saturating_sub(1);
            self.alive();
            return Heard::Message(Box::new(message));
        };
        if status == StatusCode::IDLE_HEARTBEAT {
            self.alive();
            return Heard::Sign;
        }
        // Of several requests the others still stand; without a count, all are taken as ended and one too many may stand.
        let left = message.headers.as_ref().and_then(|headers| headers.get("Nats-Pending-Messages"));
        let left = left.and_then(|count| count.as_str().parse().ok()).unwrap_or(self.asked);
        self.asked = self.asked.saturating_sub(left);
        let text = message.description.unwrap_or_default();
        match status {
            StatusCode::TIMEOUT | StatusCode::NOT_FOUND => {
                self.alive();
                Heard::Sign
            }
            _ if text == "Consumer Deleted" => {
                self.asked = 0;
                Heard::Deleted
            }
            _ => Heard::Refused(format!("{} {text}", status.as_u16())),
        }
    }

    fn alive(&mut self) {
        self.sign = Instant::now();
        self.failures = 0;
    }

    /// Ends the pull; what had come by then is held.
    pub(crate) async fn end(&mut self) {
        let Some((mut subscriber, _)) = self.ear.take() else { return };
        self.asked = 0;
        // Drained, not merely left: what the server has sent already would be nobody's until its lease runs out.
        if subscriber.drain().await.is_err() {
            tracing::debug!("the connection is closed");
        }
        let end = tokio::time::Instant::now() + DRAIN_MAX;
        while let Ok(Some(message)) = tokio::time::timeout_at(end, subscriber.next()).await {
            if message.status.is_none_or(|status| status == StatusCode::OK) {
                self.held.push(message);
            }
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
