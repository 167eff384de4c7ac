//! Lexicons: TOML sources to one compiled, immutable profile.
//!
//! [`compile()`] takes the texts of all files of a profile, reports every fault at once, and makes a [`Lexicon`] if none is an
//! error. Reading files is the caller's business: nothing here touches a disk. Cost: linear in the generated forms.

pub mod compile;
pub mod compiled;
pub mod examples;
pub mod forms;
pub mod guidance;
pub mod lint;
pub mod object;
pub mod shape;
pub mod source;
pub mod stack;
pub mod value;

use crate::diag::{Diagnostic, Grave, SourceText};
use crate::engine::lexicon::compiled::Lexicon;
use std::ops::Range;

/// The newest format number this engine reads.
pub const FORMAT: i64 = 1;

/// What came of compiling a profile.
#[derive(Debug)]
pub struct Compiled {
    /// The lexicon; absent if any diagnostic is an error.
    pub lexicon: Option<Lexicon>,
    /// Every error, or if there is none every warning; [`crate::diag::render`] sorts.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles the files of one profile (base, packs, site overlay; in any order).
pub fn compile(sources: &[SourceText]) -> Compiled {
    let mut report = Report::new(sources);
    let mut files = vec![];
    for (index, text) in sources.iter().enumerate() {
        let (file, faults) = source::read(index, text);
        report.diagnostics.extend(faults);
        files.push(file);
    }
    let stack = stack::settle(files, &mut report);
    lint::check(&stack, &mut report);
    let lexicon = compile::build(&stack, sources, &mut report);
    lint::check_forms(&lexicon, &stack, &mut report);
    let failed = report.diagnostics.iter().any(|fault| fault.grave == Grave::Error);
    if failed {
        // Most warnings beside an error only follow from it.
        report.diagnostics.retain(|fault| fault.grave == Grave::Error);
    }
    Compiled { lexicon: (!failed).then_some(lexicon), diagnostics: report.diagnostics }
}

/// A place in one of the sources.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// Which source, by its position in the input.
    pub file: usize,
    /// Bytes of it.
    pub span: Range<usize>,
}

/// Collects faults found after parsing, when several files are looked at together.
#[derive(Debug)]
pub struct Report<'a> {
    sources: &'a [SourceText],
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Report<'a> {
    fn new(sources: &'a [SourceText]) -> Self {
        Self { sources, diagnostics: vec![] }
    }

    /// Notes a fault.
    pub fn note(&mut self, grave: Grave, code: &'static str, place: &Place, title: String, label: &str, help: String) {
        let file = self.sources.get(place.file).map(|source| source.name.clone()).unwrap_or_default();
        self.diagnostics.push(Diagnostic { grave, code, title, file, span: place.span.clone(), label: label.to_owned(), help });
    }

    /// Notes an error.
    pub fn error(&mut self, code: &'static str, place: &Place, title: String, label: &str, help: String) {
        self.note(Grave::Error, code, place, title, label, help);
    }

    /// Notes a warning.
    pub fn warning(&mut self, code: &'static str, place: &Place, title: String, label: &str, help: String) {
        self.note(Grave::Warning, code, place, title, label, help);
    }
}

/// `did you mean …?` for the nearest of `known`, else the whole list if it is short.
pub fn suggest<'k>(unknown: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    /// More edits than this and the guess is no help.
    const DISTANCE_MAX: usize = 3;
    /// A longer list is no help either.
    const LISTED_MAX: usize = 20;
    let known: Vec<&str> = known.into_iter().collect();
    let near =
        known.iter().map(|id| (strsim::damerau_levenshtein(id, unknown), *id)).filter(|(distance, _)| *distance <= DISTANCE_MAX).min();
    match near {
        Some((_, id)) => format!("did you mean `{id}`?"),
        None if known.len() <= LISTED_MAX => format!("known: {}", known.join(", ")),
        None => "check the spelling".to_owned(),
    }
}
