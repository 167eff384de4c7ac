//! What a person is sent at once, and what waits and comes as one list.
//!
//! Every alert that is not urgent asks the gate of its person and channel ([`crate::case::gate`]). Beyond the limit it waits in its
//! case; when there is room again, whichever waiting alert is due first takes the gate's turn, gathers the others and sends one
//! list. Order: turn taken → list written into every intent → sent → outcomes → turn given back. A crash anywhere leaves intents
//! that name their list, and they go again together under the same Message-ID. Cost: one compare-and-set an alert; one scan of
//! all cases a list.

use crate::case::bundle::Gathering;
use crate::case::gate::{Class, Gate, Pass};
use crate::case::{CaseRecord, Intent, IntentState};
use crate::edge::notify::bundle::{Line, render};
use crate::edge::notify::{Outcome, Outgoing};
use crate::policy::Recipient;
use crate::store::record::{self, Change};
use crate::store::{Bucket, Key, StoreError};
use crate::worker::Worker;
use crate::worker::announce::{attempt_of, label_of};
use crate::worker::enroll::{case_key, read_cases};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Most alerts of one list: with links it is still one mail that a server takes, and longer is not read. The rest comes with the next.
const LIST_MAX: usize = 100;

/// Longest time in which a list is put together: far shorter than its turn, so that nobody else can have begun the same one.
const GATHER_MAX: SignedDuration = SignedDuration::from_secs(30);

/// Pause before an alert asks again while somebody puts a list together: most are in it by then.
const TURN_PAUSE: SignedDuration = SignedDuration::from_secs(15);

/// How an alert leaves.
enum Turn {
    Alone,
    Wait,
    Together(Box<Leader>),
}

/// The alert that leads a list.
struct Leader {
    key: Key,
    intent: Intent,
    class: Class,
    /// Message-ID of the list.
    bundle: String,
    /// The list was put together before.
    is_again: bool,
}

impl Leader {
    fn gathering(&self) -> Gathering<'_> {
        if self.is_again { Gathering::Again(&self.bundle) } else { Gathering::Waiting }
    }
}

fn gate_key(class: Class, to: &Recipient) -> Key {
    Key::new(Bucket::System, &["gate", &class.gate(to)])
}

impl Worker {
    /// Sends an alert that is due: alone, at the head of a list, or later.
    pub(crate) async fn dispatch(&self, key: &Key, number: u32) -> Result<(), StoreError> {
        match self.turn(key, number).await? {
            Turn::Alone => self.send(key, number).await,
            Turn::Wait => Ok(()),
            Turn::Together(leader) => self.send_together(&leader).await,
        }
    }

    async fn turn(&self, key: &Key, number: u32) -> Result<Turn, StoreError> {
        let Some((case, _)) = record::load::<CaseRecord>(&*self.store, key).await? else { return Ok(Turn::Wait) };
        let Some(intent) = case.intent(number) else { return Ok(Turn::Wait) };
        // What nobody needs any more is settled by the ordinary way out.
        let Some(class) = case.class(intent.track).filter(|_| !case.state.is_taken()) else { return Ok(Turn::Alone) };
        let (policy, now) = (self.policy(), Timestamp::now());
        let leader =
            |bundle: &str, is_again| Leader { key: key.clone(), intent: intent.clone(), class, bundle: bundle.to_owned(), is_again };
        if let Some(bundle) = &intent.bundle {
            let taken = self.at_gate(class, &intent.to, |gate| gate.take(bundle, now)).await?;
            return match taken {
                Ok(()) => Ok(Turn::Together(Box::new(leader(bundle, true)))),
                Err(until) => self.wait(key, number, until.min(now + TURN_PAUSE), now).await,
            };
        }
        let is_begun = matches!(intent.state, IntentState::Sending { .. });
        if is_begun || (policy.throttle.alerts_max == 0 && intent.held.is_none()) {
            return Ok(Turn::Alone);
        }
        let ask = |gate: &mut Gate| gate.admit(&intent.message_id, intent.held.is_some(), policy.throttle, now);
        match self.at_gate(class, &intent.to, ask).await? {
            Pass::Alone => Ok(Turn::Alone),
            Pass::Lead => Ok(Turn::Together(Box::new(leader(&format!("bundle-{}", intent.message_id), false)))),
            Pass::Turn(until) => self.wait(key, number, until.min(now + TURN_PAUSE), now).await,
            Pass::Wait(until) => self.wait(key, number, until, now).await,
        }
    }

    async fn at_gate<R: Send>(&self, class: Class, to: &Recipient, ask: impl Fn(&mut Gate) -> R + Send + Sync) -> Result<R, StoreError> {
        let decide = |known: Option<Gate>| {
            let before = known.unwrap_or_default();
            let mut gate = before.clone();
            let answer = ask(&mut gate);
            if gate == before { Change::Keep(answer) } else { Change::Write(gate, answer) }
        };
        self.desk.change::<Gate, R>(&gate_key(class, to), decide).await
    }

    /// Puts an alert off; says so once.
    async fn wait(&self, key: &Key, number: u32, until: Timestamp, now: Timestamp) -> Result<Turn, StoreError> {
        let policy = self.policy();
        let hold = |case: Option<CaseRecord>| {
            let Some(mut case) = case else { return Change::Keep(false) };
            let before = case.clone();
            let is_first = case.hold_alert(number, until, &policy, now);
            if case == before { Change::Keep(is_first) } else { Change::Write(case, is_first) }
        };
        if self.desk.change_case(key, hold).await? {
            self.metrics.alert_held();
        }
        Ok(Turn::Wait)
    }

    async fn send_together(&self, leader: &Leader) -> Result<(), StoreError> {
        let (found, is_more) = self.gather(leader, Timestamp::now()).await?;
        let sent = if found.is_empty() && !leader.is_again {
            self.send(&leader.key, leader.intent.number).await
        } else {
            self.send_list(leader, &found).await
        };
        // Whoever waits in vain for this turn may have it when it runs out.
        self.at_gate(leader.class, &leader.intent.to, |gate| {
            gate.release(if leader.is_again { &leader.bundle } else { &leader.intent.message_id }, is_more);
        })
        .await?;
        sent
    }

    /// Alerts that leave with this one, the gravest and most pressing first; whether there are more than one list takes.
    async fn gather(&self, leader: &Leader, now: Timestamp) -> Result<(Vec<(Key, u32)>, bool), StoreError> {
        let mut found = vec![];
        for case in read_cases(&*self.store).await? {
            let key = case_key(&case.scope, case.generation);
            for number in case.gathered(&leader.intent.to, leader.class, leader.gathering(), now) {
                let deadline = case.intent(number).map(|intent| intent.deadline);
                if (&key, number) != (&leader.key, leader.intent.number) {
                    found.push(((std::cmp::Reverse(case.level), deadline), key.clone(), number));
                }
            }
        }
        found.sort();
        let is_more = found.len() >= LIST_MAX;
        Ok((found.into_iter().take(LIST_MAX - 1).map(|(_, key, number)| (key, number)).collect(), is_more))
    }

    async fn send_list(&self, leader: &Leader, found: &[(Key, u32)]) -> Result<(), StoreError> {
        let start = Timestamp::now();
        // The leader first: once it names the list, nobody puts this list together anew.
        let Some(first) = self.begin_bundled(&leader.key, leader.intent.number, &leader.bundle).await? else { return Ok(()) };
        let mut begun = vec![(leader.key.clone(), first)];
        for (key, number) in found {
            if Timestamp::now() > start + GATHER_MAX {
                break;
            }
            let one = self.begin_bundled(key, *number, &leader.bundle).await?;
            begun.extend(one.map(|one| (key.clone(), one)));
        }
        let outgoing = self.list_of(leader, &begun).await;
        let outcome = self.notifier.send(&outgoing).await;
        self.channels.note(&leader.intent.to.channel, outcome, Timestamp::now());
        self.metrics.alert(self.label(&leader.intent.to.channel), label_of(outcome));
        for (key, (_, intent)) in &begun {
            self.metrics.alert_delay(Duration::try_from(Timestamp::now().duration_since(intent.due_at)).unwrap_or_default());
            self.record_send(key, intent.number, &attempt_of(outcome)).await?;
        }
        let (to, alerts) = (&leader.intent.to.person, begun.len());
        if outcome != Outcome::Sent {
            tracing::warn!(%to, alerts, ?outcome, "alerts not sent together");
            return Ok(());
        }
        tracing::info!(%to, alerts, "alerts sent together");
        for (_, (case, intent)) in &begun {
            self.count_exposure(case, intent, Timestamp::now()).await;
        }
        if let (Some(listener), Some((_, (case, _)))) = (&self.on_alert, begun.first()) {
            listener(case, &format!("宛先: {}\n件名: {}\n\n{}", leader.intent.to.name, outgoing.subject, outgoing.text));
        }
        Ok(())
    }

    async fn list_of(&self, leader: &Leader, begun: &[(Key, (CaseRecord, Intent))]) -> Outgoing {
        let mut lines = vec![];
        for (_, (case, intent)) in begun {
            let token = self.token(case, intent).await;
            lines.push(Line { case, intent, link: self.ways.answers(token.as_deref()).link });
        }
        lines.sort_by_key(|line| (std::cmp::Reverse(line.case.level), line.intent.deadline, line.case.id.to_string()));
        render(&leader.bundle, &leader.intent.to, &lines, &self.policy(), &self.texts())
    }

    async fn begin_bundled(&self, key: &Key, number: u32, bundle: &str) -> Result<Option<(CaseRecord, Intent)>, StoreError> {
        let begin = |case: Option<CaseRecord>| {
            let Some(mut case) = case else { return Change::Keep(None) };
            let before = case.clone();
            match case.begin_bundled(number, bundle, Timestamp::now()) {
                Some(intent) => Change::Write(case.clone(), Some((case, intent))),
                None if case != before => Change::Write(case, None),
                None => Change::Keep(None),
            }
        };
        self.desk.change_case(key, begin).await
    }
}
