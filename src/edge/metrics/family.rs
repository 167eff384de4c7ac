//! Families of series with closed label sets, and the registrar that also writes the catalogue.

#![allow(clippy::missing_panics_doc)] // the names are constants, and a test registers them all

use crate::edge::metrics::labels::Label;
use prometheus::core::Collector;
use prometheus::{Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};

/// Why registering cannot fail at run time.
const CONSTANT: &str = "metric names and labels are constants, each registered once";

/// One line of the metrics reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogueRow {
    /// Name as scraped.
    pub name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// Labels with their values; empty without labels.
    pub labels: String,
}

/// Counters by one label.
#[derive(Debug)]
pub struct Counters<L> {
    cells: Vec<(L, IntCounter)>,
}

impl<L: Label> Counters<L> {
    /// The counter of a label value. Cost: a walk over at most a dozen values, no lock.
    pub fn of(&self, label: L) -> &IntCounter {
        let cell = self.cells.iter().find(|(value, _)| *value == label);
        &cell.expect("every value of the label was registered").1
    }
}

/// Counters by two labels.
#[derive(Debug)]
pub struct Pairs<A, B> {
    cells: Vec<((A, B), IntCounter)>,
}

impl<A: Label, B: Label> Pairs<A, B> {
    /// The counter of two label values.
    pub fn of(&self, first: A, second: B) -> &IntCounter {
        let cell = self.cells.iter().find(|(values, _)| *values == (first, second));
        &cell.expect("every pair of values was registered").1
    }
}

/// Registers metrics and notes each in the catalogue.
#[derive(Debug, Default)]
pub struct Registrar {
    registry: Registry,
    rows: Vec<CatalogueRow>,
}

impl Registrar {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// The registry with everything added so far.
    pub fn registry(&self) -> Registry {
        self.registry.clone()
    }

    /// The catalogue so far, by name.
    pub fn catalogue(&self) -> Vec<CatalogueRow> {
        let mut rows = self.rows.clone();
        rows.sort_by_key(|row| row.name);
        rows
    }

    /// A counter.
    pub fn counter(&mut self, name: &'static str, help: &'static str) -> IntCounter {
        let counter = IntCounter::new(name, help).expect(CONSTANT);
        self.add(name, "counter", help, String::new(), counter)
    }

    /// Counters by one label, all at zero.
    pub fn counters<L: Label>(&mut self, name: &'static str, help: &'static str) -> Counters<L> {
        let family = IntCounterVec::new(Opts::new(name, help), &[L::NAME]).expect(CONSTANT);
        let family = self.add(name, "counter", help, describe::<L>(), family);
        Counters { cells: L::ALL.iter().map(|value| (*value, family.with_label_values(&[value.id()]))).collect() }
    }

    /// Counters by two labels, all at zero.
    pub fn pairs<A: Label, B: Label>(&mut self, name: &'static str, help: &'static str) -> Pairs<A, B> {
        let family = IntCounterVec::new(Opts::new(name, help), &[A::NAME, B::NAME]).expect(CONSTANT);
        let family = self.add(name, "counter", help, format!("{}; {}", describe::<A>(), describe::<B>()), family);
        let pairs = A::ALL.iter().flat_map(|first| B::ALL.iter().map(move |second| (*first, *second)));
        Pairs { cells: pairs.map(|(a, b)| ((a, b), family.with_label_values(&[a.id(), b.id()]))).collect() }
    }

    /// A gauge of whole numbers.
    pub fn gauge(&mut self, name: &'static str, help: &'static str) -> IntGauge {
        let gauge = IntGauge::new(name, help).expect(CONSTANT);
        self.add(name, "gauge", help, String::new(), gauge)
    }

    /// A gauge of real numbers.
    pub fn real_gauge(&mut self, name: &'static str, help: &'static str) -> Gauge {
        let gauge = Gauge::new(name, help).expect(CONSTANT);
        self.add(name, "gauge", help, String::new(), gauge)
    }

    /// A gauge that carries facts in its labels; the caller bounds their number.
    pub fn infos(&mut self, name: &'static str, help: &'static str, labels: &[&str]) -> IntGaugeVec {
        let family = IntGaugeVec::new(Opts::new(name, help), labels).expect(CONSTANT);
        let described = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join("; ");
        self.add(name, "gauge", help, described, family)
    }

    /// Counters by a name of the configuration and one label; the caller bounds the number of names.
    pub fn named_counters<L: Label>(&mut self, name: &'static str, help: &'static str, first: &'static str) -> IntCounterVec {
        let family = IntCounterVec::new(Opts::new(name, help), &[first, L::NAME]).expect(CONSTANT);
        self.add(name, "counter", help, format!("`{first}`; {}", describe::<L>()), family)
    }

    /// A gauge of real numbers by a name of the configuration; the caller bounds the number of names.
    pub fn named_gauge(&mut self, name: &'static str, help: &'static str, label: &'static str) -> GaugeVec {
        let family = GaugeVec::new(Opts::new(name, help), &[label]).expect(CONSTANT);
        self.add(name, "gauge", help, format!("`{label}`"), family)
    }

    /// A histogram with the given bucket bounds.
    pub fn histogram(&mut self, name: &'static str, help: &'static str, buckets: &[f64]) -> Histogram {
        let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec())).expect(CONSTANT);
        self.add(name, "histogram", help, String::new(), histogram)
    }

    fn add<C: Collector + Clone + 'static>(
        &mut self,
        name: &'static str,
        kind: &'static str,
        help: &'static str,
        labels: String,
        collector: C,
    ) -> C {
        self.registry.register(Box::new(collector.clone())).expect(CONSTANT);
        self.rows.push(CatalogueRow { name, kind, help, labels });
        collector
    }
}

fn describe<L: Label>() -> String {
    let values: Vec<&str> = L::ALL.iter().map(|value| value.id()).collect();
    format!("`{}`: {}", L::NAME, values.join(", "))
}
