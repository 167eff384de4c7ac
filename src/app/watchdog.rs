//! The watchdog: looks at a worker from outside, and tells people when it does not watch any more.
//!
//! Needs neither store nor broker, only the probes, the policy file and the ways out. What was seen and told stands in a small file, so
//! that a restart, or the next run of `--once`, neither repeats nor forgets. Nobody watches the watchdog but the address it calls while
//! all is well: whoever keeps that address tells when the calls end.

use crate::app::{Prepared, transport};
use crate::config::guard::WatchdogSettings;
use crate::edge::notify::alarm::{Alarm, Leg, Trouble, render};
use crate::edge::notify::webhook::guard::Place;
use crate::edge::notify::{Notifier, Outcome, webhook};
use crate::policy::{Policy, Recipient};
use crate::wording::Texts;
use crate::worker::alarm::recipients;
use anyhow::{Context, Result, anyhow};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Metric with the time at which a canary came back last.
const LAST_CANARY: &str = "mimamori_canary_last_seconds";

/// Metric with the messages accepted and not judged.
const PENDING: &str = "mimamori_queue_pending";

/// What was seen and told.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// When all was well last.
    last_well: Option<Timestamp>,
    /// Since when it is not.
    unwell_since: Option<Timestamp>,
    alarm: Option<Alarm>,
    reached: Vec<(String, String)>,
    reached_of_end: Vec<(String, String)>,
}

/// What one look found.
struct Seen {
    trouble: Option<(Leg, Option<Timestamp>)>,
    pending: Option<u64>,
}

/// A watchdog over one worker.
pub struct Watchdog {
    settings: WatchdogSettings,
    named: Vec<String>,
    policy: Arc<Policy>,
    texts: Arc<Texts>,
    notifier: Arc<dyn Notifier>,
    probes: [Place; 2],
    heartbeat: Option<Place>,
    state: State,
}

impl Watchdog {
    /// Reads what was seen before; connects to nothing.
    pub fn new(prepared: Prepared) -> Result<Self> {
        let Prepared { settings, secrets, policy, texts, .. } = prepared;
        let (_, notifier) = transport::notifier(&settings, &secrets, &policy, &texts)?;
        let watchdog = settings.watchdog;
        let probe = |path: &str| {
            let url = format!("{}{path}", watchdog.url);
            // The host was named for this; where it leads is the company's own business.
            let host = url.parse::<axum::http::Uri>().ok().and_then(|uri| uri.host().map(|host| host.trim_matches(['[', ']']).to_owned()));
            Place::parse(&url, &host.into_iter().collect::<Vec<_>>()).map_err(|why| anyhow!("watchdog.url: {why}"))
        };
        let heartbeat = match &watchdog.heartbeat_url_file {
            Some(file) => {
                let url = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
                Some(Place::parse(url.trim(), &watchdog.private_hosts).map_err(|why| anyhow!("{}: {why}", file.display()))?)
            }
            None => None,
        };
        let probes = [probe("/readyz")?, probe("/metrics")?];
        let state = read(&watchdog.state_file)?;
        Ok(Self { named: settings.canary.alarm, settings: watchdog, policy, texts, notifier, probes, heartbeat, state })
    }

    /// Looks for ever.
    pub async fn run(mut self) -> Result<()> {
        loop {
            self.look().await?;
            tokio::time::sleep(self.settings.every).await;
        }
    }

    /// One look, and what follows from it; true if all is well.
    pub async fn look(&mut self) -> Result<bool> {
        let seen = self.probe().await;
        let now = Timestamp::now();
        let is_well = seen.trouble.is_none();
        self.note(&seen, now);
        self.save()?;
        self.tell().await;
        self.save()?;
        if is_well && let Some(place) = &self.heartbeat {
            match webhook::get(place).await {
                Some((200..=299, _)) => {}
                other => tracing::warn!(status = other.map(|(status, _)| status), "the heartbeat address did not take the call"),
            }
        }
        Ok(is_well)
    }

    async fn probe(&self) -> Seen {
        let [ready, metrics] = &self.probes;
        let (ready, page) = tokio::join!(webhook::get(ready), webhook::get(metrics));
        let page = page.filter(|(status, _)| *status == 200).map(|(_, page)| page).unwrap_or_default();
        let pending = value(&page, PENDING).map(whole);
        let last = value(&page, LAST_CANARY).map(whole).filter(|seconds| *seconds > 0);
        let last = last.and_then(|seconds| Timestamp::from_second(i64::try_from(seconds).ok()?).ok());
        let late = |last: &Timestamp| Timestamp::now().duration_since(*last) > signed(self.settings.late_after);
        let trouble = match ready {
            Some((200, _)) => last.filter(late).map(|last| (Leg::Judging, Some(last))),
            _ => Some((Leg::Process, None)),
        };
        Seen { trouble, pending }
    }

    fn note(&mut self, seen: &Seen, now: Timestamp) {
        let state = &mut self.state;
        let Some((leg, since)) = seen.trouble else {
            (state.last_well, state.unwell_since) = (Some(now), None);
            if let Some(alarm) = state.alarm.as_mut().filter(|alarm| alarm.over_at.is_none()) {
                alarm.over_at = Some(now);
                if let Trouble::Stopped { pending, .. } = &mut alarm.trouble {
                    *pending = seen.pending;
                }
                tracing::info!("the worker watches again");
            }
            return;
        };
        let unwell_since = *state.unwell_since.get_or_insert(now);
        let since = since.or(state.last_well).unwrap_or(unwell_since);
        tracing::warn!(?leg, %since, "the worker does not watch");
        let is_on = state.alarm.as_ref().is_some_and(|alarm| alarm.over_at.is_none());
        if !is_on && now.duration_since(since) >= signed(self.settings.late_after) {
            state.alarm = Some(Alarm { trouble: Trouble::Stopped { leg, pending: seen.pending }, since, over_at: None });
            (state.reached, state.reached_of_end) = (vec![], vec![]);
        }
    }

    /// Tells whoever has not been told; those who are not reached are tried again at the next look.
    async fn tell(&mut self) {
        let Some(alarm) = self.state.alarm.clone() else { return };
        let is_end = alarm.over_at.is_some();
        let told = if is_end { &self.state.reached_of_end } else { &self.state.reached };
        let is_in = |list: &[(String, String)], to: &Recipient| list.contains(&(to.person.clone(), to.channel.clone()));
        let all = recipients(&self.policy, &self.named).into_iter();
        let missing: Vec<Recipient> = all.filter(|to| !is_in(told, to) && (!is_end || is_in(&self.state.reached, to))).collect();
        let outcomes = join_all(missing.iter().map(|to| async {
            let outcome = self.notifier.send(&render(&alarm, to, &self.policy, &self.texts)).await;
            tracing::info!(to = %to.person, channel = %to.channel, is_end, ?outcome, "told of the alarm");
            outcome
        }))
        .await;
        let told = if is_end { &mut self.state.reached_of_end } else { &mut self.state.reached };
        let reached = missing.iter().zip(&outcomes).filter(|(_, outcome)| **outcome == Outcome::Sent);
        told.extend(reached.map(|(to, _)| (to.person.clone(), to.channel.clone())));
        if is_end && outcomes.iter().all(|outcome| *outcome == Outcome::Sent) {
            self.state.alarm = None;
        }
    }

    /// Whole or not at all.
    fn save(&self) -> Result<()> {
        let path = &self.settings.state_file;
        let write = || -> std::io::Result<()> {
            if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
                fs::create_dir_all(folder)?;
            }
            let beside = path.with_extension("new");
            let mut file = File::create(&beside)?;
            file.write_all(&serde_json::to_vec(&self.state)?)?;
            file.sync_all()?;
            fs::rename(&beside, path)
        };
        write().with_context(|| format!("cannot write {}", path.display()))
    }
}

fn read(path: &Path) -> Result<State> {
    match fs::read(path) {
        // A damaged file must not keep the watchdog from watching; at worst something is told twice.
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).unwrap_or_else(|error| {
            tracing::warn!(file = %path.display(), %error, "what was seen before cannot be read; beginning anew");
            State::default()
        })),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(State::default()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// The value of a metric without labels.
fn value(page: &str, name: &str) -> Option<f64> {
    page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Counts and times are whole and not negative.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(value: f64) -> u64 {
    value as u64
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_read_by_its_whole_name() {
        let page = "# HELP mimamori_queue_pending x\nmimamori_queue_pending_more 3\nmimamori_queue_pending 12\nmimamori_canary_last_seconds 1790000000.25\n";
        assert_eq!(value(page, PENDING).map(whole), Some(12));
        assert_eq!(value(page, LAST_CANARY).map(whole), Some(1_790_000_000));
        assert_eq!(value("", PENDING), None);
    }
}
