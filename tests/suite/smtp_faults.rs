//! A mail server that fails at each step in each way: what the alert's sender must make of it.

use crate::smtp::{alert, send};
use mimamori::edge::notify::smtp::{Proof, Relay, Security, Smtp};
use mimamori::edge::notify::{Notifier, Outcome, Reason};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Where the server misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    Greeting,
    Ehlo,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// After the final dot.
    Text,
    Quit,
}

/// How.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Say(u16),
    Stall,
    Cut,
    /// One byte a while, never a whole line.
    Dribble,
    /// A reply that never ends.
    Flood,
}

pub(crate) struct Server {
    port: u16,
    /// Mails whose final dot was read.
    pub(crate) mails: Arc<Mutex<Vec<String>>>,
    /// Lines of the dialogue.
    lines: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) fn start(fault: Option<(At, How)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let port = listener.local_addr().expect("an address").port();
        let (mails, lines) = (Arc::new(Mutex::new(vec![])), Arc::new(Mutex::new(vec![])));
        let (into, said) = (Arc::clone(&mails), Arc::clone(&lines));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (into, said) = (Arc::clone(&into), Arc::clone(&said));
                std::thread::spawn(move || _ = talk(stream, fault, &into, &said));
            }
        });
        Self { port, mails, lines }
    }

    pub(crate) fn relay(&self) -> Relay {
        Relay {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            security: Security::None,
            credentials: Some(("mimamori".to_owned(), Proof::Password("right".to_owned()))),
            authority: None,
            hello_name: Some("test.example".to_owned()),
            timeout: Duration::from_millis(700),
        }
    }
}

/// False ends the connection.
fn answer(stream: &mut TcpStream, here: At, usual: &str, fault: Option<(At, How)>) -> std::io::Result<bool> {
    let Some((_, how)) = fault.filter(|(at, _)| *at == here) else {
        stream.write_all(usual.as_bytes())?;
        return Ok(true);
    };
    match how {
        How::Say(code) => {
            write!(stream, "{code} 4.0.0 as the test wants\r\n")?;
            Ok(true)
        }
        How::Cut => Ok(false),
        How::Stall => {
            std::thread::sleep(Duration::from_secs(5));
            Ok(false)
        }
        How::Dribble => {
            for _ in 0..50 {
                stream.write_all(b"2")?;
                std::thread::sleep(Duration::from_millis(100));
            }
            Ok(false)
        }
        How::Flood => {
            let line = format!("250-{}\r\n", "x".repeat(70)).repeat(1000);
            for _ in 0..200 {
                stream.write_all(line.as_bytes())?;
            }
            Ok(false)
        }
    }
}

fn talk(mut stream: TcpStream, fault: Option<(At, How)>, mails: &Mutex<Vec<String>>, said: &Mutex<Vec<String>>) -> std::io::Result<()> {
    if !answer(&mut stream, At::Greeting, "220 test\r\n", fault)? {
        return Ok(());
    }
    let mut lines = BufReader::new(stream.try_clone()?);
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line)? == 0 {
            return Ok(());
        }
        said.lock().expect("lock").push(line.trim_end().to_owned());
        let verb = line.split([' ', ':', '\r']).next().unwrap_or_default().to_uppercase();
        let (here, usual) = match verb.as_str() {
            "EHLO" => (At::Ehlo, "250-test\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN XOAUTH2\r\n"),
            "AUTH" => (At::Auth, "235 ok\r\n"),
            "MAIL" => (At::Mail, "250 ok\r\n"),
            "RCPT" => (At::Rcpt, "250 ok\r\n"),
            "DATA" => (At::Data, "354 go on\r\n"),
            "QUIT" => (At::Quit, "221 bye\r\n"),
            _ => return Ok(()),
        };
        if !answer(&mut stream, here, usual, fault)? {
            return Ok(());
        }
        let goes_on = fault.is_none_or(|(at, _)| at != At::Data);
        if here == At::Data && goes_on {
            let mut text = vec![];
            let mut byte = [0];
            while !text.ends_with(b"\r\n.\r\n") && lines.read(&mut byte)? == 1 {
                text.push(byte[0]);
            }
            mails.lock().expect("lock").push(String::from_utf8_lossy(&text).into_owned());
            if !answer(&mut stream, At::Text, "250 taken\r\n", fault)? {
                return Ok(());
            }
        }
    }
}

#[test]
fn every_fault_at_every_step_is_what_it_is() {
    use Reason::{Authentication, Busy, Connection, MaybeSent, Refused, Timeout};
    let later = |reason| Outcome::Transient { reason, slow_down: false };
    let slow = Outcome::Transient { reason: Busy, slow_down: true };
    let broken = |reason| Outcome::ChannelBroken { reason };
    let nobody = Outcome::RecipientRefused { reason: Refused };
    let before = [At::Greeting, At::Ehlo, At::Auth, At::Mail, At::Rcpt, At::Data];
    let mut rows = vec![];
    for at in before {
        rows.extend([(at, How::Say(450), later(Busy)), (at, How::Say(421), slow), (at, How::Say(452), slow)]);
        rows.extend([(at, How::Stall, later(Timeout)), (at, How::Dribble, later(Timeout)), (at, How::Cut, later(Connection))]);
    }
    rows.extend([
        (At::Greeting, How::Say(554), broken(Refused)),
        (At::Ehlo, How::Say(550), broken(Refused)),
        (At::Auth, How::Say(535), broken(Authentication)),
        (At::Auth, How::Say(504), broken(Authentication)),
        (At::Mail, How::Say(550), broken(Refused)),
        (At::Mail, How::Say(530), broken(Authentication)),
        (At::Rcpt, How::Say(550), nobody),
        (At::Data, How::Say(554), nobody),
        // An answer that belongs to another question is no success: the server is out of step.
        (At::Auth, How::Say(354), later(Connection)),
        (At::Mail, How::Say(354), later(Connection)),
        (At::Rcpt, How::Say(354), later(Connection)),
        (At::Data, How::Say(250), later(Connection)),
        (At::Text, How::Say(354), later(MaybeSent)),
        (At::Rcpt, How::Say(432), slow),
        (At::Quit, How::Say(554), Outcome::Sent),
        (At::Text, How::Say(450), later(Busy)),
        (At::Text, How::Say(421), slow),
        (At::Text, How::Say(554), nobody),
        (At::Text, How::Stall, later(MaybeSent)),
        (At::Text, How::Cut, later(MaybeSent)),
        (At::Text, How::Dribble, later(MaybeSent)),
        // The mail is safe: how the server takes its leave changes nothing.
        (At::Quit, How::Say(421), Outcome::Sent),
        (At::Quit, How::Stall, Outcome::Sent),
        (At::Quit, How::Cut, Outcome::Sent),
        (At::Quit, How::Flood, Outcome::Sent),
    ]);
    let one = |(at, how, expected): (At, How, Outcome)| {
        let server = Server::start(Some((at, how)));
        let began = Instant::now();
        let found = send(server.relay(), &alert("sv@example.jp", "佐藤"));
        assert_eq!(found, expected, "{at:?} {how:?}");
        assert!(began.elapsed() < Duration::from_secs(3), "{at:?} {how:?}: {:?}", began.elapsed());
        let arrived = server.mails.lock().expect("lock").len();
        let may_have_arrived = matches!(at, At::Text | At::Quit);
        assert_eq!(arrived, usize::from(may_have_arrived), "{at:?} {how:?}: what was not sent has not arrived");
    };
    std::thread::scope(|scope| {
        for row in rows {
            scope.spawn(move || one(row));
        }
    });
}

#[test]
fn an_endless_answer_ends_with_the_time() {
    for at in [At::Ehlo, At::Rcpt, At::Text] {
        let server = Server::start(Some((at, How::Flood)));
        let began = Instant::now();
        let found = send(server.relay(), &alert("sv@example.jp", "佐藤"));
        assert!(matches!(found, Outcome::Transient { .. } | Outcome::ChannelBroken { .. }), "{at:?}: {found:?}");
        assert!(began.elapsed() < Duration::from_secs(3), "{at:?}");
    }
}

#[test]
fn every_attempt_is_recognisable_as_the_same_mail() {
    let server = Server::start(Some((At::Text, How::Cut)));
    for _ in 0..3 {
        assert_eq!(
            send(server.relay(), &alert("sv@example.jp", "佐藤")),
            Outcome::Transient { reason: Reason::MaybeSent, slow_down: false }
        );
    }
    let mails = server.mails.lock().expect("lock");
    let ids: Vec<&str> = mails.iter().filter_map(|mail| mail.lines().find(|line| line.starts_with("Message-ID:"))).collect();
    assert_eq!(ids, vec!["Message-ID: <C-TEST-first-1-abc@example.jp>"; 3]);
}

#[test]
fn a_token_is_read_anew_for_every_mail() {
    let server = Server::start(None);
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("token");
    let relay = Relay { credentials: Some(("mimamori@example.jp".to_owned(), Proof::TokenFile(file.clone()))), ..server.relay() };
    let smtp = Smtp::new(relay).expect("settings");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let try_once = || runtime.block_on(smtp.send(&alert("sv@example.jp", "佐藤")));
    let broken = Outcome::ChannelBroken { reason: Reason::Authentication };
    assert_eq!(try_once(), broken, "no token yet");
    for bad in ["", "\n", "a\nb", "a b", "a\u{1}b", &"x".repeat(20_000)] {
        std::fs::write(&file, bad).expect("written");
        assert_eq!(try_once(), broken, "{} bytes", bad.len());
    }
    for token in ["first", "second"] {
        std::fs::write(&file, format!("{token}\n")).expect("written");
        assert_eq!(try_once(), Outcome::Sent);
        let lines = server.lines.lock().expect("lock");
        let auth = lines.iter().rev().find(|line| line.starts_with("AUTH")).expect("one").clone();
        let coded = auth.strip_prefix("AUTH XOAUTH2 ").expect("the mechanism");
        let plain = data_encoding::BASE64.decode(coded.as_bytes()).expect("base64");
        assert_eq!(String::from_utf8(plain).expect("utf-8"), format!("user=mimamori@example.jp\u{1}auth=Bearer {token}\u{1}\u{1}"));
    }
}
