//! What one message leaves behind: who, when, what the verdict said, and fingerprints. Never its text, except for a few
//! characters of a chat fragment while it may still be read together with its neighbours.

use crate::conversation::cue::CueSet;
use crate::conversation::fingerprint::Fingerprint;
use crate::decode::parts::fingerprints;
use crate::model::ids::EntryId;
use crate::model::message::{Channel, Direction, Event, Field, FieldName, Message, PartKind};
use crate::model::severity::{Category, Lane, Level};
use crate::model::verdict::Verdict;
use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Most line fingerprints of one message: quotes repeat the beginning of a message, not its hundredth line.
pub const LINES_MAX: usize = 60;

/// Characters of one fingerprint in [`Contribution::lines`]: 8 bytes in unpadded base64.
const FINGERPRINT_CHARS: usize = 11;

/// Longest message that may end a row of fragments, in characters; longer ones are sentences of their own.
pub const TAIL_CHARS_MAX: usize = 24;

/// Most entries named by a joined finding.
const ENTRIES_MAX: usize = 4;

/// What one message left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contribution {
    /// Identity key of the message.
    pub identity: String,
    /// When it happened.
    pub at: Timestamp,
    /// Who wrote it.
    pub direction: Direction,
    /// What happened.
    pub event: Event,
    /// Fingerprints of its lines, joined.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub lines: String,
    /// What was read in it; only of inbound messages, and not in records of the first schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
    /// A person found that it was no harassment at all (誤検知): what was read in it counts for nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub excused: bool,
}

/// What was read in an inbound message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// How it reached us.
    pub channel: Channel,
    /// Level of the message alone.
    pub level: Level,
    /// Score of the demand, in hundredths.
    pub demand: u8,
    /// Score of the manner, in hundredths.
    pub manner: u8,
    /// Kinds of harm.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<Category>,
    /// Other roads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<Lane>,
    /// Ways of speaking that count over time.
    #[serde(default, skip_serializing_if = "CueSet::is_empty")]
    pub cues: CueSet,
    /// What it is about, how it is worded, whom it addresses.
    pub print: Fingerprint,
    /// Characters as written, line ends and outer spaces left out.
    pub chars: u32,
    /// Text of a fragment, while it may be joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fragment: Option<String>,
    /// What was found when fragments up to this one were read together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joined: Option<Joined>,
}

/// What fragments say together and none says alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    /// Its level.
    pub level: Level,
    /// Its kinds of harm.
    pub categories: Vec<Category>,
    /// The lexicon entries.
    pub entries: Vec<String>,
    /// Fragments that were needed.
    pub fragments: u32,
}

impl Contribution {
    /// What a message that is not judged leaves behind: our own replies, notes, history of before.
    pub fn of(message: &Message, identity: &str, at: Timestamp) -> Self {
        let text = message.field(FieldName::Text).map_or("", |field| field.text.as_str());
        let lines = fingerprints(text).into_iter().take(LINES_MAX).map(|line| BASE64URL_NOPAD.encode(&line.to_be_bytes())).collect();
        Self { identity: identity.to_owned(), at, direction: message.direction, event: message.event, lines, reading: None, excused: false }
    }

    /// What a judged message leaves behind.
    pub fn judged(message: &Message, identity: &str, at: Timestamp, verdict: &Verdict, cues: &[EntryId]) -> Self {
        let text = own_words(message);
        let chars = text.chars().count();
        let reading = Reading {
            channel: message.channel,
            level: verdict.level,
            demand: verdict.demand.hundredths(),
            manner: verdict.manner.hundredths(),
            categories: verdict.categories.clone(),
            lanes: verdict.lanes.clone(),
            cues: CueSet::from_ids(cues.iter().map(EntryId::as_str)),
            print: Fingerprint::of(&text),
            chars: u32::try_from(chars).unwrap_or(u32::MAX),
            fragment: (message.channel == Channel::Chat && (1..=TAIL_CHARS_MAX).contains(&chars)).then_some(text),
            joined: None,
        };
        Self { reading: Some(reading), ..Self::of(message, identity, at) }
    }

    /// The same without fingerprints of lines, for the customer's ledger: quotes belong to one conversation.
    #[must_use]
    pub fn without_lines(mut self) -> Self {
        self.lines = String::new();
        self
    }

    /// Its place in the ledger.
    pub fn place(&self) -> (Timestamp, &str) {
        (self.at, self.identity.as_str())
    }

    /// Whether it is our dated refusal or caution.
    pub fn is_warning(&self) -> bool {
        self.direction == Direction::Outbound && matches!(self.event, Event::Refusal | Event::Caution)
    }

    /// Line fingerprints.
    pub fn known_lines(&self) -> impl Iterator<Item = u64> {
        self.lines
            .as_bytes()
            .chunks(FINGERPRINT_CHARS)
            .filter_map(|chunk| BASE64URL_NOPAD.decode(chunk).ok()?.try_into().ok().map(u64::from_be_bytes))
    }
}

impl Joined {
    /// From the verdict on the joined text.
    pub fn of(verdict: &Verdict, fragments: usize) -> Self {
        let mut entries: Vec<String> = vec![];
        for row in verdict.evidence.iter().filter(|row| row.level == verdict.level) {
            if entries.len() < ENTRIES_MAX && !entries.iter().any(|known| known == row.entry.as_str()) {
                entries.push(row.entry.to_string());
            }
        }
        let fragments = u32::try_from(fragments).unwrap_or(u32::MAX);
        Self { level: verdict.level, categories: verdict.categories.clone(), entries, fragments }
    }
}

/// Subject and body in the sender's own words.
fn own_words(message: &Message) -> String {
    let mut words: Vec<String> = vec![];
    for name in [FieldName::Subject, FieldName::Text] {
        let Some(field) = message.field(name) else { continue };
        words.push(own(field));
    }
    words.join(" ").trim().to_owned()
}

fn own(field: &Field) -> String {
    let chars: Vec<char> = field.text.chars().collect();
    let parts = field.parts.iter().filter(|part| part.kind == PartKind::New);
    parts.flat_map(|part| chars.get(part.start..part.end.min(chars.len())).unwrap_or_default()).collect()
}
