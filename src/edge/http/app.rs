//! The app router: `POST /v1/messages`.
//!
//! 202 means durable. A request is answered in this order: token, kind of body, headers, size, lines, queue; nothing is read before
//! the caller is known. If the queue could not take every sound message, the answer is 429 or 503 even when some were accepted:
//! a caller that looks only at the status repeats the request, and the accepted ones are recognised by their ids.

use crate::edge::http::answer::{AcceptedRow, Answer, Fault};
use crate::edge::http::request::{BodyKind, IntakeToken, idempotency_key, terms};
use crate::edge::intake::{Piece, Refused, Submission, Terms};
use crate::edge::metrics::Metrics;
use crate::edge::metrics::labels::Refusal;
use crate::model::envelope::Source;
use crate::store::{Accepted, Queue, StoreError};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Most messages in one request: one transaction of the store, and an answer that stays readable.
pub const BATCH_LINES_MAX: usize = 1_000;

/// Bodies read at the same time; further requests wait. Times the largest body this bounds the memory of intake.
pub const BODIES_MAX: usize = 16;

/// Time for a whole body to arrive.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// What the app router works with.
#[derive(Clone)]
pub struct AppState {
    /// Where messages go.
    pub queue: Arc<dyn Queue>,
    /// Counts what is accepted and refused.
    pub metrics: Arc<Metrics>,
    /// Required of callers if set.
    pub token: Option<IntakeToken>,
    /// Largest message, in bytes.
    pub message_bytes: usize,
    /// Time for a whole body to arrive; [`BODY_TIMEOUT`] unless testing.
    pub body_timeout: Duration,
}

#[derive(Clone)]
struct Intake {
    app: AppState,
    bodies: Arc<Semaphore>,
}

/// `POST /v1/messages`.
///
/// Body: `application/json` (one message, or one a line), `application/x-ndjson` (one a line), or `message/rfc822` (raw mail).
/// Headers: `Authorization: Bearer …`, `Idempotency-Key` (for messages without an `id` of their own), `X-Tenant`, `X-Queue`.
///
/// Answer, always JSON: `{"accepted":[{"line","id","duplicate"}],"errors":[{"line","code","message"}]}`. 202 at least one accepted and
/// everything else refused for good; 400 nothing accepted; 401 token; 408 slow; 413 size; 415 kind; 429 full, 503 store not
/// available (both with `Retry-After`).
pub fn router(app: AppState) -> Router {
    let intake = Intake { app, bodies: Arc::new(Semaphore::new(BODIES_MAX)) };
    Router::new().route("/v1/messages", post(messages)).with_state(intake)
}

async fn messages(State(intake): State<Intake>, request: Request) -> Response {
    match take(&intake, request).await {
        Ok(answer) => answer.into_response(),
        Err(fault) => {
            intake.app.metrics.refused(fault.refusal);
            fault.into_response()
        }
    }
}

async fn take(intake: &Intake, request: Request) -> Result<Answer, Fault> {
    let app = &intake.app;
    if let Some(token) = &app.token {
        token.check(request.headers())?;
    }
    let kind = BodyKind::of(request.headers())?;
    let terms = terms(app, request.headers())?;
    let key = idempotency_key(request.headers())?;
    // Held until the answer, so that the bodies in memory are counted, not only those on the wire.
    let permit = intake.bodies.acquire().await;
    let body = read_body(app, request, kind).await?;
    let (mut pieces, refused) = split(&body, kind, terms)?;
    give_ids(&mut pieces, key.as_deref());
    let answer = submit(app, pieces, refused).await;
    drop(permit);
    Ok(answer)
}

async fn read_body(app: &AppState, mut request: Request, kind: BodyKind) -> Result<Bytes, Fault> {
    let limit = kind.limit(app.message_bytes);
    DefaultBodyLimit::max(limit).apply(&mut request);
    let read = tokio::time::timeout(app.body_timeout, Bytes::from_request(request, &())).await;
    let slow = || Fault::new(StatusCode::REQUEST_TIMEOUT, Refusal::Slow, "slow", "the body did not arrive in time");
    read.map_err(|_| slow())?.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let message = format!("the body is larger than {limit} bytes");
            Fault::new(StatusCode::PAYLOAD_TOO_LARGE, Refusal::TooLarge, "too_large", message)
        }
        _ => Fault::new(StatusCode::BAD_REQUEST, Refusal::Invalid, "body", "the body could not be read"),
    })
}

fn split(body: &Bytes, kind: BodyKind, terms: Terms) -> Result<(Vec<Piece>, Vec<Refused>), Fault> {
    let invalid = |code, message: String| Fault::new(StatusCode::BAD_REQUEST, Refusal::Invalid, code, message);
    if kind.is_one_value(body) {
        return Ok(match Piece::of_line(1, body, &terms) {
            Ok(piece) => (vec![piece], vec![]),
            Err(refused) => (vec![], vec![refused]),
        });
    }
    let (mut pieces, mut refused) = (vec![], vec![]);
    // Reading from memory does not fail.
    let submission = Submission::open(body.as_ref(), Some(kind.shape()), terms).map_err(|error| invalid("body", error.to_string()))?;
    for item in submission {
        match item.map_err(|error| invalid("body", error.to_string()))? {
            Ok(piece) => pieces.push(piece),
            Err(row) => refused.push(row),
        }
        if pieces.len() + refused.len() > BATCH_LINES_MAX {
            let message = format!("more than {BATCH_LINES_MAX} lines; send several requests");
            return Err(Fault::new(StatusCode::PAYLOAD_TOO_LARGE, Refusal::TooLarge, "too_many_lines", message));
        }
    }
    if pieces.is_empty() && refused.is_empty() {
        return Err(invalid("empty", "the body holds no message".to_owned()));
    }
    Ok((pieces, refused))
}

/// Messages without an id of their own get the request's key; from the second on with their line, so that each is itself.
fn give_ids(pieces: &mut [Piece], key: Option<&str>) {
    let Some(key) = key else { return };
    let is_batch = pieces.len() > 1;
    for piece in pieces {
        let line = piece.line;
        piece.envelope.given_id.get_or_insert_with(|| if is_batch { format!("{key}:{line}") } else { key.to_owned() });
    }
}

async fn submit(app: &AppState, pieces: Vec<Piece>, refused: Vec<Refused>) -> Answer {
    let mut answer = Answer::default();
    for row in refused {
        app.metrics.refused(if row.is_too_large() { Refusal::TooLarge } else { Refusal::Invalid });
        answer.refuse(row);
    }
    if pieces.is_empty() {
        return answer;
    }
    let lines: Vec<u64> = pieces.iter().map(|piece| piece.line).collect();
    let outcomes = app.queue.submit(pieces.into_iter().map(|piece| piece.envelope).collect()).await;
    for (line, outcome) in lines.into_iter().zip(outcomes) {
        note(app, &mut answer, line, outcome);
    }
    answer
}

fn note(app: &AppState, answer: &mut Answer, line: u64, outcome: Result<Accepted, StoreError>) {
    match outcome {
        Ok(accepted) => {
            app.metrics.taken(Source::Http, accepted.duplicate, accepted.variant);
            answer.accepted.push(AcceptedRow { line, id: accepted.identity.id.0, duplicate: accepted.duplicate });
        }
        Err(error) => {
            if error.is_transient() {
                tracing::warn!(%error, "a message could not be accepted");
            } else {
                tracing::error!(%error, "a message could not be accepted");
            }
            app.metrics.refused(answer.fail(line, &error));
        }
    }
}
