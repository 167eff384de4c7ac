//! Names and settings of streams, buckets and the consumer: made by `init`, compared by everybody else.

use crate::edge::nats::OpenError;
use crate::edge::nats::hands::ack_wait;
use crate::edge::nats::restore;
use crate::store::{Bucket, Stream, VALUE_BYTES_MAX};
use async_nats::jetstream::consumer::{AckPolicy, Consumer, pull};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{Context, kv};
use std::time::Duration;

/// Window in which the server itself drops a message with a known `Nats-Msg-Id`. Our own memory of ids lasts as long as the
/// stream; this only saves work when a publisher repeats at once.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);

/// Deliveries after which the server gives a message up. A backstop: we give up long before, with a dead letter.
const DELIVERIES_MAX: i64 = 1_000;

/// Room for the headers that the server counts with a value.
const HEADER_BYTES: usize = 4 << 10;

/// Room in a payload beside an inbound message, in bytes: whatever we write about it later must fit with it.
const INBOUND_ROOM: usize = 16 << 10;

/// Messages out at all workers together, delayed ones included: a burst of retries must not stop the others.
const OUT_MAX: i64 = 20_000;

/// Names and replicas. The defaults are those of the documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Stream of inbound messages.
    pub inbound: String,
    /// Subjects of inbound messages below `<prefix>.<channel>.<tenant>.<queue>`.
    pub inbound_prefix: String,
    /// Durable consumer of the workers.
    pub consumer: String,
    /// Beginning of the names of our streams: `<prefix>_VERDICTS`, …
    pub streams: String,
    /// Beginning of our subjects.
    pub subjects: String,
    /// Beginning of bucket names.
    pub buckets: String,
    /// Copies of everything: 1, 3 or 5.
    pub replicas: usize,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            inbound: "CC_INBOUND".to_owned(),
            inbound_prefix: "cc.inbound".to_owned(),
            consumer: "mimamori".to_owned(),
            streams: "TRIAGE".to_owned(),
            subjects: "triage".to_owned(),
            buckets: "mimamori".to_owned(),
            replicas: 1,
        }
    }
}

/// Bytes that a message of the inbound stream may have, headers included, on a server that takes payloads of `max_payload`.
pub(crate) const fn inbound_bytes(max_payload: usize) -> usize {
    max_payload.saturating_sub(INBOUND_ROOM)
}

/// The memory of accepted ids and of troubled deliveries, beside the buckets of records.
pub(crate) const ACCEPTED: &str = "accepted";

/// Buckets in the order in which they are opened: those of records, then [`ACCEPTED`].
const BUCKETS: [&str; 5] = ["case", "member", "conversation", "system", ACCEPTED];

/// Position of a bucket of records.
pub(crate) const fn position(bucket: Bucket) -> usize {
    match bucket {
        Bucket::Case => 0,
        Bucket::Membership => 1,
        Bucket::Conversation => 2,
        Bucket::System => 3,
    }
}

/// Position of [`ACCEPTED`].
pub(crate) const ACCEPTED_AT: usize = 4;

impl Layout {
    /// Name of the JetStream stream behind one of ours. Verdicts and decisions share one.
    pub(crate) fn stream(&self, stream: Stream) -> String {
        let name = match stream {
            Stream::Verdict | Stream::Decision => "VERDICTS",
            Stream::Dead => "DEAD",
            Stream::Evidence => "EVIDENCE",
            Stream::CaseEvent => "CASES",
        };
        format!("{}_{name}", self.streams)
    }

    /// Subject below which one of our streams lies.
    pub(crate) fn subject(&self, stream: Stream) -> String {
        let name = match stream {
            Stream::Verdict => "verdict",
            Stream::Decision => "decision",
            Stream::Dead => "dead",
            Stream::Evidence => "evidence",
            Stream::CaseEvent => "case",
        };
        format!("{}.{name}", self.subjects)
    }

    /// Name of the stream of originals.
    pub(crate) fn blobs(&self) -> String {
        format!("{}_ORIGINALS", self.streams)
    }

    /// Subject of originals.
    pub(crate) fn blob(&self) -> String {
        format!("{}.original", self.subjects)
    }

    /// Name of a bucket.
    pub(crate) fn bucket(&self, name: &str) -> String {
        format!("{}_{name}", self.buckets)
    }

    fn stream_configs(&self, max_payload: usize) -> Vec<Config> {
        let config = |name: String, subjects: Vec<String>| Config {
            name,
            subjects,
            retention: RetentionPolicy::Limits,
            // Refusing is loud; dropping the oldest would lose what nobody has read.
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            num_replicas: self.replicas,
            duplicate_window: DUPLICATE_WINDOW,
            allow_direct: true,
            ..Config::default()
        };
        let below = |stream: Stream| format!("{}.>", self.subject(stream));
        vec![
            Config {
                max_message_size: i32::try_from(inbound_bytes(max_payload)).unwrap_or(i32::MAX),
                ..config(self.inbound.clone(), vec![format!("{}.>", self.inbound_prefix)])
            },
            config(self.stream(Stream::Verdict), vec![below(Stream::Verdict), below(Stream::Decision)]),
            config(self.stream(Stream::Dead), vec![below(Stream::Dead)]),
            config(self.stream(Stream::Evidence), vec![below(Stream::Evidence)]),
            config(self.stream(Stream::CaseEvent), vec![below(Stream::CaseEvent)]),
            config(self.blobs(), vec![format!("{}.>", self.blob())]),
        ]
    }

    fn bucket_config(&self, name: &str) -> kv::Config {
        kv::Config {
            bucket: self.bucket(name),
            history: 1,
            max_value_size: i32::try_from(VALUE_BYTES_MAX + HEADER_BYTES).unwrap_or(i32::MAX),
            storage: StorageType::File,
            num_replicas: self.replicas,
            ..kv::Config::default()
        }
    }

    /// Every JetStream stream that must be there, those behind buckets included.
    pub(crate) fn stream_names(&self) -> Vec<String> {
        let streams = self.stream_configs(0).into_iter().map(|config| config.name);
        streams.chain(BUCKETS.iter().map(|name| format!("KV_{}", self.bucket(name)))).collect()
    }

    /// The consumer as `init` makes it.
    pub(crate) fn consumer_config(&self, lease: Duration) -> pull::Config {
        pull::Config {
            durable_name: Some(self.consumer.clone()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: ack_wait(lease),
            max_deliver: DELIVERIES_MAX,
            max_ack_pending: OUT_MAX,
            // A durable with a threshold is deleted when nobody asks for a while, and its position with it.
            inactive_threshold: Duration::ZERO,
            ..pull::Config::default()
        }
    }

    /// Creates what is missing; changes replicas and limits of what is there.
    pub(crate) async fn create(&self, context: &Context, lease: Duration) -> Result<Vec<String>, OpenError> {
        let failed = |what: &str, error: &dyn std::fmt::Display| OpenError::Layout(format!("{what} cannot be created: {error}"));
        let mut told = vec![];
        for config in self.stream_configs(context.client().max_payload()) {
            let name = config.name.clone();
            let info = context.create_or_update_stream(config).await.map_err(|error| failed(&name, &error))?;
            told.push(format!("stream {name}  {}  replicas {}", info.config.subjects.join(" "), info.config.num_replicas));
        }
        for name in BUCKETS {
            let config = self.bucket_config(name);
            let bucket = config.bucket.clone();
            context.create_or_update_key_value(config).await.map_err(|error| failed(&bucket, &error))?;
            told.push(format!("bucket {bucket}  replicas {}", self.replicas));
        }
        let mut consumer = self.consumer_config(lease);
        // One that was made again by a worker starts elsewhere, and where it starts cannot be changed.
        if let Ok(known) = context.get_consumer_from_stream::<pull::Config, _, _>(&self.consumer, &self.inbound).await {
            consumer.deliver_policy = known.cached_info().config.deliver_policy;
        }
        let made = context.create_consumer_on_stream(consumer, &self.inbound).await;
        made.map_err(|error| failed(&self.consumer, &error))?;
        told.push(format!("consumer {}  on {}  ack wait {} s", self.consumer, self.inbound, ack_wait(lease).as_secs()));
        Ok(told)
    }

    /// Removes everything.
    pub(crate) async fn remove(&self, context: &Context) -> Result<(), OpenError> {
        let failed = |error: &dyn std::fmt::Display| OpenError::Unavailable(error.to_string());
        for config in self.stream_configs(0) {
            context.delete_stream(&config.name).await.map_err(|error| failed(&error))?;
        }
        for name in BUCKETS {
            context.delete_key_value(self.bucket(name)).await.map_err(|error| failed(&error))?;
        }
        Ok(())
    }

    /// Reads everything back and compares; changes nothing.
    pub(crate) async fn open(&self, context: &Context, lease: Duration) -> Result<(Vec<kv::Store>, Consumer<pull::Config>), OpenError> {
        for wanted in self.stream_configs(context.client().max_payload()) {
            let missing = |error| OpenError::Layout(format!("stream {} cannot be used: {error}", wanted.name));
            let stream = context.get_stream(&wanted.name).await.map_err(missing)?;
            let found = &stream.cached_info().config;
            differs(&wanted.name, "subjects", &wanted.subjects, &found.subjects)?;
            differs(&wanted.name, "retention", &wanted.retention, &found.retention)?;
            differs(&wanted.name, "discard", &wanted.discard, &found.discard)?;
            differs(&wanted.name, "storage", &wanted.storage, &found.storage)?;
            differs(&wanted.name, "allow_direct", &wanted.allow_direct, &found.allow_direct)?;
            differs(&wanted.name, "replicas", &wanted.num_replicas, &found.num_replicas)?;
            differs(&wanted.name, "max_age", &Duration::ZERO, &found.max_age)?;
            // Nothing wanted is no limit, which the server writes as -1.
            if wanted.max_message_size > 0 {
                differs(&wanted.name, "max_msg_size", &wanted.max_message_size, &found.max_message_size)?;
            }
        }
        let mut buckets = vec![];
        for name in BUCKETS {
            let bucket = self.bucket(name);
            let store = context.get_key_value(&bucket).await;
            let store = store.map_err(|error| OpenError::Layout(format!("bucket {bucket} cannot be used: {error}")))?;
            let found = &store.stream.cached_info().config;
            differs(&bucket, "history", &1, &found.max_messages_per_subject)?;
            differs(&bucket, "replicas", &self.replicas, &found.num_replicas)?;
            differs(&bucket, "max_age", &Duration::ZERO, &found.max_age)?;
            buckets.push(store);
        }
        // Deleted while no worker ran that would have noticed: whoever starts puts it back.
        restore::put_back(context, self, lease, &buckets).await?;
        let consumer: Consumer<pull::Config> = context
            .get_consumer_from_stream(&self.consumer, &self.inbound)
            .await
            .map_err(|error| OpenError::Layout(format!("consumer {} cannot be used: {error}", self.consumer)))?;
        let found = &consumer.cached_info().config;
        differs(&self.consumer, "ack_policy", &AckPolicy::Explicit, &found.ack_policy)?;
        differs(&self.consumer, "ack_wait", &ack_wait(lease), &found.ack_wait)?;
        differs(&self.consumer, "max_deliver", &DELIVERIES_MAX, &found.max_deliver)?;
        differs(&self.consumer, "max_ack_pending", &OUT_MAX, &found.max_ack_pending)?;
        differs(&self.consumer, "inactive_threshold", &Duration::ZERO, &found.inactive_threshold)?;
        Ok((buckets, consumer))
    }
}

fn differs<T: PartialEq + std::fmt::Debug>(name: &str, what: &str, wanted: &T, found: &T) -> Result<(), OpenError> {
    if wanted == found {
        return Ok(());
    }
    Err(OpenError::Layout(format!("{name}: {what} is {found:?}, and must be {wanted:?}")))
}
