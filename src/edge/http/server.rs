//! The server below the routers: bounded connections, bounded headers, bounded waiting.
//!
//! `axum::serve` has neither a header timeout nor a connection limit; a client that sends one byte a minute would hold a connection
//! for ever. A panic in a handler ends its connection, never the process.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Connections at the same time for one listener. Further ones wait in the kernel's backlog.
pub const CONNECTIONS_MAX: usize = 512;

/// Time for a request's headers, and for which an idle kept-alive connection stays open.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(15);

/// Largest header block, in bytes.
pub const HEADER_BYTES_MAX: usize = 64 << 10;

/// Time for requests in progress to end after the shutdown signal. Part of the ten seconds the whole process has.
pub const DRAIN_TIME: Duration = Duration::from_secs(5);

/// Pause after the system refused to accept (out of file descriptors): accepting at once again would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// How long the server waits for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For a request's headers.
    pub headers: Duration,
    /// For requests in progress after the shutdown signal.
    pub drain: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { headers: HEADER_TIMEOUT, drain: DRAIN_TIME }
    }
}

/// [`serve_with`] the default [`Patience`].
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) {
    serve_with(listener, router, Patience::default(), shutdown).await;
}

/// Serves until `shutdown` resolves; then takes no new connection, lets requests in progress end for `patience.drain`, and returns.
pub async fn serve_with(listener: TcpListener, router: Router, patience: Patience, shutdown: impl Future<Output = ()>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let (draining, connections) = (CancellationToken::new(), TaskTracker::new());
    tokio::pin!(shutdown);
    loop {
        let accepted = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, stream) = tokio::select! {
            () = &mut shutdown => break,
            accepted = accepted => accepted,
        };
        match stream {
            Ok((stream, _)) => {
                let connection = connection(stream, router.clone(), patience, draining.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    draining.cancel();
    connections.close();
    if tokio::time::timeout(patience.drain, connections.wait()).await.is_err() {
        tracing::warn!("requests in progress were cut off at shutdown");
    }
}

async fn connection(stream: TcpStream, router: Router, patience: Patience, draining: CancellationToken) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(patience.headers).max_buf_size(HEADER_BYTES_MAX);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = draining.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // A client that went away or was too slow: worth a look only when one is looking.
        tracing::debug!(%error, "a connection ended early");
    }
}
