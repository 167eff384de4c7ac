//! Webhooks: a real HTTP server that answers well, badly, slowly or not at all; where they may go; how they are signed.

use mimamori::edge::notify::webhook::guard::{Forbidden, Place};
use mimamori::edge::notify::webhook::{Shape, Target, Webhook, signature};
use mimamori::edge::notify::{Notifier, Outcome, Outgoing, Reason};
use mimamori::policy::{Recipient, Sender};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn alert() -> Outgoing {
    Outgoing {
        message_id: "C-TEST-first-1@example.jp".into(),
        thread_id: "C-TEST@example.jp".into(),
        from: Sender { address: "mimamori@example.jp".into(), name: "見守り".into() },
        to: Recipient { person: "sv".into(), name: "SV".into(), channel: "pager".into(), address: "sv".into() },
        subject: "【見守り｜4 緊急】脅迫・威嚇[日時・場所あり](メール) C-TEST <a>&｜受領期限 02:04".into(),
        text: "■ 理由「店長を●●●●」".into(),
        leaves_site: true,
        html: "<p>店長を●●●●</p>".into(),
        link: Some("https://mimamori.example.jp/ack/abc-1-def".into()),
        reply_to: None,
    }
}

/// A server that gives every connection the same bytes, and keeps what it was sent.
pub(crate) struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn start(answer: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, seen) = (listener.local_addr().unwrap().port(), Arc::new(Mutex::new(vec![])));
        let kept = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, kept, answer) = (stream.unwrap(), Arc::clone(&kept), answer.clone());
                std::thread::spawn(move || serve(stream, &answer, &kept));
            }
        });
        Self { port, seen }
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    pub(crate) fn webhook(&self, shape: Shape) -> Webhook {
        let target = Target {
            url: format!("http://127.0.0.1:{}/hook?key=geheim", self.port),
            secret: Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()),
            private_hosts: vec!["127.0.0.1".into()],
            shape,
            button: "受領・交代".into(),
        };
        Webhook::new(&target).unwrap()
    }
}

fn serve(mut stream: TcpStream, answer: &str, kept: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head += &line;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    kept.lock().unwrap().push(format!("{head}\n{}", String::from_utf8(body).unwrap()));
    if answer == "silence" {
        std::thread::sleep(Duration::from_secs(30));
    }
    _ = stream.write_all(answer.as_bytes());
}

#[tokio::test]
async fn answers_are_told_apart() {
    let trap = Server::start("HTTP/1.1 200 OK\r\n\r\n".into());
    let redirect = format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{}/\r\ncontent-length: 0\r\n\r\n", trap.port);
    let busy = |slow_down| Outcome::Transient { reason: Reason::Busy, slow_down };
    let later = |seconds| Outcome::Later { wait: Duration::from_secs(seconds) };
    let broken = |reason| Outcome::ChannelBroken { reason };
    let rows = [
        ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), Outcome::Sent),
        // The status line is the answer; a body that never ends is left.
        ("HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\nx".to_owned(), Outcome::Sent),
        ("HTTP/1.1 429 Too Many Requests\r\nretry-after: 30\r\ncontent-length: 0\r\n\r\n".to_owned(), later(30)),
        ("HTTP/1.1 503 Unavailable\r\nretry-after: 864000\r\ncontent-length: 0\r\n\r\n".to_owned(), later(15 * 60)),
        ("HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n".to_owned(), busy(true)),
        ("HTTP/1.1 503 Unavailable\r\ncontent-length: 0\r\n\r\n".to_owned(), busy(true)),
        ("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n".to_owned(), busy(false)),
        ("HTTP/1.1 401 Who\r\ncontent-length: 0\r\n\r\n".to_owned(), broken(Reason::Authentication)),
        ("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n".to_owned(), broken(Reason::Refused)),
        (redirect, broken(Reason::Refused)),
        (String::new(), Outcome::Transient { reason: Reason::MaybeSent, slow_down: false }),
        ("SSH-2.0-x\r\n".to_owned(), Outcome::Transient { reason: Reason::MaybeSent, slow_down: false }),
    ];
    for (answer, expected) in rows {
        let server = Server::start(answer.clone());
        assert_eq!(server.webhook(Shape::Plain).send(&alert()).await, expected, "{answer:?}");
        assert_eq!(server.seen().len(), 1, "one request for {answer:?}");
    }
    assert!(trap.seen().is_empty(), "a redirect was followed");
}

#[tokio::test]
async fn a_silent_server_is_left_in_time() {
    let server = Server::start("silence".into());
    let begun = Instant::now();
    let outcome = server.webhook(Shape::Plain).send(&alert()).await;
    assert_eq!(outcome, Outcome::Transient { reason: Reason::Timeout, slow_down: false });
    assert!(begun.elapsed() < Duration::from_secs(13), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_leaves_is_signed_and_says_little() {
    for (shape, expected) in [(Shape::Plain, "\"summary\""), (Shape::Slack, "&lt;a&gt;&amp;"), (Shape::Teams, "AdaptiveCard")] {
        let server = Server::start("HTTP/1.1 204 No Content\r\n\r\n".into());
        let webhook = server.webhook(shape);
        for _ in 0..2 {
            assert_eq!(webhook.send(&alert()).await, Outcome::Sent);
        }
        let seen = server.seen();
        let id = |request: &String| request.lines().find(|line| line.starts_with("webhook-id:")).unwrap().to_owned();
        assert_eq!((id(&seen[0]), seen.len()), (id(&seen[1]), 2), "the same id for every attempt");
        let (head, body) = seen[0].split_once("\n\n").unwrap_or_else(|| seen[0].rsplit_once('\n').unwrap());
        let value = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
        let key = [49, 242, 144, 246, 191, 6, 41, 138, 171, 79, 8, 212, 60, 63, 8, 44, 246, 72, 163, 98, 218, 45, 164, 176];
        let seconds: i64 = value("webhook-timestamp:").parse().unwrap();
        assert_eq!(value("webhook-signature:"), signature(&key, &value("webhook-id:"), seconds, body.trim_start().as_bytes()));
        assert!(body.contains(expected) && !body.contains('●') && !body.contains("店長"), "{body}");
        assert!(!format!("{webhook:?}").contains("geheim"), "{webhook:?}");
    }
}

#[test]
fn signatures_are_those_of_standard_webhooks() {
    // Computed by another implementation from the key of the specification's example.
    let key = data_encoding::BASE64.decode(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    assert_eq!(signature(&key, "msg_1", 1_614_265_330, b"{\"test\": 2432232314}"), "v1,9o7UeFkn1GjVbcY4emAJruJCYqgH2EIf8u/slvVRBZI=");
}

#[test]
fn private_networks_are_closed_unless_listed() {
    let rows = [
        ("https://hooks.example.com/x", &[][..], None),
        ("http://hooks.example.com/x", &[], Some(Forbidden::Plain)),
        ("http://pager.example.jp/x", &["pager.example.jp"], None),
        ("https://10.1.2.3/x", &[], Some(Forbidden::Private)),
        ("https://10.1.2.3/x", &["10.1.2.3"], None),
        ("https://[::1]/x", &[], Some(Forbidden::Private)),
        ("https://169.254.169.254/latest", &["169.254.169.254"], Some(Forbidden::Private)),
        ("ftp://hooks.example.com/x", &[], Some(Forbidden::NotAnAddress)),
        ("https://user:word@hooks.example.com/", &[], Some(Forbidden::NotAnAddress)),
        ("hooks.example.com", &[], Some(Forbidden::NotAnAddress)),
    ];
    for (url, listed, expected) in rows {
        let listed: Vec<String> = listed.iter().map(|host| (*host).to_owned()).collect();
        assert_eq!(Place::parse(url, &listed).err(), expected, "{url}");
    }
    let public = Place::parse("https://hooks.example.com/", &[]).unwrap();
    let closed = [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "240.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "2002:a00:1::1",
        "64:ff9b::a00:1",
    ];
    for ip in closed {
        assert!(!public.allows(ip.parse::<IpAddr>().unwrap()), "{ip}");
    }
    for ip in ["8.8.8.8", "203.0.114.1", "2606:4700::1111"] {
        assert!(public.allows(ip.parse::<IpAddr>().unwrap()), "{ip}");
    }
}
