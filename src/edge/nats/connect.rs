//! The connection: who we are, how we come back.

use crate::edge::nats::faults::Faults;
use crate::edge::nats::{Access, OpenError, REQUEST_MAX, SERVER_MIN};
use async_nats::{Client, ConnectOptions};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// First pause before an attempt to reconnect; doubled each time.
const RECONNECT_FIRST: Duration = Duration::from_millis(100);

/// Longest pause between two attempts to reconnect, without the jitter.
const RECONNECT_MAX: Duration = Duration::from_secs(4);

/// Connects. Reconnecting is the client's work from then on: for ever, with jitter.
pub(crate) async fn connect(access: &Access, faults: &Arc<Faults>) -> Result<Client, OpenError> {
    let file = |path: &PathBuf, why: String| OpenError::File { file: path.display().to_string(), why };
    let seen = Arc::clone(faults);
    let mut options = ConnectOptions::new()
        .name("mimamori")
        .max_reconnects(None)
        .request_timeout(Some(REQUEST_MAX))
        .reconnect_delay_callback(|attempt| {
            let base = RECONNECT_FIRST.saturating_mul(1 << attempt.min(6)).min(RECONNECT_MAX);
            base + base.mul_f64(chance() / 2.0)
        })
        .event_callback(move |event| {
            let seen = Arc::clone(&seen);
            async move { seen.heard(&event) }
        });
    if let Some(path) = &access.credentials {
        let text = std::fs::read_to_string(path).map_err(|error| file(path, error.to_string()))?;
        options = options.credentials(&text).map_err(|error| file(path, error.to_string()))?;
    }
    if let Some(path) = &access.nkey {
        let nkey = std::fs::read_to_string(path).map_err(|error| file(path, error.to_string()))?;
        options = options.nkey(nkey.trim().to_owned());
    }
    if let Some(path) = &access.authority {
        options = options.add_root_certificates(path.clone());
    }
    if let Some((certificate, key)) = &access.client {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
    if let Some(prefix) = &access.inbox {
        options = options.custom_inbox_prefix(prefix);
    }
    options = options.require_tls(access.tls);
    let servers: Vec<&str> = access.url.split(',').map(str::trim).collect();
    options.connect(servers).await.map_err(|error| {
        use async_nats::ConnectErrorKind::{Authentication, AuthorizationViolation};
        let denied = matches!(error.kind(), Authentication | AuthorizationViolation);
        OpenError::Connect { url: access.url.clone(), why: error.to_string(), denied }
    })
}

/// Between 0 and 1. Many workers must not come back in the same instant; the clock's low digits are random enough for that.
pub(crate) fn chance() -> f64 {
    f64::from(jiff::Timestamp::now().subsec_nanosecond().unsigned_abs() % 1_000) / 1_000.0
}

/// Refuses servers that lack what is relied on.
pub(crate) fn check_version(client: &Client) -> Result<(), OpenError> {
    let found = client.server_info().version;
    let mut numbers = found.split('.').map(|part| part.parse::<u64>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version < SERVER_MIN { Err(OpenError::TooOld { found }) } else { Ok(()) }
}
