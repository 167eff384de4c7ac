//! Every verb from the outside: standard output, standard error, exit code.

use crate::support::{Site, wait_for};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn rows(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).expect("one JSON value a line")).collect()
}

#[test]
fn triage_answers_each_line_in_order_whatever_the_line() {
    let input = [
        r#"{"id":"a","channel":"chat","text":"注文はいつ届きますか"}"#,
        "",
        "not json at all",
        r#"{"id":"b","channel":"chat"}"#,
        r#"{"id":"c","channel":"chat","text":"死ね、この無能","unknown":{"deep":[1,2]}}"#,
        r#"{"id":"d","channel":"pigeon","text":"x"}"#,
        r#"{"channel":"chat","text":"ありがとう"}"#,
        r#"{"id":"e","channel":"chat","text":"a\u0000b"}"#,
    ]
    .join("\n");
    let output = Site::new("").run_with(&["triage"], input.as_bytes());
    assert_eq!(output.status.code(), Some(1), "some lines are at fault");
    let rows = rows(&output);
    let shown: Vec<(String, String)> = rows
        .iter()
        .map(|row| {
            (
                row["id"].as_str().unwrap_or("-").to_owned(),
                row["error"]["code"].as_str().map_or_else(|| row["level"].to_string(), str::to_owned),
            )
        })
        .collect();
    let shown: Vec<(&str, &str)> = shown.iter().map(|(id, what)| (id.as_str(), what.as_str())).collect();
    assert_eq!(shown[0], ("a", "0"));
    assert_eq!(shown[1], ("-", "not_json"));
    assert_eq!(shown[2], ("b", "no_text"));
    assert_eq!(shown[3].0, "c");
    assert!(rows[3]["level"].as_u64() >= Some(2) && rows[3]["categories"][0] == "insult", "{}", rows[3]);
    assert_eq!(shown[4], ("d", "bad_field"));
    assert_eq!((shown[5].1, shown[6]), ("0", ("e", "0")));
    assert_eq!(rows.len(), 7);
    assert_eq!(rows[1]["line"], 3, "line numbers count blank lines");
}

#[test]
fn evidence_is_the_customers_own_text() {
    let text = "いつまで待たせるんだ、し\u{200b}ね!この無能が";
    let line = serde_json::json!({"channel": "chat", "text": text}).to_string();
    let output = Site::new("").run_with(&["triage", "--show-fields"], line.as_bytes());
    assert_eq!(output.status.code(), Some(0));
    let row = &rows(&output)[0];
    let characters: Vec<char> = row["fields"][0]["text"].as_str().expect("text").chars().collect();
    let evidence = row["evidence"].as_array().expect("evidence");
    assert!(!evidence.is_empty());
    for one in evidence {
        let (start, end) = (one["start"].as_u64().expect("start") as usize, one["end"].as_u64().expect("end") as usize);
        assert_eq!(characters[start..end].iter().collect::<String>(), one["text"].as_str().expect("text"));
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let site = Site::new("");
    let line = r#"{"id":"x","channel":"email","subject":"返金","text":"土下座しろ。今から行くから待ってろ"}"#;
    let once = site.run_with(&["triage"], line.as_bytes());
    assert_eq!(once.stdout, site.run_with(&["triage"], line.as_bytes()).stdout);
    let batch = format!("{line}\n{line}\n");
    let both = stdout(&site.run_with(&["triage"], batch.as_bytes()));
    assert_eq!(both, stdout(&once).repeat(2), "a batch equals one by one");
}

#[test]
fn triage_takes_mail_and_conversations() {
    let site = Site::new("");
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/demo/samples/04-quoted-only.eml");
    let output = site.run(&["triage", sample.to_str().expect("utf-8")]);
    assert_eq!(output.status.code(), Some(0));
    let row = &rows(&output)[0];
    assert_eq!(row["level"], 0, "abuse only in our own quoted answer: {row}");
    assert!(row["suppressed"].as_array().expect("suppressed").iter().any(|one| one["by"] == "quoted"), "{row}");

    let line = r#"{"id":"C","channel":"chat","messages":[{"direction":"outbound","text":"死ねなどのお言葉はお控えください"},{"text":"> 死ねなどのお言葉はお控えください\nわかりました"},{"text":"土下座しろ"}]}"#;
    let row = &rows(&site.run_with(&["triage"], line.as_bytes()))[0];
    let ids: Vec<&str> = row["messages"].as_array().expect("messages").iter().filter_map(|one| one["id"].as_str()).collect();
    assert_eq!(ids, ["C#2", "C#3"], "outbound lines are not judged");
    assert_eq!(row["messages"][0]["level"], 0, "a quote of our own message: {row}");
    assert_eq!(row["conversation_level"], row["messages"][1]["level"]);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let output = Site::new("").run(&["config", "default"]);
    assert!(output.status.success() && stdout(&output).contains("[store]"));
    let output = Site::new("").run(&["--version"]);
    assert_eq!((output.status.code(), stdout(&output).trim()), (Some(0), "mimamori 0.1.0"));
    assert_eq!(Site::new("").run(&["frobnicate"]).status.code(), Some(2));
}

#[test]
fn texts_at_fault_start_nothing() {
    let site = Site::new("[notify]\ntexts = \"texts.toml\"\n[notify.outbox]\ndir = \"outbox\"\n");
    let missing = site.run(&["case", "list"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).contains("texts.file") && stderr(&missing).contains("texts.toml"), "{}", stderr(&missing));
    fs::write(site.path("texts.toml"), "[subject]\ncare = \"{step}{case} {deadine} {excerpt}\"\n[heding]\n").expect("written");
    for verb in [&["case", "list"][..], &["run"]] {
        let output = site.run(verb);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        for expected in ["texts.toml:2", "did you mean `{deadline}`?", "texts.customer-words", "texts.missing", "did you mean `heading`?"] {
            assert!(told.contains(expected), "{verb:?} does not tell `{expected}`:\n{told}");
        }
    }
    assert!(!site.path("outbox").exists() && !site.path("mimamori.db").exists(), "something was started");
    fs::write(site.path("texts.toml"), "[heading]\npoint = \"まず\"\n").expect("written");
    assert_eq!(site.run(&["config", "check"]).status.code(), Some(0));
}

#[test]
fn bad_configuration_policy_and_lexicon_are_told_at_once() {
    let site = Site::new("");
    fs::create_dir(site.path("lex")).expect("made");
    fs::write(site.path("lex/辞書.toml"), "format = 1\n[lexicon]\nid = \"base.x\"\ntitle = \"試し\"\nlayer = \"bass\"\n[[entry]]\nid = \"a.b\"\ncategory = \"thread\"\nlevel = 9\nforms = [\"見守り\"]\n").expect("written");
    fs::write(site.path("policy.toml"), "version = \"1\"\neffective = \"昨日\"\n[sender]\naddress = \"見守り\"\n").expect("written");
    fs::write(site.path("mimamori.toml"), "[lexicon]\ndir = \"lex\"\n[policy]\nfile = \"policy.toml\"\n").expect("written");
    for verb in [&["config", "check"][..], &["run"], &["triage"]] {
        let output = site.run(verb);
        let told = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{told}");
        for expected in ["layer", "category", "level", "effective", "policy.no-owner", "辞書.toml", "policy.toml:2", "^"] {
            assert!(told.contains(expected), "{verb:?} does not tell `{expected}`:\n{told}");
        }
    }
    assert!(!site.path("var").exists(), "nothing was started");
}

#[test]
fn verbs_work_while_the_worker_runs() {
    let site = Site::new("");
    let worker = site.start_ready();
    let line = r#"{"id":"w-1","channel":"chat","conversation":"c-1","text":"死ね、この無能"}"#;
    let submitted = site.run_with(&["submit", "-"], line.as_bytes());
    assert!(submitted.status.success(), "{}", stderr(&submitted));
    assert_eq!(rows(&submitted)[0]["accepted"], 1);
    let again = site.run_with(&["submit"], line.as_bytes());
    assert_eq!(rows(&again)[0]["duplicates"], 1);
    let case = wait_for("a case", Duration::from_secs(20), || rows(&site.run(&["--format", "json", "case", "list"])).pop());
    let id = case["id"].as_str().expect("id").to_owned();
    let shown = stdout(&site.run(&["case", "show", &id]));
    assert!(shown.contains("w-1") && !shown.contains("死ね"), "masked: {shown}");
    assert_eq!(site.run(&["case", "ack", &id, "--by", " "]).status.code(), Some(2), "a person needs a name");
    assert!(site.run(&["case", "ack", &id, "--by", "佐藤"]).status.success());
    assert_eq!(site.run(&["case", "ack", &id, "--by", "佐藤"]).status.code(), Some(1), "twice changes nothing");
    let case = rows(&site.run(&["--format", "json", "case", "list"])).pop().expect("listed");
    assert_eq!((&case["state"]["state"], &case["state"]["by"]), (&"acknowledged".into(), &"佐藤".into()));
    let live = case["intents"].as_array().expect("intents").iter().filter(|one| one["state"]["is"] == "pending").count();
    assert_eq!(live, 0, "nobody else is woken");
    assert!(site.run(&["case", "close", &id, "--by", "佐藤", "--reason", "該当・注意済み"]).status.success());

    // Flagged again after close: the next generation.
    let line = line.replace("w-1", "w-2");
    assert!(site.run_with(&["submit"], line.as_bytes()).status.success());
    let next = wait_for("the next generation", Duration::from_secs(20), || {
        rows(&site.run(&["--format", "json", "case", "list"])).into_iter().find(|case| case["generation"] == 2)
    });
    assert_ne!(next["id"], id.as_str());
    let (code, _) = worker.terminate();
    assert_eq!(code, Some(0), "{}", site.log());
}

#[test]
fn what_cannot_be_judged_becomes_a_dead_letter_and_an_alert() {
    let site = Site::new("");
    // Accepted without a look at the text: an empty mail cannot be decoded.
    let piped = site.run_with(&["submit", "--pipe"], b"");
    assert_eq!(piped.status.code(), Some(75), "a mail server tries again, and nothing bounces");
    let worker = site.start_ready();
    assert_eq!(site.run_with(&["submit", "--pipe"], b"From: a@example.com\r\nSubject: x\r\n\r\n\xff\xfe broken").status.code(), Some(0));
    let bad = site.run_with(&["submit"], b"{\"channel\":\"chat\"}\nnot json\n{\"id\":\"ok\",\"channel\":\"chat\",\"text\":\"hello\"}\n");
    assert_eq!(bad.status.code(), Some(1));
    assert_eq!((&rows(&bad)[0]["accepted"], &rows(&bad)[0]["errors"]), (&1.into(), &2.into()));
    assert!(stderr(&bad).contains("no_text") && stderr(&bad).contains("not_json"), "{}", stderr(&bad));
    assert!(stdout(&site.run(&["dead", "list"])).contains("ありません"));
    drop(worker);
}

#[test]
fn explain_shows_why() {
    let site = Site::new("");
    let shown = stdout(&site.run(&["explain", "死\u{200b}ね、この無能"]));
    assert!(shown.contains("根拠") && shown.contains("invisible"), "{shown}");
    let shown = site.run(&["--format", "json", "explain", "お忙しいところすみません"]);
    assert_eq!(rows(&shown)[0]["explanation"]["verdict"]["level"], 0);
}

#[test]
fn the_demo_ends_when_all_is_settled() {
    let output = Site::new("").run(&["demo", "--once"]);
    let shown = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for expected in ["【見守り｜至急・ケア】", "0120-061-338", "【見守り｜4 緊急】", "【見守り｜至急・製品事故】", "判定の一覧"]
    {
        assert!(shown.contains(expected), "the demo does not show {expected}:\n{shown}");
    }
    for word in ["死ね", "無能", "刺してやる"] {
        assert!(!shown.contains(word), "not masked: {word}\n{shown}");
    }
    let alerted: Vec<&str> =
        shown.lines().filter(|line| line.starts_with("  通知")).filter_map(|line| line.split_whitespace().nth(3)).collect();
    for due in ["01-veiled-threat.eml", "03-care.eml", "07-emergency.eml", "demo-04", "demo-05", "demo-06", "demo-07"] {
        assert!(alerted.contains(&due), "{due} did not alert:\n{shown}");
    }
    for quiet in [
        "02-question-sjis.eml",
        "04-quoted-only.eml",
        "05-angry-but-just.eml",
        "06-html.eml",
        "08-bounce.eml",
        "demo-01",
        "demo-03",
        "demo-08",
        "demo-10",
    ] {
        assert!(!alerted.contains(&quiet), "{quiet} alerted:\n{shown}");
    }
}
