//! What "accepted" is worth on the configured backend, told at the start: copies, and when a disk has them.

use crate::config::settings::{Backend as Kind, Settings};
use crate::edge::http::health::Health;
use crate::edge::nats::durable::{self, Sync};

/// Copies below which a dead server may take accepted messages with it: a majority must be left.
const REPLICAS_SAFE: usize = 3;

/// Logs what was found, and notes for `/readyz` what an operator would not expect. The embedded store has every commit on disk.
pub async fn tell(settings: &Settings, health: &Health) {
    if settings.store.backend != Kind::Nats {
        return;
    }
    let replicas = settings.nats.replicas;
    tracing::info!(replicas, "copies of accepted messages");
    let warn = |note: String| {
        tracing::warn!("{note}");
        health.note(note);
    };
    if replicas < REPLICAS_SAFE {
        warn(format!("{replicas} copies of accepted messages: they may not survive the loss of a server"));
    }
    let Some(places) = &settings.nats.monitor_url else {
        warn("sync_interval of the servers is unknown (nats.monitor_url): accepted messages may not survive a power cut".to_owned());
        return;
    };
    for place in places.split(',').map(str::trim) {
        match durable::ask(place).await {
            Ok(Sync::Always) => tracing::info!(server = place, sync_interval = %Sync::Always, "accepted messages are on its disk"),
            Ok(sync) => warn(format!("{place}: sync_interval is {sync}: a power cut may take messages accepted in that time")),
            Err(why) => warn(format!("{place}: sync_interval is unknown: {why}")),
        }
    }
}
