//! What can happen to a case, as pure functions of record, event and time.

use crate::case::ascent::start;
use crate::case::intents::refresh;
use crate::case::sheet::Sheet;
use crate::case::summary::Summary;
use crate::case::{CaseEvent, CaseMessage, CaseRecord, CaseState, EVENTS_MAX, Happening, MESSAGES_MAX, Occasion, Step};
use crate::model::ids::{EntryId, QueueName, Tenant};
use crate::model::severity::{Category, Lane, Level};
use crate::policy::{Policy, Track};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Who acts when the program does.
pub const MACHINE: &str = "mimamori";

/// Longest name or reason kept, in characters.
const TEXT_CHARS_MAX: usize = 200;

/// Counts of one track at which a case that only grows is announced again: a flood must not be silent, nor be a flood of alerts.
const GROWTH_STEPS: [u64; 3] = [10, 100, 1_000];

/// A message that joins a case.
#[derive(Debug, Clone)]
pub struct Joining {
    /// The message.
    pub message: CaseMessage,
    /// Kinds of harm.
    pub categories: Vec<Category>,
    /// Lanes.
    pub lanes: Vec<Lane>,
    /// The roads it takes, with what alerts of each say.
    pub summaries: BTreeMap<Track, Summary>,
    /// Why it could not be judged (track `unchecked`).
    pub reason: Option<String>,
    /// Key of the customer.
    pub customer: Option<String>,
    /// A person asks for help: told at once, even if the case already says it all. Who, and what they say.
    pub asked: Option<(String, String)>,
    /// Alerts that are not urgent wait until then: why, for people.
    pub quiet: Option<(Timestamp, String)>,
    /// It is only listed unless it is urgent: why, for people.
    pub muted: Option<String>,
    /// The lexicon entries on whose word alone it joins; none where anything else spoke, too.
    pub entries: BTreeSet<EntryId>,
    /// Keys of the ledgers in which it leaves something.
    pub ledgers: Vec<String>,
}

impl Joining {
    /// A message of which no more is known.
    pub fn new(message: CaseMessage, summaries: BTreeMap<Track, Summary>) -> Self {
        Self {
            message,
            summaries,
            categories: vec![],
            lanes: vec![],
            reason: None,
            customer: None,
            asked: None,
            quiet: None,
            muted: None,
            entries: BTreeSet::new(),
            ledgers: vec![],
        }
    }

    /// Until when this track is silenced: nothing urgent is, and nothing that a person asks for.
    fn quiet_for(&self, case: &CaseRecord, track: Track) -> Option<&(Timestamp, String)> {
        let may_wait = self.asked.is_none() && track == Track::Harassment && !case.facts(track).is_urgent();
        self.quiet.as_ref().filter(|_| may_wait)
    }
}

/// What joining changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// Counted, and new alerts are due.
    Announced,
    /// Counted; what was announced still says it all.
    Counted,
    /// It was there already.
    Known,
    /// The case is closed: the message belongs to the next generation.
    Refused,
}

impl CaseRecord {
    /// A new case without messages; add the first at once.
    pub fn open(tenant: &Tenant, queue: &QueueName, scope: &str, generation: u32, policy: &Policy, now: Timestamp) -> Self {
        Self {
            id: Self::id_of(tenant, scope, generation),
            tenant: tenant.clone(),
            queue: queue.clone(),
            scope: scope.to_owned(),
            customer: None,
            generation,
            state: CaseState::Open,
            level: Level::Ordinary,
            categories: vec![],
            lanes: vec![],
            tracks: vec![],
            counts: BTreeMap::new(),
            reasons: BTreeMap::new(),
            messages: vec![],
            summaries: BTreeMap::new(),
            climbs: BTreeMap::new(),
            taken: BTreeMap::new(),
            spared: BTreeSet::new(),
            return_at: None,
            judgement: None,
            excused: None,
            hold: None,
            sheet: Sheet::default(),
            occasion: Occasion::Real,
            intents: vec![],
            next_intent: 1,
            next_due: None,
            events: vec![],
            event_count: 0,
            policy_version: policy.version.clone(),
            policy_digest: policy.digest(),
            opened_at: now,
            last_at: now,
        }
    }

    /// Adds a message. Adding it again changes nothing; a rise or a new track plans alerts, and wakes an acknowledged case.
    pub fn join(&mut self, joining: &Joining, policy: &Policy, now: Timestamp) -> Joined {
        if self.messages.iter().any(|known| known.identity == joining.message.identity) {
            return Joined::Known;
        }
        if self.state.is_closed() {
            return Joined::Refused;
        }
        let level = joining.message.level;
        let (first, risen) = (self.messages.is_empty(), level > self.level);
        let new_tracks: Vec<Track> = joining.summaries.keys().copied().filter(|track| !self.tracks.contains(track)).collect();
        self.count(joining, first);
        self.merge(joining, risen);
        let is_step = GROWTH_STEPS.contains(&self.message_count());
        let grown = is_step && joining.reason.is_some();
        if first {
            self.note(now, Happening::Opened, MACHINE, &format!("レベル{level}"));
        }
        let announced = self.announce(joining, &new_tracks, risen && !first, grown, policy, now);
        if let Some((by, words)) = &joining.asked {
            self.note(now, Happening::Flagged, &bounded(by), words);
        } else if announced && !first {
            self.note(now, Happening::Raised, MACHINE, &format!("レベル{}", self.level));
        }
        let told = is_step && !announced && self.tell_growth(policy, now);
        refresh(self);
        if announced || told { Joined::Announced } else { Joined::Counted }
    }

    fn count(&mut self, joining: &Joining, first: bool) {
        *self.counts.entry(joining.message.level.number()).or_insert(0) += 1;
        if let Some(reason) = &joining.reason {
            *self.reasons.entry(reason.clone()).or_insert(0) += 1;
        }
        let received = joining.message.received_at;
        if first {
            (self.opened_at, self.last_at) = (received, received);
        } else {
            (self.opened_at, self.last_at) = (self.opened_at.min(received), self.last_at.max(received));
        }
        let place = |message: &CaseMessage| (message.received_at, message.identity.clone());
        let index = self.messages.partition_point(|known| place(known) < place(&joining.message));
        self.messages.insert(index, joining.message.clone());
        if self.messages.len() > MESSAGES_MAX {
            self.messages.remove(0);
        }
    }

    fn merge(&mut self, joining: &Joining, risen: bool) {
        self.level = self.level.max(joining.message.level);
        self.categories.extend(joining.categories.iter().copied());
        self.categories.sort_unstable();
        self.categories.dedup();
        self.lanes.extend(joining.lanes.iter().copied());
        self.lanes.sort_unstable();
        self.lanes.dedup();
        self.customer = self.customer.take().or_else(|| joining.customer.clone());
        for (track, summary) in &joining.summaries {
            match self.summaries.get_mut(track) {
                // What a person says stands before what the machine found.
                Some(known) if joining.asked.is_some() => known.add_history(summary.level, summary.reasons.iter().cloned()),
                Some(known) if !risen && summary.level <= known.level => {}
                _ => _ = self.summaries.insert(*track, summary.clone()),
            }
            if !self.tracks.contains(track) {
                self.tracks.push(*track);
            }
        }
        self.tracks.sort_unstable();
    }

    /// Starts the ladders that this message calls for; a case that was taken opens again, and the waits of its other tracks resume.
    fn announce(&mut self, joining: &Joining, new_tracks: &[Track], risen: bool, grown: bool, policy: &Policy, now: Timestamp) -> bool {
        let step = |track: Track| {
            let raised = (risen && track == Track::Harassment) || grown || joining.asked.is_some();
            let is_new = new_tracks.contains(&track);
            (is_new || raised).then_some(if is_new { Step::First } else { Step::Raised })
        };
        let rising: Vec<(Track, Step)> = joining.summaries.keys().filter_map(|track| Some((*track, step(*track)?))).collect();
        if rising.is_empty() {
            return false;
        }
        let was_taken = matches!(self.state, CaseState::Acknowledged { .. });
        if was_taken {
            self.open_again();
        }
        for (track, step) in &rising {
            if let Some(why) = self.listed_only(joining, *track, policy, now) {
                self.note(now, Happening::Observed, MACHINE, &why);
                continue;
            }
            start(self, *track, *step, joining.quiet_for(self, *track), policy, now);
            if joining.asked.is_some() {
                self.hurry(*track, *step, policy, now);
            }
        }
        if was_taken {
            let others = self.tracks.iter().copied().filter(|track| rising.iter().all(|(known, _)| known != track)).collect::<Vec<_>>();
            self.resume(&others, policy, now);
        }
        self.hold_if_grave(policy, now);
        self.policy_version.clone_from(&policy.version);
        self.policy_digest = policy.digest();
        true
    }

    /// Why this track only goes on a list: its queue is observed, its entry is quieted, or the message is old. Never what is urgent or asked for.
    fn listed_only(&self, joining: &Joining, track: Track, policy: &Policy, now: Timestamp) -> Option<String> {
        let facts = self.facts(track);
        if joining.asked.is_some() || !self.occasion.is_real() || facts.is_urgent() || track != Track::Harassment {
            return None;
        }
        if policy.is_observed(&facts) {
            return Some(format!("観察中の窓口 レベル{}", self.level));
        }
        if let Some(why) = &joining.muted {
            return Some(format!("{why} レベル{}", self.level));
        }
        let age = Duration::try_from(now.duration_since(joining.message.received_at)).unwrap_or_default();
        (age > policy.max_alert_age).then(|| format!("受信から{}時間 レベル{}", age.as_secs() / 3600, self.level))
    }

    pub(crate) fn note(&mut self, at: Timestamp, what: Happening, by: &str, detail: &str) {
        self.events.push(CaseEvent { at, what, by: by.to_owned(), detail: bounded(detail) });
        self.event_count += 1;
        if self.events.len() > EVENTS_MAX {
            self.events.remove(0);
        }
    }
}

pub(crate) fn bounded(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect()
}
