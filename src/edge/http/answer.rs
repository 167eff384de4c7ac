//! Answers of the intake: always the same JSON shape, whatever went wrong.

use crate::edge::intake::{Refused, TOO_LARGE};
use crate::edge::metrics::labels::Refusal;
use crate::store::StoreError;
use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Seconds after which a full queue is worth another try: workers need time to catch up.
const FULL_RETRY_SECONDS: u16 = 30;

/// Seconds after which an unavailable store is worth another try.
const UNAVAILABLE_RETRY_SECONDS: u16 = 5;

/// A message that is durable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::edge::http) struct AcceptedRow {
    pub(in crate::edge::http) line: u64,
    pub(in crate::edge::http) id: String,
    pub(in crate::edge::http) duplicate: bool,
}

/// A line that was refused, or (without `line`) a whole request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(in crate::edge::http) struct ErrorRow {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::edge::http) line: Option<u64>,
    pub(in crate::edge::http) code: &'static str,
    pub(in crate::edge::http) message: String,
}

/// What became of a request whose body was read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(in crate::edge::http) struct Answer {
    pub(in crate::edge::http) accepted: Vec<AcceptedRow>,
    pub(in crate::edge::http) errors: Vec<ErrorRow>,
    /// Set if repeating the request may succeed.
    #[serde(skip)]
    pub(in crate::edge::http) trouble: Option<Trouble>,
}

/// Why the queue did not take sound messages; the greater one decides the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::edge::http) enum Trouble {
    Full,
    Unavailable,
}

impl Trouble {
    pub(in crate::edge::http) const fn refusal(self) -> Refusal {
        match self {
            Self::Full => Refusal::Full,
            Self::Unavailable => Refusal::Unavailable,
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Unavailable => "unavailable",
        }
    }

    const fn status(self) -> (StatusCode, u16) {
        match self {
            Self::Full => (StatusCode::TOO_MANY_REQUESTS, FULL_RETRY_SECONDS),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE_RETRY_SECONDS),
        }
    }
}

impl Answer {
    /// Notes a line that is no message.
    pub(in crate::edge::http) fn refuse(&mut self, refused: Refused) {
        self.errors.push(ErrorRow { line: Some(refused.line), code: refused.code, message: refused.message });
    }

    /// Notes what the queue said about a sound message; returns the reason for the metric.
    pub(in crate::edge::http) fn fail(&mut self, line: u64, error: &StoreError) -> Refusal {
        let trouble = match error {
            StoreError::TooLarge { .. } => {
                self.errors.push(ErrorRow { line: Some(line), code: TOO_LARGE, message: error.to_string() });
                return Refusal::TooLarge;
            }
            StoreError::Full(_) => Trouble::Full,
            _ => Trouble::Unavailable,
        };
        self.trouble = self.trouble.max(Some(trouble));
        // The error may name files of this machine: the caller learns only that repeating helps.
        self.errors.push(ErrorRow { line: Some(line), code: trouble.code(), message: "not accepted; repeat the request later".to_owned() });
        trouble.refusal()
    }
}

impl IntoResponse for Answer {
    fn into_response(mut self) -> Response {
        self.errors.sort_by_key(|row| row.line);
        if let Some(trouble) = self.trouble {
            let (status, seconds) = trouble.status();
            return (status, [(RETRY_AFTER, seconds.to_string())], Json(self)).into_response();
        }
        let only_too_large = !self.errors.is_empty() && self.errors.iter().all(|row| row.code == TOO_LARGE);
        let status = match (self.accepted.is_empty(), only_too_large) {
            (false, _) => StatusCode::ACCEPTED,
            (true, true) => StatusCode::PAYLOAD_TOO_LARGE,
            (true, false) => StatusCode::BAD_REQUEST,
        };
        (status, Json(self)).into_response()
    }
}

/// A request refused before its lines were looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::edge::http) struct Fault {
    pub(in crate::edge::http) status: StatusCode,
    pub(in crate::edge::http) refusal: Refusal,
    pub(in crate::edge::http) code: &'static str,
    pub(in crate::edge::http) message: String,
}

impl Fault {
    pub(in crate::edge::http) fn new(status: StatusCode, refusal: Refusal, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, refusal, code, message: message.into() }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let errors = vec![ErrorRow { line: None, code: self.code, message: self.message }];
        let mut response = (self.status, Json(Answer { accepted: vec![], errors, trouble: None })).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
