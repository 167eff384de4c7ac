//! README.md is executed: every command in its `sh` blocks, as a new user would type it; and its tables and its Japanese
//! twin say the same as the program.

use crate::support::{Site, wait_for};
use bytes::Bytes;
use mimamori::edge::embedded::Embedded;
use mimamori::edge::metrics::Metrics;
use mimamori::model::envelope::{ContentKind, Envelope, Purpose, Source};
use mimamori::model::ids::{QueueName, Tenant};
use mimamori::store::Queue;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The lines of every fenced block of that language, block by block.
fn blocks(text: &str, language: &str) -> Vec<Vec<String>> {
    let mut found = vec![];
    let mut open: Option<Vec<String>> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(tag)) if tag == language => open = Some(vec![]),
            (Some(_), Some("")) => found.extend(open.take()),
            (Some(lines), None) => lines.push(line.to_owned()),
            _ => {}
        }
    }
    found
}

/// Words as a shell splits them: single quotes and spaces are all that README uses.
fn words(command: &str) -> Vec<String> {
    let (mut found, mut word, mut quoted) = (vec![], String::new(), false);
    for c in command.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => found.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            other => word.push(other),
        }
    }
    found.extend((!word.is_empty()).then_some(word));
    found
}

#[test]
fn two_commands_stand_at_the_top() {
    let text = read("README.md");
    let blocks = blocks(&text, "sh");
    assert_eq!(blocks[0], ["cargo run --release -- demo"]);
    assert_eq!(blocks[1], ["tests/run"]);
    assert!(!text.contains("_TABLE") && !text.contains("COLD_BUILD"), "a figure is missing");
}

/// Not executed here, with the reason.
const ELSEWHERE: &[(&str, &str)] = &[
    ("tests/run", "it is what runs this test"),
    (
        "mimamori case judge C-XXXXXXXX --by 佐藤 --finding 非該当 --mistake 引用 --reason 他店の張り紙の引用",
        "`mistake` runs it on an open case; the one of this test is closed by then",
    ),
    ("mimamori ledger forget --customer k-1 --by 法務 --reason 利用停止の請求", "`mistake` runs it for a customer who is known"),
    ("mimamori events replay --to crm --from 2026-12-01T09:00:00+09:00", "`events` runs it against receivers of its own"),
    ("nats-server -js -sd var/nats", "`nats` starts real servers of several versions"),
    ("mimamori --backend nats init", "`nats` runs it against a server of its own"),
    ("mimamori --backend nats run", "`nats` runs it against a server of its own"),
    ("mimamori --backend nats demo --once", "`nats` runs it against a server of its own"),
    ("mimamori watchdog --once", "`guard` runs it beside a worker whose probes stand where it looks"),
];

#[test]
fn every_command_works() {
    let site = Site::new("");
    let worker = site.start_ready();
    let case = make_case(&site);
    make_dead_letter(&site);
    let mut executed = 0;
    for command in blocks(&read("README.md"), "sh").concat() {
        if ELSEWHERE.iter().any(|(known, _)| *known == command) {
            continue;
        }
        let command = command.replace("C-XXXXXXXX", &case);
        let words = words(&command);
        match words[0].as_str() {
            "cargo" => demo(&site),
            "curl" => curl(&site, &words),
            "mimamori" => verb(&site, &command, &words),
            _ => panic!("README has a command that this test does not know: {command}"),
        }
        executed += 1;
    }
    assert!(executed >= 20, "only {executed} commands were found");
    drop(worker);
}

fn verb(site: &Site, command: &str, words: &[String]) {
    let mut process = site.command(&[]);
    process.current_dir(root()).stdin(Stdio::null());
    match words.iter().position(|word| word == "<") {
        Some(at) => {
            process.args(&words[1..at]).stdin(fs::File::open(root().join(&words[at + 1])).expect("input"));
        }
        None => {
            process.args(&words[1..]);
        }
    }
    let output = process.output().expect("starts");
    // A check that has warnings says so with 1.
    let allowed: &[i32] = if command.ends_with("lexicon check") { &[0, 1] } else { &[0] };
    assert!(
        output.status.code().is_some_and(|code| allowed.contains(&code)),
        "{command}: {:?}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(command.contains("--pipe") || !output.stdout.is_empty(), "{command} prints nothing");
}

/// `demo` shows alerts, keeps running, and ends at SIGTERM.
fn demo(site: &Site) {
    let mut child = site.command(&["demo"]).current_dir(root()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
    let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut shown = String::new();
    for line in lines.map_while(Result::ok) {
        writeln!(shown, "{line}").expect("written");
        if line.contains("動作中です") {
            break;
        }
    }
    assert!(shown.contains("【見守り｜4 緊急】") && shown.contains("動作中です"), "{shown}");
    let killed = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().expect("kill runs");
    assert!(killed.success());
    assert_eq!(child.wait().expect("ends").code(), Some(0));
}

/// The request that curl would send, to the port this site listens on.
fn curl(site: &Site, words: &[String]) {
    let after = |option: &str| words.iter().position(|word| word == option).map(|at| words[at + 1].clone());
    let log = site.log();
    let app = log.split("app=").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("address");
    let url = words.last().expect("url").replace("127.0.0.1:8470", app);
    let Some(kind) = after("-H") else {
        assert_eq!(ureq::get(url).call().expect("answers").status(), 200);
        return;
    };
    let body = after("--data").or_else(|| after("--data-binary")).expect("data");
    let body = match body.strip_prefix('@') {
        Some(file) => fs::read(root().join(file)).expect("file"),
        None => body.into_bytes(),
    };
    let answer = ureq::post(url).header("Content-Type", kind.trim_start_matches("Content-Type: ")).send(&body[..]).expect("answers");
    // Messages are accepted and judged later; what people do is done when it is answered.
    let is_message = words.last().is_some_and(|url| url.ends_with("/v1/messages"));
    assert_eq!(answer.status(), if is_message { 202 } else { 200 });
}

fn make_case(site: &Site) -> String {
    let line = r#"{"id":"readme","channel":"chat","conversation":"readme","text":"土下座しろ。話はそれからだ"}"#;
    assert!(site.run_with(&["submit"], line.as_bytes()).status.success());
    wait_for("a case", Duration::from_secs(20), || {
        let output = site.run(&["--format", "json", "case", "list"]);
        let row: serde_json::Value = serde_json::from_slice(&output.stdout).ok()?;
        row["id"].as_str().map(str::to_owned)
    })
}

/// A message that passes the door and cannot be decoded: only a program that writes to the queue itself can send it.
fn make_dead_letter(site: &Site) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let store = Embedded::open(&site.path("mimamori.db")).expect("opens");
        let envelope = Envelope {
            kind: ContentKind::Rfc822,
            payload: Bytes::from_static(b" \r\n"),
            given_id: Some("blank".to_owned()),
            tenant: Tenant::default(),
            queue: QueueName::default(),
            received_at: jiff::Timestamp::now(),
            source: Source::Http,
            purpose: Purpose::Live,
        };
        assert!(store.submit(vec![envelope]).await.iter().all(Result::is_ok));
    });
    wait_for("a dead letter", Duration::from_secs(20), || (site.counts().1 == 1).then_some(()));
    let told = wait_for("its alert", Duration::from_secs(20), || {
        let files = fs::read_dir(site.path("outbox")).ok()?;
        let texts: Vec<String> =
            files.flatten().filter_map(|file| fs::read(file.path()).ok()).map(|raw| String::from_utf8_lossy(&raw).into_owned()).collect();
        texts.into_iter().find(|text| text.contains("ops@example.jp"))
    });
    assert!(told.contains("To: "));
}

#[test]
fn the_japanese_readme_has_the_same_commands() {
    assert_eq!(blocks(&read("README.md"), "sh"), blocks(&read("README.ja.md"), "sh"));
    assert_eq!(metrics_table(&read("README.md")), metrics_table(&read("README.ja.md")));
}

#[test]
fn the_metrics_table_is_the_catalogue() {
    let mut table = String::from("| metric | kind | labels | meaning |\n|---|---|---|---|\n");
    for row in Metrics::new().catalogue() {
        writeln!(table, "| `{}` | {} | {} | {} |", row.name, row.kind, row.labels.replace('|', "\\|"), row.help).expect("written");
    }
    for name in ["README.md", "README.ja.md"] {
        let text = read(name);
        let shown = metrics_table(&text);
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            let (old, new) = (format!("{OPEN}{shown}{CLOSE}"), format!("{OPEN}{table}{CLOSE}"));
            fs::write(root().join(name), text.replace(&old, &new)).expect("written");
        } else {
            assert_eq!(shown, table, "{name}: regenerate with UPDATE_GOLDENS=1");
        }
    }
}

/// Around the generated table.
const OPEN: &str = "<!-- metrics -->\n";
const CLOSE: &str = "<!-- /metrics -->";

/// What stands between the markers.
fn metrics_table(text: &str) -> String {
    let after = text.split(OPEN).nth(1).expect("the marker <!-- metrics -->");
    after.split(CLOSE).next().expect("text").to_owned()
}

#[test]
fn examples_of_configuration_and_input_are_accepted() {
    use mimamori::config::settings::Settings;
    use mimamori::diag::SourceText;
    let text = read("README.md");
    let example = blocks(&text, "toml").concat().join("\n");
    let (settings, faults) = Settings::parse(&SourceText { name: "README.md".to_owned(), text: example });
    assert!(settings.is_some(), "{faults:?}");
    let line = blocks(&text, "json").concat().join("");
    let accepted = mimamori::decode::line::accept(line.as_bytes()).expect("accepted");
    assert_eq!(accepted.id.as_deref(), Some("A-1"));
}

#[test]
fn the_program_carries_every_shipped_lexicon() {
    let mut shipped: Vec<String> = fs::read_dir(root().join("lexicons"))
        .expect("lexicons")
        .flatten()
        .filter(|file| file.path().extension().is_some_and(|end| end == "toml"))
        .map(|file| file.file_name().to_string_lossy().into_owned())
        .collect();
    shipped.sort();
    let built_in: Vec<&str> = mimamori::app::lexicons::BUILT_IN.iter().map(|(name, _)| *name).collect();
    assert_eq!(built_in, shipped);
}
