//! What a server does with what it has acknowledged: whether its disk has it, too.
//!
//! `sync_interval` decides whether an accepted message survives a power cut, and no client is told of it. Only the monitoring
//! port of a server says it (`/jsz`), so it is asked there, once, at the start. Plain HTTP on an inner network, as the
//! server offers it. An answer that does not come is "unknown", never "safe".

use axum::body::{Body, to_bytes};
use axum::http::{Request, Uri, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use std::fmt;
use std::time::Duration;
use tokio::net::TcpStream;

/// Longest wait for the answer of one server: a start must not hang on a port that nobody serves.
const ASK_MAX: Duration = Duration::from_secs(3);

/// Most of an answer that is read, in bytes: without its lists of streams it has a few hundred.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Port of a server's monitoring where the address names none.
const MONITOR_PORT: u16 = 8222;

/// When a server writes through to its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sync {
    /// Before it acknowledges.
    Always,
    /// At most this long after it acknowledged.
    Every(Duration),
}

impl fmt::Display for Sync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("always"),
            Self::Every(time) => write!(f, "{} s", time.as_secs()),
        }
    }
}

#[derive(Deserialize)]
struct Told {
    config: Configured,
}

#[derive(Deserialize)]
struct Configured {
    /// Nanoseconds.
    sync_interval: u64,
    #[serde(default)]
    sync_always: bool,
}

/// Asks the monitoring port at `address` (`http://host:8222`); or why it could not be learned.
pub async fn ask(address: &str) -> Result<Sync, String> {
    let answer = tokio::time::timeout(ASK_MAX, fetch(address)).await;
    understand(&answer.map_err(|_| "it does not answer".to_owned())??)
}

fn understand(body: &[u8]) -> Result<Sync, String> {
    let told: Told = serde_json::from_slice(body).map_err(|error| format!("its answer is not understood: {error}"))?;
    Ok(if told.config.sync_always { Sync::Always } else { Sync::Every(Duration::from_nanos(told.config.sync_interval)) })
}

async fn fetch(address: &str) -> Result<Vec<u8>, String> {
    let uri: Uri = address.parse().map_err(|_| "its address is not understood".to_owned())?;
    let host = uri.host().ok_or("its address names no host")?.to_owned();
    let stream = TcpStream::connect((host.as_str(), uri.port_u16().unwrap_or(MONITOR_PORT))).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let driver = tokio::spawn(connection);
    let request = Request::get("/jsz?config=true").header(header::HOST, &host).body(Body::empty()).map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    if !answer.status().is_success() {
        return Err(format!("it answers {}", answer.status()));
    }
    let body = to_bytes(Body::new(answer.into_body()), ANSWER_BYTES_MAX).await.map_err(|error| error.to_string());
    driver.abort();
    body.map(|bytes| bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use crate::edge::nats::durable::{Sync, understand};
    use std::time::Duration;

    #[test]
    fn answers_are_understood() {
        let rows = [
            (r#"{"config":{"sync_interval":120000000000}}"#, Ok(Sync::Every(Duration::from_mins(2)))),
            (r#"{"config":{"sync_interval":120000000000,"sync_always":true}}"#, Ok(Sync::Always)),
            (r#"{"disabled":true}"#, Err(())),
            ("<html>", Err(())),
        ];
        for (body, expected) in rows {
            assert_eq!(understand(body.as_bytes()).map_err(|_| ()), expected, "{body}");
        }
    }
}
