//! What a ledger says: a level with its categories, and why, in Japanese and in numbers.

use crate::model::severity::{Category, Level};
use serde::{Serialize, Serializer};

/// Printed as the kind of every ledger row, beside `entry`, `combination` and `reader` of verdicts.
pub const KIND: &str = "ledger";

/// What the earlier messages make of this one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assessment {
    /// The level the row of messages reaches.
    pub level: Level,
    /// Kinds of harm, in fixed order.
    pub categories: Vec<Category>,
    /// Why, gravest first; one row a rule.
    pub evidence: Vec<LedgerEvidence>,
    /// Whether one of our own replies was ever seen.
    pub reply_seen: bool,
}

/// One rule that spoke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LedgerEvidence {
    /// Always `ledger`.
    #[serde(serialize_with = "kind")]
    pub kind: (),
    /// Which rule: `ledger.repeat`, `ledger.belittling`, …
    pub entry: String,
    /// Kinds of harm.
    pub categories: Vec<Category>,
    /// The level it supports.
    pub level: Level,
    /// What happened, for people, with its numbers.
    pub text: String,
    /// Messages that counted.
    pub messages: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the shape serde asks for
fn kind<S: Serializer>(_: &(), serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(KIND)
}

impl Assessment {
    /// Leaves out the rows that `other` has at the same level or a graver one.
    pub fn leave_out(&mut self, other: &Self) {
        self.evidence.retain(|row| !other.evidence.iter().any(|known| known.entry == row.entry && known.level >= row.level));
        self.level = self.evidence.iter().map(|row| row.level).max().unwrap_or_default();
    }

    /// Takes over what `other` says; of each rule the gravest row stays.
    pub fn absorb(&mut self, other: Self) {
        self.level = self.level.max(other.level);
        self.reply_seen |= other.reply_seen;
        for row in other.evidence {
            match self.evidence.iter_mut().find(|known| known.entry == row.entry) {
                Some(known) if (known.level, known.messages) < (row.level, row.messages) => *known = row,
                Some(_) => {}
                None => self.evidence.push(row),
            }
        }
        self.evidence.sort_by(|a, b| (b.level, &a.entry).cmp(&(a.level, &b.entry)));
        let spoken = |category: &Category| self.evidence.iter().any(|row| row.level > Level::Ordinary && row.categories.contains(category));
        self.categories = Category::ALL.iter().copied().filter(spoken).collect();
    }

    /// An assessment of one row.
    pub fn of(row: LedgerEvidence, reply_seen: bool) -> Self {
        let mut whole = Self { level: row.level, reply_seen, ..Self::default() };
        let level = row.level;
        whole.absorb(Self { level, evidence: vec![row], reply_seen, ..Self::default() });
        whole
    }
}
