//! What every way out promises, whatever carries the alert: one table of promises, run against each.

use crate::smtp::alert;
use crate::smtp_faults::Server as MailServer;
use crate::webhook::Server as WebServer;
use mimamori::edge::notify::outbox::Outbox;
use mimamori::edge::notify::smtp::Smtp;
use mimamori::edge::notify::webhook::Shape;
use mimamori::edge::notify::{Notifier, Outcome, Outgoing};
use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A way out, and what has arrived at its other end.
struct Way {
    name: &'static str,
    notifier: Arc<dyn Notifier>,
    arrived: Box<dyn Fn() -> Vec<String>>,
}

fn ways(folder: &tempfile::TempDir) -> Vec<Way> {
    let outbox = folder.path().join("outbox");
    let mail = MailServer::start(None);
    let mut ways = vec![
        Way {
            name: "outbox",
            notifier: Arc::new(Outbox::new(outbox.clone()).expect("a folder")),
            arrived: Box::new(move || {
                let rows = fs::read_dir(&outbox).expect("there").flatten();
                rows.map(|row| fs::read_to_string(row.path()).expect("a mail")).collect()
            }),
        },
        Way {
            name: "mail",
            notifier: Arc::new(Smtp::new(mail.relay()).expect("settings")),
            arrived: Box::new(move || mail.mails.lock().expect("lock").clone()),
        },
    ];
    for (name, shape) in [("webhook", Shape::Plain), ("slack", Shape::Slack), ("teams", Shape::Teams)] {
        let server = WebServer::start("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_owned());
        let notifier = Arc::new(server.webhook(shape));
        ways.push(Way { name, notifier, arrived: Box::new(move || server.seen()) });
    }
    ways
}

fn send(way: &Way, alert: &Outgoing) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(way.notifier.send(alert))
}

#[test]
fn every_way_keeps_the_same_promises() {
    let folder = tempfile::tempdir().expect("a folder");
    for way in ways(&folder) {
        let began = Instant::now();
        let alert = alert("sv@example.jp", "佐藤");
        // Twice the same is recognisable as the same.
        for _ in 0..2 {
            assert_eq!(send(&way, &alert), Outcome::Sent, "{}", way.name);
        }
        let arrived = (way.arrived)();
        assert!(!arrived.is_empty() && arrived.iter().all(|one| one.contains(&alert.message_id)), "{}: {arrived:?}", way.name);
        // What came from outside adds no header, no field and no line of its own.
        let hostile = Outgoing {
            subject: "件名\r\nBcc: evil@example.com\u{0}\u{202e}".to_owned(),
            message_id: "C-TEST-first-2-def@example.jp".to_owned(),
            ..alert.clone()
        };
        assert_eq!(send(&way, &hostile), Outcome::Sent, "{}", way.name);
        let last = (way.arrived)().into_iter().find(|one| one.contains(&hostile.message_id)).expect(way.name);
        assert!(last.lines().all(|line| !line.starts_with("Bcc:")), "{}: {last}", way.name);
        assert!(began.elapsed() < Duration::from_secs(10), "{}", way.name);
    }
}

#[test]
fn no_way_panics_or_waits_for_what_cannot_be_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    for way in ways(&folder) {
        let began = Instant::now();
        for address in ["", "nobody", "a b@example.jp", "a@b@c", "\u{0}@example.jp", &"x".repeat(2_000)] {
            let outcome = send(&way, &alert(address, ""));
            // Webhooks name the person by key; only mail needs an address.
            let is_fine = matches!(outcome, Outcome::Sent | Outcome::RecipientRefused { .. });
            assert!(is_fine, "{} to {address:?}: {outcome:?}", way.name);
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{}", way.name);
    }
}
