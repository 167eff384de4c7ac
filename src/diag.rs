//! Faults in files people write: code, title, underlined span, help.
//!
//! Readers of configuration, policy and lexicons collect every fault and return them together; nothing stops at
//! the first. Rendering keeps carets under full-width text. Diagnostics are values: the same one serves the
//! terminal and `--format json`.

use annotate_snippets::{AnnotationKind, Group, Level as Grade, Renderer, Snippet};
use serde::Serialize;
use std::ops::Range;

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Grave {
    /// Nothing is started.
    Error,
    /// Works, but probably not as meant.
    Warning,
}

/// One fault in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Error or warning.
    pub grave: Grave,
    /// Stable code, `config.unknown-key`.
    pub code: &'static str,
    /// One line: what is wrong.
    pub title: String,
    /// The file as the user named it.
    pub file: String,
    /// Bytes of the file that are at fault.
    pub span: Range<usize>,
    /// A few words under the span; may be empty.
    pub label: String,
    /// How to mend it.
    pub help: String,
}

/// A file being read: its name and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceText {
    /// The name shown to the user.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl SourceText {
    /// Line and column (from 1, in characters) of a byte offset.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before: Vec<char> = self.text.char_indices().take_while(|(at, _)| *at < offset).map(|(_, c)| c).collect();
        let line = before.iter().filter(|c| **c == '\n').count() + 1;
        let column = before.iter().rev().take_while(|c| **c != '\n').count() + 1;
        (line, column)
    }
}

/// Renders diagnostics for a terminal, in the order of files and lines. `colour` adds ANSI styles.
pub fn render(diagnostics: &[Diagnostic], sources: &[SourceText], colour: bool) -> String {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by(|a, b| (&a.file, a.span.start, a.code).cmp(&(&b.file, b.span.start, b.code)));
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    sorted.into_iter().map(|diagnostic| render_one(diagnostic, sources, &renderer)).collect::<Vec<_>>().join("\n\n")
}

fn render_one(diagnostic: &Diagnostic, sources: &[SourceText], renderer: &Renderer) -> String {
    let grade = match diagnostic.grave {
        Grave::Error => Grade::ERROR,
        Grave::Warning => Grade::WARNING,
    };
    let title = grade.primary_title(diagnostic.title.as_str()).id(diagnostic.code);
    let mut group: Group<'_> = match sources.iter().find(|source| source.name == diagnostic.file) {
        Some(source) => {
            let span = diagnostic.span.start.min(source.text.len())..diagnostic.span.end.min(source.text.len());
            let annotation = AnnotationKind::Primary.span(span).label(diagnostic.label.as_str());
            title.element(Snippet::source(source.text.as_str()).path(source.name.as_str()).annotation(annotation))
        }
        None => title.element(Grade::NOTE.message(diagnostic.file.as_str())),
    };
    if !diagnostic.help.is_empty() {
        group = group.element(Grade::HELP.message(diagnostic.help.as_str()));
    }
    renderer.render(&[group]).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_stand_under_full_width_text() {
        let source = SourceText { name: "a.toml".into(), text: "name = \"見守り\" # x\n".into() };
        let start = source.text.find('守').expect("present");
        let diagnostic = Diagnostic {
            grave: Grave::Error,
            code: "test",
            title: "bad".into(),
            file: "a.toml".into(),
            span: start..start + 3,
            label: "here".into(),
            help: "mend".into(),
        };
        let shown = render(&[diagnostic], &[source], false);
        // `1 | name = "見` is 14 columns wide: the caret pair stands below 守.
        let caret = shown.lines().find(|line| line.contains('^')).expect("caret line");
        let code = shown.lines().find(|line| line.contains("見守り")).expect("code line");
        let bar = code.find('|').expect("bar");
        let wide: usize = code.chars().take_while(|c| *c != '守').map(|c| unicode_width::UnicodeWidthChar::width(c).unwrap_or(0)).sum();
        assert_eq!(caret.find('^'), Some(wide), "{shown}");
        assert!(caret.find('|') == Some(bar) && caret.contains("^^ here"), "{shown}");
    }
}
