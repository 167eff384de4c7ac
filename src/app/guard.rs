//! mimamori watched by itself: auditor, canaries and alarms, and what the configuration says of them against the policy.

use crate::app::Faults;
use crate::config::settings::{Settings, Transport};
use crate::diag::{Diagnostic, Grave};
use crate::edge::http::health::Health;
use crate::policy::Policy;
use crate::worker::{Worker, alarm, audit, canary};
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Names that the policy does not have, and an address outside the own domains.
pub(crate) fn check(settings: &Settings, policy: &Policy, faults: &mut Faults) {
    let file = faults.sources.first().map(|source| source.name.clone()).unwrap_or_default();
    let mut fault = |code: &'static str, title: String, help: &str| {
        let (file, help) = (file.clone(), help.to_owned());
        faults.diagnostics.push(Diagnostic { grave: Grave::Error, code, title, file, span: 0..0, label: String::new(), help });
    };
    let is_known = |name: &String| policy.person(name).is_some() || policy.teams.iter().any(|team| team.id == *name);
    for name in settings.canary.alarm.iter().filter(|name| !is_known(name)) {
        fault("config.alarm", format!("canary.alarm names `{name}`, whom the policy does not know"), "a key of [people] or [teams]");
    }
    if let Some(address) = &settings.canary.to {
        let domain = address.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase());
        if !domain.is_some_and(|domain| policy.own_domains.contains(&domain)) {
            let title = format!("canary.to is `{address}`, outside the own domains of the policy");
            fault("config.canary", title, "an own address that takes mail and forgets it");
        }
    }
}

/// Starts what watches.
pub(crate) fn start(settings: &Settings, worker: &Arc<Worker>, health: &Arc<Health>, stop: &CancellationToken) -> Vec<JoinHandle<()>> {
    let named = settings.canary.alarm.clone();
    let mut tasks = vec![tokio::spawn(alarm::run(Arc::clone(worker), named, stop.clone()))];
    if settings.audit.is_on() {
        let every = settings.audit.every;
        tasks.push(tokio::spawn(audit::run(Arc::clone(worker), every, Arc::clone(health), stop.clone())));
    }
    if !settings.canary.is_on() {
        return tasks;
    }
    if settings.canary.to.is_none() && settings.notify.transport == Transport::Smtp {
        let note = "the canary does not test sending mail: set canary.to";
        tracing::warn!("{note}");
        health.note(note);
    }
    let canary = &settings.canary;
    let plan = canary::Plan { every: canary.every, late_after: canary.late_after, to: canary.to.clone() };
    tasks.push(tokio::spawn(canary::run(Arc::clone(worker), plan, stop.clone())));
    tasks
}
