//! Scoring against labelled sets: precision, recall and F1, by level, category, lane and slice.
//!
//! *Flagged* is level ≥ 2; *critical* is level ≥ 3, and a 2 called 3 is false. The labels' `note` selects slices
//! (`[HN]` hard negative, `[NS]` harassment without any swear word, `[EV…]` evasion spelling) and is never shown to the detector.

use crate::model::severity::{Category, Lane, Level};
use serde::Serialize;

/// What a human said of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gold {
    /// Its id.
    pub id: String,
    /// `email`, `chat`, …
    pub channel: String,
    /// Level.
    pub level: Level,
    /// Categories.
    pub categories: Vec<Category>,
    /// Lanes, where the set labels them.
    pub lanes: Vec<Lane>,
    /// For people and for slices.
    pub note: String,
}

/// What the detector said of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Predicted {
    /// Level.
    pub level: Level,
    /// Categories.
    pub categories: Vec<Category>,
    /// Lanes.
    pub lanes: Vec<Lane>,
}

/// A fraction that may have no denominator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Numerator.
    pub of: usize,
    /// Denominator.
    pub all: usize,
}

impl Share {
    /// The value, or nothing for an empty denominator.
    #[allow(clippy::cast_precision_loss)] // sets have thousands of lines, not 2^52
    pub fn value(self) -> Option<f64> {
        (self.all > 0).then(|| self.of as f64 / self.all as f64)
    }

    /// The value with `digits` decimals, or `–`.
    pub fn shown(self, digits: usize) -> String {
        self.value().map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
    }
}

/// One row: a slice of the set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SliceRow {
    /// Name of the slice.
    pub name: String,
    /// Messages in it.
    pub count: usize,
    /// Of those called flagged, how many are.
    pub precision: Share,
    /// Of those flagged, how many were called so.
    pub recall: Share,
    /// 2·TP over 2·TP + FP + FN.
    pub f1: Share,
    /// Of the critical ones, how many were called critical.
    pub critical_recall: Share,
    /// Of those called critical, how many are.
    pub critical_precision: Share,
    /// Level-0 messages that were flagged.
    pub false_alarms: Share,
    /// Same level.
    pub exact: Share,
    /// At most one level apart.
    pub near: Share,
}

/// One row: a category or a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LabelRow {
    /// Its id.
    pub name: String,
    /// `category` or `lane`.
    pub kind: &'static str,
    /// How many messages carry it.
    pub gold: usize,
    /// Of these, how many were given it.
    pub recall: Share,
    /// Of those given it, how many carry it.
    pub precision: Share,
}

/// The whole table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Slices with at least one message.
    pub slices: Vec<SliceRow>,
    /// Categories and lanes that occur.
    pub labels: Vec<LabelRow>,
}

/// Scores pairs of label and prediction. Cost: linear in pairs × rows.
pub fn score(pairs: &[(Gold, Predicted)]) -> Table {
    let noted = |mark: &'static str| move |gold: &Gold| gold.note.contains(mark);
    let channel = |name: &'static str| move |gold: &Gold| gold.channel == name;
    let plain = |gold: &Gold| gold.level.is_flagged() && !gold.note.contains("[EV") && !gold.note.contains("[NS]");
    let slices = [
        slice("all", pairs, |_| true),
        slice("email", pairs, channel("email")),
        slice("chat", pairs, channel("chat")),
        slice("[HN] hard negatives", pairs, noted("[HN]")),
        slice("[NS] no swear word", pairs, noted("[NS]")),
        slice("[EV] evasion", pairs, noted("[EV")),
        slice("plain abuse", pairs, plain),
    ];
    let mut labels = vec![];
    for category in Category::ALL {
        labels.extend(label(
            "category",
            category.id(),
            pairs,
            |gold| gold.categories.contains(category),
            |said| said.categories.contains(category),
        ));
    }
    for lane in Lane::ALL {
        labels.extend(label("lane", lane.id(), pairs, |gold| gold.lanes.contains(lane), |said| said.lanes.contains(lane)));
    }
    Table { slices: slices.into_iter().flatten().collect(), labels }
}

fn slice(name: &str, pairs: &[(Gold, Predicted)], belongs: impl Fn(&Gold) -> bool) -> Option<SliceRow> {
    let chosen: Vec<_> = pairs.iter().filter(|(gold, _)| belongs(gold)).collect();
    if chosen.is_empty() {
        return None;
    }
    let count = |test: &dyn Fn(&Gold, &Predicted) -> bool| chosen.iter().filter(|(gold, said)| test(gold, said)).count();
    let hit = count(&|gold, said| gold.level.is_flagged() && said.level.is_flagged());
    let alarm = count(&|gold, said| !gold.level.is_flagged() && said.level.is_flagged());
    let missed = count(&|gold, said| gold.level.is_flagged() && !said.level.is_flagged());
    let critical = count(&|gold, said| gold.level.is_critical() && said.level.is_critical());
    let apart = |gold: &Gold, said: &Predicted| gold.level.number().abs_diff(said.level.number());
    Some(SliceRow {
        name: name.to_owned(),
        count: chosen.len(),
        precision: Share { of: hit, all: hit + alarm },
        recall: Share { of: hit, all: hit + missed },
        f1: Share { of: 2 * hit, all: 2 * hit + alarm + missed },
        critical_recall: Share { of: critical, all: count(&|gold, _| gold.level.is_critical()) },
        critical_precision: Share { of: critical, all: count(&|_, said| said.level.is_critical()) },
        false_alarms: Share {
            of: count(&|gold, said| gold.level == Level::Ordinary && said.level.is_flagged()),
            all: count(&|gold, _| gold.level == Level::Ordinary),
        },
        exact: Share { of: count(&|gold, said| apart(gold, said) == 0), all: chosen.len() },
        near: Share { of: count(&|gold, said| apart(gold, said) <= 1), all: chosen.len() },
    })
}

fn label(
    kind: &'static str,
    name: &str,
    pairs: &[(Gold, Predicted)],
    is: impl Fn(&Gold) -> bool,
    said: impl Fn(&Predicted) -> bool,
) -> Option<LabelRow> {
    let gold = pairs.iter().filter(|(gold, _)| is(gold)).count();
    let called = pairs.iter().filter(|(_, predicted)| said(predicted)).count();
    let both = pairs.iter().filter(|(gold, predicted)| is(gold) && said(predicted)).count();
    let row =
        LabelRow { name: name.to_owned(), kind, gold, recall: Share { of: both, all: gold }, precision: Share { of: both, all: called } };
    (gold + called > 0).then_some(row)
}

impl Table {
    /// The table as people read it.
    pub fn to_text(&self) -> String {
        let mut lines = vec![];
        for row in &self.slices {
            lines.push(format!(
                "{:<22} n={:<5} P={} R={} F1={} crit R={}/{} critP={} FA0={}/{} exact={} near={}",
                row.name,
                row.count,
                row.precision.shown(3),
                row.recall.shown(3),
                row.f1.shown(3),
                row.critical_recall.of,
                row.critical_recall.all,
                row.critical_precision.shown(2),
                row.false_alarms.of,
                row.false_alarms.all,
                row.exact.shown(2),
                row.near.shown(2),
            ));
        }
        for row in &self.labels {
            lines.push(format!(
                "  {:<8} {:<20} gold={:<4} recall={} precision={}",
                row.kind,
                row.name,
                row.gold,
                row.recall.shown(2),
                row.precision.shown(2)
            ));
        }
        lines.join("\n") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(gold: u8, said: u8, note: &str) -> (Gold, Predicted) {
        let level = |n: u8| Level::try_from(n).expect("0 to 4");
        let gold =
            Gold { id: String::new(), channel: "chat".into(), level: level(gold), categories: vec![], lanes: vec![], note: note.into() };
        (gold, Predicted { level: level(said), ..Predicted::default() })
    }

    #[test]
    fn figures_mean_what_the_reference_means() {
        let table = score(&[pair(0, 2, "[HN] x"), pair(2, 3, ""), pair(3, 3, "[NS] x"), pair(3, 1, ""), pair(0, 0, "")]);
        let all = &table.slices[0];
        assert_eq!((all.precision, all.recall), (Share { of: 2, all: 3 }, Share { of: 2, all: 3 }));
        assert_eq!((all.critical_recall, all.critical_precision), (Share { of: 1, all: 2 }, Share { of: 1, all: 2 }));
        assert_eq!((all.false_alarms, all.exact, all.near), (Share { of: 1, all: 2 }, Share { of: 2, all: 5 }, Share { of: 3, all: 5 }));
        assert_eq!(
            table.slices.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(),
            ["all", "chat", "[HN] hard negatives", "[NS] no swear word", "plain abuse"]
        );
    }
}
