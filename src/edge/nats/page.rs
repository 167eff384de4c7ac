//! Several messages of a stream by one request (batched direct get), without a consumer that somebody would have to clean up.

use crate::edge::nats::{REQUEST_MAX, unavailable};
use crate::store::StoreError;
use async_nats::{Client, HeaderMap, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt;
use jiff::Timestamp;
use serde_json::json;

/// Messages of one request: more would only be held in memory.
pub(crate) const BATCH_MAX: usize = 1_000;

/// One message as it is stored.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) sequence: u64,
    pub(crate) subject: String,
    pub(crate) at: Timestamp,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Up to `limit` messages from number `from` on whose subject fits; none if there are none. May be stale.
pub(crate) async fn read(client: &Client, stream: &str, subject: &str, from: u64, limit: usize) -> Result<Vec<Stored>, StoreError> {
    let limit = limit.min(BATCH_MAX);
    if limit == 0 {
        return Ok(vec![]);
    }
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await.map_err(unavailable)?;
    let request = json!({ "seq": from.max(1), "batch": limit, "next_by_subj": subject });
    let to = format!("$JS.API.DIRECT.GET.{stream}");
    client.publish_with_reply(to, inbox, request.to_string().into()).await.map_err(unavailable)?;
    let mut found = vec![];
    let collect = async {
        while let Some(message) = answers.next().await {
            match message.status {
                None => found.push(stored(message.headers.unwrap_or_default(), message.payload)?),
                // End of the batch (204), or nothing fits (404).
                Some(status) if status == StatusCode::NOT_FOUND || status.as_u16() == 204 => return Ok(()),
                Some(status) => return Err(StoreError::Unavailable(format!("{stream}: {status}"))),
            }
        }
        Err(StoreError::Unavailable("the connection was closed".to_owned()))
    };
    tokio::time::timeout(REQUEST_MAX, collect).await.map_err(|_| StoreError::Unavailable(format!("{stream} does not answer")))??;
    Ok(found)
}

fn stored(headers: HeaderMap, body: Bytes) -> Result<Stored, StoreError> {
    let text = |name: &str| headers.get(name).map(|value| value.as_str().to_owned()).unwrap_or_default();
    let damaged = |what: &str| StoreError::Damaged(format!("an answer of the server has no {what}"));
    Ok(Stored {
        sequence: text("Nats-Sequence").parse().map_err(|_| damaged("sequence"))?,
        subject: text("Nats-Subject"),
        at: text("Nats-Time-Stamp").parse().map_err(|_| damaged("time"))?,
        headers,
        body,
    })
}
