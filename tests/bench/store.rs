//! Accepted messages per second on the embedded store, against the raw limit of the same disk in the same run.
//!
//! The raw limit is what group commit could reach at best: one append of all messages that wait together, one `fdatasync`.
//! Run `cargo bench --bench store`; the last lines print the ratios.

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use jiff::Timestamp;
use mimamori::edge::embedded::Embedded;
use mimamori::model::envelope::{ContentKind, Envelope, Purpose, Source};
use mimamori::model::ids::{QueueName, Tenant};
use mimamori::store::{Queue, Settlement};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// Size of a message, in bytes: a chat message of a hundred Japanese characters.
const MESSAGE_BYTES: usize = 300;

/// Who submits at the same time: one script, a small and a very large contact center's intake.
const SUBMITTERS: [u64; 3] = [1, 16, 256];

/// Slices of time by which store and raw limit take turns in the table of ratios.
const SLICES: usize = 15;

/// Length of one slice.
const SLICE: Duration = Duration::from_millis(150);

/// Messages of each submitter between two looks at the clock.
const ROUNDS: u64 = 4;

/// Time for the settling, which has no counterpart.
const SETTLING: Duration = Duration::from_secs(1);

/// Messages leased at once by the whole cycle: what a worker takes.
const LEASED_AT_ONCE: usize = 32;

static NUMBER: AtomicU64 = AtomicU64::new(0);

fn main() {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on the disk of the build");
    let store = Arc::new(Embedded::open(&folder.path().join("store.db")).expect("the store opens"));
    let mut raw = File::create(folder.path().join("raw")).expect("a file");
    let mut criterion = Criterion::default().measurement_time(Duration::from_secs(3)).sample_size(10).configure_from_args();
    let mut group = criterion.benchmark_group("accepted");
    for submitters in SUBMITTERS {
        group.throughput(Throughput::Elements(submitters));
        group.bench_function(BenchmarkId::new("embedded", submitters), |bencher| {
            bencher.iter_custom(|rounds| runtime.block_on(submit_rounds(&store, submitters, rounds)));
        });
        group.bench_function(BenchmarkId::new("raw", submitters), |bencher| bencher.iter(|| append(&mut raw, submitters)));
    }
    group.finish();
    criterion.final_summary();
    print_ratios(&runtime, &mut raw, folder.path()).expect("a terminal or file takes the table");
}

fn print_ratios(runtime: &Runtime, raw: &mut File, folder: &Path) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:>10} {:>14} {:>12} {:>7} {:>14}", "submitters", "accepted/s", "raw/s", "ratio", "settled/s")?;
    for submitters in SUBMITTERS {
        let store = Arc::new(Embedded::open(&folder.join(format!("{submitters}.db"))).expect("the store opens"));
        let (mut accepted, mut limit) = (Rate::default(), Rate::default());
        // In turns, so that whatever else uses the disk meets both.
        for _ in 0..SLICES {
            accepted.measure(submitters * ROUNDS, || {
                runtime.block_on(submit_rounds(&store, submitters, ROUNDS));
            });
            limit.measure(submitters, || append(raw, submitters));
        }
        let (accepted, limit) = (accepted.per_second(), limit.per_second());
        let settled = runtime.block_on(drain(&store));
        writeln!(out, "{submitters:>10} {accepted:>14.0} {limit:>12.0} {:>7.2} {settled:>14.0}", accepted / limit)?;
    }
    Ok(())
}

/// How many, in how long.
#[derive(Default)]
struct Rate {
    done: f64,
    spent: Duration,
}

impl Rate {
    /// Repeats a call that does `count` of them, for one slice.
    fn measure(&mut self, count: u64, mut call: impl FnMut()) {
        let since = Instant::now();
        while since.elapsed() < SLICE {
            call();
            self.done += f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        }
        self.spent += since.elapsed();
    }

    fn per_second(&self) -> f64 {
        self.done / self.spent.as_secs_f64()
    }
}

/// Each submitter submits one message after the other and waits for each answer.
async fn submit_rounds(store: &Arc<Embedded>, submitters: u64, rounds: u64) -> Duration {
    let since = Instant::now();
    let tasks: Vec<_> = (0..submitters)
        .map(|_| {
            let store = Arc::clone(store);
            tokio::spawn(async move {
                for _ in 0..rounds {
                    assert!(store.submit(vec![message()]).await.iter().all(Result::is_ok), "refused");
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a submitter ends");
    }
    since.elapsed()
}

/// Leases and settles what the submitters have left, as a worker does: the settling of a batch waits together.
async fn drain(store: &Arc<Embedded>) -> f64 {
    let since = Instant::now();
    let mut done = 0.0;
    while since.elapsed() < SETTLING {
        let leased = store.lease(LEASED_AT_ONCE, Duration::ZERO).await.expect("the queue answers");
        if leased.is_empty() {
            break;
        }
        let settling: Vec<_> = leased
            .into_iter()
            .map(|leased| {
                let store = Arc::clone(store);
                tokio::spawn(async move { store.settle(leased.ticket, Settlement::Done).await })
            })
            .collect();
        for settled in settling {
            settled.await.expect("a task ends").expect("settled");
            done += 1.0;
        }
    }
    done / since.elapsed().as_secs_f64()
}

fn append(raw: &mut File, count: u64) {
    let bytes = vec![b'x'; MESSAGE_BYTES * usize::try_from(count).unwrap_or_default()];
    raw.write_all(&bytes).expect("written");
    raw.sync_data().expect("synced");
}

fn message() -> Envelope {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed).to_string();
    Envelope {
        kind: ContentKind::JsonLine,
        payload: Bytes::from(format!("{number:x>MESSAGE_BYTES$}")),
        given_id: Some(number),
        tenant: Tenant::default(),
        queue: QueueName::default(),
        received_at: Timestamp::UNIX_EPOCH,
        source: Source::Submit,
        purpose: Purpose::Live,
    }
}
