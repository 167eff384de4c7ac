//! The judge: message to verdict, pure and total.
//!
//! `judge = fuse(draft(message), read(message))`: the lexicon reads into a [`Draft`], the second reader adds evidence of its own, and
//! fusing makes the verdict. The same input gives the same bytes on any machine; there is no clock, randomness or I/O here, and no state but a
//! [`Scratch`] of buffers that one worker reuses. Cost: linear in text and hits, whatever the text.
#![deny(clippy::disallowed_methods)]

pub mod combine;
pub mod context;
pub mod draft;
pub mod explain;
pub mod fuse;
pub mod gate;
pub mod guidance;
pub mod lexicon;
pub mod reader;
pub mod scan;
pub mod tally;
pub mod text;
pub mod trace;
pub mod trie;
pub mod workbench;

use crate::engine::draft::Draft;
use crate::engine::gate::Pass;
use crate::engine::lexicon::compiled::Lexicon;
use crate::engine::reader::model::Model;
use crate::engine::scan::{Scanner, Scratch};
use crate::engine::trace::Trace;
use crate::model::digest::Digest;
use crate::model::ids::EntryId;
use crate::model::message::Message;
use crate::model::verdict::{Evidence, Verdict};
use std::sync::Arc;

/// Why an engine could not be built.
#[derive(Debug, thiserror::Error)]
#[error("the lexicon has too many forms for one automaton: {0}")]
pub struct TooManyForms(#[from] aho_corasick::BuildError);

/// A compiled lexicon ready to judge. Immutable; share it behind an `Arc` and swap it whole.
#[derive(Debug)]
pub struct Engine {
    lexicon: Lexicon,
    scanner: Scanner,
    reader: Option<Arc<Model>>,
}

impl Engine {
    /// Builds the automaton. Fails only on lexicons of many million forms.
    pub fn new(lexicon: Lexicon) -> Result<Self, TooManyForms> {
        Ok(Self { scanner: Scanner::new(&lexicon)?, lexicon, reader: None })
    }

    /// Adds the second reader. The digest printed in verdicts then names both.
    #[must_use]
    pub fn with_reader(mut self, reader: Arc<Model>) -> Self {
        let digest = Digest::of_fields(&[self.lexicon.digest.as_bytes(), reader.digest().as_bytes()]);
        self.lexicon.digest = format!("sha256:{digest}");
        self.reader = Some(reader);
        self
    }

    /// The second reader, if there is one.
    pub fn reader(&self) -> Option<&Model> {
        self.reader.as_deref()
    }

    /// The lexicon.
    pub fn lexicon(&self) -> &Lexicon {
        &self.lexicon
    }

    /// Ids of entries and combinations.
    pub fn ids(&self) -> impl Iterator<Item = &EntryId> {
        self.lexicon.entries.iter().map(|entry| &entry.id).chain(self.lexicon.combinations.iter().map(|combination| &combination.id))
    }

    /// Whether this can stand as `entry` in evidence: an entry, a combination, a kind of finding of the second reader.
    pub fn has_entry(&self, id: &EntryId) -> bool {
        self.ids().any(|known| known == id) || self.reader.is_some() && reader::is_entry(id)
    }

    /// Memory of the automaton, in bytes.
    pub fn automaton_bytes(&self) -> usize {
        self.scanner.memory()
    }

    /// Judges one message.
    pub fn judge(&self, message: &Message, scratch: &mut Scratch) -> Verdict {
        let extra = self.read(message, scratch);
        fuse::fuse(self.draft(message, scratch), &extra)
    }

    /// What the second reader finds.
    pub fn read(&self, message: &Message, scratch: &mut Scratch) -> Vec<Evidence> {
        self.reader.as_ref().map_or_else(Vec::new, |model| reader::read(model, message, &mut scratch.reading))
    }

    /// As [`Engine::judge`], with the cues that mean something only over time, for the conversation ledger: one pass for both.
    pub fn judge_with_cues(&self, message: &Message, scratch: &mut Scratch) -> (Verdict, Vec<EntryId>) {
        let extra = self.read(message, scratch);
        let mut draft = self.draft(message, scratch);
        let cues = std::mem::take(&mut draft.cues);
        (fuse::fuse(draft, &extra), cues)
    }

    /// What the lexicon finds, before it is fused.
    pub fn draft(&self, message: &Message, scratch: &mut Scratch) -> Draft {
        self.draft_traced(message, scratch, &mut ())
    }

    /// Why the matcher looks at `text` closely; `None` if it need not. For measuring.
    pub fn look(&self, text: &str, scratch: &mut Scratch) -> Option<Pass> {
        self.scanner.look(text, scratch)
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
