//! Reading TOML that people write, without stopping at the first fault.
//!
//! [`parse`] reports every syntax fault; a [`Table`] then hands out typed values and notes every missing, unknown
//! or mistyped key with its span. Configuration, policy and lexicons all read through here, so that they complain alike.

use crate::diag::{Diagnostic, Grave, SourceText};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value with its place in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Bytes of the file.
    pub span: Range<usize>,
}

/// Where faults are collected; shared by all tables of one file.
#[derive(Debug)]
pub struct Faults {
    file: String,
    list: RefCell<Vec<Diagnostic>>,
}

impl Faults {
    /// An empty collection for `file`.
    pub fn new(file: &str) -> Self {
        Self { file: file.to_owned(), list: RefCell::new(vec![]) }
    }

    /// Notes an error.
    pub fn error(
        &self,
        code: &'static str,
        span: Range<usize>,
        title: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(Grave::Error, code, span, title.into(), label.into(), help.into());
    }

    /// Notes a warning.
    pub fn warning(
        &self,
        code: &'static str,
        span: Range<usize>,
        title: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(Grave::Warning, code, span, title.into(), label.into(), help.into());
    }

    fn push(&self, grave: Grave, code: &'static str, span: Range<usize>, title: String, label: String, help: String) {
        self.list.borrow_mut().push(Diagnostic { grave, code, title, file: self.file.clone(), span, label, help });
    }

    /// Whether anything so far keeps the file from being used.
    pub fn has_errors(&self) -> bool {
        self.list.borrow().iter().any(|fault| fault.grave == Grave::Error)
    }

    /// How many so far.
    pub fn count(&self) -> usize {
        self.list.borrow().len()
    }

    /// All faults so far.
    pub fn into_list(self) -> Vec<Diagnostic> {
        self.list.into_inner()
    }
}

/// Parses `source` and hands its root table to `read`; returns what `read` made and every fault.
/// The value is meaningful only if no error is among the faults.
pub fn parse<T>(source: &SourceText, read: impl FnOnce(&Table<'_>) -> T) -> (T, Vec<Diagnostic>) {
    let (root, errors) = DeTable::parse_recoverable(&source.text);
    let faults = Faults::new(&source.name);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        faults.error("toml.syntax", span, error.message().trim(), "", "see https://toml.io for the syntax");
    }
    let table = Table::new(root.get_ref(), root.span(), &faults);
    let value = read(&table);
    table.finish();
    drop(table);
    (value, faults.into_list())
}

/// One table, with typed getters. Call [`Table::finish`] to have unknown keys noted.
#[derive(Debug)]
pub struct Table<'a> {
    keys: &'a DeTable<'a>,
    span: Range<usize>,
    faults: &'a Faults,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl<'a> Table<'a> {
    fn new(table: &'a DeTable<'a>, span: Range<usize>, faults: &'a Faults) -> Self {
        Self { keys: table, span, faults, asked: RefCell::default() }
    }

    /// Place of the whole table.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Where to note faults that need more knowledge than a type.
    pub fn faults(&self) -> &'a Faults {
        self.faults
    }

    /// Whether the key is there.
    pub fn has(&self, key: &'static str) -> bool {
        self.find(key).is_some()
    }

    /// The same, for telling kinds of rows apart: it does not make the key a known one.
    pub fn holds(&self, key: &str) -> bool {
        self.keys.iter().any(|(name, _)| name.get_ref() == key)
    }

    fn find(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().insert(key);
        self.keys.get(key)
    }

    fn mistyped<T>(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) -> Option<T> {
        let found = value.get_ref().type_str();
        self.faults.error(
            "toml.type",
            value.span(),
            format!("`{key}` must be {wanted}"),
            format!("this is a {found}"),
            format!("write {wanted}"),
        );
        None
    }

    fn required<T>(&self, key: &str, value: Option<T>) -> Option<T> {
        if value.is_none() && self.keys.get(key).is_none() {
            self.faults.error("toml.missing", self.span(), format!("`{key}` is missing"), "in this table", format!("add `{key} = …`"));
        }
        value
    }

    /// An optional string.
    pub fn text(&self, key: &'static str) -> Option<Placed<String>> {
        let value = self.find(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(Placed { value: text.to_string(), span: value.span() }),
            _ => self.mistyped(key, value, "a string"),
        }
    }

    /// A required string.
    pub fn text_required(&self, key: &'static str) -> Option<Placed<String>> {
        let value = self.text(key);
        self.required(key, value)
    }

    /// An optional whole number.
    pub fn integer(&self, key: &'static str) -> Option<Placed<i64>> {
        let value = self.find(key)?;
        match value.get_ref() {
            DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
                Ok(parsed) => Some(Placed { value: parsed, span: value.span() }),
                Err(_) => self.mistyped(key, value, "a whole number of at most 64 bits"),
            },
            _ => self.mistyped(key, value, "a whole number"),
        }
    }

    /// An optional whole number within `range`.
    pub fn integer_in(&self, key: &'static str, range: std::ops::RangeInclusive<i64>) -> Option<Placed<i64>> {
        let number = self.integer(key)?;
        if range.contains(&number.value) {
            return Some(number);
        }
        let (low, high) = (range.start(), range.end());
        self.faults.error(
            "toml.range",
            number.span,
            format!("`{key}` must be {low} to {high}"),
            "out of range",
            format!("choose {low} to {high}"),
        );
        None
    }

    /// An optional truth value.
    pub fn boolean(&self, key: &'static str) -> Option<Placed<bool>> {
        let value = self.find(key)?;
        match value.get_ref() {
            DeValue::Boolean(truth) => Some(Placed { value: *truth, span: value.span() }),
            _ => self.mistyped(key, value, "true or false"),
        }
    }

    /// An optional list of strings; a single string counts as a list of one.
    pub fn texts(&self, key: &'static str) -> Vec<Placed<String>> {
        let Some(value) = self.find(key) else { return vec![] };
        match value.get_ref() {
            DeValue::String(text) => vec![Placed { value: text.to_string(), span: value.span() }],
            DeValue::Array(items) => items
                .iter()
                .filter_map(|item| match item.get_ref() {
                    DeValue::String(text) => Some(Placed { value: text.to_string(), span: item.span() }),
                    _ => self.mistyped(key, item, "a list of strings"),
                })
                .collect(),
            _ => self.mistyped(key, value, "a list of strings").unwrap_or_default(),
        }
    }

    /// An optional list of whole numbers.
    pub fn integers(&self, key: &'static str) -> Vec<Placed<i64>> {
        let Some(value) = self.find(key) else { return vec![] };
        let DeValue::Array(items) = value.get_ref() else {
            return self.mistyped(key, value, "a list of whole numbers").unwrap_or_default();
        };
        let read = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
            DeValue::Integer(number) => {
                i64::from_str_radix(number.as_str(), number.radix()).ok().map(|value| Placed { value, span: item.span() })
            }
            _ => self.mistyped(key, item, "a list of whole numbers"),
        };
        items.iter().filter_map(read).collect()
    }

    /// An optional sub-table.
    pub fn table(&self, key: &'static str) -> Option<Table<'a>> {
        let value = self.find(key)?;
        match value.get_ref() {
            DeValue::Table(table) => Some(Table::new(table, value.span(), self.faults)),
            _ => self.mistyped(key, value, "a table"),
        }
    }

    /// An optional array of tables: `[[key]]`.
    pub fn tables(&self, key: &'static str) -> Vec<Table<'a>> {
        let Some(value) = self.find(key) else { return vec![] };
        let DeValue::Array(items) = value.get_ref() else { return self.mistyped(key, value, "an array of tables").unwrap_or_default() };
        let read = |item: &'a Spanned<DeValue<'a>>| match item.get_ref() {
            DeValue::Table(table) => Some(Table::new(table, item.span(), self.faults)),
            _ => self.mistyped(key, item, "an array of tables"),
        };
        items.iter().filter_map(read).collect()
    }

    /// A table with free keys (names chosen by the user): every key with its place and its table.
    pub fn named_tables(&self) -> Vec<(Placed<String>, Table<'a>)> {
        let mut found = vec![];
        for (key, value) in self.keys {
            match value.get_ref() {
                DeValue::Table(table) => {
                    let name = Placed { value: key.get_ref().to_string(), span: key.span() };
                    found.push((name, Table::new(table, value.span(), self.faults)));
                }
                _ => _ = self.mistyped::<()>(key.get_ref(), value, "a table"),
            }
        }
        found
    }

    /// A table with free keys and string values.
    pub fn named_texts(&self) -> Vec<(Placed<String>, Placed<String>)> {
        let mut found = vec![];
        for (key, value) in self.keys {
            match value.get_ref() {
                DeValue::String(text) => {
                    let name = Placed { value: key.get_ref().to_string(), span: key.span() };
                    found.push((name, Placed { value: text.to_string(), span: value.span() }));
                }
                _ => _ = self.mistyped::<()>(key.get_ref(), value, "a string"),
            }
        }
        found
    }

    /// Notes every key that no getter asked for, with the nearest known key as help.
    pub fn finish(&self) {
        let asked = self.asked.borrow();
        for (key, _) in self.keys {
            let name = key.get_ref().as_ref();
            if asked.contains(name) {
                continue;
            }
            let near =
                asked.iter().map(|known| (strsim::damerau_levenshtein(known, name), *known)).filter(|(distance, _)| *distance <= 3).min();
            let help = match near {
                Some((_, known)) => format!("did you mean `{known}`?"),
                None if asked.is_empty() => "remove it".to_owned(),
                None => format!("known keys: {}", asked.iter().copied().collect::<Vec<_>>().join(", ")),
            };
            self.faults.error("toml.unknown-key", key.span(), format!("unknown key `{name}`"), "not known here", help);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_reported_at_once() {
        let source = SourceText { name: "x.toml".into(), text: "levl = 1\nname = 5\nmany = [1, \"a\"]\ncount = 99\n".into() };
        let ((), faults) = parse(&source, |root| {
            root.integer("level");
            root.text("name");
            root.integers("many");
            root.integer_in("count", 0..=9);
            root.text_required("owner");
        });
        let codes: Vec<&str> = faults.iter().map(|fault| fault.code).collect();
        assert_eq!(codes, ["toml.type", "toml.type", "toml.range", "toml.missing", "toml.unknown-key"]);
        assert!(faults[4].help.contains("`level`"), "{faults:?}");
    }

    #[test]
    fn syntax_faults_have_places() {
        let source = SourceText { name: "x.toml".into(), text: "a = \nb = \"x\nc = 3\n".into() };
        let ((), faults) = parse(&source, |root| {
            for key in ["a", "b", "c"] {
                root.has(key);
            }
        });
        assert!(faults.len() >= 2, "{faults:?}");
    }
}
