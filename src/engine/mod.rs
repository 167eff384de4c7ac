//! The judge: message to verdict, pure and total.
//!
//! `judge = fuse(draft(message), &[])`: the lexicon reads into a [`Draft`], other readers may add evidence, and fusing makes the
//! verdict. The same input gives the same bytes on any machine; there is no clock, randomness or I/O here, and no state but a
//! [`Scratch`] of buffers that one worker reuses. Cost: linear in text and hits, whatever the text.
#![deny(clippy::disallowed_methods)]

pub mod combine;
pub mod context;
pub mod draft;
pub mod explain;
pub mod fuse;
pub mod lexicon;
pub mod scan;
pub mod tally;
pub mod text;
pub mod trace;

use crate::engine::draft::Draft;
use crate::engine::lexicon::compiled::Lexicon;
use crate::engine::scan::{Scanner, Scratch};
use crate::engine::trace::Trace;
use crate::model::message::Message;
use crate::model::verdict::{Evidence, Verdict};

/// Why an engine could not be built.
#[derive(Debug, thiserror::Error)]
#[error("the lexicon has too many forms for one automaton: {0}")]
pub struct TooManyForms(#[from] aho_corasick::BuildError);

/// A compiled lexicon ready to judge. Immutable; share it behind an `Arc` and swap it whole.
#[derive(Debug)]
pub struct Engine {
    lexicon: Lexicon,
    scanner: Scanner,
}

impl Engine {
    /// Builds the automaton. Fails only on lexicons of many million forms.
    pub fn new(lexicon: Lexicon) -> Result<Self, TooManyForms> {
        Ok(Self { scanner: Scanner::new(&lexicon)?, lexicon })
    }

    /// The lexicon.
    pub fn lexicon(&self) -> &Lexicon {
        &self.lexicon
    }

    /// Judges one message.
    pub fn judge(&self, message: &Message, scratch: &mut Scratch) -> Verdict {
        fuse::fuse(self.draft(message, scratch), &[])
    }

    /// What the lexicon finds, before it is fused.
    pub fn draft(&self, message: &Message, scratch: &mut Scratch) -> Draft {
        self.draft_traced(message, scratch, &mut ())
    }

    /// Makes the verdict from a draft and evidence of other readers.
    pub fn fuse(&self, draft: Draft, extra: &[Evidence]) -> Verdict {
        fuse::fuse(draft, extra)
    }

    /// As [`Engine::draft`], telling `trace` what became of every candidate.
    pub fn draft_traced(&self, message: &Message, scratch: &mut Scratch, trace: &mut impl Trace) -> Draft {
        draft::draft(&self.lexicon, &self.scanner, message, scratch, trace)
    }
}
