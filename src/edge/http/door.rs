//! The operator's door: `/flag/<link>`, a page for a phone on which an operator asks for help and sees what became of it.
//!
//! A personal link is the way in, because operators have no account here. GET shows and never acts; POST acts, and the same form
//! sent twice is one flag. The link is checked by its signature, never logged, and leaks to nobody through a referrer. An
//! operator sees their own flags alone.

use crate::edge::http::ack::as_page;
use crate::edge::http::desk::{DeskError, FlagKind, FlagView};
use crate::edge::http::door_page;
use crate::edge::http::guess::Guesses;
use crate::edge::http::page;
use async_trait::async_trait;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use std::sync::Arc;

/// Largest form, in bytes: a ticket and a line, each character of it escaped.
const BODY_BYTES_MAX: usize = 16 << 10;

/// Length of the number that makes a form its own, in characters.
pub const FORM_CHARS: usize = 16;

/// What the page shows to a bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorView {
    /// Who asks.
    pub operator: String,
    /// Somebody other than the supervisors can be told.
    pub has_consult: bool,
    /// Number of a new form: sending it twice is one flag.
    pub form: String,
}

/// A form that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorRequest {
    /// What is asked for.
    pub kind: FlagKind,
    /// Ticket or conversation, as the desk's own tool names it; may be empty.
    pub conversation: String,
    /// What happened, in one line; may be empty.
    pub note: String,
    /// Number of the form.
    pub form: String,
}

/// Flags by bearers of personal links.
#[async_trait]
pub trait FlagDoor: Send + Sync {
    /// Who a link belongs to. Changes nothing.
    async fn enter(&self, link: &str) -> Result<DoorView, DeskError>;
    /// The bearer's flag. Repeating it changes nothing more.
    async fn ask(&self, link: &str, request: DoorRequest) -> Result<FlagView, DeskError>;
    /// What became of a flag of the bearer.
    async fn look_after(&self, link: &str, flag: &str) -> Result<FlagView, DeskError>;
}

#[derive(Clone)]
struct Shared {
    desk: Arc<dyn FlagDoor>,
    guesses: Guesses,
}

/// `GET /flag/<link>` shows the form, `POST` sends it and leads to `GET /flag/<link>/<flag>`, which tells how far it is.
/// `GET /flag` says how to get a link.
pub fn router(desk: Arc<dyn FlagDoor>) -> Router {
    Router::new()
        .route("/flag", get(async || as_page(StatusCode::OK, door_page::without_link())))
        .route("/flag/{link}", get(show).post(ask))
        .route("/flag/{link}/{flag}", get(look))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Shared { desk, guesses: Guesses::new() })
}

/// What the desk's own tool may fill in.
#[derive(Deserialize)]
struct Prefilled {
    #[serde(default)]
    conversation: String,
}

#[derive(Deserialize)]
#[allow(clippy::struct_field_names)] // the names of the fields on the page
struct Form {
    #[serde(rename = "do")]
    kind: FlagKind,
    #[serde(default)]
    conversation: String,
    #[serde(default)]
    note: String,
    form: String,
}

async fn show(State(shared): State<Shared>, Path(link): Path<String>, Query(prefilled): Query<Prefilled>) -> Response {
    if !shared.guesses.may_try() {
        return as_page(StatusCode::TOO_MANY_REQUESTS, page::busy());
    }
    match shared.desk.enter(&link).await {
        Ok(view) => as_page(StatusCode::OK, door_page::form(&view, &prefilled.conversation)),
        Err(error) => shared.refuse(&error),
    }
}

async fn ask(State(shared): State<Shared>, Path(link): Path<String>, body: Bytes) -> Response {
    if !shared.guesses.may_try() {
        return as_page(StatusCode::TOO_MANY_REQUESTS, page::busy());
    }
    let Some(form) = read(&body) else {
        return as_page(StatusCode::BAD_REQUEST, page::refused("送信を読み取れませんでした。前の画面からやり直してください。"));
    };
    let request = DoorRequest { kind: form.kind, conversation: form.conversation, note: form.note, form: form.form };
    match shared.desk.ask(&link, request).await {
        // A reload of what follows asks for nothing again. Relative, because a proxy may have put something before the path.
        Ok(view) => match HeaderValue::try_from(format!("{link}/{}", view.flag)) {
            Ok(to) => {
                (StatusCode::SEE_OTHER, [(LOCATION, to)], as_page(StatusCode::SEE_OTHER, door_page::state(&view, &link))).into_response()
            }
            Err(_) => as_page(StatusCode::OK, door_page::state(&view, &link)),
        },
        Err(error) => shared.refuse(&error),
    }
}

async fn look(State(shared): State<Shared>, Path((link, flag)): Path<(String, String)>) -> Response {
    if !shared.guesses.may_try() {
        return as_page(StatusCode::TOO_MANY_REQUESTS, page::busy());
    }
    match shared.desk.look_after(&link, &flag).await {
        Ok(view) => as_page(StatusCode::OK, door_page::state(&view, &link)),
        Err(error) => shared.refuse(&error),
    }
}

/// A form as browsers send it: the same encoding as a query.
fn read(body: &Bytes) -> Option<Form> {
    let uri: Uri = format!("/?{}", std::str::from_utf8(body).ok()?).parse().ok()?;
    let form = Query::<Form>::try_from_uri(&uri).ok()?.0;
    let is_number = form.form.len() == FORM_CHARS && form.form.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    is_number.then_some(form)
}

impl Shared {
    fn refuse(&self, error: &DeskError) -> Response {
        match error {
            DeskError::Forged | DeskError::Unknown(_) => {
                self.guesses.count();
                as_page(
                    StatusCode::NOT_FOUND,
                    page::refused("このリンクは使えません。管理者から受け取ったリンクをもう一度開いてください。"),
                )
            }
            DeskError::Expired => as_page(
                StatusCode::GONE,
                page::refused(
                    "このリンクの期限が過ぎたか、取り消されました。新しいリンクを管理者から受け取ってください。急ぐときは、近くの人か責任者に声をかけてください。",
                ),
            ),
            DeskError::Invalid(why) => {
                tracing::info!(why, "a flag was refused");
                as_page(
                    StatusCode::BAD_REQUEST,
                    page::refused(
                        "この内容では送れませんでした。番号は255文字、出来事は1000文字までです。前の画面からやり直してください。",
                    ),
                )
            }
            DeskError::Unavailable => as_page(
                StatusCode::SERVICE_UNAVAILABLE,
                page::refused(
                    "いま送れません。まだだれにも伝わっていません。少し待ってからもう一度送るか、近くの人か責任者に声をかけてください。",
                ),
            ),
        }
    }
}
