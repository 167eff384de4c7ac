//! Typed values of lexicon keys: closed vocabularies, folds, distances. Unknown ones are noted with the nearest known.

use crate::engine::lexicon::suggest;
use crate::engine::text::ViaSet;
use crate::model::verdict::Via;
use crate::sheet::{Placed, Table};

/// Reads every table of an array and notes the keys nobody asked for.
pub fn each<T>(root: &Table<'_>, key: &'static str, mut read: impl FnMut(&Table<'_>) -> Option<T>) -> Vec<T> {
    let read_and_finish = |table: &Table<'_>| {
        let object = read(table);
        table.finish();
        object
    };
    root.tables(key).iter().filter_map(read_and_finish).collect()
}

/// An id of a closed list; notes an unknown one with the nearest.
pub fn known<'k, T>(
    table: &Table<'_>,
    key: &str,
    id: Placed<String>,
    parse: impl Fn(&str) -> Option<T>,
    ids: impl IntoIterator<Item = &'k str>,
) -> Option<T> {
    let parsed = parse(&id.value);
    if parsed.is_none() {
        table.faults().error("lexicon.unknown-id", id.span, format!("unknown {key} `{}`", id.value), "", suggest(&id.value, ids));
    }
    parsed
}

/// The id under `key`, of a closed list.
pub fn vocabulary<'k, T>(
    table: &Table<'_>,
    key: &'static str,
    parse: impl Fn(&str) -> Option<T>,
    ids: impl IntoIterator<Item = &'k str>,
) -> Option<T> {
    let id = table.text(key)?;
    known(table, key, id, parse, ids)
}

/// The id under `key`, of a list of values with their ids.
pub fn listed<T: Copy>(table: &Table<'_>, key: &'static str, all: &[(T, &'static str)]) -> Option<T> {
    let parse = |id: &str| all.iter().find(|(_, name)| *name == id).map(|(value, _)| *value);
    vocabulary(table, key, parse, all.iter().map(|(_, id)| *id))
}

/// The folds listed under `key`; `None` if the key is not there.
pub fn folds(table: &Table<'_>, key: &'static str) -> Option<ViaSet> {
    let ids = || Via::ALL.iter().map(|(_, id)| *id);
    table.has(key).then(|| table.texts(key).into_iter().filter_map(|id| known(table, "fold", id, Via::parse, ids())).collect())
}

/// A number of characters from 1 to `max`.
pub fn distance(table: &Table<'_>, key: &'static str, max: i64, default: u32) -> u32 {
    table.integer_in(key, 1..=max).and_then(|within| u32::try_from(within.value).ok()).unwrap_or(default)
}
