//! The ops router: `/livez`, `/readyz`, `/metrics`. Reads only what others reported; never touches the store, so that it answers when
//! the store hangs. Shows no message text, address or secret.

use crate::edge::http::health::Health;
use crate::edge::metrics::{Metrics, TEXT_FORMAT};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use std::sync::Arc;

/// What the ops router reads.
#[derive(Debug, Clone)]
pub struct OpsState {
    /// Reports of the worker.
    pub health: Arc<Health>,
    /// All metrics.
    pub metrics: Arc<Metrics>,
}

/// `GET /livez`: 200 while the worker's loop ticks (or is still starting), else 503: restart the process.
/// `GET /readyz`: 200 and a JSON body with notes; 503 with reasons while starting, draining, stalled or failing.
/// `GET /metrics`: the text format of Prometheus.
pub fn router(state: OpsState) -> Router {
    Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).route("/metrics", get(metrics)).with_state(state)
}

async fn livez(State(state): State<OpsState>) -> Response {
    if state.health.is_alive() { "ok\n".into_response() } else { (StatusCode::SERVICE_UNAVAILABLE, "stalled\n").into_response() }
}

async fn readyz(State(state): State<OpsState>) -> Response {
    let readiness = state.health.readiness();
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(readiness)).into_response()
}

async fn metrics(State(state): State<OpsState>) -> Response {
    ([(CONTENT_TYPE, TEXT_FORMAT)], state.metrics.render()).into_response()
}
