//! What verbs need before they can work: settings, policy, lexicons, the store; every fault told at once.

use crate::app::{self, Faults, Loaded, Prepared};
use crate::cli::{BackendArgument, Common, Failure};
use crate::config::settings::Backend;
use crate::conversation::{self, Assessment, Contribution, Conversation, LedgerLimits};
use crate::decode::line::{self, Line};
use crate::decode::settings::DecodeSettings;
use crate::decode::{DecodeError, decode, parts};
use crate::diag;
use crate::engine::Engine;
use crate::engine::scan::Scratch;
use crate::model::envelope::{ContentKind, Envelope, Identity, Purpose, Source};
use crate::model::ids::{QueueName, Tenant};
use crate::model::message::{Direction, Message};
use crate::model::severity::{Category, Level};
use crate::model::verdict::Verdict;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::Arc;

/// Settings, policy and lexicons; refuses with every fault rendered.
pub fn loaded(common: &Common) -> Result<Loaded, Failure> {
    let mut loaded = app::load(common.config.as_deref()).map_err(|faults| refused(&faults))?;
    choose(&mut loaded.prepared, common);
    Ok(loaded)
}

/// Settings and policy, for verbs that judge nothing; lexicons are not read.
pub fn prepared(common: &Common) -> Result<Prepared, Failure> {
    let mut prepared = app::prepare(common.config.as_deref()).map_err(|faults| refused(&faults))?;
    choose(&mut prepared, common);
    Ok(prepared)
}

/// The command line is stronger than file and environment.
fn choose(prepared: &mut Prepared, common: &Common) {
    if let Some(backend) = common.backend {
        prepared.settings.store.backend = match backend {
            BackendArgument::Embedded => Backend::Embedded,
            BackendArgument::Nats => Backend::Nats,
        };
    }
}

fn refused(faults: &Faults) -> Failure {
    let colour = std::io::stderr().is_terminal();
    Failure::refused(diag::render(&faults.diagnostics, &faults.sources, colour))
}

/// A judge for offline verbs.
pub fn judge(common: &Common) -> Result<Judge, Failure> {
    let loaded = loaded(common)?;
    Ok(Judge {
        engine: loaded.engine(),
        scratch: Scratch::default(),
        decode: loaded.prepared.settings.intake.decode.clone(),
        ledger: loaded.prepared.settings.ledger,
    })
}

/// Decodes and judges without a store. The same engine and the same steps as the worker.
#[derive(Debug)]
pub struct Judge {
    /// The engine, for `explain`.
    pub engine: Arc<Engine>,
    scratch: Scratch,
    /// Forms, shared senders, own addresses.
    pub decode: DecodeSettings,
    /// What counts over time.
    pub ledger: LedgerLimits,
}

impl Judge {
    /// Judges one JSON line; a line with `messages` is a conversation that starts with an empty memory.
    pub fn line(&mut self, bytes: &[u8], default_id: &str, show_fields: bool) -> Result<Value, DecodeError> {
        Ok(match line::parse(bytes, default_id)? {
            Line::One(message) => self.shown(&message, show_fields),
            Line::Conversation { outer_id, messages } => self.conversation(outer_id.as_str(), messages, show_fields),
        })
    }

    /// Judges one raw mail.
    pub fn mail(&mut self, raw: Vec<u8>, show_fields: bool) -> Result<Value, DecodeError> {
        let message = self.decode_mail(raw)?;
        Ok(self.shown(&message, show_fields))
    }

    /// Decodes one raw mail.
    pub fn decode_mail(&self, raw: Vec<u8>) -> Result<Message, DecodeError> {
        let envelope = Envelope {
            kind: ContentKind::Rfc822,
            payload: Bytes::from(raw),
            given_id: None,
            tenant: Tenant::default(),
            queue: QueueName::default(),
            received_at: Timestamp::UNIX_EPOCH,
            source: Source::Submit,
            purpose: Purpose::Live,
        };
        let identity = Identity::of(&envelope).expect("a raw mail has an identity by its digest");
        decode(&envelope, &identity, &self.decode)
    }

    /// The verdict.
    pub fn verdict(&mut self, message: &Message) -> Verdict {
        self.engine.judge(message, &mut self.scratch)
    }

    fn shown(&mut self, message: &Message, show_fields: bool) -> Value {
        shown(&self.verdict(message), message, show_fields)
    }

    fn conversation(&mut self, outer_id: &str, messages: Vec<Message>, show_fields: bool) -> Value {
        let mut memory = Memory::of_one_conversation(self.ledger);
        let (mut level, mut categories, mut evidence, mut rows) = (Level::Ordinary, vec![], vec![], vec![]);
        let mut ledger = Assessment::default();
        for (index, mut message) in messages.into_iter().enumerate() {
            let at = message.at.unwrap_or(Timestamp::UNIX_EPOCH);
            let judged = memory.judge(&self.engine, &mut message, &format!("{index:06}"), at);
            let Some((verdict, assessment)) = judged else { continue };
            ledger.absorb(assessment);
            level = level.max(verdict.level);
            categories.extend(verdict.categories.iter().copied());
            evidence.extend(verdict.evidence.iter().filter(|one| one.level >= level.min(Level::Watch)).map(json_of));
            rows.push(shown(&verdict, &message, show_fields));
        }
        categories.extend(ledger.categories.iter().copied());
        categories.sort_unstable();
        categories.dedup();
        let ids: Vec<&str> = categories.iter().map(|category: &Category| category.id()).collect();
        let evidence: Vec<Value> = ledger.evidence.iter().map(json_of).chain(evidence).collect();
        let level = level.max(ledger.level);
        json!({"id": outer_id, "conversation_level": level, "categories": ids, "evidence": evidence, "reply_seen": ledger.reply_seen, "messages": rows})
    }
}

/// Ledgers in memory, kept as the worker keeps them in its store.
pub(crate) struct Memory {
    limits: LedgerLimits,
    scratch: Scratch,
    ledgers: BTreeMap<String, Conversation>,
    is_one: bool,
}

impl Memory {
    /// Nothing remembered yet; messages of many conversations and customers.
    pub(crate) fn new(limits: LedgerLimits) -> Self {
        Self { limits, scratch: Scratch::default(), ledgers: BTreeMap::new(), is_one: false }
    }

    /// Nothing remembered yet; whatever comes belongs to one conversation.
    fn of_one_conversation(limits: LedgerLimits) -> Self {
        Self { is_one: true, ..Self::new(limits) }
    }

    /// Judges and remembers a message that comes after all before it; a message of our own side is only remembered.
    pub(crate) fn judge(&mut self, engine: &Engine, message: &mut Message, identity: &str, at: Timestamp) -> Option<(Verdict, Assessment)> {
        if let Some(known) = self.ledgers.get(&self.key(message)) {
            parts::resplit(message, &known.known_to(at, identity));
        }
        if message.direction != Direction::Inbound {
            self.remember(engine, message, &Contribution::of(message, identity, at));
            return None;
        }
        let (verdict, cues) = engine.judge_with_cues(message, &mut self.scratch);
        let assessment = self.remember(engine, message, &Contribution::judged(message, identity, at, &verdict, &cues));
        Some((verdict, assessment))
    }

    fn key(&self, message: &Message) -> String {
        if self.is_one { String::new() } else { message.conversation_key() }
    }

    fn remember(&mut self, engine: &Engine, message: &Message, contribution: &Contribution) -> Assessment {
        let (mut whole, own) = (Assessment::default(), self.key(message));
        let keys = if self.is_one { vec![own.clone()] } else { conversation::keys(message) };
        let Self { limits, scratch, ledgers, .. } = self;
        for key in keys {
            let is_own = key == own;
            let memory = ledgers.entry(key).or_default();
            let one = if is_own { contribution.clone() } else { contribution.clone().without_lines() };
            memory.add(one, limits, &mut |text| engine.judge(&message.with_text(text), scratch));
            whole.absorb(memory.assess(contribution.at, &contribution.identity, limits));
        }
        whole
    }
}

fn json_of(row: &impl Serialize) -> Value {
    serde_json::to_value(row).expect("evidence is plain data")
}

fn shown(verdict: &Verdict, message: &Message, show_fields: bool) -> Value {
    let mut row = serde_json::to_value(verdict).expect("a verdict is plain data");
    if show_fields {
        row["fields"] = serde_json::to_value(&message.fields).expect("fields are plain data");
    }
    row
}

/// The `id` of a line that could not be decoded, as far as it can be told.
pub fn given_id(bytes: &[u8]) -> Option<String> {
    let row: Value = serde_json::from_slice(bytes).ok()?;
    row.get("id")?.as_str().map(str::to_owned)
}
