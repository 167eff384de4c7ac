//! How the reader's weights are found: a linear support vector machine for each head, and thresholds from messages that the
//! weights in question had not seen.
//!
//! Deterministic: the same messages in the same order give the same file. Not part of judging.

use crate::engine::reader::grams::{BUCKETS, Stream, distinct};
use crate::engine::reader::model::{Facts, HEADS, Head, HeadFacts, Model};
use crate::engine::reader::windows;
use crate::model::severity::{Category, Lane, Level};

/// Groups left out in turn to find thresholds.
const FOLDS: usize = 5;

/// Passes over the examples; more change the third digit.
const EPOCHS: usize = 12;

/// Cost of a mistake against a small margin (the C of the machine): chosen by leaving writers out.
const COST: f32 = 3.0;

/// Cost of a mistake on an ordinary text: there are ten times as many as labelled messages.
const COST_ORDINARY: f32 = 3.0;

/// Ordinary texts that may fire a head, per ten thousand. With several heads and the lexicon the promise is one in a thousand.
const ORDINARY_PER_TEN_THOUSAND: usize = 3;

/// A text to learn from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Subject and text, as the reader gets them.
    pub texts: Vec<String>,
    /// What a person said; `None` for an ordinary text that nobody labelled.
    pub label: Option<Label>,
    /// Who wrote it: thresholds are set on writers whose messages the weights have not seen.
    pub group: usize,
}

/// What a person said of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Level.
    pub level: Level,
    /// Categories.
    pub categories: Vec<Category>,
    /// Lanes.
    pub lanes: Vec<Lane>,
}

/// How one head does on writers it has not seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeadReport {
    /// Which.
    pub head: &'static str,
    /// Labelled messages that carry it.
    pub gold: usize,
    /// Share of them found.
    pub recall: f64,
    /// Share of what fires that is right.
    pub precision: f64,
    /// Ordinary texts that fire, of [`Report::ordinary`].
    pub ordinary: usize,
}

/// What training found out about itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// By head.
    pub heads: Vec<HeadReport>,
    /// Ordinary texts.
    pub ordinary: usize,
}

/// One example, cut into windows.
struct Cut {
    /// Buckets of each window, distinct by sentence; the first is the whole.
    windows: Vec<Vec<u32>>,
    /// Bit per head; `None` for an ordinary text.
    heads: Option<u32>,
    group: usize,
}

/// Trains a model.
pub fn train(examples: &[Example]) -> (Model, Report) {
    let cuts: Vec<Cut> = examples.iter().map(cut).collect();
    let labelled = cuts.iter().filter(|cut| cut.heads.is_some()).count();
    let ordinary = cuts.len() - labelled;
    let mut weights = vec![[0i8; HEADS]; BUCKETS];
    let (mut heads, mut report) = (vec![], vec![]);
    for (number, (head, id)) in Head::ALL.into_iter().enumerate() {
        let is = |cut: &Cut| cut.heads.is_some_and(|bits| bits >> number & 1 == 1);
        let mut seen = vec![];
        for fold in 0..FOLDS {
            let machine = fit(&cuts, &is, |cut| cut.group % FOLDS != fold);
            seen.extend(cuts.iter().filter(|cut| cut.group % FOLDS == fold).map(|cut| (machine.best(cut), is(cut), cut.heads.is_some())));
        }
        let (threshold, found) = choose(&mut seen, head, id);
        let machine = fit(&cuts, &is, |_| true);
        heads.push(quantise(&machine, threshold, id, number, &mut weights));
        report.push(found);
    }
    (Model::new(Facts { heads, messages: labelled, ordinary }, &weights), Report { heads: report, ordinary })
}

fn cut(example: &Example) -> Cut {
    let mut found = vec![];
    for text in &example.texts {
        let mut stream = Stream::default();
        stream.add(text, |_| true);
        let sentences: Vec<Vec<u32>> = stream.sentences().map(|sentence| distinct(&stream, sentence)).collect();
        found.extend(windows(sentences.len()).map(|range| sentences[range].concat()));
    }
    Cut { windows: found, heads: example.label.as_ref().map(bits), group: example.group }
}

fn bits(label: &Label) -> u32 {
    let harassing = label.level.is_flagged();
    let holds = |head: Head| match head {
        Head::Flagged => harassing,
        Head::Watch => label.level >= Level::Watch,
        Head::Critical => label.level.is_critical(),
        Head::Emergency => label.level == Level::Emergency,
        Head::ScamSpam => label.lanes.contains(&Lane::ScamSpam),
        _ => {
            let lane = Head::LANES.iter().find(|(of, _)| *of == head).is_some_and(|(_, lane)| label.lanes.contains(lane));
            let category = Head::CATEGORIES.iter().find(|(of, _)| *of == head);
            lane || label.level >= Level::Watch && category.is_some_and(|(_, category)| label.categories.contains(category))
        }
    };
    Head::ALL.iter().enumerate().filter(|(_, (head, _))| holds(*head)).fold(0, |bits, (number, _)| bits | 1 << number)
}

/// A trained machine, before it is made whole numbers.
struct Machine {
    weights: Vec<f32>,
    bias: f32,
}

impl Machine {
    fn new() -> Self {
        Self { weights: vec![0.0; BUCKETS], bias: 0.0 }
    }

    #[allow(clippy::cast_precision_loss)] // a window has thousands of buckets, not 2^23
    fn value(&self, window: &[u32]) -> f32 {
        let sum: f32 = window.iter().map(|bucket| self.weights[*bucket as usize]).sum();
        sum / (window.len().max(1) as f32).sqrt() + self.bias
    }

    fn best(&self, cut: &Cut) -> f32 {
        cut.windows.iter().map(|window| self.value(window)).fold(f32::MIN, f32::max)
    }
}

/// Twice: on whole messages, then with the windows of long ones, each positive one standing for its gravest window.
fn fit(cuts: &[Cut], is: &impl Fn(&Cut) -> bool, chosen: impl Fn(&Cut) -> bool) -> Machine {
    let cost = |cut: &Cut| if cut.heads.is_some() { COST } else { COST_ORDINARY };
    let mut rows: Vec<(&[u32], bool, f32)> = vec![];
    for cut in cuts.iter().filter(|cut| chosen(cut)) {
        rows.extend(cut.windows.first().map(|whole| (whole.as_slice(), is(cut), cost(cut))));
    }
    let first = solve(&rows);
    for cut in cuts.iter().filter(|cut| chosen(cut) && cut.windows.len() > 1) {
        let parts = &cut.windows[1..];
        if is(cut) {
            let best = parts.iter().max_by(|a, b| first.value(a).total_cmp(&first.value(b)));
            rows.extend(best.map(|window| (window.as_slice(), true, cost(cut))));
        } else {
            rows.extend(parts.iter().map(|window| (window.as_slice(), false, cost(cut))));
        }
    }
    solve(&rows)
}

/// Dual coordinate descent for the squared hinge loss, after Hsieh et al. 2008. Every row has a length of about one, and a bias of one.
fn solve(rows: &[(&[u32], bool, f32)]) -> Machine {
    let mut machine = Machine::new();
    let mut alphas = vec![0f32; rows.len()];
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let mut shuffle = Shuffle(0x2545_F491_4F6C_DD1D);
    for _ in 0..EPOCHS {
        shuffle.mix(&mut order);
        for row in &order {
            let (window, positive, cost) = rows[*row];
            let sign = if positive { 1.0 } else { -1.0 };
            let diagonal = 0.5 / cost;
            let gradient = sign * machine.value(window) - 1.0 + diagonal * alphas[*row];
            let next = (alphas[*row] - gradient / (2.0 + diagonal)).max(0.0);
            let step = (next - alphas[*row]) * sign;
            if step.abs() > 1e-7 {
                alphas[*row] = next;
                machine.bias += step;
                #[allow(clippy::cast_precision_loss)] // a window has thousands of buckets, not 2^23
                let share = step / (window.len().max(1) as f32).sqrt();
                for bucket in window {
                    machine.weights[*bucket as usize] += share;
                }
            }
        }
    }
    machine
}

/// xorshift: training must not depend on a random source.
struct Shuffle(u64);

impl Shuffle {
    fn mix(&mut self, order: &mut [usize]) {
        for last in (1..order.len()).rev() {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            order.swap(last, usize::try_from(self.0 % (last as u64 + 1)).unwrap_or(0));
        }
    }
}

/// What is asked of a head before it may fire.
fn precision_wanted(head: Head) -> f64 {
    match head {
        Head::Flagged => 0.94,
        Head::Critical => 0.78,
        Head::Emergency | Head::Watch => 0.82,
        // A care alert wakes people: the lexicon finds what is said outright, the reader only what it is sure of.
        Head::SelfHarm => 0.85,
        Head::SafetyIncident | Head::RightsAssertion | Head::ThirdPartyReport | Head::Accommodation | Head::StaffMisconduct => 0.80,
        _ => 0.74,
    }
}

/// The lowest threshold that keeps what is asked, on messages the weights had not seen: `(value, is it, labelled)`.
#[allow(clippy::cast_precision_loss)] // counts of messages
fn choose(seen: &mut [(f32, bool, bool)], head: Head, id: &'static str) -> (f32, HeadReport) {
    seen.sort_by(|a, b| b.0.total_cmp(&a.0));
    let gold = seen.iter().filter(|(_, is, _)| *is).count();
    let ordinary_all = seen.iter().filter(|(_, _, labelled)| !labelled).count();
    let allowed = ordinary_all * ORDINARY_PER_TEN_THOUSAND / 10_000;
    let (mut right, mut wrong, mut ordinary) = (0usize, 0usize, 0usize);
    let mut best = (f32::MAX, HeadReport { head: id, gold, recall: 0.0, precision: 1.0, ordinary: 0 });
    for (value, is, labelled) in seen.iter() {
        match (is, labelled) {
            (true, _) => right += 1,
            (false, true) => wrong += 1,
            (false, false) => ordinary += 1,
        }
        let precision = right as f64 / (right + wrong).max(1) as f64;
        if *is && precision >= precision_wanted(head) && ordinary <= allowed {
            best = (*value, HeadReport { head: id, gold, recall: right as f64 / gold.max(1) as f64, precision, ordinary });
        }
    }
    best
}

/// Whole numbers of the weights of one head.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // clamped to an i8; thresholds are small
fn quantise(machine: &Machine, threshold: f32, id: &str, number: usize, weights: &mut [[i8; HEADS]]) -> HeadFacts {
    let greatest = machine.weights.iter().fold(0f32, |greatest, weight| greatest.max(weight.abs())).max(f32::MIN_POSITIVE);
    let scale = 127.0 / greatest;
    for (row, weight) in weights.iter_mut().zip(&machine.weights) {
        row[number] = (weight * scale).round().clamp(-127.0, 127.0) as i8;
    }
    let unit = f64::from(scale) * 256.0;
    let fires = if threshold >= f32::MAX { i64::MAX } else { (f64::from(threshold - machine.bias) * unit).round() as i64 };
    HeadFacts { id: id.to_owned(), threshold: fires, unit: unit.round() as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::reader::grams::Stamps;

    fn example(text: &str, level: Level, group: usize) -> Example {
        let categories = if level.is_flagged() { vec![Category::Threat] } else { vec![] };
        Example { texts: vec![text.to_owned()], label: Some(Label { level, categories, lanes: vec![] }), group }
    }

    #[test]
    fn it_learns_what_tells_messages_apart_and_always_the_same() {
        let mut examples = vec![];
        for group in 0..20 {
            for (bad, good) in [("店に火をつけてやる", "店で火を使うのですか"), ("覚えておけよ、家まで行くからな", "家まで来てくれますか")]
            {
                examples.push(example(&format!("{bad}{group}"), Level::Severe, group));
                examples.push(example(&format!("{good}{group}"), Level::Ordinary, group));
            }
        }
        let (model, report) = train(&examples);
        assert!(report.heads[0].recall > 0.9, "{report:?}");
        let value = |text: &str| {
            let mut stream = Stream::default();
            stream.add(text, |_| true);
            let sums = model.primary(&stream, 0..stream.len(), &mut Stamps::default());
            model.primary_scores(&sums).get(Head::Flagged)
        };
        assert!(value("店に火をつけてやる") > value("店で火を使うのですか"));
        assert_eq!(train(&examples).0.digest(), model.digest());
    }
}
