//! Consumption that never silently stops: listening and mending.
//!
//! A silent pull is made anew, and the consumer looked at. After [`FAILURES_MAX`] of these without a word the process says that
//! it is not ready, and why, and goes on trying. A deleted consumer is made again by whoever notices, from the lowest message
//! without a verdict; a lost stream or bucket is never made again here, because that would hide the loss.

use crate::decode::share::share_of;
use crate::edge::nats::connect::chance;
use crate::edge::nats::faults::Trouble;
use crate::edge::nats::hands::{Fetched, ticket};
use crate::edge::nats::pull::{Heard, Pull, REFUSED_PAUSE};
use crate::edge::nats::queue::Troubles;
use crate::edge::nats::restore::Floor;
use crate::edge::nats::{Nats, letter, unavailable};
use crate::store::{DEATHS_BEFORE_SUSPECT, Leased, StoreError};
use async_nats::Subject;
use async_nats::jetstream::consumer::Info;
use async_nats::jetstream::context::{ConsumerInfoErrorKind, GetStreamErrorKind};
use async_nats::jetstream::{AckKind, ErrorCode};
use futures_util::StreamExt;
use futures_util::future::{join_all, try_join_all};
use jiff::Timestamp;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// Pulls made anew without a word from the server, before the process is not ready.
const FAILURES_MAX: u32 = 3;

/// Longest wait for the next message of a row that the server says it has.
const ROW_PAUSE: Duration = Duration::from_millis(50);

/// The same for messages that come again: the server does not say how many.
const AGAIN_PAUSE: Duration = Duration::from_millis(20);

/// Longest look at the consumer, or at a stream: the loop must notice soon that nobody answers.
pub(crate) const LOOK_MAX: Duration = Duration::from_secs(3);

/// How often the server is asked whether every stream and bucket is there.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// How often the position of the consumer is noted, for the day it is deleted: what is finished in between is only judged again.
const FLOOR_EVERY: Duration = Duration::from_secs(10);

/// What is remembered between looks.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    floor: Option<(u64, Instant)>,
    checked: Option<(Instant, Result<(), StoreError>)>,
}

impl Nats {
    /// Brings messages into the hands: waits until `until` for the first, then takes the row that is there, up to `limit`.
    pub(crate) async fn gather(&self, pull: &mut Pull, limit: usize, mut until: Instant, asks: bool) -> Result<(), StoreError> {
        let mut got = 0;
        while got < limit {
            if asks && got == 0 {
                pull.ask(&self.client, &self.next_subject(), limit).await?;
            }
            match pull.hear(until).await {
                Heard::Message(message) => {
                    got += 1;
                    until = Instant::now() + row_pause(&message);
                    pull.held.push(*message);
                    if pull.asked() == 0 {
                        break;
                    }
                }
                Heard::Sign if got > 0 => break,
                Heard::Sign => self.faults.flows(),
                Heard::Nothing => break,
                Heard::Deleted => self.look_and_restore().await?,
                Heard::Refused(why) => self.refused(pull, &why).await?,
                Heard::Silence => self.mend(pull, "nothing was heard for three heartbeats").await?,
            }
        }
        if got > 0 {
            self.faults.flows();
        }
        self.take_held(pull).await
    }

    /// Takes exactly what is there now, without waiting.
    pub(crate) async fn look(&self, pull: &mut Pull, limit: usize) -> Result<(), StoreError> {
        pull.end().await;
        let mut messages = self.consumer.fetch().max_messages(limit).messages().await.map_err(unavailable)?;
        while let Some(message) = messages.next().await {
            match message {
                Ok(message) => pull.held.push(message.into()),
                Err(error) => {
                    self.faults.note(Trouble::PullError);
                    tracing::warn!(%error, "a pull request ended early");
                }
            }
        }
        self.take_held(pull).await
    }

    fn next_subject(&self) -> String {
        let layout = &self.options.layout;
        format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", layout.inbound, layout.consumer)
    }

    async fn take_held(&self, pull: &mut Pull) -> Result<(), StoreError> {
        if pull.held.is_empty() {
            return Ok(());
        }
        // A caller that goes away in between leaves them held.
        let fetched = try_join_all(pull.held.iter().map(|message| self.receive(message.clone()))).await?;
        pull.held.clear();
        self.hands.take_in(fetched);
        Ok(())
    }

    async fn receive(&self, message: async_nats::Message) -> Result<Fetched, StoreError> {
        let message = async_nats::jetstream::Message { message, context: self.context.clone() };
        let (sequence, delivered, published) = {
            let info = message.info().map_err(unavailable)?;
            let published = Timestamp::from_nanosecond(info.published.unix_timestamp_nanos()).unwrap_or_default();
            (info.stream_sequence, u32::try_from(info.delivered).unwrap_or(u32::MAX), published)
        };
        let message = message.message;
        let Some(reply) = message.reply else { return Err(unavailable("a message cannot be acknowledged")) };
        let headers = message.headers.unwrap_or_default();
        let (identity, envelope) = letter::read(&message.subject, &headers, message.payload, sequence, published);
        // The first delivery cannot have seen any trouble.
        let troubles = if delivered > 1 { self.troubles(sequence).await? } else { Troubles::default() };
        let deaths = delivered.saturating_sub(1).saturating_sub(troubles.retries);
        let leased = Leased {
            ticket: ticket(sequence, delivered),
            deliveries: delivered,
            suspect: deaths >= DEATHS_BEFORE_SUSPECT,
            solo_deliveries: troubles.solo,
            share: share_of(&envelope),
            identity,
            envelope,
        };
        Ok(Fetched { sequence, leased, reply, touched: Instant::now() })
    }

    async fn refused(&self, pull: &mut Pull, why: &str) -> Result<(), StoreError> {
        self.faults.note(Trouble::PullError);
        tracing::warn!(why, "a pull request was refused");
        if self.is_connected() && why.starts_with("503") {
            self.look_and_restore().await?;
        }
        tokio::time::sleep(REFUSED_PAUSE.mul_f64(1.0 + chance())).await;
        // Refusals are words, but no signs of life.
        if pull.is_silent() { self.mend(pull, why).await } else { Ok(()) }
    }

    /// Makes the pull anew, and looks whether the consumer is there.
    async fn mend(&self, pull: &mut Pull, why: &str) -> Result<(), StoreError> {
        self.faults.note(Trouble::Rebuilt);
        pull.failures += 1;
        tracing::warn!(why, failures = pull.failures, "the pull is made anew");
        pull.end().await;
        let looked = self.look_and_restore().await;
        if pull.failures >= FAILURES_MAX {
            let more = looked.as_ref().err().map(|error| format!(" ({error})")).unwrap_or_default();
            self.faults.stall(format!("no messages can be fetched: {why}{more}"));
        }
        looked
    }

    /// Makes the consumer again if it is really gone: words about a deleted one may be late.
    async fn look_and_restore(&self) -> Result<(), StoreError> {
        match self.look_at_consumer().await {
            Err(StoreError::Damaged(_)) => self.restore_consumer().await,
            Err(error) => Err(error),
            Ok(info) => {
                self.note_floor(&info).await;
                Ok(())
            }
        }
    }

    /// The state of the consumer; [`StoreError::Damaged`] if it is not there.
    pub(crate) async fn look_at_consumer(&self) -> Result<Info, StoreError> {
        if !self.is_connected() {
            return Err(unavailable("there is no connection"));
        }
        let looked = tokio::time::timeout(LOOK_MAX, self.consumer.get_info()).await;
        match looked.map_err(|_| unavailable("the server does not say how the consumer is"))? {
            Ok(info) => Ok(info),
            Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => {
                Err(StoreError::Damaged(format!("the consumer {} is gone", self.options.layout.consumer)))
            }
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Notes up to where everything is finished.
    pub(crate) async fn note_floor(&self, info: &Info) {
        let sequence = info.ack_floor.stream_sequence;
        let due = {
            let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
            let due = looks.floor.is_none_or(|(noted, at)| noted != sequence && at.elapsed() > FLOOR_EVERY);
            if due {
                looks.floor = Some((sequence, Instant::now()));
            }
            due && sequence > 0
        };
        if due && let Err(error) = (Floor { sequence, stream: self.stream_made }).note(self.accepted()).await {
            tracing::warn!(%error, "the position of the consumer cannot be noted");
        }
    }

    /// Whether messages flow, the server lets us, and every stream and bucket is there; asked at most every [`CHECK_EVERY`].
    pub(crate) async fn is_whole(&self) -> Result<(), StoreError> {
        if let Some(reason) = self.faults.reason() {
            return Err(unavailable(reason));
        }
        if !self.is_connected() {
            return Err(unavailable("there is no connection"));
        }
        let known = self.looks.lock().unwrap_or_else(PoisonError::into_inner).checked.clone();
        if let Some((at, answer)) = known
            && at.elapsed() < CHECK_EVERY
        {
            return answer;
        }
        let answer = try_join_all(self.options.layout.stream_names().into_iter().map(|name| self.is_there(name))).await.map(|_| ());
        self.looks.lock().unwrap_or_else(PoisonError::into_inner).checked = Some((Instant::now(), answer.clone()));
        answer
    }

    async fn is_there(&self, name: String) -> Result<(), StoreError> {
        let looked = tokio::time::timeout(LOOK_MAX, self.context.get_stream(&name)).await;
        match looked.map_err(|_| unavailable(format!("{name}: the server does not answer")))? {
            Ok(_) => Ok(()),
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                    self.faults.note(Trouble::Lost);
                    tracing::error!(%name, "a stream or bucket is gone; `mimamori init` makes an empty one");
                    Err(unavailable(format!("{name} is gone")))
                }
                _ => Err(unavailable(format!("{name}: {error}"))),
            },
        }
    }

    /// Gives back what was fetched and not handed out, and with `all` what is in work, too.
    pub(crate) async fn return_all(&self, all: bool) {
        let mut pull = self.pull.lock().await;
        pull.end().await;
        if let Err(error) = self.take_held(&mut pull).await {
            tracing::warn!(%error, "messages that came late are handed out again when their lease has run out");
        }
        let given: Vec<(u64, Subject)> = self.hands.empty(all);
        let count = given.len();
        let back = join_all(given.into_iter().map(|(sequence, reply)| async move {
            let mut troubles = self.troubles(sequence).await?;
            // Given back on purpose: no death of anybody.
            troubles.retries += 1;
            self.note_troubles(sequence, &troubles).await?;
            self.client.publish(reply, AckKind::Nak(None).into()).await.map_err(unavailable)
        }))
        .await;
        let failed = back.iter().filter(|answer: &&Result<(), StoreError>| answer.is_err()).count();
        if count > 0 {
            tracing::info!(count, failed, "given back to the queue");
        }
        if let Err(error) = self.client.flush().await {
            tracing::warn!(%error, "the last words to the server may be lost");
        }
    }
}

/// How long the next message of a row may take.
fn row_pause(message: &async_nats::Message) -> Duration {
    // $JS.ACK.….<delivered>.<stream>.<consumer>.<time>.<pending>[.<token>]: only a hint, so the shape is not checked.
    let reply = message.reply.as_ref().map(Subject::as_str).unwrap_or_default();
    let tokens: Vec<&str> = reply.split('.').collect();
    let (delivered, pending) = match tokens.len() {
        9 => (tokens[4], tokens[8]),
        11.. => (tokens[6], tokens[10]),
        _ => ("1", "0"),
    };
    match (pending, delivered) {
        ("0", "1") => Duration::ZERO,
        ("0", _) => AGAIN_PAUSE,
        _ => ROW_PAUSE,
    }
}
