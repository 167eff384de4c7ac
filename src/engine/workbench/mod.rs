//! The lexicon workbench: measures a compiled lexicon instead of judging customers with it.
//!
//! [`mutate`] asks whether disguised abuse is still found, [`collisions`] whether ordinary words are taken for abuse, [`stats`] counts. Nothing here takes part in a verdict. The disguises are generated from
//! tables of this module alone: were they taken from the folds, the measure would only compare the folds with themselves.

pub mod collisions;
pub mod disguise;
pub mod latin;
pub mod mutate;
pub mod spelling;
pub mod stats;

/// A small seeded generator (SplitMix64): the same seed gives the same mutants on any machine.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Starts at `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`; 0 for a limit of 0 or 1. The bias of the remainder is far below what a measure can see.
    pub fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.roll() % limit).unwrap_or(0)
    }

    /// One of `choices`; `None` if there is none.
    pub fn pick<'c, T>(&mut self, choices: &'c [T]) -> Option<&'c T> {
        choices.get(self.below(choices.len()))
    }
}
