//! Putting a deleted consumer back, without losing a message and without judging everything again.
//!
//! Workers note from time to time up to where everything is finished. Who notices while running looks from there on for the
//! first message without a verdict; who starts and finds no consumer begins at the note, because nothing is open yet to look with.

use crate::edge::nats::faults::Trouble;
use crate::edge::nats::layout::{ACCEPTED_AT, Layout};
use crate::edge::nats::{Nats, OpenError, letter, page, unavailable};
use crate::store::{Store, StoreError, Stream};
use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use async_nats::jetstream::context::ConsumerInfoErrorKind;
use async_nats::jetstream::stream::ConsumerCreateStrictErrorKind;
use async_nats::jetstream::{Context, kv};
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Key of the position in the bucket of accepted ids.
const FLOOR_KEY: &str = "floor";

/// Messages whose verdicts are looked for at once.
const LOOK_AHEAD: usize = 100;

/// Everything up to this number is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Floor {
    pub(crate) sequence: u64,
    /// When the stream was made, in nanoseconds: a floor of another stream of that name says nothing.
    pub(crate) stream: i128,
}

impl Floor {
    /// The first number after what was noted for this stream.
    async fn first_after(bucket: &kv::Store, stream: i128) -> Result<u64, StoreError> {
        let noted = bucket.get(FLOOR_KEY).await.map_err(unavailable)?;
        let noted = noted.and_then(|bytes| serde_json::from_slice::<Self>(&bytes).ok()).filter(|floor| floor.stream == stream);
        Ok(noted.map_or(0, |floor| floor.sequence) + 1)
    }

    pub(crate) async fn note(&self, bucket: &kv::Store) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(self).map_err(unavailable)?;
        bucket.put(FLOOR_KEY, bytes.into()).await.map(|_| ()).map_err(unavailable)
    }
}

/// Makes the consumer, to begin at that message. False if another worker was first.
async fn make(context: &Context, layout: &Layout, lease: Duration, start_sequence: u64) -> Result<bool, String> {
    let config = pull::Config { deliver_policy: DeliverPolicy::ByStartSequence { start_sequence }, ..layout.consumer_config(lease) };
    match context.create_consumer_strict_on_stream(config, &layout.inbound).await {
        Ok(_) => {
            tracing::error!(consumer = %layout.consumer, from = start_sequence, "the consumer was deleted, and is there again");
            Ok(true)
        }
        Err(error) if error.kind() == ConsumerCreateStrictErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(format!("consumer {} is gone and cannot be made again: {error}", layout.consumer)),
    }
}

/// Makes the consumer again if it is gone and everything else is there, from the last position that was noted; what was finished
/// behind it is only judged again.
pub(crate) async fn put_back(context: &Context, layout: &Layout, lease: Duration, buckets: &[kv::Store]) -> Result<(), OpenError> {
    let away = |error: &dyn std::fmt::Display| OpenError::Unavailable(error.to_string());
    let inbound = context.get_stream(&layout.inbound).await.map_err(|error| away(&error))?;
    match inbound.consumer_info(&layout.consumer).await {
        Err(error) if error.kind() == ConsumerInfoErrorKind::NotFound => {}
        // Whatever else is wrong, the look at its configuration tells.
        _ => return Ok(()),
    }
    let stream = inbound.cached_info().created.unix_timestamp_nanos();
    let start = Floor::first_after(&buckets[ACCEPTED_AT], stream).await.map_err(|error| away(&error))?;
    let made = make(context, layout, lease, start).await;
    made.map(|_| ()).map_err(|why| OpenError::Layout(format!("{why}; run `mimamori init`")))
}

impl Nats {
    /// Makes the consumer again, from the lowest message without a verdict.
    pub(crate) async fn restore_consumer(&self) -> Result<(), StoreError> {
        let start = self.lowest_unfinished().await?.max(1);
        if make(&self.context, &self.options.layout, self.options.lease, start).await.map_err(unavailable)? {
            self.faults.note(Trouble::ConsumerMade);
        }
        Ok(())
    }

    /// Number of the first message that is not known to be finished.
    async fn lowest_unfinished(&self) -> Result<u64, StoreError> {
        let layout = &self.options.layout;
        let mut from = Floor::first_after(self.accepted(), self.stream_made).await?;
        let subject = format!("{}.>", layout.inbound_prefix);
        loop {
            let rows = page::read(&self.client, &layout.inbound, &subject, from, LOOK_AHEAD).await?;
            let Some(last) = rows.last() else { return Ok(from) };
            let next = last.sequence + 1;
            let numbers: Vec<u64> = rows.iter().map(|row| row.sequence).collect();
            let finished = join_all(rows.into_iter().map(|row| async move {
                let (identity, _) = letter::read(&row.subject, &row.headers, row.body, row.sequence, row.at);
                let key = identity.key();
                Ok::<bool, StoreError>(self.find(Stream::Verdict, &key).await?.is_some() || self.find(Stream::Dead, &key).await?.is_some())
            }))
            .await;
            for (number, finished) in numbers.into_iter().zip(finished) {
                if !finished? {
                    return Ok(number);
                }
            }
            from = next;
        }
    }
}
