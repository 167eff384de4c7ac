//! One message to whoever listens on a subject, with certain knowledge that somebody has it.
//!
//! A request, not a publication: it counts only when a stream has confirmed it (PubAck) or a listener has replied. A subject to which
//! nobody listens is a failure, told at once by the server. The connection is made at the first message and kept; what the server
//! cannot be given now is not left in a buffer, because it would come late and unasked.

use crate::edge::nats::Access;
use crate::edge::nats::connect::connect;
use crate::edge::nats::faults::{Faults, Trouble};
use async_nats::client::{Request, RequestErrorKind};
use async_nats::connection::State;
use async_nats::{Client, HeaderMap, Message};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// From nothing to the reply, the connection included: a screen that needs longer has missed its purpose.
pub const RING_MAX: Duration = Duration::from_secs(5);

/// How often a refusal of the server is looked for while waiting: it comes beside the request, not as its reply.
const LOOK: Duration = Duration::from_millis(100);

/// Header by which streams and listeners know a repeated message.
const MESSAGE_ID: &str = "Nats-Msg-Id";

/// Header of a reply that says no (NATS services).
const SERVICE_ERROR: &str = "Nats-Service-Error-Code";

/// Why nobody is known to have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Missed {
    /// No connection.
    #[error("no connection")]
    Connection,
    /// Nobody listens, and no stream takes the subject.
    #[error("nobody listens")]
    Nobody,
    /// No reply in time: somebody may have it.
    #[error("no reply in time")]
    Timeout,
    /// The stream or the listener said no for now.
    #[error("refused for now")]
    Busy,
    /// We may not publish there, or not connect at all.
    #[error("not allowed")]
    Denied,
    /// The server takes no message like this one.
    #[error("not a message the server takes")]
    Unsendable,
}

/// A subject, and the way to it.
pub struct Bell {
    access: Access,
    subject: String,
    proof: Proof,
    faults: Arc<Faults>,
    client: Mutex<Option<Client>>,
}

/// Whose word counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// A stream's, or that of whoever replied.
    Anybody,
    /// A stream's alone: it is on disk there.
    Stream,
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl Bell {
    /// Connects to nothing yet.
    pub fn new(subject: String, access: Access) -> Self {
        Self { access, subject, proof: Proof::Anybody, faults: Arc::default(), client: Mutex::default() }
    }

    /// The same for subjects that a stream keeps: nobody else's reply counts.
    pub fn of_stream(subject: String, access: Access) -> Self {
        Self { proof: Proof::Stream, ..Self::new(subject, access) }
    }

    /// Hands over one message; bounded by [`RING_MAX`]. The same `id` for every attempt.
    pub async fn ring(&self, id: &str, body: String) -> Result<(), Missed> {
        self.bounded(self.subject.clone(), id, body).await
    }

    /// The same on a subject below this one.
    pub async fn ring_below(&self, tail: &str, id: &str, body: String) -> Result<(), Missed> {
        self.bounded(format!("{}.{tail}", self.subject), id, body).await
    }

    async fn bounded(&self, subject: String, id: &str, body: String) -> Result<(), Missed> {
        tokio::time::timeout(RING_MAX, self.attempt(subject, id, body)).await.unwrap_or(Err(Missed::Timeout))
    }

    async fn attempt(&self, subject: String, id: &str, body: String) -> Result<(), Missed> {
        let client = self.client().await?;
        let mut headers = HeaderMap::new();
        headers.insert(MESSAGE_ID, id);
        let request = Request::new().payload(body.into()).headers(headers).timeout(None);
        let complaints = self.faults.count(Trouble::ServerError);
        tokio::select! {
            reply = client.send_request(subject, request) => match reply {
                Ok(message) => has_it(&message, self.proof),
                Err(error) => Err(missed(error.kind())),
            },
            () = self.denied(complaints) => Err(Missed::Denied),
        }
    }

    /// The connection; made once, then the client's own business. While it is away nothing is handed over.
    async fn client(&self) -> Result<Client, Missed> {
        let mut known = self.client.lock().await;
        let client = if let Some(client) = &*known {
            client.clone()
        } else {
            let made = connect(&self.access, &self.faults).await.map_err(|error| {
                tracing::warn!(subject = self.subject, %error, "no connection for alerts");
                if error.is_denied() { Missed::Denied } else { Missed::Connection }
            })?;
            known.insert(made).clone()
        };
        if client.connection_state() == State::Connected { Ok(client) } else { Err(Missed::Connection) }
    }

    /// Ends when the server has complained since: on this connection there is nothing else to complain about.
    async fn denied(&self, seen: u64) {
        while self.faults.count(Trouble::ServerError) == seen {
            tokio::time::sleep(LOOK).await;
        }
    }
}

const fn missed(kind: RequestErrorKind) -> Missed {
    match kind {
        RequestErrorKind::NoResponders => Missed::Nobody,
        RequestErrorKind::TimedOut => Missed::Timeout,
        RequestErrorKind::InvalidSubject | RequestErrorKind::MaxPayloadExceeded => Missed::Unsendable,
        RequestErrorKind::Other => Missed::Connection,
    }
}

/// Whether the reply says that somebody has it: a stream confirms with its name, or tells an error; a listener may say anything.
fn has_it(reply: &Message, proof: Proof) -> Result<(), Missed> {
    let is_refusal = reply.headers.as_ref().is_some_and(|headers| headers.get(SERVICE_ERROR).is_some());
    let told: serde_json::Value = serde_json::from_slice(&reply.payload).unwrap_or_default();
    let is_error = told.get("error").is_some_and(|error| !error.is_null());
    if is_refusal || is_error {
        return Err(Missed::Busy);
    }
    let is_stream = told.get("stream").is_some_and(serde_json::Value::is_string) && told.get("seq").is_some_and(serde_json::Value::is_u64);
    if proof == Proof::Stream && !is_stream { Err(Missed::Nobody) } else { Ok(()) }
}
