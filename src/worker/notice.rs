//! Notices of our own side: that a customer was cautioned or refused is a fact for others, and stands in the history.

use crate::case::outward;
use crate::case::{CaseRecord, CaseState};
use crate::model::message::Message;
use crate::store::{Bucket, Key, StoreError, Stream, record};
use crate::worker::Worker;
use jiff::Timestamp;

impl Worker {
    /// Appends a caution or refusal to the history, once; with the case that is open in its conversation. Other messages of ours
    /// leave no entry.
    pub(crate) async fn note_notice(&self, message: &Message, identity: &str, at: Timestamp) -> Result<(), StoreError> {
        if outward::notice(message, at, None).is_none() {
            return Ok(());
        }
        let rows = self.store.scan(&Key::new(Bucket::Case, &[&message.conversation_key()])).await?;
        let newest: Option<CaseRecord> = rows.last().map(|row| record::decode(&row.value)).transpose()?;
        let open = newest.filter(|case| !matches!(case.state, CaseState::Closed { .. }));
        let Some(entry) = outward::notice(message, at, open.as_ref()) else { return Ok(()) };
        self.store.append(Stream::CaseEvent, &format!("notice-{identity}"), None, entry.to_string().into()).await?;
        Ok(())
    }
}
