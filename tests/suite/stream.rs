//! Workers on JetStream under load: SIGTERM in the middle of it, one hot conversation, access by TLS and by keys.

use crate::nats::{count, init, site, told};
use crate::store::nats::{NEWEST, NatsServer};
use crate::support::{Site, wait_for};
use mimamori::edge::nats::{Access, Nats, Options};
use mimamori::store::{Queue, Settlement, Store, Stream};
use mimamori::worker::enroll::read_cases;
use std::collections::BTreeSet;
use std::fs;
use std::future::Future;
use std::time::{Duration, Instant};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime").block_on(future)
}

fn ordinary(from: usize, to: usize) -> String {
    let row = |n| format!("{{\"id\":\"m-{n}\",\"channel\":\"chat\",\"conversation\":\"c-{n}\",\"text\":\"商品が届きません。{n}\"}}\n");
    (from..to).map(row).collect::<Vec<_>>().concat()
}

fn verdicts(server: &NatsServer) -> u64 {
    count(server, "TRIAGE_VERDICTS", "triage.verdict.>")
}

#[test]
fn a_stop_under_load_leaves_nothing_finished_to_be_done_again() {
    const MESSAGES: usize = 6_000;
    let server = NatsServer::start(NEWEST);
    let site = site(&server);
    init(&site);
    assert!(site.run_with(&["submit"], ordinary(0, MESSAGES).as_bytes()).status.success());
    let worker = site.start_ready();
    wait_for("the first verdicts", Duration::from_mins(1), || (verdicts(&server) >= 200).then_some(()));
    let (code, took) = worker.terminate();
    assert_eq!(code, Some(0), "{}", site.log());
    assert!(took < Duration::from_secs(10), "{took:?}");
    let before = verdicts(&server);
    println!("{before} verdicts at the stop, which took {took:?}");
    assert!(before < MESSAGES as u64, "all done before the stop: no load");
    // Another one gets the rest, at once and nothing else.
    block_on(async {
        let nats = Nats::open(&server.access(), Options::default()).await.expect("opens");
        let (mut seen, began) = (BTreeSet::new(), Instant::now());
        while (seen.len() as u64) < MESSAGES as u64 - before {
            assert!(began.elapsed() < Duration::from_secs(45), "{} of {} came", seen.len(), MESSAGES as u64 - before);
            for one in nats.lease(200, Duration::from_secs(1)).await.expect("leased") {
                let key = one.identity.key();
                assert!(nats.find(Stream::Verdict, &key).await.expect("found").is_none(), "{} was finished", one.identity.id);
                assert!(!one.suspect && seen.insert(key), "{} came twice", one.identity.id);
                nats.settle(one.ticket, Settlement::Done).await.expect("settled");
            }
        }
        assert_eq!(nats.state().await.expect("state").pending, 0);
    });
}

fn ops(site: &Site, path: &str) -> (u16, String) {
    let log = site.log();
    let address = log.split("ops=").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("an address");
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut answer = agent.get(format!("http://{address}{path}")).call().expect("answers");
    (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
}

#[test]
fn a_server_that_is_away_makes_the_worker_unready_and_not_dead() {
    let mut server = NatsServer::start(NEWEST);
    let site = site(&server);
    init(&site);
    let worker = site.start_ready();
    wait_for("the worker to be ready", Duration::from_secs(20), || (ops(&site, "/readyz").0 == 200).then_some(()));
    server.kill();
    wait_for("the reason", Duration::from_secs(20), || {
        let (status, text) = ops(&site, "/readyz");
        (status == 503 && text.contains("queue: ") && text.contains("no connection")).then_some(())
    });
    // Longer than the loops may stand still.
    let until = Instant::now() + Duration::from_secs(15);
    while Instant::now() < until {
        assert_eq!(ops(&site, "/livez").0, 200, "a store that is away is no reason to be killed");
        std::thread::sleep(Duration::from_millis(500));
    }
    server.launch();
    wait_for("the worker to be ready again", Duration::from_secs(30), || (ops(&site, "/readyz").0 == 200).then_some(()));
    assert!(site.run_with(&["submit"], ordinary(0, 5).as_bytes()).status.success());
    wait_for("the verdicts", Duration::from_secs(30), || (verdicts(&server) == 5).then_some(()));
    let metrics = ops(&site, "/metrics").1;
    let value = |event: &str| {
        let name = format!("mimamori_backend_events_total{{event=\"{event}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&name)).and_then(|number| number.parse::<u64>().ok()).expect("a number")
    };
    assert!(value("disconnected") >= 1 && value("connected") >= 2 && value("rebuilt") >= 1, "{metrics}");
    assert_eq!(value("lost"), 0);
    assert_eq!(worker.terminate().0, Some(0), "{}", site.log());
}

/// Many messages of one conversation, a third of them to be told of, on several workers.
fn hot(messages: usize, workers: usize, longest: Duration) {
    let server = NatsServer::start(NEWEST);
    let sites: Vec<Site> = (0..workers).map(|_| site(&server)).collect();
    init(&sites[0]);
    let text =
        |n: usize| if n.is_multiple_of(3) { "担当者と店長、二人そろって土下座しろ" } else { "商品が届きません" };
    let row = |n: usize| {
        format!("{{\"id\":\"h-{n}\",\"channel\":\"chat\",\"conversation\":\"hot\",\"customer\":\"k\",\"text\":\"{}。{n}\"}}\n", text(n))
    };
    let lines = (0..messages).map(row).collect::<Vec<_>>().concat();
    assert!(sites[0].run_with(&["submit"], lines.as_bytes()).status.success());
    let began = Instant::now();
    let running: Vec<_> = sites.iter().map(Site::start_ready).collect();
    wait_for("every verdict", longest, || (verdicts(&server) >= messages as u64).then_some(()));
    println!("{messages} messages of one conversation on {workers} workers: {:?}", began.elapsed());
    block_on(async {
        let nats = Nats::open(&server.access(), Options::default()).await.expect("opens");
        let end = Instant::now() + longest;
        while nats.state().await.expect("state").pending > 0 {
            assert!(Instant::now() < end, "not everything is settled");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert!(nats.last(Stream::Dead).await.expect("last").is_none(), "no message was given up");
        let (mut due, mut named, mut after) = (0, BTreeSet::new(), 0);
        loop {
            let rows = nats.read(Stream::Decision, after, 1_000).await.expect("read");
            let Some(last) = rows.last() else { break };
            after = last.seq;
            for row in rows {
                let body: serde_json::Value = serde_json::from_slice(&row.body).expect("json");
                if body["decision"]["tracks"].as_array().is_some_and(|tracks| !tracks.is_empty()) {
                    due += 1;
                    named.insert(body["decision"]["case"].to_string());
                }
            }
        }
        let cases = read_cases(&nats).await.expect("cases");
        assert_eq!((cases.len(), named.len()), (1, 1), "one conversation, one case: {named:?}");
        assert!(due >= messages.div_ceil(3), "{due} of {messages} were to be told of");
        assert_eq!(cases[0].message_count(), due as u64, "the case counts each once");
    });
    assert_eq!(verdicts(&server), messages as u64);
    drop(running);
}

#[test]
fn one_hot_conversation_on_two_workers() {
    hot(600, 2, Duration::from_mins(2));
}

#[test]
#[ignore = "the long form: minutes"]
fn one_hot_conversation_on_four_workers() {
    hot(5_000, 4, Duration::from_mins(15));
}

/// A certificate authority and a server certificate of it.
fn certificates(folder: &std::path::Path) {
    let authority_key = rcgen::KeyPair::generate().expect("key");
    let mut parameters = rcgen::CertificateParams::new(vec![]).expect("parameters");
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = parameters.self_signed(&authority_key).expect("signed");
    let issuer = rcgen::Issuer::new(parameters, authority_key);
    let signed = |name: &str, names: Vec<String>, is_client: bool| {
        let key = rcgen::KeyPair::generate().expect("key");
        let mut parameters = rcgen::CertificateParams::new(names).expect("parameters");
        if is_client {
            parameters.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        }
        let certificate = parameters.signed_by(&key, &issuer).expect("signed");
        fs::write(folder.join(format!("{name}.pem")), certificate.pem()).expect("written");
        fs::write(folder.join(format!("{name}-key.pem")), key.serialize_pem()).expect("written");
    };
    signed("server", vec!["localhost".to_owned(), "127.0.0.1".to_owned()], false);
    signed("client", vec!["worker".to_owned()], true);
    fs::write(folder.join("ca.pem"), authority.pem()).expect("written");
}

#[test]
fn tls_is_checked_both_ways() {
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name).display().to_string();
    certificates(folder.path());
    let config = format!(
        "port: 4222\njetstream {{ store_dir: \"/var/lib/nats\" }}\ntls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true }}\n",
        at("server.pem"),
        at("server-key.pem"),
        at("ca.pem")
    );
    let server = NatsServer::configured(NEWEST, &config);
    let site = site(&server);
    let plain = fs::read_to_string(site.path("mimamori.toml")).expect("read");
    let with = |more: &str| {
        let text = plain.replacen("[nats]\n", &format!("[nats]\ntls = \"required\"\n{more}"), 1);
        fs::write(site.path("mimamori.toml"), text).expect("written");
    };
    let (authority, client) = (
        format!("ca_file = \"{}\"\n", at("ca.pem")),
        format!("client_cert_file = \"{}\"\nclient_key_file = \"{}\"\n", at("client.pem"), at("client-key.pem")),
    );
    with(&client);
    assert_ne!(told(&site, &["init"]).0, Some(0), "an unknown authority");
    with(&authority);
    assert_ne!(told(&site, &["init"]).0, Some(0), "no certificate of the client");
    with(&format!("{authority}{client}"));
    init(&site);
    let worker = site.start_ready();
    assert!(site.run_with(&["submit"], ordinary(0, 3).as_bytes()).status.success());
    wait_for("the verdicts", Duration::from_secs(30), || {
        let listed = block_on(async {
            let access = Access {
                tls: true,
                authority: Some(folder.path().join("ca.pem")),
                client: Some((folder.path().join("client.pem"), folder.path().join("client-key.pem"))),
                ..server.access()
            };
            Nats::open(&access, Options::default()).await.expect("opens").read(Stream::Verdict, 0, 10).await.expect("read").len()
        });
        (listed == 3).then_some(())
    });
    assert_eq!(worker.terminate().0, Some(0), "{}", site.log());
}

/// A signed claim, as the server's decentralised access wants it.
fn token(issuer: &nkeys::KeyPair, subject: &str, name: &str, claims: &serde_json::Value) -> String {
    let encode = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
    let head = encode(br#"{"typ":"JWT","alg":"ed25519-nkey"}"#);
    let body =
        serde_json::json!({ "jti": name, "iat": 1_700_000_000, "iss": issuer.public_key(), "name": name, "sub": subject, "nats": claims });
    let text = format!("{head}.{}", encode(body.to_string().as_bytes()));
    let signature = issuer.sign(text.as_bytes()).expect("signed");
    format!("{text}.{}", encode(&signature))
}

#[test]
fn a_credentials_file_opens_the_door() {
    let (operator, account, user) = (nkeys::KeyPair::new_operator(), nkeys::KeyPair::new_account(), nkeys::KeyPair::new_user());
    let operator_token = token(&operator, &operator.public_key(), "operator", &serde_json::json!({ "type": "operator", "version": 2 }));
    let limits = serde_json::json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1,
        "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
    });
    let account_claims = serde_json::json!({ "type": "account", "version": 2, "limits": limits });
    let system = nkeys::KeyPair::new_account();
    let system_limits = serde_json::json!({ "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1, "leaf": -1 });
    let system_claims = serde_json::json!({ "type": "account", "version": 2, "limits": system_limits });
    let system_token = token(&operator, &system.public_key(), "system", &system_claims);
    let account_token = token(&operator, &account.public_key(), "account", &account_claims);
    let user_claims = serde_json::json!({ "type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1, "pub": {}, "sub": {} });
    let user_token = token(&account, &user.public_key(), "user", &user_claims);
    let config = format!(
        "port: 4222\njetstream {{ store_dir: \"/var/lib/nats\" }}\noperator: {operator_token}\nresolver: MEMORY\nsystem_account: {}\nresolver_preload: {{ {}: {account_token}, {}: {system_token} }}\n",
        system.public_key(),
        account.public_key(),
        system.public_key()
    );
    let server = NatsServer::configured(NEWEST, &config);
    let site = site(&server);
    let plain = fs::read_to_string(site.path("mimamori.toml")).expect("read");
    assert_ne!(told(&site, &["init"]).0, Some(0), "nobody comes in without");
    let creds = format!(
        "-----BEGIN NATS USER JWT-----\n{user_token}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n{}\n------END USER NKEY SEED------\n",
        user.seed().expect("a seed")
    );
    fs::write(site.path("worker.creds"), creds).expect("written");
    let access = format!("[nats]\ncreds_file = \"{}\"\n", site.path("worker.creds").display());
    fs::write(site.path("mimamori.toml"), plain.replacen("[nats]\n", &access, 1)).expect("written");
    init(&site);
    let worker = site.start_ready();
    assert!(site.run_with(&["submit"], ordinary(0, 3).as_bytes()).status.success());
    wait_for("the verdicts", Duration::from_secs(30), || {
        let access = Access { credentials: Some(site.path("worker.creds")), ..server.access() };
        let found = block_on(async {
            Nats::open(&access, Options::default()).await.expect("opens").read(Stream::Verdict, 0, 10).await.expect("read").len()
        });
        (found == 3).then_some(())
    });
    assert_eq!(worker.terminate().0, Some(0), "{}", site.log());
}
