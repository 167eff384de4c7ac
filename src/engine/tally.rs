//! All findings of a message, counted: what level, categories, lanes and scores are made of.

use crate::model::severity::{Axis, Category, Lane, Level};
use std::collections::{BTreeMap, BTreeSet};

/// What all findings together amount to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// The gravest level.
    pub level: Level,
    /// Categories with a finding of level 1 or more, and the gravest level of each.
    pub categories: BTreeMap<Category, Level>,
    /// Lanes.
    pub lanes: BTreeSet<Lane>,
    /// An incident with injury or fire.
    pub urgent_incident: bool,
    /// A threat of level 4: a bomb or attack notice.
    pub attack: bool,
    /// Distinct entries of level 1 or more, with their axis.
    pub entries: BTreeSet<(String, Axis)>,
    /// The gravest level of each axis.
    pub gravest: [Level; 2],
    /// Distinct insults of level 1.
    pub mild_insults: BTreeSet<String>,
}

impl Tally {
    /// Counts one finding.
    pub fn add(&mut self, id: &str, category: Option<Category>, lane: Option<Lane>, level: Level, axis: Axis, urgent: bool) {
        self.level = self.level.max(level);
        self.lanes.extend(lane);
        self.urgent_incident |= urgent && lane == Some(Lane::SafetyIncident);
        if level == Level::Ordinary {
            return;
        }
        if let Some(category) = category {
            let gravest = self.categories.entry(category).or_default();
            *gravest = (*gravest).max(level);
        }
        self.attack |= level == Level::Emergency && category == Some(Category::Threat);
        let gravest = &mut self.gravest[axis as usize];
        *gravest = (*gravest).max(level);
        if !self.entries.iter().any(|(known, of)| known == id && *of == axis) {
            self.entries.insert((id.to_owned(), axis));
            if level == Level::Watch && category == Some(Category::Insult) {
                self.mild_insults.insert(id.to_owned());
            }
        }
    }
}
