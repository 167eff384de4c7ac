//! Alarms about mimamori itself, told once and ended once, over every channel that works.
//!
//! An alarm is a record: what, since when, whom it has reached. It is claimed by compare-and-set before anything is sent, and each
//! recipient is noted after: two workers do not tell twice, a crash repeats one send with the same Message-ID, and what was told of
//! the outage is told of its end. All channels are tried side by side, again and again while it lasts.
//!
//! What it cannot tell: that the store itself is gone. For that there is the watchdog, outside.

use crate::edge::notify::alarm::{Alarm, Trouble, render};
use crate::edge::notify::{Outcome, Reason};
use crate::model::digest::Digest;
use crate::model::severity::Level;
use crate::policy::route::Facts;
use crate::policy::{Policy, Recipient, Track};
use crate::store::record::{self, Change, Versioned};
use crate::store::{Bucket, Key, StoreError};
use crate::worker::Worker;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often alarms are looked at: the first word of an outage must not wait.
const LOOK: Duration = Duration::from_secs(1);

/// Pause before those who were not reached are tried again: longer than the slowest send.
const RETRY: SignedDuration = SignedDuration::from_secs(90);

/// How long an end is tried to be told.
const OVER_MAX: SignedDuration = SignedDuration::from_hours(24);

/// Time without a success after which a channel counts as broken (field.md F7).
const BROKEN_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// An alarm, and whom it has reached: person and channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Told {
    alarm: Alarm,
    reached: Vec<(String, String)>,
    reached_of_end: Vec<(String, String)>,
    next_try: Option<Timestamp>,
}

impl Versioned for Told {
    const VERSION: u32 = 1;
}

fn key(name: &str) -> Key {
    Key::new(Bucket::System, &["alarm", &Digest::of(name.as_bytes()).key()])
}

/// Keys of people and teams who are told of alarms: those that were named, else those who are first told of what could not be judged.
pub fn called(policy: &Policy, named: &[String]) -> Vec<String> {
    if !named.is_empty() {
        return named.to_vec();
    }
    let facts = Facts::of(Track::Unchecked, Level::Ordinary);
    policy.ladder_for(&facts).names().next().map(|(to, _)| to.to_vec()).unwrap_or_default()
}

/// Everybody of those, over everything they have. Who is away is told, too: the machine does not know who else could help.
pub fn recipients(policy: &Policy, named: &[String]) -> Vec<Recipient> {
    let mut found: Vec<Recipient> = vec![];
    for id in policy.members(&called(policy, named)) {
        let Some(person) = policy.person(id).filter(|person| !person.disabled) else { continue };
        for (channel, address) in &person.reach {
            let to = Recipient { person: person.id.clone(), name: person.name.clone(), channel: channel.clone(), address: address.clone() };
            if !found.contains(&to) {
                found.push(to);
            }
        }
    }
    found
}

/// Since when each channel has not taken anything; plain memory: a new process finds out soon.
#[derive(Debug, Default)]
pub(crate) struct Channels(Mutex<BTreeMap<String, Failing>>);

#[derive(Debug, Clone)]
struct Failing {
    since: Timestamp,
    reason: Reason,
}

impl Channels {
    /// Notes how an attempt over a channel ended. A recipient who is refused says nothing about the channel.
    pub(crate) fn note(&self, channel: &str, outcome: Outcome, now: Timestamp) {
        let reason = match outcome {
            Outcome::Sent => None,
            Outcome::Transient { reason, .. } | Outcome::ChannelBroken { reason } => Some(reason),
            Outcome::Later { .. } | Outcome::RecipientRefused { .. } => return,
        };
        let mut failing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match reason {
            None => _ = failing.remove(channel),
            Some(reason) => failing.entry(channel.to_owned()).or_insert(Failing { since: now, reason }).reason = reason,
        }
    }

    /// Channels that have failed for [`BROKEN_AFTER`].
    fn broken(&self, now: Timestamp) -> BTreeMap<String, Failing> {
        let failing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failing.iter().filter(|(_, one)| one.since + BROKEN_AFTER <= now).map(|(id, one)| (id.clone(), one.clone())).collect()
    }

    fn fails(&self, channel: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(channel)
    }
}

/// Tells alarms until `stop`; `named` are the people and teams of the configuration.
pub async fn run(worker: Arc<Worker>, named: Vec<String>, stop: CancellationToken) {
    let mut told_broken = BTreeSet::new();
    while !stop.is_cancelled() {
        if let Err(error) = worker.look_at_channels(&mut told_broken, Timestamp::now()).await {
            tracing::warn!(%error, "a broken channel cannot be noted");
        }
        match worker.alarms_to_tell(&named, Timestamp::now()).await {
            Ok(alarms) => {
                // Each by itself: a mail server that stalls must not keep the next alarm waiting.
                for (at, told, recipients) in alarms {
                    let worker = Arc::clone(&worker);
                    tokio::spawn(async move { worker.tell_alarm(&at, told, recipients).await });
                }
            }
            Err(error) => tracing::warn!(%error, "alarms cannot be read"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

impl Worker {
    /// Begins an alarm, unless it is on.
    pub(crate) async fn raise(&self, name: &str, trouble: Trouble, since: Timestamp) -> Result<(), StoreError> {
        let fresh = Told { alarm: Alarm { trouble, since, over_at: None }, reached: vec![], reached_of_end: vec![], next_try: None };
        let is_new = self
            .desk
            .change::<Told, bool>(&key(name), |known| match known {
                Some(known) if known.alarm.over_at.is_none() => Change::Keep(false),
                _ => Change::Write(fresh.clone(), true),
            })
            .await?;
        if is_new {
            tracing::error!(alarm = name, trouble = ?fresh.alarm.trouble, %since, "alarm");
        }
        Ok(())
    }

    /// Ends an alarm, if it is on and began before `back`.
    pub(crate) async fn clear(&self, name: &str, back: Timestamp, pending: Option<u64>) -> Result<(), StoreError> {
        let Some((known, _)) = record::load::<Told>(&*self.store, &key(name)).await? else { return Ok(()) };
        if known.alarm.over_at.is_some() || known.alarm.since >= back {
            return Ok(());
        }
        let is_over = self
            .desk
            .change::<Told, bool>(&key(name), |known| match known {
                Some(mut known) if known.alarm.over_at.is_none() && known.alarm.since < back => {
                    if let Trouble::Stopped { pending: count, .. } = &mut known.alarm.trouble {
                        *count = pending;
                    }
                    (known.alarm.over_at, known.next_try) = (Some(back), None);
                    Change::Write(known, true)
                }
                _ => Change::Keep(false),
            })
            .await?;
        if is_over {
            tracing::info!(alarm = name, "the alarm is over");
        }
        Ok(())
    }

    async fn look_at_channels(&self, told: &mut BTreeSet<String>, now: Timestamp) -> Result<(), StoreError> {
        for (channel, failing) in self.channels.broken(now) {
            if !told.contains(&channel) {
                let trouble = Trouble::Channel { channel: channel.clone(), reason: failing.reason.id().to_owned() };
                self.raise(&format!("channel.{channel}"), trouble, failing.since).await?;
                told.insert(channel);
            }
        }
        let over: Vec<String> = told.iter().filter(|channel| !self.channels.fails(channel)).cloned().collect();
        for channel in over {
            self.clear(&format!("channel.{channel}"), now, None).await?;
            told.remove(&channel);
        }
        Ok(())
    }

    /// Claims what is to be told now; drops what is over and told.
    async fn alarms_to_tell(&self, named: &[String], now: Timestamp) -> Result<Vec<(Key, Told, Vec<Recipient>)>, StoreError> {
        let mut claimed = vec![];
        let policy = self.policy();
        for row in self.store.scan(&Key::new(Bucket::System, &["alarm"])).await? {
            let told: Told = record::decode(&row.value)?;
            let missing = missing(&told, &policy, named);
            let is_done = told.alarm.over_at.is_some_and(|at| missing.is_empty() || at + OVER_MAX < now);
            if is_done {
                match self.store.delete(&row.key, row.revision).await {
                    Err(error) if !error.is_race() => return Err(error),
                    _ => continue,
                }
            }
            if missing.is_empty() || told.next_try.is_some_and(|at| now < at) {
                continue;
            }
            let next = Told { next_try: Some(now + RETRY), ..told };
            match self.store.update(&row.key, row.revision, record::encode(&next)?).await {
                Ok(_) => claimed.push((row.key, next, missing)),
                Err(error) if error.is_race() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(claimed)
    }

    async fn tell_alarm(&self, at: &Key, told: Told, recipients: Vec<Recipient>) {
        let policy = self.policy();
        let is_end = told.alarm.over_at.is_some();
        let (alarm, policy) = (&told.alarm, &*policy);
        join_all(recipients.iter().map(|to| async move {
            let outcome = self.notifier.send(&render(alarm, to, policy, &self.texts())).await;
            self.channels.note(&to.channel, outcome, Timestamp::now());
            if outcome != Outcome::Sent {
                tracing::warn!(to = %to.person, channel = %to.channel, ?outcome, "an alarm has not left; it is tried again");
                return;
            }
            tracing::info!(to = %to.person, channel = %to.channel, is_end, "an alarm was told");
            let noted = self
                .desk
                .change::<Told, ()>(at, |known| match known {
                    Some(mut known) if known.alarm.since == alarm.since => {
                        let reached = if is_end { &mut known.reached_of_end } else { &mut known.reached };
                        reached.push((to.person.clone(), to.channel.clone()));
                        Change::Write(known, ())
                    }
                    _ => Change::Keep(()),
                })
                .await;
            if let Err(error) = noted {
                tracing::warn!(%error, "who was told of an alarm cannot be noted: they may be told again");
            }
        }))
        .await;
    }
}

/// Who has not been told: of the alarm all who are called, of its end those who were told of it.
fn missing(told: &Told, policy: &Policy, named: &[String]) -> Vec<Recipient> {
    let is_in =
        |list: &[(String, String)], to: &Recipient| list.iter().any(|(person, channel)| *person == to.person && *channel == to.channel);
    let of_channel = |to: &Recipient| matches!(&told.alarm.trouble, Trouble::Channel { channel, .. } if *channel == to.channel);
    let all = recipients(policy, named).into_iter();
    if told.alarm.over_at.is_some() {
        return all.filter(|to| is_in(&told.reached, to) && !is_in(&told.reached_of_end, to)).collect();
    }
    all.filter(|to| !is_in(&told.reached, to) && !of_channel(to)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_is_broken_after_a_minute_without_a_success() {
        let (channels, start) = (Channels::default(), Timestamp::from_second(1_790_000_000).expect("a time"));
        let at = |seconds| start + SignedDuration::from_secs(seconds);
        let busy = Outcome::Transient { reason: Reason::Busy, slow_down: false };
        let broken = |now| channels.broken(now).into_keys().collect::<Vec<_>>();
        channels.note("mail", busy, at(0));
        channels.note("mail", Outcome::ChannelBroken { reason: Reason::Tls }, at(30));
        // A person who is refused, and a server that names a time, say nothing about the channel.
        channels.note("pager", Outcome::RecipientRefused { reason: Reason::Refused }, at(0));
        channels.note("pager", Outcome::Later { wait: Duration::from_secs(30) }, at(0));
        assert_eq!((broken(at(59)), broken(at(60))), (vec![], vec!["mail".to_owned()]));
        assert_eq!(channels.broken(at(60))["mail"].reason, Reason::Tls);
        channels.note("mail", Outcome::Sent, at(61));
        channels.note("mail", busy, at(62));
        assert_eq!((broken(at(121)), broken(at(122))), (vec![], vec!["mail".to_owned()]));
    }
}
