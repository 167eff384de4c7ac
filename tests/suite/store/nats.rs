//! Real NATS servers for the contract, and what only the JetStream backend promises.

use crate::store::{Backend, LEASE, PATIENCE, ids, key, lease_now, line, submit, submit_all, value};
use crate::support::wait_for;
use bytes::Bytes;
use mimamori::edge::nats::faults::Trouble;
use mimamori::edge::nats::layout::Layout;
use mimamori::edge::nats::{Access, Nats, OpenError, Options};
use mimamori::model::envelope::{ContentKind, Source};
use mimamori::store::{Queue, Settlement, Store, StoreError, Stream};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// The newest server; the contract runs against it, the main path against each.
pub(crate) const NEWEST: &str = "2.15.1";

/// Every version that must work.
const VERSIONS: [&str; 4] = ["2.11.11", "2.12.8", "2.14.6", NEWEST];

/// A server of its own, killed when dropped.
pub(crate) struct NatsServer {
    child: Option<Child>,
    version: &'static str,
    pub(crate) port: u16,
    folder: tempfile::TempDir,
    config: Option<PathBuf>,
}

impl NatsServer {
    pub(crate) fn start(version: &'static str) -> Self {
        let mut server = Self { child: None, version, port: free_port(), folder: tempfile::tempdir().expect("folder"), config: None };
        server.launch();
        server
    }

    /// One with a configuration; port and data folder are its own.
    pub(crate) fn configured(version: &'static str, config: &str) -> Self {
        Self::on_port(version, config, free_port())
    }

    fn on_port(version: &'static str, config: &str, port: u16) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("nats-server.conf");
        let mut server = Self { child: None, version, port, folder, config: Some(file) };
        server.write(config);
        server.launch();
        server
    }

    /// Three that keep everything three times.
    pub(crate) fn cluster(version: &'static str) -> Vec<Self> {
        let routes: Vec<u16> = (0..3).map(|_| free_port()).collect();
        let all: Vec<String> = routes.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        let start = |(n, route): (usize, &u16)| {
            let config = format!(
                "server_name: node-{n}\nport: 4222\njetstream {{ store_dir: \"/var/lib/nats\" }}\n\
                 cluster {{ name: three, listen: \"127.0.0.1:{route}\", routes: [{}] }}\n",
                all.join(", ")
            );
            Self::configured(version, &config)
        };
        routes.iter().enumerate().map(start).collect()
    }

    /// Its name, if its configuration gives one.
    pub(crate) fn name(&self) -> String {
        let text = self.config.as_ref().and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("server_name: ")).unwrap_or_default().to_owned()
    }

    fn write(&self, config: &str) {
        let folder = self.folder.path().display().to_string();
        let text = config.replace("port: 4222", &format!("port: {}", self.port)).replace("/var/lib/nats", &folder);
        std::fs::write(self.config.as_ref().expect("has a configuration"), text).expect("written");
    }

    /// Another configuration for the running server.
    pub(crate) fn reconfigure(&self, config: &str) {
        self.write(config);
        self.signal("HUP");
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.as_ref().expect("running").id().to_string();
        assert!(Command::new("kill").arg(format!("-{name}")).arg(id).status().expect("kill runs").success());
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(&mut self, longest: Duration) {
        let mut child = self.child.take().expect("running");
        wait_for("the server to end", longest, || child.try_wait().expect("a child"));
    }

    /// Whether that version is here; Debian's is only where Debian's packages are.
    fn is_installed(version: &str) -> bool {
        Self::program(version).exists()
    }

    fn program(version: &str) -> PathBuf {
        let servers = std::env::var("MIMAMORI_TEST_SERVERS")
            .expect("MIMAMORI_TEST_SERVERS names the folder with NATS servers: run the tests by `tests/run`, which installs them");
        PathBuf::from(servers).join(format!("nats-{version}/bin/nats-server"))
    }

    /// Starts it (again) on its port and its data.
    pub(crate) fn launch(&mut self) {
        let mut command = Command::new(Self::program(self.version));
        match &self.config {
            Some(file) => command.args(["-a", "127.0.0.1", "-c"]).arg(file),
            None => command.args(["-a", "127.0.0.1", "-p", &self.port.to_string(), "-js", "-sd"]).arg(self.folder.path()),
        };
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join("log")).expect("a log");
        let child = command.stdout(Stdio::null()).stderr(log).spawn().expect("the server starts");
        self.child = Some(child);
        let end = std::time::Instant::now() + Duration::from_secs(20);
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(std::time::Instant::now() < end, "the NATS server does not start:\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("killed");
            child.wait().expect("reaped");
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub(crate) fn access(&self) -> Access {
        Access { url: self.url(), credentials: None, nkey: None, authority: None, client: None, tls: false, inbox: None }
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("binds").local_addr().expect("an address").port()
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn options() -> Options {
    Options { lease: LEASE, ..Options::default() }
}

/// JetStream may need a moment after the port is open.
pub(in crate::store) async fn init(access: &Access, options: &Options) {
    let end = std::time::Instant::now() + PATIENCE;
    while let Err(error) = Nats::init(access, options).await {
        assert!(std::time::Instant::now() < end, "{error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn open(server: &NatsServer) -> Arc<Nats> {
    Arc::new(Nats::open(&server.access(), options()).await.expect("opens"))
}

async fn started(version: &'static str) -> (NatsServer, Arc<Nats>) {
    let server = NatsServer::start(version);
    init(&server.access(), &options()).await;
    let nats = open(&server).await;
    (server, nats)
}

/// A backend of the contract.
pub(in crate::store) async fn backend() -> Backend {
    let (server, nats) = started(NEWEST).await;
    Backend { store: nats.clone(), queue: nats, _folder: None, _server: Some(server) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_version_carries_the_main_path() {
    for version in VERSIONS {
        let (_server, nats) = started(version).await;
        let mail = mimamori::model::envelope::Envelope { kind: ContentKind::Rfc822, ..line(None, "Subject: a\r\n\r\nb") };
        submit(&*nats, mail).await.expect(version);
        let leased = nats.lease(5, PATIENCE).await.expect(version);
        assert_eq!(leased.len(), 1, "{version}");
        nats.settle(leased[0].ticket, Settlement::Done).await.expect(version);
        assert_eq!(nats.state().await.expect(version).pending, 0, "{version}");
        let first = nats.create(&key(&["a"]), value("1")).await.expect(version);
        assert_eq!(nats.create(&key(&["a"]), value("2")).await, Err(StoreError::Exists), "{version}");
        nats.update(&key(&["a"]), first, value("2")).await.expect(version);
        assert_eq!(nats.scan(&key(&[])).await.expect(version).len(), 1, "{version}");
        assert!(!nats.append(Stream::Dead, "d", None, value("x")).await.expect(version).duplicate, "{version}");
        assert!(nats.append(Stream::Dead, "d", None, value("x")).await.expect(version).duplicate, "{version}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_server_and_a_missing_or_changed_layout_are_refused() {
    // Debian's is there where Debian's packages are.
    for version in ["2.10.26", "2.9"].into_iter().filter(|version| NatsServer::is_installed(version)) {
        let old = NatsServer::start(version);
        let refused = Nats::open(&old.access(), options()).await;
        assert!(matches!(refused, Err(OpenError::TooOld { .. })), "{version}");
        let refused = Nats::init(&old.access(), &options()).await;
        assert!(matches!(refused, Err(OpenError::TooOld { .. })), "{version}");
    }
    let server = NatsServer::start(NEWEST);
    wait_for("JetStream", PATIENCE, || server.access().url.starts_with("nats").then_some(()));
    let missing = Nats::open(&server.access(), options()).await.expect_err("nothing is there").to_string();
    assert!(missing.contains("CC_INBOUND") && missing.contains("mimamori init"), "{missing}");
    init(&server.access(), &options()).await;
    let other = Options { lease: Duration::from_secs(7), ..options() };
    let changed = Nats::open(&server.access(), other).await.expect_err("the lease differs").to_string();
    assert!(changed.contains("ack_wait"), "{changed}");
    init(&server.access(), &options()).await;
    open(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_publish_is_read_as_the_documentation_says() {
    let (server, nats) = started(NEWEST).await;
    let client = async_nats::connect(server.url()).await.expect("connects");
    let context = async_nats::jetstream::new(client);
    let line_body = r#"{"id":"x-1","channel":"chat","text":"もしもし"}"#;
    for (subject, headers, body) in [
        ("cc.inbound.chat.shop.games", vec![("Nats-Msg-Id", "given-1")], r#"{"channel":"chat","text":"a"}"#),
        ("cc.inbound.chat.shop.games", vec![], line_body),
        ("cc.inbound.email.default.mail", vec![("Content-Type", "message/rfc822")], "Subject: a\r\n\r\nb"),
        ("cc.inbound.chat.shop.games", vec![], r#"{"channel":"chat","text":"b"}"#),
    ] {
        let mut map = async_nats::HeaderMap::new();
        for (name, text) in headers {
            map.insert(name, text);
        }
        context.publish_with_headers(subject, map, body.into()).await.expect("sent").await.expect("stored");
    }
    let leased = nats.lease(10, PATIENCE).await.expect("leased");
    let mail_id = format!("sha256:{}", mimamori::model::digest::Digest::of(b"Subject: a\r\n\r\nb"));
    assert_eq!(ids(&leased), ["given-1", "x-1", &mail_id, "n-4"]);
    let places: Vec<(&str, &str)> = leased.iter().map(|one| (one.envelope.tenant.as_str(), one.envelope.queue.as_str())).collect();
    assert_eq!(places, [("shop", "games"), ("shop", "games"), ("default", "mail"), ("shop", "games")]);
    assert!(leased.iter().all(|one| one.envelope.source == Source::Nats));
    assert_eq!(leased[2].envelope.kind, ContentKind::Rfc822);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_loses_nothing_and_work_goes_on() {
    let (mut server, nats) = started(NEWEST).await;
    submit_all(&*nats, &["a", "b", "c"]).await;
    let leased = nats.lease(1, PATIENCE).await.expect("leased");
    assert_eq!(ids(&leased), ["a"]);
    let revision = nats.create(&key(&["a"]), value("1")).await.expect("created");
    server.kill();
    server.launch();
    // What was in hand is finished, what waits is handed out; the client finds its way back by itself.
    let end = std::time::Instant::now() + 2 * PATIENCE;
    while let Err(error) = nats.settle(leased[0].ticket, Settlement::Done).await {
        assert!(error.is_transient() && std::time::Instant::now() < end, "{error}");
    }
    let mut found = std::collections::BTreeSet::new();
    while found.len() < 2 {
        assert!(std::time::Instant::now() < end, "{found:?}");
        for one in nats.lease(5, Duration::from_secs(1)).await.unwrap_or_default() {
            // At least once: the lease is shorter than the server was away.
            if one.identity.id.as_str() != "a" {
                found.insert(one.identity.id.to_string());
            }
            nats.settle(one.ticket, Settlement::Done).await.expect("settled");
        }
    }
    assert_eq!(Vec::from_iter(found), ["b", "c"]);
    assert_eq!(nats.update(&key(&["a"]), revision, value("2")).await.map(|next| next > revision), Ok(true));
    assert!(nats.faults().count(Trouble::Disconnected) > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_share_the_messages_and_each_is_done_once() {
    let (server, nats) = started(NEWEST).await;
    let other = open(&server).await;
    let names: Vec<String> = (0..200).map(|n| format!("m-{n}")).collect();
    submit_all(&*nats, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let work = |nats: Arc<Nats>| async move {
        let mut done = vec![];
        loop {
            let leased = nats.lease(10, Duration::from_millis(300)).await.expect("leased");
            if leased.is_empty() {
                return done;
            }
            for one in leased {
                nats.settle(one.ticket, Settlement::Done).await.expect("settled");
                done.push(one.identity.id.to_string());
            }
        }
    };
    let (mut one, two) = tokio::join!(work(nats.clone()), work(other));
    assert!(!one.is_empty() && !two.is_empty(), "both worked");
    one.extend(two);
    one.sort();
    let mut expected = names;
    expected.sort();
    assert_eq!(one, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_id_is_known_after_the_window_of_the_server() {
    let server = NatsServer::start(NEWEST);
    init(&server.access(), &options()).await;
    // A window of the server so short that only our own memory can know the id.
    let client = async_nats::connect(server.url()).await.expect("connects");
    let context = async_nats::jetstream::new(client);
    let mut config = context.get_stream("CC_INBOUND").await.expect("there").cached_info().config.clone();
    config.duplicate_window = Duration::from_millis(100);
    context.update_stream(config).await.expect("changed");
    let nats = open(&server).await;
    submit_all(&*nats, &["a"]).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(submit(&*nats, line(Some("a"), "a")).await.expect("accepted").duplicate);
    let leased = lease_now(&*nats, 10).await;
    assert_eq!(ids(&leased), ["a"]);
    // The same for a verdict.
    assert!(!nats.append(Stream::Verdict, "v", None, value("x")).await.expect("first").duplicate);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(nats.append(Stream::Verdict, "v", None, value("x")).await.expect("again").duplicate);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_records_are_scanned_in_pages() {
    let (_server, nats) = started(NEWEST).await;
    let count = 2_500;
    let writes = (0..count).map(|n| {
        let nats = nats.clone();
        async move { nats.create(&key(&[&format!("{n:05}")]), Bytes::from(vec![b'x'; 200])).await }
    });
    for written in futures_util::future::join_all(writes).await {
        written.expect("created");
    }
    let found = nats.scan(&key(&[])).await.expect("scanned");
    assert_eq!(found.len(), count);
    assert!(found.windows(2).all(|pair| pair[0].key < pair[1].key));
}

#[test]
fn the_layout_has_the_documented_names() {
    let layout = Layout::default();
    assert_eq!((layout.inbound.as_str(), layout.inbound_prefix.as_str(), layout.replicas), ("CC_INBOUND", "cc.inbound", 1));
}
