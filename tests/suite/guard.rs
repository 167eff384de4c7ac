//! mimamori watched by itself and from outside: canaries the whole way, alarms once and over once, the watchdog.

use crate::support::{MailServer, Site, wait_for};
use crate::webhook::Server;
use mimamori::edge::embedded::Embedded;
use mimamori::store::{Store, Stream};
use mimamori::worker::enroll::read_cases;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

const LONG: Duration = Duration::from_secs(40);
const CANARY: &str = "[canary]\nevery_seconds = 1\nlate_after_seconds = 4\nto = \"sink@example.jp\"\n";

/// Mail over that server, pages to that one; the probes on a port of their own.
fn site(mail: u16, pager: &Server, more: &str) -> Site {
    let notify = format!(
        "[notify]\ntransport = \"smtp\"\n[notify.smtp]\nhost = \"localhost\"\nport = {mail}\nsecurity = \"none\"\ntimeout_seconds = 5\n\
         [[notify.channel]]\nid = \"pager\"\nurl_file = \"pager-url\"\nprivate_hosts = [\"127.0.0.1\"]\n{more}"
    );
    let site = Site::new(&notify);
    let file = site.path("pager-url");
    fs::write(&file, pager.url()).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("private");
    let config = fs::read_to_string(site.path("mimamori.toml")).expect("config");
    let ops = std::net::TcpListener::bind("127.0.0.1:0").expect("binds").local_addr().expect("an address").port();
    let config = config.replace("[ops]\nlisten = \"127.0.0.1:0\"", &format!("[ops]\nlisten = \"127.0.0.1:{ops}\""));
    let config = config.replace("http://127.0.0.1:1\"", &format!("http://127.0.0.1:{ops}\""));
    fs::write(site.path("mimamori.toml"), config).expect("written");
    site
}

fn pager() -> Server {
    Server::start("HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n".into())
}

/// Pages whose subject begins so.
fn pages(pager: &Server, beginning: &str) -> usize {
    let beginning = format!("\"summary\":\"{beginning}");
    pager.seen().iter().filter(|page| page.contains(&beginning)).count()
}

/// Mails to that address, as text that `decode` would show.
fn mails_to(server: &MailServer, address: &str) -> Vec<String> {
    let all = server.mails();
    let to = |n: usize| server.envelope(n)["to"][0] == address;
    let subject = |mail: &[u8]| {
        mail_parser::MessageParser::default().parse(mail).and_then(|mail| mail.subject().map(str::to_owned)).unwrap_or_default()
    };
    (1..=all.len()).filter(|n| to(*n)).map(|n| subject(&all[n - 1])).collect()
}

fn metric(site: &Site, name: &str) -> f64 {
    let log = site.log();
    let ops = log.rsplit("ops=").next().and_then(|rest| rest.split_whitespace().next()).expect("the address of the probes").to_owned();
    let page = ureq::get(format!("http://{ops}/metrics")).call().expect("metrics").body_mut().read_to_string().expect("text");
    page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok()).expect("the metric")
}

fn store<T>(site: &Site, act: impl AsyncFnOnce(Embedded) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async { act(Embedded::open(&site.path("mimamori.db")).expect("opens")).await })
}

#[test]
fn a_canary_goes_the_whole_way_and_leaves_no_trace() {
    let (mail, pager) = (MailServer::start(&[]), pager());
    let site = site(mail.port, &pager, CANARY);
    let worker = site.start_ready();
    wait_for("three canaries at the sink", LONG, || (mails_to(&mail, "sink@example.jp").len() >= 3).then_some(()));
    let last = wait_for("one to have come back", LONG, || Some(metric(&site, "mimamori_canary_last_seconds")).filter(|at| *at > 1.7e9));
    wait_for("the next one", LONG, || (metric(&site, "mimamori_canary_last_seconds") > last).then_some(()));
    let took = metric(&site, "mimamori_canary_round_trip_seconds");
    assert!(took > 0.0 && took < 4.0, "{took}");
    assert!(metric(&site, "mimamori_canary_sent_total") >= 3.0);
    // A message that only calls itself one is judged like any other.
    let forged = r#"{"id":"canary-1-aaaaaaaa","channel":"chat","text":"お前ら全員ぶっ殺してやる","customer":"c"}"#;
    assert!(site.run_with(&["submit"], forged.as_bytes()).status.success());
    wait_for("its verdict", LONG, || (site.counts() == (1, 0)).then_some(()));
    store(&site, async |store| {
        assert_eq!(read_cases(&store).await.expect("cases").len(), 1, "the forged one alone has a case");
        let seq = |entry: Option<mimamori::store::StreamEntry>| entry.map_or(0, |entry| entry.seq);
        assert_eq!(seq(store.last(Stream::Evidence).await.expect("evidence")), 1);
        assert_eq!(seq(store.last(Stream::Decision).await.expect("decisions")), 1);
        let memory = store.scan(&mimamori::store::Key::new(mimamori::store::Bucket::Conversation, &[])).await.expect("memory");
        assert_eq!(memory.len(), 2, "customer and conversation of the forged one");
    });
    assert_eq!(pages(&pager, "【見守り停止】"), 0);
    drop(worker);
}

#[test]
fn a_dead_mail_server_is_told_over_the_pager_once_and_its_return_once() {
    let (mail, pager) = (MailServer::start(&[]), pager());
    let port = mail.port;
    let site = site(port, &pager, CANARY);
    let worker = site.start_ready();
    wait_for("a canary at the sink", LONG, || (!mails_to(&mail, "sink@example.jp").is_empty()).then_some(()));
    drop(mail);
    wait_for("the alarm", LONG, || (pages(&pager, "【見守り停止】") == 1).then_some(()));
    assert!(pager.seen().iter().any(|page| page.contains("見守り停止") && page.contains("復旧まで受信箱を直接確認")), "{:?}", pager.seen());
    // A restart neither forgets nor repeats it.
    worker.kill();
    let worker = site.start_ready();
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!((pages(&pager, "【見守り停止】"), pages(&pager, "【復旧】")), (1, 0));
    let mail = MailServer::start(&["--port", &port.to_string()]);
    wait_for("the end", LONG, || (pages(&pager, "【復旧】") == 1).then_some(()));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((pages(&pager, "【見守り停止】"), pages(&pager, "【復旧】")), (1, 1));
    assert!(!mails_to(&mail, "sink@example.jp").is_empty());
    drop(worker);
}

#[test]
fn the_watchdog_tells_from_outside_once_and_ends_it_once() {
    let (mail, pager) = (MailServer::start(&[]), pager());
    let more = format!("{CANARY}[watchdog]\nurl = \"http://127.0.0.1:1\"\nevery_seconds = 1\nlate_after_seconds = 3\n");
    let site = site(mail.port, &pager, &more);
    let once = || site.run(&["watchdog", "--once"]).status.code();
    let worker = site.start_ready();
    wait_for("all to be well", LONG, || (once() == Some(0)).then_some(()));
    worker.kill();
    assert_eq!(once(), Some(1));
    assert_eq!(pages(&pager, "【見守り停止】"), 0, "one lost answer is no outage");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((once(), once()), (Some(1), Some(1)));
    assert_eq!(pages(&pager, "【見守り停止】"), 1, "{:?}", pager.seen());
    let told = mails_to(&mail, "ops@example.jp");
    assert!(told.len() == 1 && told[0].contains("【見守り停止】") && told[0].contains("未判定不明件"), "{told:?}");
    let worker = site.start_ready();
    wait_for("all to be well again", LONG, || (once() == Some(0)).then_some(()));
    assert_eq!(once(), Some(0));
    assert_eq!((pages(&pager, "【見守り停止】"), pages(&pager, "【復旧】")), (1, 1));
    assert_eq!(mails_to(&mail, "ops@example.jp").len(), 2);
    drop(worker);
}

#[test]
fn names_and_addresses_that_cannot_be_told_are_refused_with_all_faults() {
    let site = Site::new("[canary]\nalarm = [\"nobody\"]\nto = \"sink@elsewhere.example\"\n");
    for verb in [&["config", "check"][..], &["watchdog", "--once"]] {
        let output = site.run(verb);
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains("`nobody`") && told.contains("sink@elsewhere.example"), "{told}");
    }
    let site = Site::new("[canary]\nevery_seconds = 60\nlate_after_seconds = 60\n[watchdog]\nurl = \"127.0.0.1\"\n");
    let output = site.run(&["config", "check"]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && told.contains("late_after_seconds") && told.contains("`url`"), "{told}");
}
