//! Runs the `hit` and `miss` examples of a lexicon through the engine that judges.
//!
//! Each text is judged as the body of one chat message. A hit must fire its entry (a longer hit of another entry may win over it);
//! a miss must not. Cost: one judgement per example.

use crate::engine::Engine;
use crate::engine::explain::{Considered, WhyNot};
use crate::engine::lexicon::compiled::Example;
use crate::model::ids::{EntryId, MessageId, QueueName, Tenant};
use crate::model::message::{Channel, Coverage, Direction, Event, Field, FieldName, Message};
use crate::model::verdict::Via;
use std::ops::Range;

/// An example that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExampleFailure {
    /// File name.
    pub file: String,
    /// Place of the example in it.
    pub span: Range<usize>,
    /// Entry or combination.
    pub entry: EntryId,
    /// The example.
    pub text: String,
    /// `fires` or `stays silent`.
    pub expected: String,
    /// What happened instead.
    pub got: String,
}

/// Runs every example; no failure means that all hold.
pub fn run(engine: &Engine) -> Vec<ExampleFailure> {
    engine.lexicon().examples.iter().filter_map(|example| try_one(engine, example)).collect()
}

/// A chat message with nothing but `text`.
pub fn chat(text: &str) -> Message {
    Message {
        id: MessageId("example".to_owned()),
        tenant: Tenant::default(),
        queue: QueueName::default(),
        channel: Channel::Chat,
        direction: Direction::Inbound,
        event: Event::Message,
        conversation: None,
        customer: None,
        operator: None,
        ticket: None,
        url: None,
        at: None,
        fields: vec![Field::new(FieldName::Text, text.to_owned())],
        coverage: Coverage::default(),
        machine: None,
        derivation: vec![],
        headers: vec![],
    }
}

fn try_one(engine: &Engine, example: &Example) -> Option<ExampleFailure> {
    let why = engine.why_not(&example.id, &chat(&example.text))?;
    if why.fired == example.fires {
        return None;
    }
    Some(ExampleFailure {
        file: example.file.clone(),
        span: example.place.span.clone(),
        entry: example.id.clone(),
        text: example.text.clone(),
        expected: if example.fires { "fires" } else { "stays silent" }.to_owned(),
        got: told(engine, &why),
    })
}

/// What happened, in a few words.
fn told(engine: &Engine, why: &WhyNot) -> String {
    let rows = why.considered.iter().filter(|row| row.outcome.has_fired() || !why.fired);
    let rows: Vec<String> = rows.map(|row| format!("`{}`{}: {}", row.text, folds(row), row.outcome)).collect();
    let live: Vec<&str> = why.live.iter().map(EntryId::as_str).collect();
    let is_combination = engine.lexicon().combinations.iter().any(|combination| combination.id == why.entry);
    match (rows.as_slice(), why.empty_slots.as_slice()) {
        ([_, ..], _) => rows.join("; "),
        ([], []) if is_combination => {
            format!("every slot has a cue, but not within the distance, scope or order; live cues: {}", live.join(", "))
        }
        ([], []) => "no form of it occurs".to_owned(),
        ([], empty) => {
            let empty: Vec<String> = empty.iter().map(ToString::to_string).collect();
            format!("nothing fills slot {}; live cues: {}", empty.join(" and "), live.join(", "))
        }
    }
}

fn folds(row: &Considered) -> String {
    let folds: Vec<&str> = row.via.iter().copied().map(Via::id).collect();
    if folds.is_empty() { String::new() } else { format!(" (via {})", folds.join(", ")) }
}
