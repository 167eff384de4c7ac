//! Records in key-value buckets, streams and originals in streams.

use crate::edge::nats::layout::{Layout, position};
use crate::edge::nats::{Nats, OpenError, page, unavailable};
use crate::model::digest::Digest;
use crate::model::envelope::MESSAGE_BYTES_HARD;
use crate::store::{Appended, Bucket, Key, Record, Revision, Store, StoreError, Stream, StreamEntry, VALUE_BYTES_MAX};
use async_nats::Client;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::kv::{CreateErrorKind, UpdateErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;

/// Header with the dedupe id of an entry.
const DEDUPE: &str = "Mimamori-Dedupe";

/// Bytes of one piece of an original: below the payload limit of every server (1 MiB by default), headers included.
const CHUNK_BYTES: usize = 512 << 10;

/// Header of a bucket that marks a deleted record.
const OPERATION: &str = "KV-Operation";

/// Follows changes of records as a hint: a number that rises.
pub(crate) async fn watch(client: &Client, layout: &Layout) -> Result<watch::Receiver<u64>, OpenError> {
    let (tell, told) = watch::channel(0_u64);
    // A wildcard stands for a whole token only, so the buckets are followed one by one.
    for bucket in ["case", "member", "conversation", "system"] {
        let subject = format!("$KV.{}.>", layout.bucket(bucket));
        let mut changes = client.subscribe(subject).await.map_err(|error| OpenError::Unavailable(error.to_string()))?;
        let tell = tell.clone();
        tokio::spawn(async move {
            while changes.next().await.is_some() {
                tell.send_modify(|count| *count += 1);
                if tell.is_closed() {
                    break;
                }
            }
        });
    }
    client.flush().await.map_err(|error| OpenError::Unavailable(error.to_string()))?;
    Ok(told)
}

fn check_size(size: usize, limit: usize) -> Result<(), StoreError> {
    if size > limit { Err(StoreError::TooLarge { size, limit }) } else { Ok(()) }
}

fn bucket_of(key: &Key) -> usize {
    let name = key.as_str().split('.').next().unwrap_or_default();
    let all = [Bucket::Case, Bucket::Membership, Bucket::Conversation, Bucket::System];
    all.into_iter().find(|bucket| bucket.id() == name).map_or(position(Bucket::System), position)
}

fn time(at: async_nats::datetime::DateTime) -> Timestamp {
    Timestamp::from_nanosecond(at.unix_timestamp_nanos()).unwrap_or_default()
}

/// Subjects of verdicts and decisions stand in their bodies: other programs listen to them.
#[derive(Deserialize)]
struct Addressed {
    subject: Option<String>,
}

impl Nats {
    /// The subject of one entry: never two entries on one subject, so that the server itself refuses the second.
    fn entry_subject(&self, stream: Stream, dedupe: &str, body: &[u8]) -> String {
        let token = token(dedupe);
        let layout = &self.options.layout;
        let own = layout.subject(stream);
        match stream {
            Stream::Verdict | Stream::Decision => {
                let given = leading_subject(body)
                    .map(str::to_owned)
                    .or_else(|| serde_json::from_slice::<Addressed>(body).ok().and_then(|addressed| addressed.subject));
                let places = if stream == Stream::Verdict { "-.-.-" } else { "-" };
                let tail = given.as_deref().and_then(|subject| subject.splitn(3, '.').nth(2)).unwrap_or(places);
                format!("{own}.{tail}.{token}")
            }
            _ => format!("{own}.{token}"),
        }
    }

    /// Fits the entry of a dedupe id, whatever stands between.
    fn entry_filter(&self, stream: Stream, dedupe: &str) -> String {
        let (own, token) = (self.options.layout.subject(stream), token(dedupe));
        match stream {
            Stream::Verdict => format!("{own}.*.*.*.{token}"),
            Stream::Decision => format!("{own}.*.{token}"),
            _ => format!("{own}.{token}"),
        }
    }

    /// The newest message of a subject, from the leader.
    async fn newest(&self, stream: &str, subject: &str) -> Result<Option<StreamEntry>, StoreError> {
        let stream = self.context.get_stream_no_info(stream).await.map_err(unavailable)?;
        match stream.get_last_raw_message_by_subject(subject).await {
            Ok(found) => Ok(Some(StreamEntry {
                seq: found.sequence,
                dedupe: found.headers.get(DEDUPE).map(|value| value.as_str().to_owned()).unwrap_or_default(),
                at: time(found.time),
                body: found.payload,
            })),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn put_chunk(&self, subject: String, body: Bytes) -> Result<(), StoreError> {
        let message = PublishMessage::build().payload(body).expected_last_subject_sequence(0);
        let sent = self.context.send_publish(subject, message).await.map_err(unavailable)?;
        match sent.await {
            Ok(_) => Ok(()),
            // It is there already.
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(()),
            Err(error) => Err(unavailable(error)),
        }
    }
}

/// The subject where it stands first, as the worker writes it: reading the whole entry for it would cost as much as making it.
fn leading_subject(body: &[u8]) -> Option<&str> {
    let rest = body.strip_prefix(b"{\"subject\":\"")?;
    let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
    (rest.get(end) == Some(&b'"')).then(|| std::str::from_utf8(rest.get(..end)?).ok())?
}

/// An id as a token of a subject.
fn token(dedupe: &str) -> String {
    let is_plain = dedupe.len() <= 120 && !dedupe.is_empty() && dedupe.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_');
    if is_plain { dedupe.to_owned() } else { format!("h-{}", Digest::of(dedupe.as_bytes()).key()) }
}

#[async_trait]
impl Store for Nats {
    async fn create(&self, key: &Key, value: Bytes) -> Result<Revision, StoreError> {
        check_size(value.len(), VALUE_BYTES_MAX)?;
        match self.buckets[bucket_of(key)].create(key.as_str(), value).await {
            Ok(revision) => Ok(Revision(revision)),
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => Err(StoreError::Exists),
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        let bucket = &self.buckets[bucket_of(key)];
        let subject = format!("$KV.{}.{key}", bucket.name);
        match bucket.stream.get_last_raw_message_by_subject(&subject).await {
            Ok(found) if found.headers.get(OPERATION).is_some() => Ok(None),
            Ok(found) => Ok(Some(Record { key: key.clone(), revision: Revision(found.sequence), value: found.payload })),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn update(&self, key: &Key, expected: Revision, value: Bytes) -> Result<Revision, StoreError> {
        check_size(value.len(), VALUE_BYTES_MAX)?;
        match self.buckets[bucket_of(key)].update(key.as_str(), value, expected.0).await {
            Ok(revision) => Ok(Revision(revision)),
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Err(StoreError::Conflict),
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn delete(&self, key: &Key, expected: Revision) -> Result<(), StoreError> {
        // A deleted record is a marker with a revision of its own; deleting it again must not succeed.
        match self.get(key).await? {
            Some(found) if found.revision == expected => {}
            _ => return Err(StoreError::Conflict),
        }
        match self.buckets[bucket_of(key)].delete_expect_revision(key.as_str(), Some(expected.0)).await {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => Err(StoreError::Conflict),
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn scan(&self, prefix: &Key) -> Result<Vec<Record>, StoreError> {
        let bucket = &self.buckets[bucket_of(prefix)];
        let mut found = BTreeMap::new();
        if let Some(record) = self.get(prefix).await? {
            found.insert(record.key.as_str().to_owned(), record);
        }
        let (head, mut from) = (format!("$KV.{}.", bucket.name), 1);
        loop {
            let rows = page::read(&self.client, &bucket.stream_name, &format!("{head}{prefix}.>"), from, page::BATCH_MAX).await?;
            let Some(last) = rows.last() else { break };
            from = last.sequence + 1;
            for row in rows {
                let Some(key) = row.subject.strip_prefix(&head).map(str::to_owned) else { continue };
                // A record that changed during the scan comes again with its newer value; a marker takes it out.
                if row.headers.get(OPERATION).is_some() {
                    found.remove(&key);
                } else {
                    let record = Record { key: Key::from_stored(key.clone()), revision: Revision(row.sequence), value: row.body };
                    found.insert(key, record);
                }
            }
        }
        Ok(found.into_values().collect())
    }

    async fn append(&self, stream: Stream, dedupe: &str, expect_last: Option<u64>, body: Bytes) -> Result<Appended, StoreError> {
        check_size(body.len(), VALUE_BYTES_MAX)?;
        let subject = self.entry_subject(stream, dedupe, &body);
        let mut message = PublishMessage::build().payload(body).header(DEDUPE, dedupe).expected_last_subject_sequence(0);
        if let Some(last) = expect_last {
            message = message.expected_last_sequence(last);
        }
        let sent = self.context.send_publish(subject, message).await.map_err(unavailable)?;
        match sent.await {
            Ok(acknowledged) => Ok(Appended { seq: acknowledged.sequence, duplicate: false }),
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => match self.find(stream, dedupe).await? {
                Some(known) => Ok(Appended { seq: known.seq, duplicate: true }),
                None => Err(StoreError::Conflict),
            },
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn read(&self, stream: Stream, after: u64, limit: usize) -> Result<Vec<StreamEntry>, StoreError> {
        let layout = &self.options.layout;
        let filter = format!("{}.>", layout.subject(stream));
        let rows = page::read(&self.client, &layout.stream(stream), &filter, after + 1, limit).await?;
        let entry = |row: page::Stored| StreamEntry {
            seq: row.sequence,
            dedupe: row.headers.get(DEDUPE).map(|value| value.as_str().to_owned()).unwrap_or_default(),
            at: row.at,
            body: row.body,
        };
        Ok(rows.into_iter().map(entry).collect())
    }

    async fn find(&self, stream: Stream, dedupe: &str) -> Result<Option<StreamEntry>, StoreError> {
        self.newest(&self.options.layout.stream(stream), &self.entry_filter(stream, dedupe)).await
    }

    async fn last(&self, stream: Stream) -> Result<Option<StreamEntry>, StoreError> {
        let layout = &self.options.layout;
        self.newest(&layout.stream(stream), &format!("{}.>", layout.subject(stream))).await
    }

    async fn put_blob(&self, bytes: Bytes) -> Result<Digest, StoreError> {
        check_size(bytes.len(), MESSAGE_BYTES_HARD)?;
        let digest = Digest::of(&bytes);
        let subject = format!("{}.{}", self.options.layout.blob(), digest.key());
        let whole = format!("{subject}.whole");
        if self.newest(&self.options.layout.blobs(), &whole).await?.is_some() {
            return Ok(digest);
        }
        let chunks = (0..bytes.len()).step_by(CHUNK_BYTES).enumerate();
        let chunks = chunks.map(|(n, at)| (n, bytes.slice(at..bytes.len().min(at + CHUNK_BYTES))));
        try_join_all(chunks.map(|(n, chunk)| self.put_chunk(format!("{subject}.{n}"), chunk))).await?;
        // Only now is it there: a crash between leaves pieces that the next attempt finds in place.
        self.put_chunk(whole, Bytes::from(bytes.len().to_string())).await?;
        Ok(digest)
    }

    async fn get_blob(&self, digest: &Digest) -> Result<Option<Bytes>, StoreError> {
        let (stream, subject) = (self.options.layout.blobs(), format!("{}.{}", self.options.layout.blob(), digest.key()));
        let Some(whole) = self.newest(&stream, &format!("{subject}.whole")).await? else { return Ok(None) };
        let length: usize = std::str::from_utf8(&whole.body).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        let count = length.div_ceil(CHUNK_BYTES);
        let chunk = |n: usize| {
            let (stream, subject) = (stream.clone(), format!("{subject}.{n}"));
            async move { self.newest(&stream, &subject).await }
        };
        let chunks = try_join_all((0..count).map(chunk)).await?;
        let bytes: Vec<u8> = chunks.into_iter().flatten().flat_map(|entry| entry.body).collect();
        let found = Bytes::from(bytes);
        if Digest::of(&found) == *digest {
            Ok(Some(found))
        } else {
            Err(StoreError::Damaged("an original is not what was kept".to_owned()))
        }
    }

    async fn changed(&self, longest: Duration) {
        let mut changes = self.changes.clone();
        let seen = self.seen.load(Ordering::Relaxed);
        _ = tokio::time::timeout(longest, changes.wait_for(|count| *count > seen)).await;
        self.seen.store(*changes.borrow(), Ordering::Relaxed);
    }
}
