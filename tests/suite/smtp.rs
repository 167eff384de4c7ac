//! Alerts over a real mail server: delivered, refused, stalled, with and without trust.

use crate::support::{MailServer, Site, wait_for};
use mail_parser::MessageParser;
use mimamori::edge::notify::smtp::{Proof, Relay, Security, Smtp};
use mimamori::edge::notify::{Notifier, Outcome, Outgoing, Reason};
use mimamori::policy::{Recipient, Sender};
use std::fs;
use std::time::{Duration, Instant};

/// A certificate authority of our own and a server certificate it signed, as PEM.
struct Trust {
    authority: Vec<u8>,
    folder: tempfile::TempDir,
}

impl Trust {
    fn new() -> Self {
        Self::naming(&["localhost", "127.0.0.1"], 4096)
    }

    /// A certificate for these names that is good until the first day of `year`.
    fn naming(names: &[&str], year: i32) -> Self {
        let authority_key = rcgen::KeyPair::generate().expect("key");
        let mut parameters = rcgen::CertificateParams::new(vec![]).expect("parameters");
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = parameters.self_signed(&authority_key).expect("signed");
        let issuer = rcgen::Issuer::new(parameters, authority_key);
        let key = rcgen::KeyPair::generate().expect("key");
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut wanted = rcgen::CertificateParams::new(names).expect("parameters");
        (wanted.not_before, wanted.not_after) = (rcgen::date_time_ymd(2020, 1, 1), rcgen::date_time_ymd(year, 1, 1));
        let server = wanted.signed_by(&key, &issuer).expect("signed");
        let folder = tempfile::tempdir().expect("folder");
        fs::write(folder.path().join("cert.pem"), server.pem()).expect("written");
        fs::write(folder.path().join("key.pem"), key.serialize_pem()).expect("written");
        fs::write(folder.path().join("ca.pem"), authority.pem()).expect("written");
        Self { authority: authority.pem().into_bytes(), folder }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn server(&self, more: &[&str]) -> MailServer {
        let (cert, key) = (self.file("cert.pem"), self.file("key.pem"));
        let mut arguments = vec!["--cert", &cert, "--key", &key];
        arguments.extend(more);
        MailServer::start(&arguments)
    }
}

fn relay(server: &MailServer, security: Security) -> Relay {
    Relay {
        host: "localhost".to_owned(),
        port: server.port,
        security,
        credentials: None,
        authority: None,
        hello_name: Some("mimamori.test".to_owned()),
        timeout: Duration::from_secs(2),
    }
}

pub(crate) fn alert(to: &str, name: &str) -> Outgoing {
    Outgoing {
        message_id: "C-TEST-first-1-abc@example.jp".to_owned(),
        thread_id: "C-TEST@example.jp".to_owned(),
        from: Sender { address: "mimamori@example.jp".to_owned(), name: "見守り".to_owned() },
        to: Recipient { person: "sv".to_owned(), name: name.to_owned(), channel: "mail".to_owned(), address: to.to_owned() },
        subject: "【見守り｜2 カスハラ疑い】侮辱・暴言(チャット) C-TEST｜受領期限 07:08".to_owned(),
        text: "■ 要点\n  本文\n".to_owned(),
        leaves_site: false,
        html: "<!DOCTYPE html><p>本文</p>".to_owned(),
        link: None,
        reply_to: None,
    }
}

pub(crate) fn send(relay: Relay, alert: &Outgoing) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async { Smtp::new(relay).expect("settings").send(alert).await })
}

#[test]
fn a_delivered_alert_reads_back_as_it_was_meant() {
    let server = MailServer::start(&[]);
    assert_eq!(send(relay(&server, Security::None), &alert("sv@example.jp", "佐藤\r\nBcc: evil@example.com")), Outcome::Sent);
    let raw = server.mails().pop().expect("one mail");
    let mail = MessageParser::default().parse(&raw).expect("parses");
    assert_eq!(mail.subject(), Some("【見守り｜2 カスハラ疑い】侮辱・暴言(チャット) C-TEST｜受領期限 07:08"));
    assert_eq!(mail.message_id(), Some("C-TEST-first-1-abc@example.jp"));
    assert_eq!(mail.body_text(0).as_deref().map(str::trim), Some("■ 要点\r\n  本文"));
    assert!(mail.body_html(0).is_some_and(|html| html.contains("<p>本文</p>")));
    assert_eq!(mail.header_raw("Auto-Submitted").map(str::trim), Some("auto-generated"));
    assert_eq!(mail.header_raw("X-Mimamori-Loop").map(str::trim), Some("1"));
    assert_eq!(mail.header_raw("X-Auto-Response-Suppress").map(str::trim), Some("All"));
    assert_eq!(mail.header_raw("References").map(str::trim), Some("<C-TEST@example.jp>"));
    assert!(mail.header("Bcc").is_none(), "a name adds no header");
    let to = mail.to().and_then(|to| to.first()).expect("to");
    assert_eq!((to.address(), to.name()), (Some("sv@example.jp"), Some("佐藤Bcc: evil@example.com")));
    assert_eq!(server.envelope(1)["to"], serde_json::json!(["sv@example.jp"]));
}

#[test]
fn answers_of_the_server_are_told_apart() {
    let server = MailServer::start(&[]);
    for (to, expected) in [
        ("refuse@example.jp", Outcome::RecipientRefused { reason: Reason::Refused }),
        ("later@example.jp", Outcome::Transient { reason: Reason::Busy, slow_down: false }),
        ("busy@example.jp", Outcome::Transient { reason: Reason::Busy, slow_down: true }),
        ("sv@example.jp", Outcome::Sent),
    ] {
        assert_eq!(send(relay(&server, Security::None), &alert(to, "佐藤")), expected, "{to}");
    }
    let mut nobody = relay(&server, Security::None);
    nobody.port = 1;
    assert_eq!(send(nobody, &alert("sv@example.jp", "佐藤")), Outcome::Transient { reason: Reason::Connection, slow_down: false });
}

#[test]
fn a_stalled_server_is_left_and_the_next_alert_is_not_said_to_be_sent_falsely() {
    let server = MailServer::start(&[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let smtp = Smtp::new(relay(&server, Security::None)).expect("settings");
    let started = Instant::now();
    let stalled = runtime.block_on(smtp.send(&alert("tarpit@example.jp", "佐藤")));
    assert_eq!(stalled, Outcome::Transient { reason: Reason::MaybeSent, slow_down: false });
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let next = runtime.block_on(smtp.send(&alert("refuse@example.jp", "佐藤")));
    assert_eq!(next, Outcome::RecipientRefused { reason: Reason::Refused });
    let cut = runtime.block_on(smtp.send(&alert("cut@example.jp", "佐藤")));
    assert!(matches!(cut, Outcome::Transient { .. }), "{cut:?}");
}

#[test]
fn only_a_trusted_server_gets_the_alert() {
    let trust = Trust::new();
    for (security, more) in [(Security::StartTls, &[][..]), (Security::Tls, &["--implicit"])] {
        let server = trust.server(more);
        let refused = send(relay(&server, security), &alert("sv@example.jp", "佐藤"));
        assert_eq!(refused, Outcome::ChannelBroken { reason: Reason::Tls }, "{security:?} without the authority");
        assert!(server.mails().is_empty(), "nothing leaves to a stranger");
        let known = Relay { authority: Some(trust.authority.clone()), ..relay(&server, security) };
        assert_eq!(send(known, &alert("sv@example.jp", "佐藤")), Outcome::Sent, "{security:?}");
        assert_eq!(server.envelope(1)["tls"], security == Security::StartTls, "implicit TLS is below the session");
    }
    // A trusted authority that speaks for somebody else.
    let server = trust.server(&[]);
    let other = Relay { host: "127.0.0.2".to_owned(), authority: Some(trust.authority.clone()), ..relay(&server, Security::StartTls) };
    assert!(!matches!(send(other, &alert("sv@example.jp", "佐藤")), Outcome::Sent) && server.mails().is_empty(), "another name");
    let plain = MailServer::start(&[]);
    let refused = send(relay(&plain, Security::StartTls), &alert("sv@example.jp", "佐藤"));
    assert_eq!(refused, Outcome::ChannelBroken { reason: Reason::Tls }, "no STARTTLS, no alert");
    assert!(plain.mails().is_empty());
}

#[test]
fn a_certificate_at_fault_is_a_broken_channel_and_nothing_leaves() {
    for (what, names, year) in [("expired", &["localhost"][..], 2021), ("another name", &["mail.example.jp"], 4096)] {
        let trust = Trust::naming(names, year);
        for (security, more) in [(Security::StartTls, &[][..]), (Security::Tls, &["--implicit"])] {
            let server = trust.server(more);
            let known = Relay { authority: Some(trust.authority.clone()), ..relay(&server, security) };
            let refused = send(known, &alert("sv@example.jp", "佐藤"));
            assert_eq!(refused, Outcome::ChannelBroken { reason: Reason::Tls }, "{what}, {security:?}");
            assert!(server.mails().is_empty(), "{what}, {security:?}");
        }
    }
}

#[test]
fn a_wrong_password_breaks_the_channel_not_the_recipient() {
    let trust = Trust::new();
    let server = trust.server(&["--user", "mimamori", "--password", "right"]);
    for (password, expected) in [("wrong", Outcome::ChannelBroken { reason: Reason::Authentication }), ("right", Outcome::Sent)] {
        let relay = Relay {
            credentials: Some(("mimamori".to_owned(), Proof::Password(password.to_owned()))),
            authority: Some(trust.authority.clone()),
            ..relay(&server, Security::StartTls)
        };
        assert_eq!(send(relay, &alert("sv@example.jp", "佐藤")), expected, "{password}");
    }
    assert_eq!(server.envelope(1)["authenticated"], true);
}

#[test]
fn a_message_becomes_a_mail_to_the_supervisor() {
    let trust = Trust::new();
    let server = trust.server(&["--user", "mimamori", "--password", "right"]);
    let notify = format!(
        "[notify]\ntransport = \"smtp\"\n[notify.smtp]\nhost = \"localhost\"\nport = {}\nsecurity = \"starttls\"\nuser = \"mimamori\"\npassword_file = \"password\"\nca_file = \"{}\"\n",
        server.port,
        trust.file("ca.pem")
    );
    let site = Site::new(&notify);
    fs::write(site.path("password"), "right\n").expect("written");
    let worker = site.start_ready();
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/demo/samples/07-emergency.eml");
    assert!(site.run(&["submit", sample]).status.success());
    let mails = wait_for("the mail", Duration::from_secs(30), || Some(server.mails()).filter(|mails| mails.len() >= 3));
    let (code, _) = worker.terminate();
    assert_eq!(code, Some(0), "{}", site.log());
    let mut recipients = vec![];
    for raw in &mails {
        let mail = MessageParser::default().parse(raw).expect("parses");
        let subject = mail.subject().expect("subject");
        assert!(subject.starts_with("【見守り｜4 緊急】") && subject.contains("脅迫"), "{subject}");
        for body in [mail.body_text(0), mail.body_html(0)] {
            let body = body.expect("body");
            assert!(body.contains("mimamori case ack C-") && body.contains("110") && !body.contains("刺してやる"), "{body}");
        }
        recipients.push(mail.to().and_then(|to| to.first()).and_then(|to| to.address()).expect("to").to_owned());
    }
    recipients.sort();
    assert_eq!(recipients, ["manager@example.jp", "security@example.jp", "sv@example.jp"]);
    assert!(!site.log().contains("right") && !site.log().contains("@example.jp"), "no secrets or addresses in the log:\n{}", site.log());
}
