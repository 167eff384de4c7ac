//! How people answer without a console: `/ack/<token>`, `POST /v1/ack`, `POST /v1/flags`, `GET /v1/holds/{conversation}`.
//!
//! A link in an alert is followed by mail scanners, so GET only shows a page and POST acts. A token is checked by its
//! signature, never logged, and leaks to nobody through a referrer. The calls under `/v1` are for systems and ask for the
//! intake token where there is one. Nothing here judges, lowers or closes a case.

use crate::edge::http::answer::Fault;
use crate::edge::http::desk::{AckView, Act, CaseDesk, DeskError, Done, FlagRequest};
use crate::edge::http::guess::Guesses;
use crate::edge::http::page;
use crate::edge::http::request::IntakeToken;
use crate::edge::metrics::labels::Refusal;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Largest body of an answer, in bytes: a form with one word, or a flag with a note.
const BODY_BYTES_MAX: usize = 16 << 10;

/// What the router works with.
#[derive(Clone)]
pub struct AckState {
    /// The cases.
    pub desk: Arc<dyn CaseDesk>,
    /// Required of systems if set.
    pub token: Option<IntakeToken>,
}

#[derive(Clone)]
struct Shared {
    state: AckState,
    guesses: Guesses,
}

/// `GET /ack/<token>` shows the case to its bearer, `POST /ack/<token>` with `do=take` or `do=pass` acts; both answer a page.
/// `POST /v1/ack` takes `{"token"}` or, with the intake token, `{"case","by"}`. `POST /v1/flags` and `GET /v1/flags/{id}` are the
/// operator's door. `GET /v1/holds/{conversation}` says whether replies are held; 503 means unknown, never free.
pub fn router(state: AckState) -> Router {
    let shared = Shared { state, guesses: Guesses::new() };
    Router::new()
        .route("/ack/{token}", get(show).post(act))
        .route("/v1/ack", post(take))
        .route("/v1/flags", post(flag))
        .route("/v1/flags/{id}", get(flagged))
        .route("/v1/holds/{conversation}", get(hold))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared)
}

async fn show(State(shared): State<Shared>, Path(token): Path<String>) -> Response {
    if !shared.guesses.may_try() {
        return as_page(StatusCode::TOO_MANY_REQUESTS, page::busy());
    }
    let view = shared.state.desk.look(&token).await;
    shared.answer_page(&view)
}

async fn act(State(shared): State<Shared>, Path(token): Path<String>, body: Bytes) -> Response {
    if !shared.guesses.may_try() {
        return as_page(StatusCode::TOO_MANY_REQUESTS, page::busy());
    }
    let act = match body.trim_ascii() {
        b"do=take" => Act::Take,
        b"do=pass" => Act::Pass,
        _ => return as_page(StatusCode::BAD_REQUEST, page::refused("操作を読み取れませんでした。前の画面からやり直してください。")),
    };
    let view = shared.state.desk.act(&token, act).await;
    shared.answer_page(&view)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Taking {
    token: Option<String>,
    case: Option<String>,
    by: Option<String>,
    #[serde(rename = "do")]
    act: Option<Act>,
}

async fn take(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let taking: Taking = match serde_json::from_slice(&body) {
        Ok(taking) => taking,
        Err(error) => return fault(StatusCode::BAD_REQUEST, "body", &format!("not an acknowledgement: {error}")),
    };
    let view = match (taking.token, taking.case, taking.by) {
        (Some(token), None, None) => {
            if !shared.guesses.may_try() {
                return busy();
            }
            shared.note(&shared.state.desk.act(&token, taking.act.unwrap_or(Act::Take)).await)
        }
        (None, Some(case), Some(by)) => {
            if let Some(refused) = shared.refuses(&headers) {
                return refused;
            }
            shared.state.desk.take(&case, &by).await
        }
        _ => return fault(StatusCode::BAD_REQUEST, "body", "send {\"token\"}, or {\"case\",\"by\"} with the intake token"),
    };
    as_json(view.map(|view| json!(view)))
}

async fn flag(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(refused) = shared.refuses(&headers) {
        return refused;
    }
    match serde_json::from_slice::<FlagRequest>(&body) {
        Ok(flag) => as_json(shared.state.desk.flag(flag).await.map(|view| json!(view))),
        Err(error) => fault(StatusCode::BAD_REQUEST, "body", &format!("not a flag: {error}")),
    }
}

#[derive(Deserialize)]
struct Whose {
    tenant: Option<String>,
}

async fn flagged(State(shared): State<Shared>, headers: HeaderMap, Path(id): Path<String>, Query(whose): Query<Whose>) -> Response {
    if let Some(refused) = shared.refuses(&headers) {
        return refused;
    }
    as_json(shared.state.desk.flagged(whose.tenant.as_deref(), &id).await.map(|view| json!(view)))
}

async fn hold(State(shared): State<Shared>, headers: HeaderMap, Path(conversation): Path<String>, Query(whose): Query<Whose>) -> Response {
    if let Some(refused) = shared.refuses(&headers) {
        return refused;
    }
    match shared.state.desk.hold(whose.tenant.as_deref(), &conversation).await {
        // Whoever cannot find out must not take it for "free".
        Err(DeskError::Unavailable) => {
            (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")], Json(json!({ "hold": "unknown" }))).into_response()
        }
        view => as_json(view.map(|view| json!(view))),
    }
}

impl Shared {
    /// The answer to a caller without the token that is asked for.
    fn refuses(&self, headers: &HeaderMap) -> Option<Response> {
        let fault = self.state.token.as_ref()?.check(headers).err()?;
        Some(fault.into_response())
    }

    fn note(&self, view: &Result<AckView, DeskError>) -> Result<AckView, DeskError> {
        if matches!(view, Err(DeskError::Forged | DeskError::Unknown(_))) {
            self.guesses.count();
        }
        view.clone()
    }

    fn answer_page(&self, view: &Result<AckView, DeskError>) -> Response {
        match self.note(view) {
            Ok(view) => as_page(StatusCode::OK, page::case(&view)),
            Err(DeskError::Expired) => as_page(
                StatusCode::GONE,
                page::refused("このリンクの期限(24時間)が過ぎました。新しい通知のリンクを使うか、責任者に連絡してください。"),
            ),
            Err(DeskError::Unavailable) => as_page(
                StatusCode::SERVICE_UNAVAILABLE,
                page::refused("いま確認できません。少し待ってからやり直すか、責任者に電話してください。"),
            ),
            Err(_) => as_page(StatusCode::NOT_FOUND, page::refused("このリンクは使えません。通知のリンクをもう一度開いてください。")),
        }
    }
}

/// A page with headers that keep it where it is: not stored, not framed, no referrer, nothing loaded from elsewhere.
pub(in crate::edge::http) fn as_page(status: StatusCode, html: String) -> Response {
    const PLAIN: [(HeaderName, HeaderValue); 6] = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex")),
        (
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
            ),
        ),
    ];
    (status, PLAIN, html).into_response()
}

fn as_json(view: Result<Value, DeskError>) -> Response {
    match view {
        Ok(view) if view["done"] == json!(Done::NotTheirs) => (StatusCode::CONFLICT, Json(view)).into_response(),
        Ok(view) => Json(view).into_response(),
        Err(DeskError::Unknown(what)) => fault(StatusCode::NOT_FOUND, "unknown", &what),
        Err(DeskError::Invalid(what)) => fault(StatusCode::BAD_REQUEST, "invalid", &what),
        Err(error @ DeskError::Forged) => fault(StatusCode::FORBIDDEN, "token", &error.to_string()),
        Err(error @ DeskError::Expired) => fault(StatusCode::GONE, "expired", &error.to_string()),
        Err(error @ DeskError::Unavailable) => {
            let mut answer = fault(StatusCode::SERVICE_UNAVAILABLE, "unavailable", &error.to_string());
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
            answer
        }
    }
}

fn busy() -> Response {
    fault(StatusCode::TOO_MANY_REQUESTS, "wait", "too many wrong tokens; wait a minute")
}

fn fault(status: StatusCode, code: &'static str, message: &str) -> Response {
    Fault::new(status, Refusal::Invalid, code, message).into_response()
}
