//! Reading a file of texts: every fault at once, each at its place, down to the placeholder.
//!
//! What a mistake could do here is bad: a subject without its deadline, a customer's words on a lock screen. So nothing is
//! mended or left out in silence; a file with a fault is refused as a whole.

use crate::diag::{Diagnostic, Grave, SourceText};
use crate::sheet::{self, Placed, Table};
use crate::wording::hole::Hole;
use crate::wording::text::{Form, Text};
use crate::wording::{ENGLISH, JAPANESE, Language, Piece, Template, Texts, names};
use std::collections::BTreeMap;
use std::ops::Range;

/// Largest file, in bytes: all texts at their longest are less.
pub const TEXTS_BYTES_MAX: u64 = 256 << 10;

/// Largest number of edits at which a placeholder is taken for a misspelt one.
const EDITS_MAX: usize = 2;

/// A built-in set, which must be whole.
pub(crate) fn whole(language: Language) -> Option<Texts> {
    let text = match language {
        Language::Japanese => JAPANESE,
        Language::English => ENGLISH,
    };
    let source = SourceText { name: "texts.toml".to_owned(), text: text.to_owned() };
    let nothing = Texts { language, templates: vec![Template::default(); Text::ALL.len()], names: BTreeMap::new() };
    let (texts, _) = over(&source, nothing);
    let is_whole = |texts: &Texts| {
        let has_texts = Text::ALL.iter().all(|text| !texts.pieces(*text).is_empty());
        has_texts && names().iter().all(|(table, ids)| ids.iter().all(|id| texts.names.contains_key(&(*table, *id))))
    };
    texts.filter(is_whole)
}

/// A set with what the file replaces.
pub(crate) fn over(source: &SourceText, mut texts: Texts) -> (Option<Texts>, Vec<Diagnostic>) {
    let ((), faults) = sheet::parse(source, |root| {
        let mut tables: Vec<(&'static str, Option<Table<'_>>)> = vec![];
        for text in Text::ALL {
            if tables.last().is_none_or(|(name, _)| *name != text.table()) {
                tables.push((text.table(), root.table(text.table())));
            }
            let Some((_, Some(table))) = tables.last() else { continue };
            let Some(given) = table.text(text.key()) else { continue };
            let template = Reading { source, table, given: &given }.template(*text);
            if let Some(slot) = texts.templates.get_mut(*text as usize) {
                *slot = template;
            }
        }
        for (name, ids) in names() {
            let Some(table) = root.table(name) else { continue };
            for id in ids {
                let Some(given) = table.text(id) else { continue };
                Reading { source, table: &table, given: &given }.form(Form::Name);
                texts.names.insert((name, id), given.value);
            }
            table.finish();
        }
        tables.iter().filter_map(|(_, table)| table.as_ref()).for_each(Table::finish);
    });
    let sound = faults.iter().all(|fault| fault.grave != Grave::Error);
    (sound.then_some(texts), faults)
}

/// One text while it is read.
struct Reading<'a, 't> {
    source: &'a SourceText,
    table: &'a Table<'t>,
    given: &'a Placed<String>,
}

impl Reading<'_, '_> {
    fn error(&self, code: &'static str, span: Range<usize>, title: String, label: &str, help: String) {
        self.table.faults().error(code, span, title, label, help);
    }

    fn template(&self, text: Text) -> Template {
        self.form(text.form());
        let mut pieces: Vec<Piece> = vec![];
        for part in parts(&self.given.value) {
            match part {
                Part::Words(words) => pieces.push(Piece::Words(words)),
                Part::Hole(name) => pieces.extend(self.hole(text, &name).map(Piece::Hole)),
                Part::Loose(brace) => {
                    let help = format!("close the placeholder, or write `{brace}{brace}` for the brace itself");
                    self.error("texts.brace", self.place(&brace.to_string()), "a brace on its own".to_owned(), "not closed", help);
                }
            }
        }
        for hole in text.must() {
            if !pieces.contains(&Piece::Hole(*hole)) {
                let title = format!("`{}.{}` has no `{{{}}}`", text.table(), text.key(), hole.id());
                let help = format!("put `{{{}}}` where it should stand", hole.id());
                self.error("texts.missing", self.given.span.clone(), title, "people need it here", help);
            }
        }
        Template(pieces)
    }

    /// Length, lines, characters that show nothing.
    fn form(&self, form: Form) {
        let (text, span) = (&self.given.value, &self.given.span);
        let is_hidden = |c: char| (c.is_control() && !(form.has_lines() && c == '\n')) || is_unseen(c);
        if text.chars().any(is_hidden) {
            let help = if form.has_lines() { "remove it" } else { "write it on one line, without characters that cannot be seen" };
            let title = "a control character, a line break or an invisible character".to_owned();
            self.error("texts.control", span.clone(), title, "cannot stand here", help.to_owned());
        }
        let (length, most) = (text.chars().count(), form.chars_max());
        if length > most {
            let title = format!("a text of {length} characters");
            self.error("texts.long", span.clone(), title, "too long to be read in an alert", format!("at most {most} here"));
        }
        if text.trim().is_empty() && !form.may_be_empty() {
            let help = "write a text, or remove the line to keep the built-in one".to_owned();
            self.error("texts.empty", span.clone(), "an empty text".to_owned(), "people would read nothing", help);
        }
    }

    /// A placeholder that may stand in this text.
    fn hole(&self, text: Text, name: &str) -> Option<Hole> {
        let allowed: Vec<Hole> = text.must().iter().chain(text.may()).copied().collect();
        let known = Hole::parse(name);
        if let Some(hole) = known.filter(|hole| allowed.contains(hole)) {
            return Some(hole);
        }
        let place = self.place(&format!("{{{name}}}"));
        let list: Vec<String> = allowed.iter().map(|hole| format!("`{{{}}}`", hole.id())).collect();
        let list = if list.is_empty() { "this text has no placeholders".to_owned() } else { format!("allowed here: {}", list.join(", ")) };
        if known.is_some_and(Hole::holds_customer_words) {
            let title = format!("`{{{name}}}` would put the customer's words where they must not stand");
            self.error("texts.customer-words", place, title, "not here", list);
            return None;
        }
        let near = allowed.iter().map(|hole| (strsim::damerau_levenshtein(hole.id(), name), hole.id())).min();
        let help = match near {
            Some((distance, near)) if distance <= EDITS_MAX => format!("did you mean `{{{near}}}`?"),
            _ => list,
        };
        let title = if known.is_some() { format!("`{{{name}}}` has no value here") } else { format!("unknown placeholder `{{{name}}}`") };
        self.error("texts.placeholder", place, title, "not known here", help);
        None
    }

    /// Where it stands in the file; the whole text where it is written with escapes.
    fn place(&self, words: &str) -> Range<usize> {
        let whole = self.given.span.clone();
        let found = self.source.text.get(whole.clone()).and_then(|raw| raw.find(words));
        found.map_or(whole.clone(), |at| whole.start + at..whole.start + at + words.len())
    }
}

/// Direction and zero-width characters: they could show a subject in another order than it is written.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{00AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Words(String),
    Hole(String),
    Loose(char),
}

/// Words, `{placeholders}`, and braces that belong to nothing. A doubled brace is the brace itself.
fn parts(text: &str) -> Vec<Part> {
    let (mut found, mut words) = (vec![], String::new());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if matches!(c, '{' | '}') && rest.peek() == Some(&c) {
            rest.next();
            words.push(c);
            continue;
        }
        if !matches!(c, '{' | '}') {
            words.push(c);
            continue;
        }
        if !words.is_empty() {
            found.push(Part::Words(std::mem::take(&mut words)));
        }
        let name: Option<String> = (c == '{').then(|| name(&mut rest)).flatten();
        found.push(name.map_or(Part::Loose(c), Part::Hole));
    }
    if !words.is_empty() {
        found.push(Part::Words(words));
    }
    found
}

/// Up to the closing brace, which must come on the same line and before another opening one.
fn name(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut ahead = rest.clone();
    let name: String = ahead.by_ref().take_while(|c| !matches!(c, '{' | '}' | '\n')).collect();
    let closed = rest.clone().nth(name.chars().count()) == Some('}');
    if closed {
        *rest = ahead;
    }
    closed.then_some(name)
}

#[cfg(test)]
mod tests {
    use crate::wording::read::{Part, parts};

    #[test]
    fn braces_are_read_as_written() {
        let words = |text: &str| Part::Words(text.to_owned());
        let hole = |text: &str| Part::Hole(text.to_owned());
        for (text, expected) in [
            ("", vec![]),
            ("期限 {deadline}まで", vec![words("期限 "), hole("deadline"), words("まで")]),
            ("{a}{b}", vec![hole("a"), hole("b")]),
            ("{{x}}", vec![words("{x}")]),
            ("{a", vec![Part::Loose('{'), words("a")]),
            ("a}", vec![words("a"), Part::Loose('}')]),
            ("{a\nb}", vec![Part::Loose('{'), words("a\nb"), Part::Loose('}')]),
            ("{a{b}", vec![Part::Loose('{'), words("a"), hole("b")]),
            ("{}", vec![hole("")]),
        ] {
            assert_eq!(parts(text), expected, "{text:?}");
        }
    }
}
