//! The sheet of a case: what is known of a threat, what was done about it, and by whom.
//!
//! Facts and calls are text that a named person wrote, each with its time; the checklist is ticked by name. Nothing here
//! changes who is told. What the machine found (対象・害・時・場所) is the first guess, and people correct it.

use crate::case::transitions::bounded;
use crate::case::{CaseRecord, Happening, Taken};
use crate::model::verdict::Role;
use crate::policy::Track;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What can be written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum SheetField {
    Target,
    Harm,
    When,
    Where,
    Demand,
    PoliceCalledAt,
    PoliceNumber,
    PoliceStation,
    PoliceOfficer,
    SecurityCalledAt,
    EvacuationBy,
}

impl SheetField {
    /// Every field, in the order of the sheet.
    pub const ALL: [Self; 11] = [
        Self::Target,
        Self::Harm,
        Self::When,
        Self::Where,
        Self::Demand,
        Self::PoliceCalledAt,
        Self::PoliceNumber,
        Self::PoliceStation,
        Self::PoliceOfficer,
        Self::SecurityCalledAt,
        Self::EvacuationBy,
    ];

    /// The id typed on the command line.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Harm => "harm",
            Self::When => "when",
            Self::Where => "where",
            Self::Demand => "demand",
            Self::PoliceCalledAt => "police-called-at",
            Self::PoliceNumber => "police-number",
            Self::PoliceStation => "police-station",
            Self::PoliceOfficer => "police-officer",
            Self::SecurityCalledAt => "security-called-at",
            Self::EvacuationBy => "evacuation-by",
        }
    }

    /// The Japanese name shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Target => "対象",
            Self::Harm => "害",
            Self::When => "時",
            Self::Where => "場所",
            Self::Demand => "要求",
            Self::PoliceCalledAt => "110番通報の時刻",
            Self::PoliceNumber => "受理番号",
            Self::PoliceStation => "所轄",
            Self::PoliceOfficer => "担当官",
            Self::SecurityCalledAt => "警備への連絡時刻",
            Self::EvacuationBy => "避難の判断者",
        }
    }

    /// The role under which the machine may have found it.
    const fn role(self) -> Option<Role> {
        match self {
            Self::Target => Some(Role::Target),
            Self::Harm => Some(Role::Harm),
            Self::When => Some(Role::When),
            Self::Where => Some(Role::Where),
            Self::Demand => Some(Role::Demand),
            _ => None,
        }
    }
}

/// What must not be forgotten in an emergency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Tick {
    NoReply,
    KeepEverything,
    Police,
    Security,
    Manager,
}

impl Tick {
    /// Every item, in the order of the checklist.
    pub const ALL: [Self; 5] = [Self::NoReply, Self::KeepEverything, Self::Police, Self::Security, Self::Manager];

    /// The id typed on the command line.
    pub const fn id(self) -> &'static str {
        match self {
            Self::NoReply => "no-reply",
            Self::KeepEverything => "keep-everything",
            Self::Police => "police",
            Self::Security => "security",
            Self::Manager => "manager",
        }
    }

    /// The Japanese line shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoReply => "返信しない",
            Self::KeepEverything => "削除・ログアウトしない",
            Self::Police => "110番",
            Self::Security => "警備",
            Self::Manager => "責任者",
        }
    }
}

/// A field somebody filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filled {
    /// What they wrote.
    pub text: String,
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What people wrote down and ticked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sheet {
    /// Fields that were filled or corrected.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<SheetField, Filled>,
    /// Items that were ticked: who, when.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ticks: BTreeMap<Tick, Taken>,
}

impl Sheet {
    /// Nothing written yet.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.ticks.is_empty()
    }
}

impl CaseRecord {
    /// Writes a field down; an older text stays in the history.
    pub fn fill(&mut self, field: SheetField, text: &str, by: &str, now: Timestamp) {
        let (text, by) = (bounded(text), bounded(by));
        self.note(now, Happening::SheetFilled, &by, &format!("{}: {text}", field.name()));
        self.sheet.fields.insert(field, Filled { text, by, at: now });
    }

    /// Ticks an item; the first tick stays. False if it was ticked already.
    pub fn tick(&mut self, tick: Tick, by: &str, now: Timestamp) -> bool {
        if self.sheet.ticks.contains_key(&tick) {
            return false;
        }
        let by = bounded(by);
        self.note(now, Happening::SheetFilled, &by, &format!("☑ {}", tick.name()));
        self.sheet.ticks.insert(tick, Taken { by, at: now });
        true
    }

    /// What is known of a field: what a person wrote, else what the machine found in the gravest message.
    pub fn known(&self, field: SheetField) -> Option<&str> {
        if let Some(filled) = self.sheet.fields.get(&field) {
            return Some(&filled.text);
        }
        let role = field.role()?;
        let slots = &self.summaries.get(&Track::Harassment)?.slots;
        slots.iter().find(|(known, _)| *known == role).map(|(_, text)| text.as_str())
    }
}
