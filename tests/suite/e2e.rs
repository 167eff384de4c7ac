//! The main job on one site: messages by HTTP, folder and pipe become verdicts, cases and alert files.

use crate::support::{Site, wait_for};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// Address after `name=` in the log.
pub(crate) fn address(site: &Site, name: &str) -> String {
    let log = site.log();
    let line = log.lines().find(|line| line.contains("mimamori started")).expect("started");
    let rest = line.split(&format!("{name}=")).nth(1).expect("address");
    rest.split_whitespace().next().expect("address").to_owned()
}

fn alerts(site: &Site) -> Vec<PathBuf> {
    let Ok(rows) = fs::read_dir(site.path("outbox")) else { return vec![] };
    rows.flatten().map(|row| row.path()).filter(|path| path.extension().is_some_and(|end| end == "eml")).collect()
}

#[test]
fn messages_by_every_door_become_alerts() {
    let site = Site::new("");
    let worker = site.start_ready();
    let app = address(&site, "app");
    let ops = address(&site, "ops");

    let mut answer = ureq::post(format!("http://{app}/v1/messages"))
        .header("Content-Type", "application/json")
        .send(r#"{"id":"h-1","channel":"chat","conversation":"c-h","text":"担当者と店長、二人そろって土下座しろ"}"#)
        .expect("accepted");
    assert_eq!(answer.status(), 202);
    let told: serde_json::Value = serde_json::from_str(&answer.body_mut().read_to_string().expect("body")).expect("json");
    assert_eq!(told["accepted"][0]["id"], "h-1");

    // A mail dropped into the folder, in the charset a Japanese mail program wrote it in.
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/demo/samples/01-veiled-threat.eml");
    fs::copy(sample, site.path("spool/new/veiled.eml")).expect("dropped");
    // A mail through the pipe of a mail server.
    let care = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/demo/samples/03-care.eml")).expect("sample");
    assert_eq!(site.run_with(&["submit", "--pipe"], &care).status.code(), Some(0));

    // Level 2: one supervisor by mail; level 3: supervisor and manager, care: one, both by mail and pager.
    let files = wait_for("seven alert files", Duration::from_secs(30), || Some(alerts(&site)).filter(|files| files.len() >= 7));
    let mut subjects: Vec<String> = files
        .iter()
        .map(|file| {
            let raw = fs::read(file).expect("read");
            let mail = mail_parser::MessageParser::default().parse(&raw).expect("parses");
            mail.subject().expect("subject").chars().take(12).collect()
        })
        .collect();
    subjects.sort();
    let expected = [("【見守り｜2 カスハラ疑", 1), ("【見守り｜3 重度の疑い", 4), ("【見守り｜至急・ケア】命", 2)];
    assert_eq!(subjects, expected.map(|(head, times)| vec![head; times]).concat());
    wait_for("the file moved to done", Duration::from_secs(5), || (!site.path("spool/new/veiled.eml").exists()).then_some(()));

    let get = |path: &str| {
        let mut answer = ureq::get(format!("http://{ops}{path}")).call().expect("answers");
        (answer.status().as_u16(), answer.body_mut().read_to_string().expect("body"))
    };
    assert_eq!(get("/livez").0, 200);
    let (status, ready) = get("/readyz");
    assert!(status == 200 && ready.contains("only go to the folder"), "{ready}");
    let (_, metrics) = get("/metrics");
    for expected in [
        "mimamori_messages_accepted_total{source=\"http\"} 1",
        "mimamori_messages_accepted_total{source=\"spool\"} 1",
        "mimamori_verdicts_total{level=\"2\"} 1",
        "mimamori_alert_due_total{track=\"care\"} 1",
        "mimamori_alerts_total{channel=\"outbox\",outcome=\"sent\"} 7",
    ] {
        assert!(metrics.contains(expected), "{expected} is not in\n{metrics}");
    }
    let (code, took) = worker.terminate();
    assert!(code == Some(0) && took < Duration::from_secs(11), "{code:?} after {took:?}");
}

#[test]
fn only_one_worker_runs_on_a_store() {
    let site = Site::new("");
    let worker = site.start_ready();
    let second = site.run(&["run"]);
    assert_eq!(second.status.code(), Some(75));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another worker"), "{}", String::from_utf8_lossy(&second.stderr));
    drop(worker);
}

#[test]
fn history_alerts_nobody_but_is_remembered() {
    let site = Site::new("");
    let worker = site.start_ready();
    let past =
        r#"{"id":"p-1","channel":"chat","conversation":"c-1","at":"2026-11-01T10:00:00+09:00","text":"死ね、この無能が。土下座しろ"}"#;
    assert!(site.run_with(&["submit", "--history"], past.as_bytes()).status.success());
    wait_for("history taken", Duration::from_secs(20), || (site.pending() == 0).then_some(()));
    // Quoting what was written before, without an attribution header: known from the conversation.
    let quote = r#"{"id":"p-2","channel":"chat","conversation":"c-1","at":"2026-11-02T10:00:00+09:00","text":"> 死ね、この無能が。土下座しろ\n先日は言い過ぎました"}"#;
    assert!(site.run_with(&["submit"], quote.as_bytes()).status.success());
    wait_for("the verdict", Duration::from_secs(20), || (site.counts() == (1, 0)).then_some(()));
    assert!(alerts(&site).is_empty());
    let cases = site.run(&["case", "list"]);
    assert!(String::from_utf8_lossy(&cases.stdout).contains("事案はありません"));
    drop(worker);
}
