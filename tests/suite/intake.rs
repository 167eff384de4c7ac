//! Intake below HTTP: splitting streams into messages, and the watched folder.

#![allow(clippy::unwrap_used)] // clippy lets tests unwrap, but not the helpers they share

use async_trait::async_trait;
use mimamori::edge::intake::{self, Shape, Submission, Terms};
use mimamori::edge::metrics::Metrics;
use mimamori::edge::spool::{Round, Spool, SpoolTarget};
use mimamori::model::digest::Digest;
use mimamori::model::envelope::{Envelope, Identity, Purpose, Source};
use mimamori::model::ids::{MessageId, QueueName, Tenant};
use mimamori::store::{Accepted, Leased, Queue, QueueState, SettledPage, Settlement, StoreError};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A queue in memory: accepts, recognises repeats, fails on demand.
#[derive(Default)]
pub(crate) struct StubQueue {
    state: Mutex<StubState>,
}

#[derive(Default)]
struct StubState {
    taken: Vec<Envelope>,
    keys: BTreeSet<String>,
    /// From this many accepted messages on, every further one fails so.
    failing: Option<(usize, StoreError)>,
}

impl StubQueue {
    pub(crate) fn fail_after(&self, accepted: usize, error: StoreError) {
        self.state.lock().unwrap().failing = Some((accepted, error));
    }

    pub(crate) fn recover(&self) {
        self.state.lock().unwrap().failing = None;
    }

    /// The messages accepted, each once.
    pub(crate) fn taken(&self) -> Vec<Envelope> {
        self.state.lock().unwrap().taken.clone()
    }
}

#[async_trait]
impl Queue for StubQueue {
    async fn submit(&self, envelopes: Vec<Envelope>) -> Vec<Result<Accepted, StoreError>> {
        let mut state = self.state.lock().unwrap();
        let mut accept = |envelope: Envelope| {
            if let Some((limit, error)) = &state.failing
                && state.taken.len() >= *limit
            {
                return Err(error.clone());
            }
            let identity = Identity::of(&envelope).unwrap_or_else(|| Identity {
                tenant: envelope.tenant.clone(),
                id: MessageId(format!("n-{}", state.taken.len())),
                content: Digest::of(&envelope.payload),
            });
            let duplicate = !state.keys.insert(identity.key());
            if !duplicate {
                state.taken.push(envelope);
            }
            Ok(Accepted { identity, duplicate, variant: false })
        };
        envelopes.into_iter().map(&mut accept).collect()
    }

    async fn lease(&self, _: usize, _: Duration) -> Result<Vec<Leased>, StoreError> {
        Ok(vec![])
    }

    async fn settle(&self, _: u64, _: Settlement) -> Result<(), StoreError> {
        Ok(())
    }

    async fn settled(&self, _: u64, _: usize) -> Result<SettledPage, StoreError> {
        Ok(SettledPage::default())
    }

    async fn forget_settled(&self, _: u64) -> Result<(), StoreError> {
        Ok(())
    }

    async fn state(&self) -> Result<QueueState, StoreError> {
        Ok(QueueState::default())
    }
}

fn terms(message_bytes: usize) -> Terms {
    Terms { tenant: Tenant::default(), queue: QueueName::default(), source: Source::Submit, purpose: Purpose::Live, message_bytes }
}

/// Reads a stream; each message as `line:payload`, each refusal as `line!code`.
fn split(bytes: &[u8], hint: Option<Shape>, message_bytes: usize) -> Vec<String> {
    // A reader with a tiny buffer: lines cross its edges.
    let reader = std::io::BufReader::with_capacity(7, bytes);
    let show = |item: std::io::Result<Result<intake::Piece, intake::Refused>>| match item.expect("memory can be read") {
        Ok(piece) => format!("{}:{}", piece.line, String::from_utf8_lossy(&piece.envelope.payload)),
        Err(refused) => format!("{}!{}", refused.line, refused.code),
    };
    Submission::open(reader, hint, terms(message_bytes)).expect("opens").map(show).collect()
}

const GOOD: &str = r#"{"channel":"chat","text":"もしもし"}"#;

#[test]
fn streams_are_told_apart() {
    for (start, expected) in [
        ("From a@example.jp Mon Nov 23 10:00:00 2026\nSubject: x\n", Shape::Mbox),
        ("Received: from x\n", Shape::Mail),
        ("X-Spam-Flag: NO\n", Shape::Mail),
        (GOOD, Shape::Lines),
        ("{\"text\":\"a: b\"}", Shape::Lines),
        ("  {\"a\":1}", Shape::Lines),
        ("こんにちは: 元気", Shape::Lines),
        (": no name", Shape::Lines),
        ("", Shape::Lines),
    ] {
        assert_eq!(intake::sniff(start.as_bytes()), expected, "{start}");
    }
}

#[test]
fn streams_are_split_into_messages() {
    let line = |number: u32| format!("{number}:{GOOD}");
    let rows: Vec<(&str, String, Option<Shape>, Vec<String>)> = vec![
        ("lines", format!("{GOOD}\n\n{GOOD}\r\n  {GOOD}"), None, vec![line(1), line(3), line(4)]),
        ("byte order mark", format!("\u{feff}{GOOD}\n"), None, vec![line(1)]),
        ("bad lines", format!("{GOOD}\nnot json\n{{\"text\":1}}\n{GOOD}\n"), None, vec![line(1), "2!not_json".into(), "3!bad_field".into(), line(4)]),
        ("long line", format!("{}\n{GOOD}\n", "x".repeat(500)), None, vec!["1!too_large".into(), line(2)]),
        ("nothing", "\n \r\n".into(), None, vec![]),
        ("no mail", "\n \r\n".into(), Some(Shape::Mail), vec!["1!empty".into()]),
        ("one mail", "Subject: a\n\nb\n".into(), None, vec!["1:Subject: a\n\nb\n".into()]),
        ("delivered mail", "From a Mon Nov 23 10:00:00 2026\nSubject: a\n\nFrom b\n".into(), Some(Shape::Mail), vec!["2:Subject: a\n\nFrom b\n".into()]),
        ("large mail", format!("Subject: a\n\n{}", "x".repeat(500)), None, vec!["1!too_large".into()]),
        (
            "mbox",
            "From a Mon Nov 23 10:00:00 2026\nSubject: a\n\n>From here\n>>From there\nFrom me\n\nFrom now on I hate you\n\nFrom b Tue Nov 24 10:00:00 2026\nSubject: b\n\nc\n".into(),
            None,
            vec!["2:Subject: a\n\nFrom here\n>From there\nFrom me\n\nFrom now on I hate you\n".into(), "11:Subject: b\n\nc\n".into()],
        ),
        (
            "mbox without weekdays",
            "From a 2026\nSubject: a\n\nx\n\nFrom b 2026\nSubject: b\n\ny".into(),
            None,
            vec!["2:Subject: a\n\nx\n".into(), "7:Subject: b\n\ny".into()],
        ),
        (
            "mbox with a large mail",
            format!("From a Mon 1\nSubject: a\n\n{}\n\nFrom b Mon 1\nSubject: b\n\ny\n", "x\n".repeat(300)),
            None,
            vec!["2!too_large".into(), "307:Subject: b\n\ny\n".into()],
        ),
        ("mbox with an empty mail", "From a Mon 1\n\nFrom b Mon 1\nSubject: b\n".into(), None, vec!["2!empty".into(), "4:Subject: b\n".into()]),
        ("mbox crlf", "From a Mon 1\r\nSubject: a\r\n\r\nx\r\n\r\nFrom b Mon 1\r\nSubject: b\r\n".into(), None, vec!["2:Subject: a\r\n\r\nx\r\n".into(), "7:Subject: b\r\n".into()]),
    ];
    for (name, text, hint, expected) in rows {
        assert_eq!(split(text.as_bytes(), hint, 200), expected, "{name}");
    }
}

#[test]
fn limits_are_exact() {
    let padded = |length: usize| format!("{{\"channel\":\"chat\",\"text\":\"{}\"}}", "x".repeat(length - 28));
    for (length, line_end, fits) in
        [(99, "", true), (100, "", true), (100, "\n", true), (100, "\r\n", true), (101, "", false), (101, "\n", false)]
    {
        assert_eq!(padded(length).len(), length);
        let found = split(format!("{}{line_end}", padded(length)).as_bytes(), None, 100);
        assert_eq!(found.len() == 1 && !found[0].ends_with("!too_large"), fits, "{length} {line_end:?}: {found:?}");
        assert_eq!(split("x".repeat(length).as_bytes(), Some(Shape::Mail), 100)[0].ends_with("!too_large"), !fits, "{length}");
    }
}

proptest::proptest! {
    #[test]
    fn nothing_in_a_stream_is_lost(lines in proptest::collection::vec("[a-z{}\": ]{0,40}|\\{\"channel\":\"chat\",\"text\":\"[a-z]{0,9}\"\\}", 0..30)) {
        let text = lines.join("\n");
        let told = split(text.as_bytes(), Some(Shape::Lines), 30).len();
        proptest::prop_assert_eq!(told, lines.iter().filter(|line| !line.trim().is_empty()).count());
    }

    #[test]
    fn any_bytes_can_be_read(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        for hint in [None, Some(Shape::Mail), Some(Shape::Mbox), Some(Shape::Lines)] {
            split(&bytes, hint, 64);
        }
    }
}

#[test]
fn a_maildir_is_recognised() {
    let folder = tempfile::tempdir().unwrap();
    assert!(intake::maildir(folder.path()).unwrap().is_none());
    for (name, text) in [("new/2", "b"), ("cur/1", "a"), ("tmp/3", "unfinished"), ("new/.hidden", "x")] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let mails = intake::maildir(folder.path()).unwrap().unwrap();
    assert_eq!(mails, [folder.path().join("cur/1"), folder.path().join("new/2")]);
}

/// A spool in a folder of its own.
struct Bench {
    folder: tempfile::TempDir,
    queue: Arc<StubQueue>,
    metrics: Arc<Metrics>,
    spool: Spool,
}

impl Bench {
    fn new() -> Self {
        let (folder, queue, metrics) = (tempfile::tempdir().unwrap(), Arc::new(StubQueue::default()), Arc::new(Metrics::new()));
        let spool = Self::spool(folder.path(), &queue, &metrics);
        Self { folder, queue, metrics, spool }
    }

    fn spool(folder: &Path, queue: &Arc<StubQueue>, metrics: &Arc<Metrics>) -> Spool {
        let target = SpoolTarget { queue: Arc::clone(queue) as Arc<dyn Queue>, metrics: Arc::clone(metrics), message_bytes: 10_000 };
        Spool::open(folder, target).unwrap()
    }

    /// The process dies and another one starts.
    fn restart(&mut self) {
        self.spool = Self::spool(self.folder.path(), &self.queue, &self.metrics);
    }

    fn put(&self, name: &str, content: &[u8]) {
        fs::write(self.folder.path().join(name), content).unwrap();
    }

    /// Looks, lets files come to rest, looks again.
    async fn settle(&mut self) -> Round {
        self.spool.round().await.unwrap();
        tokio::time::sleep(Duration::from_millis(550)).await;
        self.spool.round().await.unwrap()
    }

    /// Names in a folder, without the date in front.
    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join(folder)).unwrap().map(|entry| entry.unwrap());
        let files = entries.filter(|entry| !entry.file_type().unwrap().is_dir());
        let mut names: Vec<String> = files.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        if folder == "done" || folder == "failed" {
            names = names.iter().map(|name| name.split_once('_').expect("a date").1.to_owned()).collect();
        }
        names.sort();
        names
    }

    fn read(&self, folder: &str, ending: &str) -> String {
        let entries = fs::read_dir(self.folder.path().join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let path = entries.into_iter().find(|path| path.to_string_lossy().ends_with(ending)).expect("the file");
        fs::read_to_string(path).unwrap()
    }
}

#[tokio::test]
async fn files_of_every_kind_are_taken() {
    let mut bench = Bench::new();
    let pretty = "{\n \"channel\": \"chat\",\n \"text\": \"改行あり\"\n}\n";
    bench.put("new/a.eml", b"Subject: a\n\nb\n");
    bench.put("b.jsonl", format!("{GOOD}\n{GOOD}\n").as_bytes());
    bench.put("c.json", pretty.as_bytes());
    bench.put("d.mbox", b"From a Mon 1\nSubject: 1\n\n\nFrom b Mon 1\nSubject: 2\n");
    bench.put("1700000000.M1P1.host", b"Subject: from a mail server\n\nx\n");
    let round = bench.settle().await;
    assert_eq!(round, Round { done: 5, failed: 0, postponed: 0 });
    assert_eq!(bench.names("done"), ["1700000000.M1P1.host", "a.eml", "b.jsonl", "c.json", "d.mbox"]);
    assert_eq!((bench.names(""), bench.names("new"), bench.names("failed")), (vec![], vec![], vec![]));
    assert_eq!(bench.queue.taken().len(), 7);
    assert!(bench.metrics.render().contains("mimamori_messages_accepted_total{source=\"spool\"} 7"));
    assert!(bench.queue.taken().iter().all(|envelope| envelope.source == Source::Spool));
}

#[tokio::test]
async fn bad_lines_are_reported_and_good_ones_taken() {
    let mut bench = Bench::new();
    bench.put("mixed.jsonl", [GOOD.as_bytes(), b"\n\xff\xfe broken\n{\"text\":\"x\"}\n", GOOD.as_bytes(), b"\n"].concat().as_slice());
    bench.put("bad.jsonl", "あいうえお\n".as_bytes());
    bench.put("empty.eml", b"");
    bench.put("picture.png", b"\x89PNG\r\n\x1a\n\0\0");
    assert_eq!(bench.settle().await, Round { done: 1, failed: 3, postponed: 0 });
    assert_eq!(bench.queue.taken().len(), 2);
    assert_eq!(
        bench.names("failed"),
        [
            "bad.jsonl",
            "bad.jsonl.errors.jsonl",
            "empty.eml",
            "empty.eml.errors.jsonl",
            "mixed.jsonl.errors.jsonl",
            "picture.png",
            "picture.png.errors.jsonl"
        ]
    );
    let report = bench.read("failed", "mixed.jsonl.errors.jsonl");
    let rows: Vec<serde_json::Value> = report.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0]["line"].as_u64(), rows[0]["code"].as_str()), (Some(2), Some("not_json")));
    assert_eq!(rows[0]["original_base64"].as_str(), Some("//4gYnJva2Vu"));
    assert_eq!((rows[1]["line"].as_u64(), rows[1]["original"].as_str()), (Some(3), Some("{\"text\":\"x\"}")));
    assert!(bench.read("failed", "bad.jsonl.errors.jsonl").contains("あいうえお"));
}

#[tokio::test]
async fn unfinished_files_are_left_alone() {
    let mut bench = Bench::new();
    bench.put(".hidden.eml", b"Subject: a\n");
    bench.put("copy.eml.tmp", b"Subject: a\n");
    bench.put("copy.eml.PART", b"Subject: a\n");
    bench.put("growing.jsonl", format!("{GOOD}\n").as_bytes());
    bench.spool.round().await.unwrap();
    tokio::time::sleep(Duration::from_millis(550)).await;
    // The second half arrives just before the look that would have taken the first.
    bench.put("growing.jsonl", format!("{GOOD}\n{GOOD}\n").as_bytes());
    bench.spool.round().await.unwrap();
    assert_eq!(bench.queue.taken().len(), 0, "it was still being written");
    bench.settle().await;
    assert_eq!(bench.queue.taken().len(), 2);
    assert_eq!(bench.names(""), [".hidden.eml", "copy.eml.PART", "copy.eml.tmp"]);
}

#[cfg(unix)]
#[tokio::test]
async fn links_are_not_followed() {
    let mut bench = Bench::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret.eml"), "Subject: secret\n").unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.eml"), bench.folder.path().join("new/link.eml")).unwrap();
    assert_eq!(bench.settle().await, Round::default());
    assert!(bench.queue.taken().is_empty() && bench.names("new") == ["link.eml"]);
}

#[tokio::test]
async fn a_crash_between_commit_and_move_only_repeats() {
    let mut bench = Bench::new();
    bench.put("a.eml", b"Subject: a\n\nb\n");
    bench.put("b.jsonl", format!("{GOOD}\n{{\"id\":\"X-1\",\"channel\":\"chat\",\"text\":\"x\"}}\n{GOOD}\n").as_bytes());
    bench.settle().await;
    assert_eq!(bench.queue.taken().len(), 4);
    // Committed, but the move never reached the disk: the files stand where they were, as they were.
    for entry in fs::read_dir(bench.folder.path().join("done")).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().to_string_lossy().split_once('_').unwrap().1.to_owned();
        fs::rename(entry.path(), bench.folder.path().join(name)).unwrap();
    }
    bench.restart();
    assert_eq!(bench.settle().await, Round { done: 2, failed: 0, postponed: 0 });
    assert_eq!(bench.queue.taken().len(), 4, "every repeat was recognised");
    assert!(bench.metrics.render().contains("mimamori_duplicates_total 4"));
}

#[tokio::test]
async fn the_same_words_twice_are_two_messages() {
    let mut bench = Bench::new();
    bench.put("1.jsonl", GOOD.as_bytes());
    bench.put("2.jsonl", GOOD.as_bytes());
    bench.settle().await;
    bench.put("1.jsonl", GOOD.as_bytes());
    bench.settle().await;
    assert_eq!(bench.queue.taken().len(), 3, "without an id, each file counts");
    assert_eq!(bench.names("done"), ["1.jsonl", "2.jsonl", "2_1.jsonl"], "nothing was overwritten");
}

#[tokio::test]
async fn a_full_queue_leaves_the_file_in_place() {
    let mut bench = Bench::new();
    bench.queue.fail_after(1, StoreError::Full("disk".into()));
    bench.put("a.jsonl", format!("{GOOD}\n{GOOD}\n{GOOD}\n").as_bytes());
    assert_eq!(bench.settle().await, Round { done: 0, failed: 0, postponed: 1 });
    assert_eq!((bench.names(""), bench.queue.taken().len()), (vec!["a.jsonl".to_owned()], 1));
    bench.queue.recover();
    assert_eq!(bench.settle().await, Round::default(), "it is left alone for a while");
    bench.restart();
    assert_eq!(bench.settle().await, Round { done: 1, failed: 0, postponed: 0 });
    assert_eq!(bench.queue.taken().len(), 3);
}

#[tokio::test]
async fn a_file_too_large_to_read_is_set_aside() {
    let mut bench = Bench::new();
    let file = fs::File::create(bench.folder.path().join("huge.mbox")).unwrap();
    file.set_len(mimamori::edge::spool::FILE_BYTES_MAX + 1).unwrap();
    assert_eq!(bench.settle().await, Round { done: 0, failed: 1, postponed: 0 });
    assert!(bench.read("failed", "huge.mbox.errors.jsonl").contains("too_large"));
}
