//! Digests sent at their times: exactly one list per slot and recipient, whichever worker is there.
//!
//! The record of a digest holds the slot that is being told and whom it has reached. It is written before anything is sent, and
//! each recipient is noted after: a crash between repeats one mail, with the same Message-ID. A new digest begins with the
//! next slot, not with one that was before it existed.

use crate::case::{CaseRecord, CaseState, Happening};
use crate::edge::notify::Outcome;
use crate::edge::notify::digest::{List, render};
use crate::edge::notify::render::moment;
use crate::model::digest::Digest as Hash;
use crate::model::severity::Level;
use crate::model::verdict::Verdict;
use crate::policy::digest::{Digest, LATE_MAX, Section};
use crate::policy::route::Facts;
use crate::policy::{Policy, Recipient, Track};
use crate::store::record::{Change, Versioned};
use crate::store::{Bucket, Key, StoreError, Stream};
use crate::wording::Texts;
use crate::wording::hole::Hole;
use crate::wording::text::Text;
use crate::worker::Worker;
use crate::worker::enroll::read_cases;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the clock is looked at: a digest need not come to the second.
const LOOK: Duration = Duration::from_secs(5);

/// Pause before a recipient who was not reached is tried again.
const RETRY: SignedDuration = SignedDuration::from_mins(2);

/// Most lines of one list: a mail must be read in a minute.
const LINES_MAX: usize = 50;

/// Entries read from the stream at a time.
const PAGE: usize = 1_000;

/// Where a digest stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// The slot that was told last, or is being told.
    slot: Option<Timestamp>,
    /// Whom it has reached: person and channel.
    reached: Vec<(String, String)>,
    /// Everybody was reached, or it was given up.
    is_done: bool,
    /// Not before this.
    next_try: Option<Timestamp>,
    /// Number of the newest verdict that an earlier slot has listed.
    verdicts: u64,
    /// Number of the newest verdict when this slot was begun.
    until: u64,
}

impl Versioned for State {
    const VERSION: u32 = 1;
}

fn key(digest: &Digest) -> Key {
    Key::new(Bucket::System, &["digest", &Hash::of(digest.id.as_bytes()).key()])
}

/// Runs until `stop`.
pub async fn run(worker: Arc<Worker>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let policy = worker.policy();
        for digest in &policy.digests {
            if let Err(error) = worker.tell_digest(digest, &policy, Timestamp::now()).await {
                tracing::error!(digest = digest.id, %error, "a digest cannot be told; trying again");
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

impl Worker {
    /// Tells the slot that is due, if it has not been told.
    async fn tell_digest(&self, digest: &Digest, policy: &Policy, now: Timestamp) -> Result<(), StoreError> {
        let Some(slot) = policy.slot(digest, now) else { return Ok(()) };
        let Some(state) = self.begin_digest(digest, slot, now).await? else { return Ok(()) };
        let lists = self.lists(digest, policy, &state).await?;
        if digest.skips_empty && lists.iter().all(|list| list.lines.is_empty()) {
            return self.note_digest(digest, slot, None, true).await;
        }
        let facts = Facts::of(Track::Harassment, Level::Ordinary);
        let mut missing = vec![];
        for to in policy.reached(&digest.to, &digest.by, &facts, now) {
            if state.reached.contains(&(to.person.clone(), to.channel.clone())) {
                continue;
            }
            match self.notifier.send(&render(digest, &to, &lists, slot, policy, &self.texts())).await {
                Outcome::Sent => self.note_digest(digest, slot, Some(&to), false).await?,
                outcome => missing.push((to, outcome)),
            }
        }
        for (to, outcome) in &missing {
            tracing::warn!(digest = digest.id, to = %to.person, ?outcome, "a digest has not left");
        }
        let is_over = missing.is_empty() || now > slot + LATE_MAX;
        if is_over {
            self.note_digest(digest, slot, None, true).await?;
        }
        Ok(())
    }

    /// Claims the slot for this worker and the next minutes; nothing if it is told, or another worker is at it.
    async fn begin_digest(&self, digest: &Digest, slot: Timestamp, now: Timestamp) -> Result<Option<State>, StoreError> {
        let newest = self.store.last(Stream::Verdict).await?.map_or(0, |entry| entry.seq);
        let decide = |known: Option<State>| {
            let Some(state) = known else {
                // What came before this digest existed is not its business.
                let state = State { slot: Some(slot), is_done: true, verdicts: newest, until: newest, ..State::default() };
                return Change::Write(state, None);
            };
            let is_new = state.slot.is_none_or(|known| known < slot);
            let mut next = state;
            if is_new {
                let is_late = now > slot + LATE_MAX;
                next = State { slot: Some(slot), is_done: is_late, verdicts: next.until, until: newest, ..State::default() };
            }
            if next.is_done || next.next_try.is_some_and(|at| now < at) {
                return if is_new { Change::Write(next, None) } else { Change::Keep(None) };
            }
            next.next_try = Some(now + RETRY);
            Change::Write(next.clone(), Some(next))
        };
        self.desk.change::<State, Option<State>>(&key(digest), decide).await
    }

    async fn note_digest(&self, digest: &Digest, slot: Timestamp, to: Option<&Recipient>, is_done: bool) -> Result<(), StoreError> {
        let decide = |known: Option<State>| match known {
            Some(mut state) if state.slot == Some(slot) => {
                state.reached.extend(to.map(|to| (to.person.clone(), to.channel.clone())));
                state.is_done |= is_done;
                Change::Write(state, ())
            }
            _ => Change::Keep(()),
        };
        self.desk.change::<State, ()>(&key(digest), decide).await
    }

    async fn lists(&self, digest: &Digest, policy: &Policy, state: &State) -> Result<Vec<List>, StoreError> {
        let texts = &*self.texts();
        let shown = |at: Timestamp| moment(texts, Text::FormatShort, at, &policy.time_zone);
        let line = |case: &CaseRecord| line(case, texts, &shown);
        let mut cases = read_cases(&*self.store).await?;
        cases.retain(|case| case.occasion.is_real() && !case.state.is_closed());
        cases.sort_by_key(|case| (case.tracks.first().copied(), std::cmp::Reverse(case.level), case.opened_at));
        let mut lists = vec![];
        for section in &digest.show {
            match section {
                Section::Open => {
                    let is_open = |case: &&CaseRecord| case.state == CaseState::Open && !is_observed(case);
                    lists.push(list(texts.plain(Text::DigestOpen), cases.iter().filter(is_open).map(line)));
                    let is_taken = |case: &&CaseRecord| matches!(case.state, CaseState::Acknowledged { .. });
                    lists.push(list(texts.plain(Text::DigestTaken), cases.iter().filter(is_taken).map(line)));
                }
                Section::Observed => {
                    let observed = cases.iter().filter(|case| is_observed(case)).map(line);
                    lists.push(list(texts.plain(Text::DigestObserved), observed));
                }
                Section::Listed => {
                    let listed = cases.iter().filter(|case| case.is_listed(policy)).map(line);
                    lists.push(list(texts.plain(Text::DigestListed), listed));
                }
                Section::Watch => {}
            }
        }
        let verdicts = self.verdicts(state).await?;
        if digest.show.contains(&Section::Watch) {
            let watch = verdicts.iter().filter(|(verdict, _)| verdict.level == Level::Watch);
            lists.push(list(texts.level(Level::Watch).to_owned(), watch.map(|(verdict, at)| format!("{}  {}", shown(*at), verdict.id))));
        }
        for lane in &digest.lanes {
            let of_lane = verdicts.iter().filter(|(verdict, _)| verdict.lanes.contains(lane));
            lists.push(list(texts.lane(*lane).to_owned(), of_lane.map(|(verdict, at)| format!("{}  {}", shown(*at), verdict.id))));
        }
        Ok(lists)
    }

    /// Verdicts since the slot before, with their times.
    async fn verdicts(&self, state: &State) -> Result<Vec<(Verdict, Timestamp)>, StoreError> {
        let (mut found, mut after) = (vec![], state.verdicts);
        loop {
            let page = self.store.read(Stream::Verdict, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(found) };
            after = last.seq;
            for entry in page.into_iter().filter(|entry| entry.seq <= state.until) {
                let row: serde_json::Value = serde_json::from_slice(&entry.body).unwrap_or_default();
                if let Ok(verdict) = serde_json::from_value::<Verdict>(row["verdict"].clone()) {
                    found.push((verdict, entry.at));
                }
            }
        }
    }
}

fn is_observed(case: &CaseRecord) -> bool {
    case.events.iter().any(|event| event.what == Happening::Observed) && case.climbs.is_empty()
}

fn list(title: String, rows: impl Iterator<Item = String>) -> List {
    let mut lines: Vec<String> = rows.collect();
    let more = lines.len().saturating_sub(LINES_MAX);
    lines.truncate(LINES_MAX);
    List { title, lines, more }
}

fn line(case: &CaseRecord, texts: &Texts, shown: &dyn Fn(Timestamp) -> String) -> String {
    let holder = match &case.state {
        CaseState::Acknowledged { by, .. } => format!("  {by}"),
        _ => String::new(),
    };
    let hold = if case.hold.is_some() { texts.plain(Text::DigestHold) } else { String::new() };
    // Levels measure harassment; a call for help has none.
    let is_harassment = case.tracks.first() == Some(&Track::Harassment);
    let name = if is_harassment {
        let kinds = texts.join(case.categories.iter().map(|category| texts.category(*category)), Text::JointDot);
        texts.fill(Text::DigestHarassment, &[(Hole::Level, &case.level.to_string()), (Hole::Kind, &kinds)])
    } else {
        texts.join(case.tracks.iter().map(|track| texts.track(*track)), Text::JointDot)
    };
    let values = [
        (Hole::Case, case.id.to_string()),
        (Hole::Name, name),
        (Hole::Count, case.message_count().to_string()),
        (Hole::At, shown(case.last_at)),
        (Hole::Holder, holder),
        (Hole::Hold, hold),
    ];
    let values: Vec<(Hole, &str)> = values.iter().map(|(hole, value)| (*hole, value.as_str())).collect();
    texts.fill(Text::DigestLine, &values)
}
