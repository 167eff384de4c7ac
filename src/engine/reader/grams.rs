//! What the reader sees of a text: which short stretches of folded characters occur in it.
//!
//! Folded lightly (width, case, kana; digits and blanks run together), so that the way of writing stays visible. A stretch is known by
//! its bucket alone: buckets are shared by chance, which the training has seen too. Buffers are reused; cost: linear in the text.

use crate::engine::text::light;
use std::ops::Range;

/// Longest stretch, in characters: three reach from a particle over a verb's stem to its ending; four find nothing more.
pub const GRAM_MAX: usize = 3;

/// Bits of a bucket: twice as many buckets as stretches that matter, and the weights of one block still fit a second-level cache.
pub const BUCKET_BITS: u32 = 17;

/// Number of buckets.
pub const BUCKETS: usize = 1 << BUCKET_BITS;

/// A run of one character is cut to this: more of them only shout.
const RUN_MAX: usize = 2;

/// One character as the reader sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    code: u32,
    /// Character of the field it stands for.
    at: u32,
}

/// The characters of one or more fields, and where sentences end.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    seen: Vec<Seen>,
    /// One past the last character of each sentence.
    stops: Vec<u32>,
}

impl Stream {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.seen.clear();
        self.stops.clear();
    }

    /// Adds the characters of `text` that `wanted` (in characters) names. Each call begins and ends a sentence.
    pub fn add(&mut self, text: &str, mut wanted: impl FnMut(usize) -> bool) {
        self.push(' ', 0);
        for (at, c) in text.chars().enumerate() {
            if !wanted(at) {
                continue;
            }
            let Some(folded) = light(c) else { continue };
            self.push(folded, at);
            if matches!(folded, '。' | '!' | '?') || c == '\n' {
                self.stop();
            }
        }
        self.push(' ', text.len());
        self.stop();
    }

    fn push(&mut self, c: char, at: usize) {
        let c = match c {
            '0'..='9' => '0',
            '\n' => ' ',
            other => other,
        };
        let code = u32::from(c);
        let limit = if matches!(c, '0' | ' ') { 1 } else { RUN_MAX };
        if self.seen.iter().rev().take_while(|seen| seen.code == code).take(limit).count() < limit {
            self.seen.push(Seen { code, at: u32::try_from(at).unwrap_or(u32::MAX) });
        }
    }

    fn stop(&mut self) {
        let end = u32::try_from(self.seen.len()).unwrap_or(u32::MAX);
        if self.stops.last().is_none_or(|last| *last < end) {
            self.stops.push(end);
        }
    }

    /// Number of characters.
    pub fn len(&self) -> usize {
        self.seen.len()
    }

    /// Whether there is nothing to read.
    pub fn is_empty(&self) -> bool {
        self.seen.iter().all(|seen| seen.code == u32::from(' '))
    }

    /// The sentences, as ranges of characters of the stream.
    pub fn sentences(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        (0..self.stops.len()).map(|index| {
            let start = index.checked_sub(1).map_or(0, |before| self.stops[before] as usize);
            start..self.stops[index] as usize
        })
    }

    /// Number of sentences.
    pub fn sentence_count(&self) -> usize {
        self.stops.len()
    }

    /// Characters of the field from the first to the last of `range`; end exclusive.
    pub fn origin(&self, range: Range<usize>) -> Range<usize> {
        match self.seen.get(range).and_then(|seen| Some((seen.first()?, seen.last()?))) {
            Some((first, last)) => first.at as usize..last.at as usize + 1,
            None => 0..0,
        }
    }

    /// Whether the character is a blank.
    pub fn is_blank(&self, index: usize) -> bool {
        self.seen.get(index).is_none_or(|seen| seen.code == u32::from(' '))
    }

    /// Calls `each` with every stretch inside `range`: its bucket, its first character and its length.
    pub fn grams(&self, range: Range<usize>, mut each: impl FnMut(usize, usize, usize)) {
        let Some(seen) = self.seen.get(range.clone()) else { return };
        for start in 0..seen.len() {
            let mut hash = 0u64;
            for (length, one) in (1..=GRAM_MAX).zip(&seen[start..]) {
                hash = (hash ^ u64::from(one.code)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
                each(bucket(hash), range.start + start, length);
            }
        }
    }
}

/// The upper bits of one more mixing: neighbouring codes must not fall into neighbouring buckets.
fn bucket(hash: u64) -> usize {
    usize::try_from(hash.wrapping_mul(0xD6E8_FEB8_6659_FD93) >> (64 - BUCKET_BITS)).unwrap_or(0)
}

/// Remembers which buckets a sentence has seen already, without clearing between sentences.
#[derive(Debug, Clone, Default)]
pub struct Stamps {
    stamps: Vec<u32>,
    epoch: u32,
}

impl Stamps {
    /// Begins a new sentence.
    pub fn begin(&mut self) {
        if self.stamps.is_empty() || self.epoch == u32::MAX {
            self.stamps.clear();
            self.stamps.resize(BUCKETS, 0);
            self.epoch = 0;
        }
        self.epoch += 1;
    }

    /// Whether `bucket` is new in this sentence.
    pub fn is_new(&mut self, bucket: usize) -> bool {
        match self.stamps.get_mut(bucket) {
            Some(stamp) if *stamp != self.epoch => {
                *stamp = self.epoch;
                true
            }
            _ => false,
        }
    }
}

/// The distinct buckets of a sentence, ascending; for training.
pub fn distinct(stream: &Stream, sentence: Range<usize>) -> Vec<u32> {
    let mut buckets = vec![];
    stream.grams(sentence, |bucket, _, _| buckets.push(u32::try_from(bucket).unwrap_or(u32::MAX)));
    buckets.sort_unstable();
    buckets.dedup();
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(text: &str) -> Stream {
        let mut stream = Stream::default();
        stream.add(text, |_| true);
        stream
    }

    #[test]
    fn writing_is_folded_lightly() {
        let rows = [("バカ", "ばか"), ("１２３", "7"), ("死ね!!!!", "死ね!!"), ("ＡＢ", "ab"), ("a  \n b", "a b")];
        for (one, other) in rows {
            let codes = |text| stream(text).seen.iter().map(|seen| seen.code).collect::<Vec<_>>();
            assert_eq!(codes(one), codes(other), "{one} and {other}");
        }
    }

    #[test]
    fn sentences_cover_the_stream() {
        let stream = stream("はい。ありがとう!また来ます\n以上");
        let sentences: Vec<_> = stream.sentences().collect();
        assert_eq!(sentences.len(), 4);
        assert_eq!(sentences.first().map(|range| range.start), Some(0));
        assert!(sentences.windows(2).all(|pair| pair[0].end == pair[1].start));
        assert_eq!(sentences.last().map(|range| range.end), Some(stream.len()));
    }

    #[test]
    fn a_bucket_is_new_once_in_a_sentence() {
        let mut stamps = Stamps::default();
        stamps.begin();
        assert!(stamps.is_new(7));
        assert!(!stamps.is_new(7));
        stamps.begin();
        assert!(stamps.is_new(7));
    }
}
