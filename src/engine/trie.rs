//! A trie of short code sequences: one hash table for all its steps, and bitmaps that spare most of the look-ups.
//!
//! The first step takes up to three codes at once. Built once, immutable after. Cost: a step is a probe or two.

/// Bits of the bitmap over two codes: 16 KiB, which stays in the nearest cache.
const PAIR_BITS: u32 = 17;
/// Bits of the bitmap over the first three codes: 128 KiB.
const TRIPLE_BITS: u32 = 20;
/// Slots of a new table.
const SLOTS_MIN: usize = 1 << 10;

/// A step; the key 0 is a free slot.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    key: u64,
    child: u32,
    mark: u32,
}

/// Sequences of codes, each with a mark other than 0.
#[derive(Debug)]
pub struct Trie {
    steps: Vec<Step>,
    /// Nodes, the root among them.
    nodes: u32,
    /// Sequences of one code.
    single: Vec<u64>,
    /// Sequences of two.
    short: Vec<u64>,
    /// First three codes.
    triple: Vec<u64>,
}

impl Default for Trie {
    fn default() -> Self {
        let bits = |bits: u32| vec![0; 1 << (bits - 6)];
        let (single, short, triple) = (bits(u16::BITS), bits(PAIR_BITS), bits(TRIPLE_BITS));
        Self { steps: vec![Step::default(); SLOTS_MIN], nodes: 1, single, short, triple }
    }
}

impl Trie {
    /// The mark of `codes`, to be read and set; `None` if there are no codes, or if `enough` holds for the mark of a shorter sequence
    /// on the way.
    pub fn mark(&mut self, codes: &[u16], enough: impl Fn(u32) -> bool) -> Option<&mut u32> {
        let known = |step: Option<Step>| step.is_some_and(|step| step.mark != 0 && enough(step.mark));
        let mut at = match *codes {
            [] => return None,
            [one] => {
                set(&mut self.single, u32::from(one));
                self.reach(start(&[one]))
            }
            [one, two] => {
                if known(self.find(start(&[one]))) {
                    return None;
                }
                set(&mut self.short, pair(one, two));
                self.reach(start(&[one, two]))
            }
            [one, two, three, ..] => {
                if known(self.find(start(&[one]))) || known(self.find(start(&[one, two]))) {
                    return None;
                }
                set(&mut self.triple, triple(one, two, three));
                self.reach(start(&[one, two, three]))
            }
        };
        for code in codes.iter().skip(3) {
            if known(Some(self.steps[at])) {
                return None;
            }
            at = self.reach(step(self.steps[at].child, *code));
        }
        Some(&mut self.steps[at].mark)
    }

    /// Lists in `found` where in `codes` a sequence may begin, and few other places. Without a branch: whether the next place is one
    /// is anybody's guess.
    pub fn begins(&self, codes: &[u16], found: &mut Vec<u32>) {
        found.clear();
        found.resize(codes.len() + 1, 0);
        let mut count = 0;
        // The last two codes have no three to go by: the bit of a pair and anything after it says no, so they are always listed.
        for (at, window) in (0u32..).zip(codes.windows(3)) {
            let [one, two, three] = [window[0], window[1], window[2]];
            let bits = bit(&self.triple, triple(one, two, three)) | bit(&self.short, pair(one, two)) | bit(&self.single, u32::from(one));
            found[count] = at;
            count += usize::from(bits & 1 == 1);
        }
        found.truncate(count);
        found.extend((codes.len().saturating_sub(2)..codes.len()).filter_map(|at| u32::try_from(at).ok()));
    }

    /// Calls `meet` with the mark of every sequence at the begin of `codes`, until it returns something.
    pub fn walk<T>(&self, codes: &[u16], mut meet: impl FnMut(u32) -> Option<T>) -> Option<T> {
        let found_at = |step: Option<Step>, meet: &mut dyn FnMut(u32) -> Option<T>| {
            step.filter(|step| step.mark != 0).and_then(|step| meet(step.mark))
        };
        for length in 1..=codes.len().min(2) {
            let first = codes.get(..length)?;
            let listed = match *first {
                [one, two] => bit(&self.short, pair(one, two)),
                _ => bit(&self.single, u32::from(first[0])),
            };
            if listed & 1 == 1
                && let Some(found) = found_at(self.find(start(first)), &mut meet)
            {
                return Some(found);
            }
        }
        let (&[one, two, three], rest) = codes.split_first_chunk()?;
        if bit(&self.triple, triple(one, two, three)) & 1 == 0 {
            return None;
        }
        let mut at = self.find(start(&[one, two, three]))?;
        for code in rest {
            if let Some(found) = found_at(Some(at), &mut meet) {
                return Some(found);
            }
            at = self.find(step(at.child, *code))?;
        }
        found_at(Some(at), &mut meet)
    }

    fn find(&self, key: u64) -> Option<Step> {
        let step = self.steps[self.slot(key)];
        (step.key != 0).then_some(step)
    }

    /// Where `key` stands, or would.
    fn slot(&self, key: u64) -> usize {
        let mask = self.steps.len() - 1;
        let mut slot = hash(key, 32) as usize & mask;
        while self.steps[slot].key != 0 && self.steps[slot].key != key {
            slot = (slot + 1) & mask;
        }
        slot
    }

    /// Where `key` stands, put there if it did not.
    fn reach(&mut self, key: u64) -> usize {
        let slot = self.slot(key);
        if self.steps[slot].key != 0 {
            return slot;
        }
        if self.nodes as usize * 2 >= self.steps.len() {
            let larger = vec![Step::default(); self.steps.len() * 2];
            for step in std::mem::replace(&mut self.steps, larger).into_iter().filter(|step| step.key != 0) {
                let slot = self.slot(step.key);
                self.steps[slot] = step;
            }
        }
        let slot = self.slot(key);
        self.steps[slot] = Step { key, child: self.nodes, mark: 0 };
        self.nodes += 1;
        slot
    }
}

/// The key of a first step; its length tells it from others.
fn start(codes: &[u16]) -> u64 {
    codes.iter().fold(0, |key, code| key << 16 | u64::from(*code)) | (codes.len() as u64) << 48 | 1 << 63
}

/// The key of a later step. Nodes are numbered from 1, so no key is 0.
fn step(node: u32, code: u16) -> u64 {
    u64::from(node) << 16 | u64::from(code)
}

/// The upper `bits` of a multiplicative hash.
fn hash(key: u64, bits: u32) -> u32 {
    u32::try_from(key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - bits)).unwrap_or_default()
}

fn pair(one: u16, two: u16) -> u32 {
    hash(u64::from(one) << 16 | u64::from(two), PAIR_BITS)
}

fn triple(one: u16, two: u16, three: u16) -> u32 {
    hash(u64::from(one) << 32 | u64::from(two) << 16 | u64::from(three), TRIPLE_BITS)
}

/// The bit in the lowest place, others above it.
fn bit(bits: &[u64], at: u32) -> u64 {
    bits[(at >> 6) as usize] >> (at & 63)
}

fn set(bits: &mut [u64], at: u32) {
    bits[(at >> 6) as usize] |= 1 << (at & 63);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sequence_is_met_where_it_begins_and_nowhere_else() {
        let rows: [(&[u16], &[u32]); 7] = [
            (&[1], &[1]),
            (&[1, 2], &[1, 2]),
            (&[1, 2, 3], &[1, 2, 3]),
            (&[1, 2, 3, 4, 5], &[1, 2, 3, 5]),
            (&[2, 3], &[]),
            (&[9, 9], &[]),
            (&[], &[]),
        ];
        let mut trie = Trie::default();
        for length in [1, 2, 3, 5] {
            *trie.mark(&[1, 2, 3, 4, 5][..length], |_| false).unwrap() = u32::try_from(length).unwrap();
        }
        for filler in 100..5_000 {
            *trie.mark(&[filler, 7, filler, 8], |_| false).unwrap() = 99;
        }
        for (codes, expected) in rows {
            let mut met = vec![];
            assert!(
                trie.walk(codes, |mark| {
                    met.push(mark);
                    None::<()>
                })
                .is_none()
            );
            assert_eq!(met, expected, "{codes:?}");
        }
        assert!(trie.mark(&[1, 2, 3, 4], |mark| mark == 3).is_none(), "a shorter sequence is enough");
    }
}
