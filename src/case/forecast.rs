//! What a policy would do with a stretch of traffic: cases on a virtual clock, by the same transitions that the worker uses.
//!
//! Pure. Everybody who is told takes the case after the same time, or nobody ever does; what was taken is closed when it would
//! come back. Ways out never fail here, lists are not written and nobody has read too much today: it counts what people would
//! be woken by.

use crate::case::gate::{Class, Gate, Pass};
use crate::case::intents::{Attempt, after};
use crate::case::transitions::{Joined, Joining};
use crate::case::{CaseRecord, CaseState, Finding, Happening, Intent};
use crate::model::ids::{QueueName, Tenant};
use crate::policy::{Policy, Recipient};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Who works in a forecast when nobody in particular does.
const SOMEBODY: &str = "forecast";

/// One alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// Who, how.
    pub to: Recipient,
    /// Nobody may sleep: care, injury, level 4.
    pub is_urgent: bool,
    /// Too many went to this person before: it leaves in a list with the others that wait.
    pub is_bundled: bool,
}

/// Cases as they would go.
pub struct Forecast<'p> {
    policy: &'p Policy,
    /// Time from an alert to the acknowledgement of whoever got it.
    answers_after: Option<Duration>,
    /// The newest case of each scope.
    cases: BTreeMap<String, CaseRecord>,
    /// Acknowledgements to come, by case.
    answers: BTreeMap<String, BTreeSet<(Timestamp, String)>>,
    /// When to look at which case.
    agenda: BTreeSet<(Timestamp, String)>,
    gates: BTreeMap<String, Gate>,
    told: Vec<Told>,
    opened: u64,
    listed: u64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// Alerts in the order of time.
    pub told: Vec<Told>,
    /// Cases.
    pub cases: u64,
    /// Cases that only went on a list at first.
    pub listed: u64,
}

impl<'p> Forecast<'p> {
    /// Nothing yet.
    pub fn new(policy: &'p Policy, answers_after: Option<Duration>) -> Self {
        Self {
            policy,
            answers_after,
            cases: BTreeMap::new(),
            answers: BTreeMap::new(),
            agenda: BTreeSet::new(),
            gates: BTreeMap::new(),
            told: vec![],
            opened: 0,
            listed: 0,
        }
    }

    /// A flagged message comes in at the time of its receipt, not earlier than the one before.
    pub fn join(&mut self, tenant: &Tenant, queue: &QueueName, scope: &str, joining: &Joining) {
        let now = joining.message.received_at;
        self.run(now);
        let open = |generation: u32| CaseRecord::open(tenant, queue, scope, generation, self.policy, now);
        let mut case = self.cases.remove(scope).unwrap_or_else(|| open(1));
        let mut joined = case.join(joining, self.policy, now);
        if joined == Joined::Refused {
            case = open(case.generation + 1);
            joined = case.join(joining, self.policy, now);
        }
        if joined == Joined::Announced && case.message_count() == 1 {
            self.opened += 1;
            let is_listed = |what: Happening| matches!(what, Happening::Observed | Happening::Listed);
            self.listed += u64::from(case.events.iter().any(|event| is_listed(event.what)) && case.intents.is_empty());
        }
        self.tell(&mut case, now);
        self.put(scope.to_owned(), case);
    }

    /// Lets the time pass until `until` and answers what happened.
    pub fn finish(mut self, until: Timestamp) -> Outlook {
        self.run(until);
        Outlook { told: self.told, cases: self.opened, listed: self.listed }
    }

    fn run(&mut self, until: Timestamp) {
        while let Some((at, scope)) = self.agenda.first().filter(|(at, _)| *at <= until).cloned() {
            self.agenda.remove(&(at, scope.clone()));
            // A stale line of the agenda: the case has been looked at since.
            if self.next(&scope) != Some(at) {
                continue;
            }
            let Some(mut case) = self.cases.remove(&scope) else { continue };
            self.answer(&scope, &mut case, at);
            if matches!(case.state, CaseState::Acknowledged { .. }) && case.return_at.is_some_and(|due| due <= at) {
                case.judge(Finding::Applies, SOMEBODY, SOMEBODY, self.policy, at);
                case.close(SOMEBODY, SOMEBODY, at);
            }
            case.advance(self.policy, at);
            self.tell(&mut case, at);
            self.put(scope, case);
        }
    }

    /// The acknowledgements that are due.
    fn answer(&mut self, scope: &str, case: &mut CaseRecord, now: Timestamp) {
        let Some(answers) = self.answers.get_mut(scope) else { return };
        while let Some((at, person)) = answers.first().filter(|(at, _)| *at <= now).cloned() {
            answers.remove(&(at, person.clone()));
            if case.state == CaseState::Open {
                case.acknowledge(&person, self.policy, now);
            }
        }
    }

    /// Sends what is due.
    fn tell(&mut self, case: &mut CaseRecord, now: Timestamp) {
        for number in case.due(now) {
            let Some(intent) = case.begin_send(number, now) else { continue };
            case.finish_send(number, &Attempt::Sent, self.policy, now);
            let is_urgent = case.facts(intent.track).is_urgent();
            let is_bundled = case.class(intent.track).is_some_and(|class| self.is_too_much(class, &intent, now));
            if let Some(pause) = self.answers_after {
                self.answers.entry(case.scope.clone()).or_default().insert((after(now, pause), intent.to.person.clone()));
            }
            self.told.push(Told { at: now, to: intent.to, is_urgent, is_bundled });
        }
    }

    fn is_too_much(&mut self, class: Class, intent: &Intent, now: Timestamp) -> bool {
        let gate = self.gates.entry(class.gate(&intent.to)).or_default();
        matches!(gate.admit(&intent.message_id, false, self.policy.throttle, now), Pass::Wait(_) | Pass::Turn(_))
    }

    /// When something happens in a case next.
    fn next(&self, scope: &str) -> Option<Timestamp> {
        let of_case = self.cases.get(scope).and_then(|case| case.next_due);
        let answer = self.answers.get(scope).and_then(|answers| answers.first()).map(|(at, _)| *at);
        of_case.into_iter().chain(answer).min()
    }

    fn put(&mut self, scope: String, case: CaseRecord) {
        if case.state.is_closed() {
            self.answers.remove(&scope);
        }
        self.cases.insert(scope.clone(), case);
        if let Some(at) = self.next(&scope) {
            self.agenda.insert((at, scope));
        }
    }
}
