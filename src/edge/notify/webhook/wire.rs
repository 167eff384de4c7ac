//! One request on one connection to an address that was checked. No pool, no redirects, no proxy.

use crate::edge::notify::webhook::guard::Place;
use crate::edge::notify::{Outcome, Reason};
use axum::body::Body;
use axum::http::{Method, Request, header};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

/// What the other side said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer {
    /// HTTP status.
    pub(crate) status: u16,
    /// How long it asked to be left alone, bounded by [`RETRY_AFTER_MAX`].
    pub(crate) wait: Option<Duration>,
}

/// Longest pause that a server may ask for: beyond it a ladder has gone on to other people anyway, and a wrong clock or a hostile
/// answer must not silence a channel.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(15);

/// Bytes of a page that is read: metrics of every series there may be fit.
const PAGE_BYTES_MAX: usize = 4 << 20;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The name does not resolve, or nobody listens.
    Connection,
    /// The name leads to a network that is not allowed.
    Forbidden,
    /// TLS failed.
    Tls,
    /// The request was handed over, the answer is missing.
    Cut,
}

impl Fault {
    pub(crate) const fn outcome(self) -> Outcome {
        match self {
            Self::Connection => Outcome::Transient { reason: Reason::Connection, slow_down: false },
            Self::Forbidden => Outcome::ChannelBroken { reason: Reason::Refused },
            Self::Tls => Outcome::Transient { reason: Reason::Tls, slow_down: false },
            Self::Cut => Outcome::Transient { reason: Reason::MaybeSent, slow_down: false },
        }
    }
}

/// Sends and waits for the status line. Bounded in time by the caller.
pub(crate) async fn post(place: &Place, headers: &[(&'static str, String)], body: String) -> Result<Answer, Fault> {
    let mut request = request(place, Method::POST).header(header::CONTENT_TYPE, "application/json; charset=utf-8");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let (answer, driver) = exchange(place, request.body(Body::from(body)).map_err(|_| Fault::Connection)?).await?;
    driver.abort();
    let asked = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let wait = asked.and_then(|text| retry_after(text, Timestamp::now()));
    Ok(Answer { status: answer.status().as_u16(), wait })
}

/// Reads a page: its status and at most [`PAGE_BYTES_MAX`] of text. Bounded in time by the caller.
pub(crate) async fn get(place: &Place) -> Result<(u16, String), Fault> {
    let (answer, driver) = exchange(place, request(place, Method::GET).body(Body::empty()).map_err(|_| Fault::Connection)?).await?;
    let status = answer.status().as_u16();
    let page = axum::body::to_bytes(Body::new(answer.into_body()), PAGE_BYTES_MAX).await;
    driver.abort();
    Ok((status, String::from_utf8_lossy(&page.map_err(|_| Fault::Cut)?).into_owned()))
}

fn request(place: &Place, method: Method) -> axum::http::request::Builder {
    Request::builder()
        .method(method)
        .uri(&place.path)
        .header(header::HOST, place.host.as_str())
        .header(header::USER_AGENT, concat!("mimamori/", env!("CARGO_PKG_VERSION")))
}

type Exchanged = (axum::http::Response<hyper::body::Incoming>, JoinHandle<hyper::Result<()>>);

async fn exchange(place: &Place, request: Request<Body>) -> Result<Exchanged, Fault> {
    let address = checked(place).await?;
    let stream = TcpStream::connect(address).await.map_err(|_| Fault::Connection)?;
    if !place.is_secure {
        return over(stream, request).await;
    }
    let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|_| Fault::Tls)?;
    let config = builder.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(place.host.clone()).map_err(|_| Fault::Tls)?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|_| Fault::Tls)?;
    over(stream, request).await
}

async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, request: Request<Body>) -> Result<Exchanged, Fault> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|_| Fault::Connection)?;
    let driver = tokio::spawn(connection);
    let Ok(answer) = sender.send_request(request).await else {
        driver.abort();
        return Err(Fault::Cut);
    };
    Ok((answer, driver))
}

/// The first allowed address of the host; a host with any forbidden address is not trusted at all.
async fn checked(place: &Place) -> Result<SocketAddr, Fault> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host((place.host.as_str(), place.port)).await.map_err(|_| Fault::Connection)?.collect();
    if found.iter().any(|address| !place.allows(address.ip())) {
        return Err(Fault::Forbidden);
    }
    found.into_iter().next().ok_or(Fault::Connection)
}

/// The value of `Retry-After`, seconds or a date (RFC 9110, 10.2.3); nothing if it is neither. A date that has passed means now.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a long time, too.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        Duration::try_from(date.duration_since(now)).unwrap_or_default()
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use crate::edge::notify::webhook::wire::{RETRY_AFTER_MAX, retry_after};
    use jiff::Timestamp;
    use std::time::Duration;

    #[test]
    fn the_time_named_is_kept_within_bounds() {
        let now: Timestamp = "2026-11-24T08:00:00Z".parse().expect("a time");
        let rows = [
            ("30", Some(Duration::from_secs(30))),
            (" 0 ", Some(Duration::ZERO)),
            ("Tue, 24 Nov 2026 08:01:00 GMT", Some(Duration::from_mins(1))),
            ("Tue, 24 Nov 2026 07:00:00 GMT", Some(Duration::ZERO)),
            ("86400", Some(RETRY_AFTER_MAX)),
            ("99999999999999999999999", Some(RETRY_AFTER_MAX)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ];
        for (text, expected) in rows {
            assert_eq!(retry_after(text, now), expected, "{text:?}");
        }
    }
}
