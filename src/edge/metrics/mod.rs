//! Every metric in one place: name, help, labels, typed methods.
//!
//! All series exist from the start with zero, so that "no data" means "not running" and rates have a first point. The total stays
//! below 2,000 because every label is a closed set (see [`labels`]). Cost: one atomic addition a call.

pub mod family;
pub mod labels;

use crate::edge::metrics::family::{CatalogueRow, Counters, Pairs, Registrar};
use crate::edge::metrics::labels::{
    AlertChannel, AlertOutcome, BackendEvent, DeadCode, EventOutcome, Finding, Label, PolicyReload, Refusal, Track,
};
use crate::model::envelope::Source;
use crate::model::severity::{Category, Lane, Level};
use jiff::Timestamp;
use prometheus::{Gauge, GaugeVec, Histogram, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder};
use std::time::Duration;

/// Bucket bounds of judging, in seconds: from a short chat line to the 250 ms budget of one message and beyond.
const JUDGE_BUCKETS: &[f64] = &[0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0];

/// Bucket bounds from acceptance to verdict, in seconds: from one commit to an hour's outage.
const VERDICT_BUCKETS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0];

/// Bucket bounds from acceptance to an alert that left, in seconds: the figure published first.
const ALERT_BUCKETS: &[f64] = &[0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];

/// Content type of [`Metrics::render`].
pub const TEXT_FORMAT: &str = prometheus::TEXT_FORMAT;

/// All metrics of one process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    catalogue: Vec<CatalogueRow>,
    accepted: Counters<Source>,
    refused: Counters<Refusal>,
    duplicates: IntCounter,
    variants: IntCounter,
    verdicts: Counters<Level>,
    evidence: Counters<Category>,
    lanes: Counters<Lane>,
    alert_due: Counters<Track>,
    dead: Counters<DeadCode>,
    queue_pending: IntGauge,
    queue_oldest: Gauge,
    sheltered: IntGauge,
    sheltered_oldest: Gauge,
    judge: Histogram,
    accept_to_verdict: Histogram,
    alerts: Pairs<AlertChannel, AlertOutcome>,
    alert_delay: Histogram,
    alerts_held: IntCounter,
    policy_reloads: Counters<PolicyReload>,
    backend: Counters<BackendEvent>,
    cases_open: IntGauge,
    cases_overdue: IntGauge,
    audit_repaired: Counters<Finding>,
    audit_lost: IntGauge,
    audit_last: Gauge,
    oldest_unfinished: Gauge,
    canary_last: Gauge,
    canary_took: Gauge,
    canary_sent: IntCounter,
    lexicon: IntGaugeVec,
    events_out: IntCounterVec,
    events_lag: GaugeVec,
}

impl Metrics {
    /// Registers everything, each series at zero.
    pub fn new() -> Self {
        let mut add = Registrar::new();
        let lexicon = add.infos("mimamori_lexicon_info", "1 for the lexicon digest in use by a profile.", &["profile", "digest"]);
        lexicon.with_label_values(&["default", "none"]).set(0);
        add.infos("mimamori_build_info", "1 for the version of this program.", &["version"])
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        let target = "target";
        let events_out =
            add.named_counters::<EventOutcome>("mimamori_events_out_total", "Attempts to hand an event to another system.", target);
        let events_lag =
            add.named_gauge("mimamori_events_out_lag_seconds", "Age of the oldest event that another system does not have yet.", target);
        expect_targets(&events_out, &events_lag, &["none"]);
        Self {
            events_out,
            events_lag,
            accepted: add.counters("mimamori_messages_accepted_total", "Messages durably accepted, duplicates not counted."),
            refused: add.counters("mimamori_refused_total", "Messages or requests refused at intake."),
            duplicates: add.counter("mimamori_duplicates_total", "Messages accepted before with the same id and content."),
            variants: add.counter("mimamori_variants_total", "Messages with a known id and other content, processed as new."),
            verdicts: add.counters("mimamori_verdicts_total", "Verdicts written."),
            evidence: add.counters("mimamori_evidence_total", "Verdicts that name the category."),
            lanes: add.counters("mimamori_lanes_total", "Verdicts that name the lane."),
            alert_due: add.counters("mimamori_alert_due_total", "Messages that must reach a person."),
            dead: add.counters("mimamori_dead_total", "Dead letters: messages that could not be checked."),
            queue_pending: add.gauge("mimamori_queue_pending", "Messages accepted and not settled."),
            queue_oldest: add.real_gauge("mimamori_queue_oldest_seconds", "Age of the oldest message not settled."),
            sheltered: add.gauge("mimamori_sheltered", "Messages accepted onto the local disk because the broker is away."),
            sheltered_oldest: add.real_gauge("mimamori_sheltered_oldest_seconds", "Age of the oldest message that waits for the broker."),
            judge: add.histogram("mimamori_judge_seconds", "Time to judge one message.", JUDGE_BUCKETS),
            accept_to_verdict: add.histogram(
                "mimamori_accept_to_verdict_seconds",
                "Time from acceptance to the durable verdict.",
                VERDICT_BUCKETS,
            ),
            alerts: add.pairs("mimamori_alerts_total", "Attempts to send an alert."),
            alert_delay: add.histogram(
                "mimamori_alert_delay_seconds",
                "Time from acceptance of a message to its alert sent.",
                ALERT_BUCKETS,
            ),
            alerts_held: add.counter("mimamori_alerts_held_total", "Alerts that waited because their person had been sent enough."),
            policy_reloads: add.counters("mimamori_policy_reloads_total", "Changes of policy, rota or words of alerts while running."),
            backend: add.counters("mimamori_backend_events_total", "What the JetStream backend went through."),
            cases_open: add.gauge("mimamori_cases_open", "Cases not closed."),
            cases_overdue: add.gauge("mimamori_cases_overdue", "Open cases whose acknowledgement is overdue."),
            audit_repaired: add.counters("mimamori_audit_repaired_total", "What the auditor found missing and put right."),
            audit_lost: add.gauge("mimamori_audit_lost", "Messages that the auditor found missing and could not put right."),
            audit_last: add
                .real_gauge("mimamori_audit_last_seconds", "Unix time of the last whole pass of the auditor; 0 before the first."),
            oldest_unfinished: add.real_gauge(
                "mimamori_oldest_unfinished_seconds",
                "Age of the oldest item not finished: a message without verdict, one waiting for the broker, an overdue alert.",
            ),
            canary_last: add.real_gauge(
                "mimamori_canary_last_seconds",
                "Unix time at which a canary came back last (of the start, before the first); 0 without canaries.",
            ),
            canary_took: add.real_gauge("mimamori_canary_round_trip_seconds", "Time that the canary took which came back last."),
            canary_sent: add.counter("mimamori_canary_sent_total", "Canaries sent by this process."),
            lexicon,
            catalogue: add.catalogue(),
            registry: add.registry(),
        }
    }

    /// The queue took a message. A duplicate counts as such only; a variant is a new message and counts as both.
    pub fn taken(&self, source: Source, duplicate: bool, variant: bool) {
        if duplicate {
            self.duplicates.inc();
            return;
        }
        self.accepted.of(source).inc();
        if variant {
            self.variants.inc();
        }
    }

    /// Something was refused at intake.
    pub fn refused(&self, reason: Refusal) {
        self.refused.of(reason).inc();
    }

    /// A verdict was written.
    pub fn verdict(&self, level: Level, categories: &[Category], lanes: &[Lane]) {
        self.verdicts.of(level).inc();
        for category in categories {
            self.evidence.of(*category).inc();
        }
        for lane in lanes {
            self.lanes.of(*lane).inc();
        }
    }

    /// A message must reach a person.
    pub fn alert_due(&self, track: Track) {
        self.alert_due.of(track).inc();
    }

    /// A dead letter was written.
    pub fn dead(&self, code: DeadCode) {
        self.dead.of(code).inc();
    }

    /// State of the queue: messages pending, age of the oldest.
    pub fn queue(&self, pending: u64, oldest: Duration) {
        self.queue_pending.set(i64::try_from(pending).unwrap_or(i64::MAX));
        self.queue_oldest.set(oldest.as_secs_f64());
    }

    /// What waits on the local disk for the broker: messages, age of the oldest.
    pub fn sheltered(&self, messages: u64, oldest: Duration) {
        self.sheltered.set(i64::try_from(messages).unwrap_or(i64::MAX));
        self.sheltered_oldest.set(oldest.as_secs_f64());
    }

    /// Judging one message took this long.
    pub fn judged(&self, took: Duration) {
        self.judge.observe(took.as_secs_f64());
    }

    /// A verdict became durable this long after acceptance.
    pub fn verdict_delay(&self, delay: Duration) {
        self.accept_to_verdict.observe(delay.as_secs_f64());
    }

    /// An attempt to send an alert ended.
    pub fn alert(&self, channel: AlertChannel, outcome: AlertOutcome) {
        self.alerts.of(channel, outcome).inc();
    }

    /// An alert was sent this long after acceptance of the message it is about.
    pub fn alert_delay(&self, delay: Duration) {
        self.alert_delay.observe(delay.as_secs_f64());
    }

    /// An alert was made to wait.
    pub fn alert_held(&self) {
        self.alerts_held.inc();
    }

    /// Policy, rota or words of alerts changed.
    pub fn policy_reload(&self, outcome: PolicyReload) {
        self.policy_reloads.of(outcome).inc();
    }

    /// The backend went through this, so often since it was told last.
    pub fn backend_events(&self, event: BackendEvent, more: u64) {
        self.backend.of(event).inc_by(more);
    }

    /// Cases: open, and of these overdue.
    pub fn cases(&self, open: u64, overdue: u64) {
        self.cases_open.set(i64::try_from(open).unwrap_or(i64::MAX));
        self.cases_overdue.set(i64::try_from(overdue).unwrap_or(i64::MAX));
    }

    /// The auditor put something right.
    pub fn audit_repaired(&self, finding: Finding) {
        self.audit_repaired.of(finding).inc();
    }

    /// A pass of the auditor ended then; so many messages are lost.
    pub fn audited(&self, at: Timestamp, lost: u64) {
        self.audit_last.set(Duration::from_millis(u64::try_from(at.as_millisecond()).unwrap_or(0)).as_secs_f64());
        self.audit_lost.set(i64::try_from(lost).unwrap_or(i64::MAX));
    }

    /// An alert has been overdue for this long.
    pub fn overdue(&self, oldest: Duration) {
        let oldest = oldest.as_secs_f64().max(self.queue_oldest.get()).max(self.sheltered_oldest.get());
        self.oldest_unfinished.set(oldest);
    }

    /// When a canary came back last, and how long it took.
    pub fn canary(&self, last: Timestamp, took: Duration) {
        self.canary_last.set(Duration::from_millis(u64::try_from(last.as_millisecond()).unwrap_or(0)).as_secs_f64());
        self.canary_took.set(took.as_secs_f64());
    }

    /// A canary was sent.
    pub fn canary_sent(&self) {
        self.canary_sent.inc();
    }

    /// The lexicons in use, by profile; replaces what was told before. Profiles come from the configuration, never from messages.
    pub fn lexicons(&self, in_use: &[(&str, String)]) {
        self.lexicon.reset();
        for (profile, digest) in in_use {
            self.lexicon.with_label_values(&[*profile, digest.as_str()]).set(1);
        }
    }

    /// The systems that are told of events; replaces what was told before. Their names come from the configuration.
    pub fn event_targets(&self, targets: &[&str]) {
        if !targets.is_empty() {
            self.events_out.reset();
            self.events_lag.reset();
            expect_targets(&self.events_out, &self.events_lag, targets);
        }
    }

    /// An attempt to hand over an event ended.
    pub fn event_out(&self, target: &str, outcome: EventOutcome) {
        self.events_out.with_label_values(&[target, outcome.id()]).inc();
    }

    /// Age of the oldest event that this system does not have yet; zero where it has all.
    pub fn event_lag(&self, target: &str, lag: Duration) {
        self.events_lag.with_label_values(&[target]).set(lag.as_secs_f64());
    }

    /// The text format that scrapers read.
    pub fn render(&self) -> String {
        // Fails only on a family without series, which `new` rules out; an empty page is the honest answer then.
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }

    /// Every metric, by name: for the reference in the README.
    pub fn catalogue(&self) -> &[CatalogueRow] {
        &self.catalogue
    }
}

/// Every series of these targets, at zero.
fn expect_targets(out: &IntCounterVec, lag: &GaugeVec, targets: &[&str]) {
    for target in targets {
        lag.with_label_values(&[*target]).set(0.0);
        for outcome in EventOutcome::ALL {
            out.with_label_values(&[*target, outcome.id()]).inc_by(0);
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Series a scraper must hold at most.
    const SERIES_MAX: usize = 2_000;

    #[test]
    fn every_metric_is_there_before_the_first_message() {
        let metrics = Metrics::new();
        let page = metrics.render();
        for row in metrics.catalogue() {
            assert!(page.contains(&format!("# HELP {} ", row.name)), "{} has no help:\n{page}", row.name);
            assert!(row.name.starts_with("mimamori_") && row.help.ends_with('.'), "{row:?}");
        }
        let series = page.lines().filter(|line| !line.starts_with('#')).count();
        assert!((50..=SERIES_MAX).contains(&series), "{series} series");
    }

    #[test]
    fn each_method_moves_its_own_series() {
        let metrics = Metrics::new();
        metrics.taken(Source::Spool, false, true);
        metrics.taken(Source::Http, true, false);
        metrics.refused(Refusal::TooLarge);
        metrics.verdict(Level::Severe, &[Category::Threat], &[Lane::SelfHarm]);
        metrics.alert_due(Track::Care);
        metrics.dead(DeadCode::Panic);
        metrics.queue(7, Duration::from_millis(1_500));
        metrics.sheltered(4, Duration::from_millis(2_500));
        metrics.judged(Duration::from_micros(70));
        metrics.verdict_delay(Duration::from_millis(20));
        metrics.alert(AlertChannel::Smtp, AlertOutcome::Recipient);
        metrics.alert_delay(Duration::from_secs(3));
        metrics.policy_reload(PolicyReload::Refused);
        metrics.cases(5, 2);
        metrics.canary(Timestamp::from_second(1_790_000_000).expect("a time"), Duration::from_millis(1_250));
        metrics.canary_sent();
        metrics.audit_repaired(Finding::Case);
        metrics.audited(Timestamp::from_second(1_790_000_060).expect("a time"), 2);
        metrics.overdue(Duration::from_millis(500));
        metrics.backend_events(BackendEvent::Rebuilt, 3);
        metrics.lexicons(&[("games", "sha256:ab".to_owned())]);
        metrics.event_targets(&["crm"]);
        metrics.event_out("crm", EventOutcome::Refused);
        metrics.event_lag("crm", Duration::from_millis(1_250));
        let page = metrics.render();
        for line in [
            "mimamori_messages_accepted_total{source=\"spool\"} 1",
            "mimamori_messages_accepted_total{source=\"http\"} 0",
            "mimamori_refused_total{reason=\"too_large\"} 1",
            "mimamori_duplicates_total 1",
            "mimamori_variants_total 1",
            "mimamori_verdicts_total{level=\"3\"} 1",
            "mimamori_evidence_total{category=\"threat\"} 1",
            "mimamori_lanes_total{lane=\"self_harm\"} 1",
            "mimamori_alert_due_total{track=\"care\"} 1",
            "mimamori_dead_total{code=\"panic\"} 1",
            "mimamori_queue_pending 7",
            "mimamori_queue_oldest_seconds 1.5",
            "mimamori_sheltered 4",
            "mimamori_sheltered_oldest_seconds 2.5",
            "mimamori_judge_seconds_bucket{le=\"0.00005\"} 0",
            "mimamori_judge_seconds_bucket{le=\"0.0001\"} 1",
            "mimamori_accept_to_verdict_seconds_count 1",
            "mimamori_alerts_total{channel=\"smtp\",outcome=\"recipient\"} 1",
            "mimamori_alert_delay_seconds_sum 3",
            "mimamori_policy_reloads_total{outcome=\"refused\"} 1",
            "mimamori_cases_open 5",
            "mimamori_canary_last_seconds 1790000000",
            "mimamori_canary_round_trip_seconds 1.25",
            "mimamori_canary_sent_total 1",
            "mimamori_audit_repaired_total{kind=\"case\"} 1",
            "mimamori_audit_lost 2",
            "mimamori_audit_last_seconds 1790000060",
            "mimamori_oldest_unfinished_seconds 2.5",
            "mimamori_backend_events_total{event=\"rebuilt\"} 3",
            "mimamori_cases_overdue 2",
            "mimamori_events_out_total{outcome=\"refused\",target=\"crm\"} 1",
            "mimamori_events_out_total{outcome=\"gone\",target=\"crm\"} 0",
            "mimamori_events_out_lag_seconds{target=\"crm\"} 1.25",
            "mimamori_lexicon_info{digest=\"sha256:ab\",profile=\"games\"} 1",
        ] {
            assert!(page.lines().any(|found| found == line), "missing {line}:\n{page}");
        }
        assert!(!page.contains("digest=\"none\""), "the digest used before is gone");
    }
}
