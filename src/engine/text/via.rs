//! A set of folds in two bytes: which folds an entry accepts, and which a hit needed.

use crate::model::verdict::Via;

/// A set of [`Via`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ViaSet(u16);

impl ViaSet {
    /// No fold.
    pub const EMPTY: Self = Self(0);

    /// Every fold.
    pub const ALL: Self = Self(u16::MAX >> (u16::BITS as usize - Via::ALL.len()));

    /// The set of `folds`.
    pub const fn of(folds: &[Via]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < folds.len() {
            bits |= 1 << folds[index] as u16;
            index += 1;
        }
        Self(bits)
    }

    /// Adds one fold.
    pub fn insert(&mut self, via: Via) {
        self.0 |= 1 << via as u16;
    }

    /// Takes one fold away.
    pub fn remove(&mut self, via: Via) {
        self.0 &= !(1 << via as u16);
    }

    /// Whether `via` is in the set.
    pub const fn contains(self, via: Via) -> bool {
        self.0 & (1 << via as u16) != 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this set and not in `other`.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether everything here is also in `other`.
    pub const fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// Whether there is nothing in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The folds in fixed order.
    pub fn iter(self) -> impl Iterator<Item = Via> {
        Via::ALL.into_iter().map(|(via, _)| via).filter(move |via| self.contains(*via))
    }
}

impl FromIterator<Via> for ViaSet {
    fn from_iter<I: IntoIterator<Item = Via>>(folds: I) -> Self {
        let mut set = Self::EMPTY;
        folds.into_iter().for_each(|via| set.insert(via));
        set
    }
}
