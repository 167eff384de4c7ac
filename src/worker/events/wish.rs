//! What another system wants to hear, and which stored entries make it an event.

use crate::case::outward::{self, Outward};
use crate::model::event::EventKind;
use crate::model::ids::{QueueName, Tenant};
use crate::store::{Store, StoreError, Stream, StreamEntry};
use crate::worker::events::cursor::Place;
use jiff::Timestamp;

/// Entries read from a stream at a time.
pub(crate) const PAGE: usize = 500;

/// What a target wants to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Name of the target.
    pub id: String,
    /// Types.
    pub kinds: Vec<EventKind>,
    /// Of which tenants; empty for all.
    pub tenants: Vec<Tenant>,
    /// Of which queues; empty for all.
    pub queues: Vec<QueueName>,
    /// A new target begins with the oldest entry of the store.
    pub from_beginning: bool,
}

/// A stored entry and its stream.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) stream: Stream,
    pub(crate) entry: StreamEntry,
}

impl Wish {
    /// The event that an entry makes for this target.
    pub(crate) fn event(&self, row: &Row) -> Option<Outward> {
        let entry = &row.entry;
        let made = match row.stream {
            Stream::Verdict => outward::of_verdict(&entry.dedupe, entry.at, &entry.body),
            _ => outward::of_history(&entry.dedupe, &entry.body),
        };
        let event = made.unwrap_or_else(|error| {
            tracing::error!(stream = row.stream.id(), number = entry.seq, %error, "an entry of the store makes no event: it was written by another version");
            None
        })?;
        let is_wanted = self.kinds.contains(&event.kind)
            && (self.tenants.is_empty() || self.tenants.contains(&event.tenant))
            && (self.queues.is_empty() || self.queues.contains(&event.queue));
        is_wanted.then_some(event)
    }

    /// The next entries after a place, in the order of their times; each stream in its own order.
    pub(crate) async fn rows(store: &dyn Store, place: Place) -> Result<Vec<Row>, StoreError> {
        let history = store.read(Stream::CaseEvent, place.history, PAGE);
        let (history, verdicts) = tokio::join!(history, store.read(Stream::Verdict, place.verdict, PAGE));
        let (history, verdicts) = (history?, verdicts?);
        // Beyond the last entry of a full page, the other stream may have older ones that were not read yet.
        let ends = |rows: &[StreamEntry]| if rows.len() < PAGE { Timestamp::MAX } else { rows.last().map_or(Timestamp::MAX, |row| row.at) };
        let until = ends(&history).min(ends(&verdicts));
        let row = |stream: Stream| move |entry: StreamEntry| Row { stream, entry };
        let mut rows: Vec<Row> =
            history.into_iter().map(row(Stream::CaseEvent)).chain(verdicts.into_iter().map(row(Stream::Verdict))).collect();
        // Stable, so that equal times keep the case before its verdict, as they were written.
        rows.sort_by_key(|row| row.entry.at);
        let first = rows.len().min(1);
        let count = rows.partition_point(|row| row.entry.at <= until).max(first);
        rows.truncate(count);
        Ok(rows)
    }

    /// When the oldest event was stored that this target does not have; nothing if it has all. Reads on until it finds one.
    pub async fn oldest_waiting(&self, store: &dyn Store, mut place: Place) -> Result<Option<Timestamp>, StoreError> {
        loop {
            let rows = Self::rows(store, place).await?;
            if rows.is_empty() {
                return Ok(None);
            }
            for row in rows {
                if self.event(&row).is_some() {
                    return Ok(Some(row.entry.at));
                }
                place.pass(&row);
            }
        }
    }
}
