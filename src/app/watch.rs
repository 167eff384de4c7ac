//! What runs beside the worker: signals, the two HTTP servers, gauges and probes.

use crate::app::policy::{Files, Reload};
use crate::app::texts::TextFile;
use crate::config::secret::Secrets;
use crate::config::settings::Settings;
use crate::edge::http::ack::{self, AckState};
use crate::edge::http::app::AppState;
use crate::edge::http::desk::CaseDesk;
use crate::edge::http::door::{self, FlagDoor};
use crate::edge::http::health::{Component, Health, STALLED_AFTER};
use crate::edge::http::ops::OpsState;
use crate::edge::http::request::IntakeToken;
use crate::edge::http::{app, ops, server};
use crate::edge::metrics::Metrics;
use crate::edge::metrics::labels::{BackendEvent, PolicyReload};
use crate::edge::nats::Nats;
use crate::edge::nats::faults::Trouble;
use crate::edge::shelter::{Shelter, Waiting};
use crate::store::Queue;
use crate::worker::Worker;
use crate::worker::desk::Desk;
use anyhow::{Context, Result};
use jiff::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How often gauges and probes are refreshed.
const REFRESH: Duration = Duration::from_secs(1);

/// Stops at the first SIGINT or SIGTERM; leaves the process at the second.
#[allow(clippy::exit)] // a second signal means "now"
pub async fn signals(stop: CancellationToken) {
    next_signal().await;
    tracing::info!("stopping: finishing what is in hand");
    stop.cancel();
    next_signal().await;
    std::process::exit(1);
}

#[cfg(unix)]
async fn next_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        },
        Err(_) => _ = tokio::signal::ctrl_c().await,
    }
}

#[cfg(not(unix))]
async fn next_signal() {
    _ = tokio::signal::ctrl_c().await;
}

/// Servers that listen.
pub struct Servers {
    /// Address of the app router.
    pub app: SocketAddr,
    /// Address of the ops router.
    pub ops: SocketAddr,
    /// Their tasks.
    pub tasks: Vec<JoinHandle<()>>,
}

/// Binds and serves both routers; one listener serves both where the addresses are equal.
pub async fn serve(
    settings: &Settings,
    secrets: &Secrets,
    queue: Arc<dyn Queue>,
    desk: &Arc<Desk>,
    metrics: &Arc<Metrics>,
    health: &Arc<Health>,
    stop: &CancellationToken,
) -> Result<Servers> {
    let token = secrets.intake_token.as_ref().map(|secret| IntakeToken::new(secret.reveal()));
    let ack_router = ack::router(AckState { desk: Arc::clone(desk) as Arc<dyn CaseDesk>, token: token.clone() });
    let app_router = app::router(AppState {
        queue,
        metrics: Arc::clone(metrics),
        token,
        message_bytes: settings.limits.message_bytes,
        body_timeout: app::BODY_TIMEOUT,
    })
    .merge(ack_router)
    .merge(door::router(Arc::clone(desk) as Arc<dyn FlagDoor>));
    let ops_router = ops::router(OpsState { health: Arc::clone(health), metrics: Arc::clone(metrics) });
    let (app_wanted, ops_wanted) = (settings.intake.http.listen, settings.ops.listen);
    let app_listener =
        TcpListener::bind(app_wanted).await.with_context(|| format!("cannot listen on {app_wanted} (intake.http.listen)"))?;
    let app_address = app_listener.local_addr()?;
    if app_wanted == ops_wanted && app_wanted.port() != 0 {
        let task = tokio::spawn(server::serve(app_listener, app_router.merge(ops_router), stop.clone().cancelled_owned()));
        return Ok(Servers { app: app_address, ops: app_address, tasks: vec![task] });
    }
    let ops_listener = TcpListener::bind(ops_wanted).await.with_context(|| format!("cannot listen on {ops_wanted} (ops.listen)"))?;
    let ops_address = ops_listener.local_addr()?;
    let tasks = vec![
        tokio::spawn(server::serve(app_listener, app_router, stop.clone().cancelled_owned())),
        tokio::spawn(server::serve(ops_listener, ops_router, stop.clone().cancelled_owned())),
    ];
    Ok(Servers { app: app_address, ops: ops_address, tasks })
}

/// Says every second that the loops of the worker turn; waits for nothing else, so that a store that does not answer makes the
/// process not ready, and not dead.
pub async fn ticks(worker: Arc<Worker>, health: Arc<Health>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        if worker.pulse().age(Timestamp::now()) < STALLED_AFTER {
            health.tick();
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(REFRESH) => {}
        }
    }
}

/// What the backend went through, carried into the metrics.
pub struct Events {
    nats: Option<Arc<Nats>>,
    metrics: Arc<Metrics>,
    told: [u64; Trouble::ALL.len()],
}

impl Events {
    /// Nothing is told yet.
    pub fn new(nats: Option<Arc<Nats>>, metrics: Arc<Metrics>) -> Self {
        Self { nats, metrics, told: [0; Trouble::ALL.len()] }
    }

    fn tell(&mut self) {
        let Some(nats) = &self.nats else { return };
        for (trouble, told) in Trouble::ALL.into_iter().zip(&mut self.told) {
            let count = nats.faults().count(trouble);
            self.metrics.backend_events(label(trouble), count - *told);
            *told = count;
        }
    }
}

fn label(trouble: Trouble) -> BackendEvent {
    match trouble {
        Trouble::Connected => BackendEvent::Connected,
        Trouble::Disconnected => BackendEvent::Disconnected,
        Trouble::LameDuck => BackendEvent::LameDuck,
        Trouble::SlowConsumer => BackendEvent::SlowConsumer,
        Trouble::ServerError => BackendEvent::ServerError,
        Trouble::ClientError => BackendEvent::ClientError,
        Trouble::PullError => BackendEvent::PullError,
        Trouble::Rebuilt => BackendEvent::Rebuilt,
        Trouble::ConsumerMade => BackendEvent::ConsumerMade,
        Trouble::Lost => BackendEvent::Lost,
        Trouble::AckLost => BackendEvent::AckLost,
    }
}

/// Hands over what waits for the broker, and says how much that is.
pub async fn shelter(shelter: Arc<Shelter>, metrics: Arc<Metrics>, health: Arc<Health>, stop: CancellationToken) {
    let report = |waiting: Waiting| {
        let age =
            waiting.oldest.map_or(Duration::ZERO, |oldest| Duration::try_from(Timestamp::now().duration_since(oldest)).unwrap_or_default());
        metrics.sheltered(waiting.messages, age);
        let note =
            || format!("{} accepted messages wait on the local disk for the broker, the oldest for {} s", waiting.messages, age.as_secs());
        health.pass((waiting.messages > 0).then(note));
    };
    shelter.run(stop, report).await;
}

/// Refreshes gauges and probes every second.
pub async fn gauges(worker: Arc<Worker>, files: (Files, TextFile), mut events: Events, health: Arc<Health>, stop: CancellationToken) {
    let (mut files, mut texts) = files;
    while !stop.is_cancelled() {
        let now = Timestamp::now();
        events.tell();
        match worker.queue.check().await {
            Ok(()) => health.working(Component::Queue),
            Err(error) => health.failing(Component::Queue, error.to_string()),
        }
        files = reload(files, &events.metrics).await;
        texts = reword(texts, &worker).await;
        // Who left is told nothing any more within a second, whichever process was told so.
        match worker.desk.apply_leavers(files.policy()).await {
            Ok(true) => tracing::info!(version = files.policy().version, "another policy is in force"),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "who left cannot be read"),
        }
        match worker.queue.state().await {
            Ok(state) => {
                let age = state.oldest.map_or(Duration::ZERO, |oldest| Duration::try_from(now.duration_since(oldest)).unwrap_or_default());
                worker.metrics.queue(state.pending, age);
                health.working(Component::Store);
            }
            Err(error) => health.failing(Component::Store, error.to_string()),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(REFRESH) => {}
        }
    }
}

/// Reads policy and rota again where they changed; a faulty one changes nothing but the log.
async fn reload(files: Files, metrics: &Metrics) -> Files {
    let before = files.clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut files = files;
        let reload = files.poll();
        (files, reload)
    });
    let Ok((files, reload)) = read.await else { return before };
    match reload {
        Reload::Unchanged => {}
        Reload::Applied => metrics.policy_reload(PolicyReload::Applied),
        Reload::Refused(why) => {
            metrics.policy_reload(PolicyReload::Refused);
            tracing::error!("the changed policy is refused, the old one stays in force:\n{why}");
        }
    }
    files
}

/// Reads the words of alerts again where their file changed; a faulty one changes nothing but the log.
async fn reword(file: TextFile, worker: &Worker) -> TextFile {
    let before = file.clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut file = file;
        let read = file.poll();
        (file, read)
    });
    let Ok((file, read)) = read.await else { return before };
    match read {
        Some(Ok(texts)) if texts != *worker.texts() => {
            worker.set_texts(texts);
            worker.metrics.policy_reload(PolicyReload::Applied);
            tracing::info!("other words of alerts are in force");
        }
        Some(Ok(_)) | None => {}
        Some(Err(why)) => {
            worker.metrics.policy_reload(PolicyReload::Refused);
            tracing::error!("the changed words of alerts are refused, the old ones stay in force:\n{why}");
        }
    }
    file
}
