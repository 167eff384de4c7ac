//! Decoding of mail: goldens, damage, hostile structure, and real mail where it is at hand.

use mimamori::decode::settings::{DecodeSettings, FormLabel, FormRule, FormTarget};
use mimamori::decode::{DecodeCode, DecodeError, decode, line};
use mimamori::model::envelope::{ContentKind, Envelope, Identity, Purpose, Source};
use mimamori::model::ids::{MessageId, QueueName, Tenant};
use mimamori::model::message::{Message, SkippedKind};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

fn settings() -> DecodeSettings {
    let labels = [
        ("【お名前】", FormTarget::CustomerName),
        ("【メールアドレス】", FormTarget::Customer),
        ("【ご注文番号】", FormTarget::Order),
        ("【お問い合わせ内容】", FormTarget::Text),
        ("【送信元】", FormTarget::Ignore),
    ];
    let labels = labels.map(|(label, target)| FormLabel { label: label.to_owned(), target });
    DecodeSettings {
        forms: vec![FormRule {
            from: Some("form@shop.example".into()),
            subject_contains: Some("フォーム".into()),
            labels: labels.to_vec(),
        }],
        shared_senders: vec!["form@shop.example".into()],
        own_addresses: vec!["desk@shop.example".into(), "help@shop.example".into()],
    }
}

fn read(bytes: Vec<u8>) -> Message {
    read_as(ContentKind::Rfc822, bytes).expect("a mail decodes unless it is empty")
}

fn read_as(kind: ContentKind, bytes: Vec<u8>) -> Result<Message, DecodeError> {
    let envelope = Envelope {
        kind,
        payload: bytes.into(),
        given_id: Some("m".into()),
        tenant: Tenant::default(),
        queue: QueueName::default(),
        received_at: jiff::Timestamp::UNIX_EPOCH,
        source: Source::Submit,
        purpose: Purpose::Live,
    };
    let identity = Identity { tenant: Tenant::default(), id: MessageId::from("m"), content: mimamori::model::digest::Digest::of(b"") };
    decode(&envelope, &identity, &settings())
}

fn with_crlf(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 32);
    for byte in bytes {
        if *byte == b'\n' {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    out
}

fn without_cr_before_lf(bytes: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(bytes.len());
    for byte in bytes {
        if *byte == b'\n' && out.last() == Some(&b'\r') {
            out.pop();
        }
        out.push(*byte);
    }
    out
}

/// A mail as the goldens show it.
fn drawn(message: &Message) -> Value {
    let part = |part: &mimamori::model::message::PartSpan| format!("{:?} {}-{}", part.kind, part.start, part.end).to_lowercase();
    let fields: Vec<Value> = message
        .fields
        .iter()
        .map(|field| json!({ "name": field.name.to_string(), "text": field.text, "parts": field.parts.iter().map(part).collect::<Vec<_>>() }))
        .collect();
    json!({
        "direction": message.direction,
        "event": message.event,
        "customer": message.customer,
        "conversation": message.conversation,
        "machine": message.machine,
        "fields": fields,
        "skipped": message.coverage.skipped,
        "derivation": message.derivation,
        "headers": message.headers,
    })
}

/// What holds for every message, however it came.
fn check_invariants(message: &Message) -> Result<(), String> {
    for field in &message.fields {
        let mut at = 0;
        for part in &field.parts {
            if part.start != at || part.end <= part.start {
                return Err(format!("{}: parts do not cover the text", field.name));
            }
            at = part.end;
        }
        if at != field.text.chars().count() {
            return Err(format!("{}: parts end at {at}", field.name));
        }
        if field.text.contains('\r') {
            return Err(format!("{}: a carriage return is left", field.name));
        }
    }
    if message.coverage.complete != message.coverage.skipped.is_empty() {
        return Err("coverage contradicts itself".into());
    }
    Ok(())
}

fn mails_in(folder: &Path) -> Vec<PathBuf> {
    let all = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().flatten().map(walkdir::DirEntry::into_path);
    all.filter(|path| path.extension().is_some_and(|extension| extension == "eml")).collect()
}

fn samples() -> Vec<PathBuf> {
    mails_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/mail"))
}

#[test]
fn samples_decode_as_their_goldens_say() {
    let mut wrong = vec![];
    let samples = samples();
    assert!(samples.len() > 20, "no samples found");
    for path in samples {
        let bytes = fs::read(&path).expect("readable sample");
        let message = read(bytes.clone());
        let found = drawn(&message);
        assert_eq!(check_invariants(&message), Ok(()), "{}", path.display());
        assert_eq!(drawn(&read(with_crlf(&bytes))), found, "{} with CRLF", path.display());
        let golden = path.with_extension("json");
        if std::env::var_os("UPDATE_GOLDENS").is_some_and(|value| value == "1") {
            fs::write(&golden, serde_json::to_string_pretty(&found).expect("prints") + "\n").expect("writable golden");
            continue;
        }
        let expected = fs::read_to_string(&golden).ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
        if expected.as_ref() != Some(&found) {
            wrong.push(format!("{}: found\n{found:#}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "UPDATE_GOLDENS=1 refreshes\n{}", wrong.join("\n"));
}

/// Real mail lies beside the repository, not in it.
#[test]
fn real_mail_decodes_the_same_with_either_line_end() {
    for path in mails_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/mime")) {
        let bytes = without_cr_before_lf(&fs::read(&path).expect("readable mail"));
        let message = read(bytes.clone());
        assert_eq!(check_invariants(&message), Ok(()), "{}", path.display());
        // Raw UTF-16 has no line ends of one byte.
        if !bytes.contains(&0) {
            assert_eq!(drawn(&read(with_crlf(&bytes))), drawn(&message), "{}", path.display());
        }
        let readable = message.fields.iter().any(|field| !field.text.trim().is_empty());
        assert!(readable || !message.coverage.complete, "{}: neither text nor a reason", path.display());
    }
}

#[test]
fn hostile_structure_is_bounded() {
    let rows: [(&str, Vec<u8>, Option<SkippedKind>); 9] = [
        ("mails in mails", [b"Content-Type: message/rfc822\n\n".repeat(33_000), b"x".to_vec()].concat(), Some(SkippedKind::Nesting)),
        (
            "the same boundary",
            [b"Content-Type: multipart/mixed; boundary=b\n\n--b\n".repeat(20_000), b"x".to_vec()].concat(),
            Some(SkippedKind::Damaged),
        ),
        (
            "different boundaries",
            (0..9_000).flat_map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n").into_bytes()).collect(),
            Some(SkippedKind::Nesting),
        ),
        (
            "empty parts",
            [&b"Content-Type: multipart/mixed; boundary=b\n\n"[..], &b"--b\n\n".repeat(200_000)].concat(),
            Some(SkippedKind::Nesting),
        ),
        ("headers", [b"A: b\n".repeat(200_000), b"\nx".to_vec()].concat(), Some(SkippedKind::Truncated)),
        ("one header", [b"Subject: ".to_vec(), b"a".repeat(1 << 20), b"\n\nx".to_vec()].concat(), Some(SkippedKind::Truncated)),
        ("words", [b"Subject: ".to_vec(), b"=?utf-8?B?5q27?= ".repeat(60_000), b"\n\nx".to_vec()].concat(), Some(SkippedKind::Truncated)),
        ("tags", [b"Content-Type: text/html\n\n".to_vec(), b"<ul><li>".repeat(60_000), b"x".to_vec()].concat(), None),
        ("marks", [b"\n\n".to_vec(), b"> a\nOn 2026 1:1 wrote:\n\n".repeat(20_000)].concat(), None),
    ];
    for (name, mail, expected) in rows {
        // The stack of a worker thread: recursion on what a sender nested would end the process here.
        let message =
            std::thread::Builder::new().stack_size(2 << 20).spawn(move || read(mail)).expect("a thread").join().expect("no panic");
        assert_eq!(check_invariants(&message), Ok(()), "{name}");
        let kinds: Vec<SkippedKind> = message.coverage.skipped.iter().map(|row| row.what).collect();
        assert!(expected.is_none_or(|kind| kinds.contains(&kind)), "{name}: {kinds:?}");
    }
}

#[test]
fn a_line_takes_identity_and_time_from_its_acceptance() {
    let message =
        read_as(ContentKind::JsonLine, br#"{"id":"other","channel":"chat","text":"a\r\nb","queue":"q"}"#.to_vec()).expect("decodes");
    assert_eq!((message.id.as_str(), message.at), ("m", Some(jiff::Timestamp::UNIX_EPOCH)));
    assert_eq!((message.queue, message.fields[0].text.as_str()), (QueueName::default(), "a\nb"));
    for (kind, bytes, code) in [
        (ContentKind::Rfc822, &b" \r\n"[..], DecodeCode::Empty),
        (ContentKind::JsonLine, b"", DecodeCode::Empty),
        (ContentKind::JsonLine, br#"{"channel":"chat","messages":[{"text":"a"}]}"#, DecodeCode::BadField),
        (ContentKind::JsonLine, b"{", DecodeCode::NotJson),
    ] {
        assert_eq!(read_as(kind, bytes.to_vec()).map_err(|error| error.code), Err(code));
    }
}

#[test]
fn long_text_keeps_head_and_tail() {
    let mail = format!("Content-Type: text/plain; charset=utf-8\n\n初め\n{}\n終わり", "あ\n".repeat(400_000));
    let message = read(mail.into_bytes());
    let text = &message.fields.first().expect("text").text;
    assert!(text.starts_with("初め") && text.ends_with("終わり") && text.len() < 600_000);
    assert!(message.coverage.skipped.iter().any(|row| row.what == SkippedKind::Truncated));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn damaged_mail_never_panics(
        sample in any::<prop::sample::Index>(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        end in any::<prop::sample::Index>(),
        cut in any::<bool>(),
    ) {
        let samples = samples();
        let mut bytes = fs::read(sample.get(&samples)).expect("readable sample");
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()).max(1));
        }
        prop_assume!(!bytes.trim_ascii().is_empty());
        prop_assert_eq!(check_invariants(&read(bytes)), Ok(()));
    }

    /// What acceptance lets through can be judged, and what it refuses is refused for the same reason.
    #[test]
    fn acceptance_and_decoding_agree(
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        tail in "[\\PC\\\\\"{}\\[\\],:]{0,12}",
    ) {
        let line = r#"{"id":"A","channel":"chat","text":"\ud83d 死ね","at":"2026-11-02T10:03:00+09:00","x":[1e999]"#.to_owned() + &tail + "}";
        let mut bytes = line.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let accepted = line::accept(&bytes).map(|_| ()).map_err(|error| error.code);
        let decoded = read_as(ContentKind::JsonLine, bytes);
        if let Ok(message) = &decoded {
            prop_assert_eq!(check_invariants(message), Ok(()));
        }
        prop_assert_eq!(accepted, decoded.map(|_| ()).map_err(|error| error.code));
    }
}
