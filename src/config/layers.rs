//! Two layers behind one getter: the environment, and below it the table of the file.
//!
//! A value carries its layer, so that a later check reports the fault where the value really came from.

use crate::config::environment::{Environment, Variable};
use crate::diag::{Diagnostic, Grave};
use crate::sheet::{Faults, Placed, Table};
use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The configuration file.
    File,
    /// An environment variable.
    Environment,
}

/// A value with its layer and place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given<T> {
    /// The value.
    pub value: T,
    /// Bytes of the layer's source.
    pub span: Range<usize>,
    /// Whose source.
    pub layer: Layer,
}

impl<T> Given<T> {
    /// The same place with another value.
    pub fn with<U>(&self, value: U) -> Given<U> {
        Given { value, span: self.span.clone(), layer: self.layer }
    }
}

impl<T> From<Placed<T>> for Given<T> {
    fn from(placed: Placed<T>) -> Self {
        Self { value: placed.value, span: placed.span, layer: Layer::File }
    }
}

/// Collects faults of both layers.
#[derive(Debug)]
pub struct Reader<'a> {
    environment: &'a Environment,
    file: &'a Faults,
    own: Faults,
}

impl<'a> Reader<'a> {
    /// Faults of the file go to the sheet's collection, those of the environment to an own one.
    pub fn new(environment: &'a Environment, file: &'a Faults) -> Self {
        Self { environment, file, own: Faults::new(&environment.source().name) }
    }

    /// Notes an error where the value came from.
    pub fn error<T>(&self, at: &Given<T>, code: &'static str, title: impl Into<String>, label: &str, help: impl Into<String>) {
        self.faults(at.layer).error(code, at.span.clone(), title, label, help);
    }

    /// Notes a warning where the value came from.
    pub fn warning<T>(&self, at: &Given<T>, code: &'static str, title: impl Into<String>, label: &str, help: impl Into<String>) {
        self.faults(at.layer).warning(code, at.span.clone(), title, label, help);
    }

    /// Whether the variable is set.
    pub fn has(&self, variable: Variable) -> bool {
        self.environment.get(variable).is_some()
    }

    /// The faults of the environment, with the warnings about unknown names.
    pub fn into_faults(self) -> Vec<Diagnostic> {
        let mut faults = self.environment.unknown().to_vec();
        faults.extend(self.own.into_list());
        faults
    }

    fn faults(&self, layer: Layer) -> &Faults {
        match layer {
            Layer::File => self.file,
            Layer::Environment => &self.own,
        }
    }

    fn variable(&self, variable: Option<Variable>) -> Option<Given<String>> {
        let variable = variable?;
        let value = self.environment.get(variable)?.to_owned();
        Some(Given { value, span: self.environment.span(variable), layer: Layer::Environment })
    }
}

/// One section of the file (which may be missing) under the environment. Unknown keys are noted when it is dropped.
#[derive(Debug)]
pub struct Section<'a> {
    table: Option<Table<'a>>,
    reader: &'a Reader<'a>,
}

impl<'a> Section<'a> {
    /// The section `key` of `parent`.
    pub fn of(parent: &Table<'a>, key: &'static str, reader: &'a Reader<'a>) -> Self {
        Self { table: parent.table(key), reader }
    }

    /// A table already found.
    pub fn from_table(table: Table<'a>, reader: &'a Reader<'a>) -> Self {
        Self { table: Some(table), reader }
    }

    /// A section below this one.
    #[must_use]
    pub fn section(&self, key: &'static str) -> Self {
        Self { table: self.table.as_ref().and_then(|table| table.table(key)), reader: self.reader }
    }

    /// The rows of `[[key]]` below this section.
    pub fn rows(&self, key: &'static str) -> Vec<Self> {
        let tables = self.table.as_ref().map_or_else(Vec::new, |table| table.tables(key));
        tables.into_iter().map(|table| Self::from_table(table, self.reader)).collect()
    }

    /// Free keys with string values. Takes the section, because no key of it is unknown.
    pub fn named_texts(mut self) -> Vec<(Placed<String>, Placed<String>)> {
        self.table.take().map_or_else(Vec::new, |table| table.named_texts())
    }

    /// Place of the section itself, for faults about what is missing in it.
    pub fn place(&self) -> Given<()> {
        let span = self.table.as_ref().map_or(0..0, Table::span);
        Given { value: (), span, layer: Layer::File }
    }

    /// Whether the key is written here; asking does not make it a known one.
    pub fn holds(&self, key: &str) -> bool {
        self.table.as_ref().is_some_and(|table| table.holds(key))
    }

    /// Where to note faults.
    pub fn reader(&self) -> &'a Reader<'a> {
        self.reader
    }

    /// An optional string.
    pub fn text(&self, key: &'static str, variable: Option<Variable>) -> Option<Given<String>> {
        // The file is asked in any case: its key is known and its type is checked even when the environment wins.
        let of_file = self.table.as_ref().and_then(|table| table.text(key)).map(Given::from);
        self.reader.variable(variable).or(of_file)
    }

    /// An optional string that must not be empty, a path or a name.
    pub fn filled(&self, key: &'static str, variable: Option<Variable>) -> Option<Given<String>> {
        let given = self.text(key, variable)?;
        if given.value.trim().is_empty() || given.value.chars().any(char::is_control) {
            let title = format!("`{key}` must not be empty or hold control characters");
            self.reader.error(&given, "config.empty", title, "nothing usable here", format!("write a value, or remove `{key}`"));
            return None;
        }
        Some(given)
    }

    /// A required string that must not be empty.
    pub fn filled_required(&self, key: &'static str) -> Option<Given<String>> {
        if self.table.as_ref().is_some_and(|table| !table.has(key)) {
            self.reader.error(&self.place(), "toml.missing", format!("`{key}` is missing"), "in this table", format!("add `{key} = …`"));
        }
        self.filled(key, None)
    }

    /// A list of strings.
    pub fn texts(&self, key: &'static str) -> Vec<Given<String>> {
        self.table.as_ref().map_or_else(Vec::new, |table| table.texts(key)).into_iter().map(Given::from).collect()
    }

    /// An optional whole number within `range`.
    pub fn integer_in(&self, key: &'static str, variable: Option<Variable>, range: RangeInclusive<i64>) -> Option<Given<i64>> {
        let of_file = self.table.as_ref().and_then(|table| table.integer_in(key, range.clone())).map(Given::from);
        let Some(text) = self.reader.variable(variable) else { return of_file };
        if let Some(number) = text.value.parse().ok().filter(|number| range.contains(number)) {
            return Some(text.with(number));
        }
        let (low, high) = (range.start(), range.end());
        self.reader.error(
            &text,
            "toml.range",
            format!("`{key}` must be {low} to {high}"),
            "out of range",
            format!("choose {low} to {high}"),
        );
        None
    }

    /// An optional choice.
    pub fn choice<T: Copy>(&self, key: &'static str, variable: Option<Variable>, choices: &[(&str, T)]) -> Option<Given<T>> {
        let given = self.text(key, variable)?;
        let chosen = choose(self.reader, &given, &format!("`{key}`"), choices)?;
        Some(given.with(chosen))
    }

    /// An optional `address:port`.
    pub fn address(&self, key: &'static str, variable: Option<Variable>) -> Option<Given<SocketAddr>> {
        let given = self.text(key, variable)?;
        let Ok(address) = given.value.parse() else {
            let help = "write a numeric address and port: `127.0.0.1:8470` or `[::1]:8470`";
            self.reader.error(&given, "config.address", format!("`{key}` is not an address with port"), "not understood", help);
            return None;
        };
        Some(given.with(address))
    }
}

/// Picks one of `choices` by its name, or notes the fault with the nearest name.
pub fn choose<T: Copy>(reader: &Reader<'_>, given: &Given<String>, what: &str, choices: &[(&str, T)]) -> Option<T> {
    if let Some((_, value)) = choices.iter().find(|(name, _)| *name == given.value) {
        return Some(*value);
    }
    let near = choices.iter().map(|(name, _)| (strsim::damerau_levenshtein(name, &given.value), *name)).min();
    let help = match near {
        Some((distance, name)) if distance <= 2 => format!("did you mean `{name}`?"),
        _ => format!("choose {}", choices.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    };
    reader.error(given, "config.choice", format!("{what} has an unknown value"), "no such choice", help);
    None
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        if let Some(table) = &self.table {
            table.finish();
        }
    }
}

/// Whether any of the faults keeps the program from starting.
pub fn has_errors(faults: &[Diagnostic]) -> bool {
    faults.iter().any(|fault| fault.grave == Grave::Error)
}
