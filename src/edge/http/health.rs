//! What the probes tell: whether the process is alive, and whether it does its work.
//!
//! The worker reports here; `/livez` and `/readyz` only read. Nothing blocks: a probe must answer when everything else hangs.

use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Longest silence of the worker's loop before it counts as stalled: the loop ticks at least every second.
pub const STALLED_AFTER: Duration = Duration::from_secs(10);

/// Where the process stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Not yet working.
    #[default]
    Starting,
    /// Working.
    Running,
    /// Finishing what it has; takes nothing new.
    Draining,
}

/// A part that can fail on its own. A closed set, so that probes stay comparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// Store and queue answer.
    Store,
    /// Messages flow, and everything that is needed for it is there.
    Queue,
    /// Lexicons.
    Lexicon,
    /// Policy.
    Policy,
    /// The way out for alerts.
    Notify,
    /// The watched folder.
    Spool,
    /// The look whether everything accepted was finished.
    Audit,
}

impl Component {
    /// Name in the answer.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Store => "store",
            Self::Queue => "queue",
            Self::Lexicon => "lexicon",
            Self::Policy => "policy",
            Self::Notify => "notify",
            Self::Spool => "spool",
            Self::Audit => "audit",
        }
    }
}

/// The answer of `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Whether new work is welcome.
    pub ready: bool,
    /// Why not.
    pub reasons: Vec<String>,
    /// What a person should know although it does not stop the work: alerts only go to a folder.
    pub notes: Vec<String>,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    ticked: Option<Instant>,
    failing: BTreeMap<Component, String>,
    notes: Vec<String>,
    passing: Option<String>,
}

/// Shared between the worker, which reports, and the probes, which read.
#[derive(Debug, Default)]
pub struct Health {
    state: Mutex<State>,
}

impl Health {
    /// A process that is starting.
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves to another phase.
    pub fn enter(&self, phase: Phase) {
        self.with(|state| state.phase = phase);
    }

    /// The worker's loop is alive. Call at least every second.
    pub fn tick(&self) {
        self.with(|state| state.ticked = Some(Instant::now()));
    }

    /// A component fails; `reason` must not hold text of a message, an address or a secret.
    pub fn failing(&self, component: Component, reason: impl Into<String>) {
        let reason = reason.into();
        self.with(|state| _ = state.failing.insert(component, reason));
    }

    /// A component works (again).
    pub fn working(&self, component: Component) {
        self.with(|state| _ = state.failing.remove(&component));
    }

    /// Something a person should know for the life of the process, `alerts only go to the folder var/outbox`.
    pub fn note(&self, note: impl Into<String>) {
        let note = note.into();
        self.with(|state| state.notes.push(note));
    }

    /// Something a person should know for a while; `None` when it is over.
    pub fn pass(&self, note: Option<String>) {
        self.with(|state| state.passing = note);
    }

    /// Whether the loop ticks; a process that is still starting is alive.
    pub fn is_alive(&self) -> bool {
        self.with(|state| !state.is_stalled())
    }

    /// Whether new work is welcome, and why not.
    pub fn readiness(&self) -> Readiness {
        self.with(|state| {
            let mut reasons = vec![];
            match state.phase {
                Phase::Starting => reasons.push("starting".to_owned()),
                Phase::Draining => reasons.push("draining".to_owned()),
                Phase::Running if state.ticked.is_none() => reasons.push("starting".to_owned()),
                Phase::Running => {}
            }
            if state.is_stalled() {
                reasons.push(format!("stalled: no tick for {} s", STALLED_AFTER.as_secs()));
            }
            reasons.extend(state.failing.iter().map(|(component, reason)| format!("{}: {reason}", component.id())));
            let notes = state.notes.iter().chain(&state.passing).cloned().collect();
            Readiness { ready: reasons.is_empty(), reasons, notes }
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        // A panic elsewhere must not blind the probes: the state is plain data and stays usable.
        act(&mut self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl State {
    fn is_stalled(&self) -> bool {
        self.ticked.is_some_and(|at| at.elapsed() > STALLED_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_stands_still_is_neither_alive_nor_ready() {
        let health = Health::new();
        health.enter(Phase::Running);
        health.tick();
        assert!(health.is_alive() && health.readiness().ready);
        health.with(|state| state.ticked = Instant::now().checked_sub(STALLED_AFTER + Duration::from_secs(1)));
        assert!(!health.is_alive());
        assert_eq!(health.readiness().reasons, ["stalled: no tick for 10 s"]);
    }
}
