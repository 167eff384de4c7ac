//! `[nats]`: the JetStream backend.

use crate::config::environment::Variable;
use crate::config::layers::{Given, Section};
use crate::config::settings::NatsSettings;
use std::path::PathBuf;

/// Numbers of copies a cluster can keep.
const REPLICAS: [(&str, usize); 3] = [("1", 1), ("3", 3), ("5", 5)];

pub(in crate::config) fn nats(section: &Section<'_>) -> NatsSettings {
    let default = NatsSettings::default();
    let file = |key: &'static str| section.filled(key, None).map(|given| PathBuf::from(given.value));
    let url = section.filled("url", Some(Variable::NatsUrl)).and_then(|given| url(section, &given));
    let name =
        |key: &'static str, default: String| section.filled(key, None).and_then(|given| token(section, given, key)).unwrap_or(default);
    let replicas = section.integer_in("replicas", None, 1..=5).and_then(|given| replicas(section, &given));
    NatsSettings {
        url: url.unwrap_or(default.url),
        creds_file: file("creds_file"),
        nkey_file: file("nkey_file"),
        ca_file: file("ca_file"),
        client: client(section),
        tls: tls(section),
        inbox_prefix: section.filled("inbox_prefix", None).map(|given| given.value),
        inbound_stream: name("inbound_stream", default.inbound_stream),
        inbound_subjects: subjects(section, "inbound_subjects").unwrap_or(default.inbound_subjects),
        consumer: name("consumer", default.consumer),
        streams: name("streams", default.streams),
        subjects: subjects(section, "subjects").unwrap_or(default.subjects),
        buckets: name("buckets", default.buckets),
        replicas: replicas.unwrap_or(default.replicas),
        monitor_url: section.filled("monitor_url", None).and_then(|given| monitor(section, given)),
    }
}

/// Certificate and key of this client: both or neither.
pub(in crate::config) fn client(section: &Section<'_>) -> Option<(PathBuf, PathBuf)> {
    let (certificate, key) = (section.filled("client_cert_file", None), section.filled("client_key_file", None));
    if let (Some(one), None) | (None, Some(one)) = (&certificate, &key) {
        let help = "name both `client_cert_file` and `client_key_file`";
        section.reader().error(one, "config.nats", "a certificate needs its key", "one of two", help);
    }
    certificate.zip(key).map(|(certificate, key)| (PathBuf::from(certificate.value), PathBuf::from(key.value)))
}

/// Whether TLS is required.
pub(in crate::config) fn tls(section: &Section<'_>) -> bool {
    section.choice("tls", None, &[("optional", false), ("required", true)]).is_some_and(|given| given.value)
}

fn replicas(section: &Section<'_>, given: &Given<i64>) -> Option<usize> {
    let found = REPLICAS.iter().find(|(text, _)| *text == given.value.to_string()).map(|(_, count)| *count);
    if found.is_none() {
        section.reader().error(
            given,
            "config.nats",
            "`replicas` must be odd",
            "1, 3 or 5",
            "an even number of copies cannot agree after a split",
        );
    }
    found
}

pub(in crate::config) fn url(section: &Section<'_>, given: &Given<String>) -> Option<String> {
    let is_server = |one: &str| {
        let rest = one.strip_prefix("nats://").or_else(|| one.strip_prefix("tls://"));
        rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(|c: char| c.is_whitespace() || c.is_control()))
    };
    if !given.value.split(',').all(|one| is_server(one.trim())) {
        let help = "write it as `nats://nats1.example.jp:4222, nats://nats2.example.jp:4222`";
        section.reader().error(given, "config.nats", "`url` names no NATS server", "not understood", help);
        return None;
    }
    if given.value.contains('@') {
        let help = "use `creds_file` or `nkey_file`: a password in a URL ends up in logs";
        section.reader().error(given, "config.nats", "`url` holds a secret", "before the @", help);
        return None;
    }
    Some(given.value.clone())
}

fn monitor(section: &Section<'_>, given: Given<String>) -> Option<String> {
    let is_port = |one: &str| {
        let rest = one.strip_prefix("http://");
        rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@'))
    };
    if given.value.split(',').all(|one| is_port(one.trim())) {
        return Some(given.value);
    }
    let help = "write it as `http://nats1.example.jp:8222, http://nats2.example.jp:8222`";
    section.reader().error(&given, "config.nats", "`monitor_url` names no monitoring port", "not understood", help);
    None
}

/// The beginning of subjects: tokens with dots between them.
pub(in crate::config) fn subjects(section: &Section<'_>, key: &'static str) -> Option<String> {
    let given = section.filled(key, None)?;
    let is_token = |token: &str| !token.is_empty() && token.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if given.value.split('.').all(is_token) {
        return Some(given.value);
    }
    let help = "write tokens of letters and digits with dots between them, such as `cc.inbound`";
    section.reader().error(&given, "config.nats", format!("`{key}` is no subject"), "not understood", help);
    None
}

/// Names of streams, consumers and buckets: what the server allows in all of them.
fn token(section: &Section<'_>, given: Given<String>, key: &str) -> Option<String> {
    if given.value.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        return Some(given.value);
    }
    section.reader().error(&given, "config.nats", format!("`{key}` is no name"), "letters, digits, _ and -", "choose another name");
    None
}
