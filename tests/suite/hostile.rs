//! Bad input: each piece gets a verdict, an error line or a dead letter with a clear reason; the process lives, its memory
//! stays bounded, and nothing stops what comes after.

use crate::support::{Site, wait_for};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

/// Peak memory the worker may reach on all of these together, in KiB: far below the unit file's limit.
const MEMORY_KIB_MAX: u64 = 400 << 10;

/// What must come of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// A verdict.
    Judged,
    /// Refused at the door with this code.
    Refused(&'static str),
}

fn nested_mail(depth: usize) -> Vec<u8> {
    let mut mail = b"From: a@example.com\r\nSubject: nested\r\nMIME-Version: 1.0\r\n".to_vec();
    for _ in 0..depth {
        mail.extend_from_slice(b"Content-Type: message/rfc822\r\n\r\n");
    }
    mail.extend_from_slice(b"Content-Type: text/plain\r\n\r\ninnermost\r\n");
    mail
}

fn deep_html(depth: usize) -> Vec<u8> {
    let mut mail = b"From: a@example.com\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n".to_vec();
    for _ in 0..depth {
        mail.extend_from_slice(b"<ul><li>");
    }
    mail.extend_from_slice("終わり".as_bytes());
    mail
}

fn mail(head: &str, body: &[u8]) -> Vec<u8> {
    let mut mail = format!("From: a@example.com\r\nMIME-Version: 1.0\r\n{head}\r\n\r\n").into_bytes();
    mail.extend_from_slice(body);
    mail
}

fn mails() -> Vec<(&'static str, Vec<u8>, Fate)> {
    vec![
        ("blank", b" \r\n\r\n".to_vec(), Fate::Refused("empty")),
        ("no-headers", b"\r\nonly a body".to_vec(), Fate::Judged),
        ("nul", mail("Content-Type: text/plain", b"a\0b\0\0c"), Fate::Judged),
        ("nested", nested_mail(33_000), Fate::Judged),
        ("deep-html", deep_html(20_000), Fate::Judged),
        ("broken-base64", mail("Content-Type: text/plain\r\nContent-Transfer-Encoding: base64", b"@@@not base64!!"), Fate::Judged),
        ("unknown-charset", mail("Content-Type: text/plain; charset=klingon-8", b"\x93\xfa\x96{\x8c\xea"), Fate::Judged),
        ("unterminated", mail("Content-Type: multipart/mixed; boundary=x", b"--x\r\nContent-Type: text/plain\r\n\r\nhello"), Fate::Judged),
        ("empty-boundary", mail("Content-Type: multipart/mixed; boundary=\"\"", b"--\r\n\r\nhello\r\n----"), Fate::Judged),
        ("binary", (0..200_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect(), Fate::Judged),
    ]
}

fn lines() -> Vec<(&'static str, Vec<u8>, Fate)> {
    let chat = |text: &str| format!(r#"{{"channel":"chat","text":{}}}"#, Value::from(text)).into_bytes();
    let mut wide = String::from(r#"{"channel":"chat","text":"x","big":"#);
    write!(wide, "{}1{}}}", "[".repeat(100_000), "]".repeat(100_000)).expect("written");
    vec![
        ("one-line-of-a-mebibyte", chat(&"あ".repeat(340_000)), Fate::Judged),
        ("masks", chat(&"○".repeat(200_000)), Fate::Judged),
        ("separators", chat(&"し・".repeat(100_000)), Fate::Judged),
        ("nul", br#"{"channel":"chat","text":"a\u0000b"}"#.to_vec(), Fate::Judged),
        ("lone-surrogate", br#"{"channel":"chat","text":"\ud800 x"}"#.to_vec(), Fate::Judged),
        ("unknown-fields", br#"{"channel":"chat","text":"x","foo":{"bar":[1,2,{"deep":null}]},"number":1e400}"#.to_vec(), Fate::Judged),
        ("empty-text", br#"{"channel":"chat","text":""}"#.to_vec(), Fate::Judged),
        ("no-text", br#"{"channel":"chat"}"#.to_vec(), Fate::Refused("no_text")),
        ("not-json", b"hello".to_vec(), Fate::Refused("not_json")),
        ("array", b"[1,2,3]".to_vec(), Fate::Refused("not_json")),
        ("not-utf8", b"{\"channel\":\"chat\",\"text\":\"\xc0\xaf\"}".to_vec(), Fate::Refused("bad_encoding")),
        ("deep-json", wide.into_bytes(), Fate::Judged),
        ("two-mebibytes", chat(&"x".repeat(2 << 20)), Fate::Refused("too_large")),
    ]
}

#[test]
fn triage_judges_or_says_why_not() {
    let site = Site::new("");
    let mut input = vec![];
    let lines = lines();
    for (_, line, _) in &lines {
        input.extend_from_slice(line);
        input.push(b'\n');
    }
    input.extend_from_slice(br#"{"id":"last","channel":"chat","text":"hello"}"#);
    let output = site.run_with(&["triage"], &input);
    let rows: Vec<Value> = String::from_utf8_lossy(&output.stdout).lines().map(|row| serde_json::from_str(row).expect("json")).collect();
    assert_eq!(rows.len(), lines.len() + 1, "one output line per input line");
    for ((name, _, fate), row) in lines.iter().zip(&rows) {
        match fate {
            // Offline there is no configured size, only the hard one.
            Fate::Judged | Fate::Refused("too_large") => assert!(row["level"].is_u64(), "{name}: {row}"),
            Fate::Refused(code) => assert_eq!(row["error"]["code"], *code, "{name}"),
        }
    }
    assert_eq!((&rows[lines.len()]["id"], &rows[lines.len()]["level"]), (&"last".into(), &0.into()));
    let mails = mails();
    let mut command = site.command(&["triage"]);
    for (name, mail, _) in &mails {
        fs::write(site.path(&format!("{name}.eml")), mail).expect("written");
        command.arg(format!("{name}.eml"));
    }
    let output = command.output().expect("the program starts");
    let rows: Vec<Value> = String::from_utf8_lossy(&output.stdout).lines().map(|row| serde_json::from_str(row).expect("json")).collect();
    assert_eq!(rows.len(), mails.len(), "{}", String::from_utf8_lossy(&output.stderr));
    for ((name, _, fate), row) in mails.iter().zip(&rows) {
        match fate {
            Fate::Judged => assert!(row["level"].is_u64(), "{name}: {row}"),
            Fate::Refused(code) => assert_eq!(row["error"]["code"], *code, "{name}"),
        }
        if ["nested", "broken-base64"].contains(name) {
            assert_eq!(row["coverage"]["complete"], false, "not read is not clean: {name}: {row}");
        }
    }
}

#[test]
fn the_worker_lives_through_all_of_it() {
    let site = Site::new("");
    let worker = site.start_ready();
    let mut expected = 0;
    for (name, mail, fate) in mails() {
        let output = site.run_with(&["submit", "--pipe"], &mail);
        match fate {
            Fate::Judged => {
                assert_eq!(output.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&output.stderr));
                expected += 1;
            }
            Fate::Refused(_) => assert_eq!(output.status.code(), Some(75), "{name}"),
        }
    }
    for (name, line, fate) in lines() {
        let output = site.run_with(&["submit"], &line);
        match fate {
            Fate::Judged => {
                assert_eq!(output.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&output.stderr));
                expected += 1;
            }
            Fate::Refused(code) => {
                assert_eq!(output.status.code(), Some(1), "{name}");
                assert!(String::from_utf8_lossy(&output.stderr).contains(code), "{name}: {}", String::from_utf8_lossy(&output.stderr));
            }
        }
    }
    let last = site.run_with(&["submit"], br#"{"id":"last","channel":"chat","text":"hello"}"#);
    assert!(last.status.success());
    let (judged, dead) = wait_for("every message settled", Duration::from_secs(90), || {
        let (judged, dead) = site.counts();
        (judged + dead > expected).then_some((judged, dead))
    });
    assert_eq!((judged, dead), (expected + 1, 0));
    let peak = worker.peak_memory_kib();
    let (code, _) = worker.terminate();
    assert_eq!(code, Some(0), "{}", site.log());
    println!("peak memory of the worker: {} MiB", peak >> 10);
    assert!(peak < MEMORY_KIB_MAX, "peak memory {peak} KiB");
}

/// The files of `tests/cases/bad/make.py`, each against what its author, who did not know the decoder, expects.
#[test]
fn damaged_files_come_out_as_their_author_expects() {
    let site = Site::new("");
    let folder = site.path("bad");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/bad/make.py");
    let python = std::env::var("MIMAMORI_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let made = std::process::Command::new(python).arg(script).arg(&folder).output().expect("python runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let expected: Vec<Value> = serde_json::from_slice(&fs::read(folder.join("expected.json")).expect("read")).expect("json");
    assert!(expected.len() >= 40, "{} files", expected.len());
    let mut faults = vec![];
    for (kind, option) in [("mail", &["--mail"][..]), ("jsonl", &[])] {
        let files: Vec<&Value> = expected.iter().filter(|file| file["kind"] == kind).collect();
        let mut command = site.command(&["triage"]);
        command.args(option).args(files.iter().map(|file| folder.join(file["file"].as_str().expect("name"))));
        let output = command.output().expect("the program starts");
        let rows: Vec<Value> =
            String::from_utf8_lossy(&output.stdout).lines().map(|row| serde_json::from_str(row).expect("json")).collect();
        let wanted: Vec<(&Value, &Value)> =
            files.iter().flat_map(|file| file["rows"].as_array().expect("rows").iter().map(move |row| (*file, row))).collect();
        assert_eq!(rows.len(), wanted.len(), "{kind}: one output line for each input line");
        for (row, (file, wanted)) in rows.iter().zip(wanted) {
            if let Some(why) = unexpected(row, wanted) {
                faults.push(format!("{}: {why} ({})", file["file"], file["why"].as_str().unwrap_or_default()));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

fn unexpected(row: &Value, wanted: &Value) -> Option<String> {
    let allowed = |outcome: &str| wanted["outcome"].as_array().is_some_and(|list| list.iter().any(|one| one == outcome));
    if let Some(code) = row["error"]["code"].as_str() {
        let known = wanted["codes"].as_array().is_some_and(|codes| codes.iter().any(|one| one == code));
        return (!allowed("error") || !known).then(|| format!("error {code}, wanted {wanted}"));
    }
    if !allowed("verdict") {
        return Some(format!("judged level {}, wanted {wanted}", row["level"]));
    }
    let complete = row["coverage"]["complete"].as_bool();
    if let Some(wanted) = wanted["complete"].as_bool()
        && complete != Some(wanted)
    {
        return Some(format!("coverage {}", row["coverage"]));
    }
    let lost = row["level"].as_u64() < wanted["level_min"].as_u64() && complete == Some(true);
    lost.then(|| format!("level {} although everything was read, wanted at least {}", row["level"], wanted["level_min"]))
}
