//! `[[events.out]]` as ways to other systems: signed webhooks and NATS subjects, on either backend.
//!
//! It stands here because it joins edges that do not know each other.

use crate::app::transport::subject_access;
use crate::config::secret::Secrets;
use crate::config::settings::Settings;
use crate::config::settings::events::{EventTargetSettings, EventWay};
use crate::edge::nats::ring::{Bell, Missed};
use crate::edge::notify::Reason;
use crate::edge::notify::event::{EventSink, Handed};
use crate::edge::notify::webhook::event::EventHook;
use crate::model::event::EventKind;
use crate::worker::events::Target;
use crate::worker::events::wish::Wish;
use anyhow::{Context, Result, anyhow};
use async_trait::async_trait;
use std::sync::Arc;

/// Events on subjects below a prefix; taken when a stream has confirmed them.
struct Subjects {
    bell: Bell,
}

#[async_trait]
impl EventSink for Subjects {
    async fn hand_over(&self, kind: EventKind, id: &str, body: &str) -> Handed {
        let later = |reason| Handed::Later { reason, wait: None };
        match self.bell.ring_below(kind.id(), id, body.to_owned()).await {
            Ok(()) => Handed::Accepted,
            Err(Missed::Connection) => later(Reason::Connection),
            Err(Missed::Nobody) => later(Reason::NobodyListens),
            Err(Missed::Timeout) => later(Reason::Timeout),
            Err(Missed::Busy) => later(Reason::Busy),
            Err(Missed::Denied) => Handed::Refused { reason: Reason::Authentication },
            Err(Missed::Unsendable) => Handed::Refused { reason: Reason::Unsendable },
        }
    }
}

/// Everyone who is told; connects to nothing yet.
pub fn targets(settings: &Settings, secrets: &Secrets) -> Result<Vec<Target>> {
    let target = |row: &EventTargetSettings| {
        let sink: Arc<dyn EventSink> = match &row.way {
            EventWay::Webhook { url, private_hosts, .. } => {
                let secret = secrets.events.get(&row.id).ok_or_else(|| anyhow!("events `{}` have no signing key", row.id))?;
                let hook = EventHook::new(url, secret.reveal(), private_hosts);
                Arc::new(hook.with_context(|| format!("the address of events `{}` cannot be used", row.id))?)
            }
            EventWay::Nats(subject) => {
                let access = subject_access(subject, &settings.nats);
                Arc::new(Subjects { bell: Bell::of_stream(subject.subject.clone(), access) })
            }
        };
        Ok(Target { wish: wish(row), sink })
    };
    settings.events.iter().map(target).collect()
}

/// What a target wants to hear.
pub fn wish(row: &EventTargetSettings) -> Wish {
    Wish {
        id: row.id.clone(),
        kinds: row.kinds.clone(),
        tenants: row.tenants.clone(),
        queues: row.queues.clone(),
        from_beginning: row.from_beginning,
    }
}
