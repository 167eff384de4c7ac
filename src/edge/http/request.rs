//! What a request says before its body is read: who calls, what kind of body, for whom.

use crate::edge::http::answer::Fault;
use crate::edge::http::app::AppState;
use crate::edge::intake::{Shape, Terms, is_one_json_value, is_usable_id};
use crate::edge::metrics::labels::Refusal;
use crate::model::digest::Digest;
use crate::model::envelope::{Purpose, Source};
use crate::model::ids::{InvalidName, QueueName, Tenant};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use std::fmt;

/// Largest body of several lines, in bytes.
pub const BATCH_BYTES_MAX: usize = 10 << 20;

/// What callers of the intake must present. Only its digest is kept.
#[derive(Clone)]
pub struct IntakeToken {
    digest: Digest,
}

impl fmt::Debug for IntakeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntakeToken(**REDACTED**)")
    }
}

impl IntakeToken {
    /// Keeps the digest of a token.
    pub fn new(token: &str) -> Self {
        Self { digest: Digest::of(token.as_bytes()) }
    }

    /// Requires `Authorization: Bearer <token>`.
    pub(in crate::edge::http) fn check(&self, headers: &HeaderMap) -> Result<(), Fault> {
        let header = text(headers, AUTHORIZATION.as_str())?.unwrap_or_default();
        let presented = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        if presented.is_some_and(|(_, token)| self.admits(token.trim())) {
            return Ok(());
        }
        let message = "send the header `Authorization: Bearer …` with the intake token";
        Err(Fault::new(StatusCode::UNAUTHORIZED, Refusal::Unauthorized, "unauthorized", message))
    }

    /// Compares digests over their whole length, so that the time taken says nothing about how much of the token is right.
    fn admits(&self, presented: &str) -> bool {
        let presented = Digest::of(presented.as_bytes());
        self.digest.as_bytes().iter().zip(presented.as_bytes()).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
    }
}

/// The kinds of body that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::edge::http) enum BodyKind {
    Json,
    Lines,
    Mail,
}

impl BodyKind {
    pub(in crate::edge::http) fn of(headers: &HeaderMap) -> Result<Self, Fault> {
        let header = text(headers, CONTENT_TYPE.as_str())?.unwrap_or_default();
        let kind = header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "application/json" => Ok(Self::Json),
            "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => Ok(Self::Lines),
            "message/rfc822" => Ok(Self::Mail),
            _ => {
                let message = "send Content-Type application/json, application/x-ndjson or message/rfc822";
                Err(Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Refusal::Unsupported, "content_type", message))
            }
        }
    }

    /// Largest body, in bytes.
    pub(in crate::edge::http) fn limit(self, message_bytes: usize) -> usize {
        match self {
            Self::Mail => message_bytes,
            Self::Json | Self::Lines => message_bytes.max(BATCH_BYTES_MAX),
        }
    }

    pub(in crate::edge::http) fn shape(self) -> Shape {
        match self {
            Self::Mail => Shape::Mail,
            Self::Json | Self::Lines => Shape::Lines,
        }
    }

    /// Whether the body is one JSON value, perhaps printed over several lines; many clients send that as `application/json`.
    pub(in crate::edge::http) fn is_one_value(self, body: &[u8]) -> bool {
        self == Self::Json && is_one_json_value(body)
    }
}

/// The terms of a request: tenant and queue of its headers, where a line names none.
pub(in crate::edge::http) fn terms(app: &AppState, headers: &HeaderMap) -> Result<Terms, Fault> {
    Ok(Terms {
        tenant: name(headers, "x-tenant", Tenant::new)?,
        queue: name(headers, "x-queue", QueueName::new)?,
        source: Source::Http,
        purpose: Purpose::Live,
        message_bytes: app.message_bytes,
    })
}

/// The header `Idempotency-Key`.
pub(in crate::edge::http) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    match text(headers, "idempotency-key")? {
        Some(key) if !is_usable_id(key) => Err(bad_header("idempotency-key", "it must be 1 to 255 bytes without control characters")),
        key => Ok(key.map(ToOwned::to_owned)),
    }
}

fn name<T: Default>(headers: &HeaderMap, header: &'static str, new: fn(&str) -> Result<T, InvalidName>) -> Result<T, Fault> {
    let Some(value) = text(headers, header)? else { return Ok(T::default()) };
    new(value.trim()).map_err(|why| bad_header(header, &why.to_string()))
}

fn text<'a>(headers: &'a HeaderMap, header: &str) -> Result<Option<&'a str>, Fault> {
    let Some(value) = headers.get(header) else { return Ok(None) };
    // Not `HeaderValue::to_str`, which is ASCII only: keys may hold Japanese.
    std::str::from_utf8(value.as_bytes()).map(Some).map_err(|_| bad_header(header, "it is not UTF-8"))
}

fn bad_header(header: &str, why: &str) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, Refusal::Invalid, "bad_header", format!("header `{header}`: {why}"))
}
