//! `[notify]`: how alerts leave.

use crate::config::environment::Variable;
use crate::config::layers::{Given, Section};
use crate::config::read::nats;
use crate::config::settings::{
    ChannelSettings, NotifySettings, SMTP_TIMEOUT_DEFAULT, SmtpSecurity, SmtpSettings, SubjectSettings, Transport,
};
use crate::wording::Language;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// Bounds of `timeout_seconds`: below, a busy relay is taken for dead; above, an alert misses its deadline.
const TIMEOUT_RANGE: RangeInclusive<i64> = 5..=600;

/// The settings, and what a later check must point at.
pub(in crate::config) struct NotifyGiven {
    pub(in crate::config) settings: NotifySettings,
    pub(in crate::config) outbox_dir: Option<Given<String>>,
    /// Where each of [`NotifySettings::subjects`] stands.
    pub(in crate::config) subjects: Vec<Given<()>>,
}

pub(in crate::config) fn notify(section: &Section<'_>) -> NotifyGiven {
    let default = NotifySettings::default();
    let transports = [("outbox", Transport::Outbox), ("smtp", Transport::Smtp)];
    let transport = section.choice("transport", Some(Variable::NotifyTransport), &transports);
    let languages = [("ja", Language::Japanese), ("en", Language::English)];
    let language = section.choice("language", None, &languages);
    // An empty name means the built-in texts, as the shipped file says.
    let texts = section.text("texts", None).filter(|given| !given.value.is_empty());
    let outbox_dir = section.section("outbox").filled("dir", Some(Variable::OutboxDir));
    let relay = section.section("smtp");
    let (names_relay, smtp) = (relay.text("host", Some(Variable::SmtpHost)).is_some(), smtp(&relay));
    if let Some(transport) = transport.as_ref().filter(|given| given.value == Transport::Smtp && !names_relay) {
        let help = "add `host = \"…\"` under [notify.smtp]";
        section.reader().error(transport, "config.smtp", "mail needs a relay", "no relay is named", help);
    }
    let (channels, subjects) = channels(section);
    let (subjects, places) = subjects.into_iter().unzip();
    let settings = NotifySettings {
        transport: transport.map_or(default.transport, |given| given.value),
        outbox_dir: outbox_dir.as_ref().map_or(default.outbox_dir, |given| PathBuf::from(&given.value)),
        smtp,
        language: language.map_or(default.language, |given| given.value),
        texts: texts.map(|given| PathBuf::from(given.value)),
        channels,
        subjects,
    };
    NotifyGiven { settings, outbox_dir, subjects: places }
}

/// `[[notify.channel]]`, each id once: an address in a file, or a NATS subject.
fn channels(section: &Section<'_>) -> (Vec<ChannelSettings>, Vec<(SubjectSettings, Given<()>)>) {
    let (mut channels, mut subjects) = (vec![], vec![]);
    let mut seen = BTreeSet::new();
    for row in section.rows("channel") {
        let id = row.filled_required("id");
        if let Some(id) = id.as_ref().filter(|id| !seen.insert(id.value.clone())) {
            section.reader().error(id, "config.channel", format!("channel `{}` twice", id.value), "named before", "keep one of them");
        }
        if row.holds("subject") {
            subjects.extend(subject(&row, id).map(|given| (given, row.place())));
            continue;
        }
        let url_file = row.filled_required("url_file");
        let secret_file = row.filled("secret_file", None).map(|given| PathBuf::from(given.value));
        let private_hosts = row.texts("private_hosts").into_iter().map(|given| given.value).collect();
        let (Some(id), Some(url_file)) = (id, url_file) else { continue };
        channels.push(ChannelSettings { id: id.value, url_file: PathBuf::from(url_file.value), secret_file, private_hosts });
    }
    (channels, subjects)
}

/// A row that is a NATS subject.
pub(in crate::config) fn subject(row: &Section<'_>, id: Option<Given<String>>) -> Option<SubjectSettings> {
    let file = |key: &'static str| row.filled(key, None).map(|given| PathBuf::from(given.value));
    let subject = nats::subjects(row, "subject");
    let url = row.filled("url", None).and_then(|given| nats::url(row, &given));
    let (creds_file, nkey_file, ca_file) = (file("creds_file"), file("nkey_file"), file("ca_file"));
    let (client, tls) = (nats::client(row), nats::tls(row));
    let inbox_prefix = row.filled("inbox_prefix", None).map(|given| given.value);
    Some(SubjectSettings { id: id?.value, subject: subject?, url, creds_file, nkey_file, ca_file, client, tls, inbox_prefix })
}

/// Every key is read and checked even where no host is given, so that faults show before the transport is switched.
fn smtp(section: &Section<'_>) -> Option<SmtpSettings> {
    let choices = [("starttls", SmtpSecurity::StartTls), ("tls", SmtpSecurity::Tls), ("none", SmtpSecurity::None)];
    let host = section.filled("host", Some(Variable::SmtpHost)).and_then(|given| host_name(section, given, "host"));
    let port = section.integer_in("port", Some(Variable::SmtpPort), 1..=65_535);
    let security = section.choice("security", Some(Variable::SmtpSecurity), &choices).map_or(SmtpSecurity::default(), |given| given.value);
    let user = section.filled("user", Some(Variable::SmtpUser));
    let password_file = section.filled("password_file", Some(Variable::SmtpPasswordFile));
    let token_file = section.filled("token_file", None);
    let ca_file = section.filled("ca_file", None);
    let hello_name = section.filled("hello_name", None).and_then(|given| host_name(section, given, "hello_name"));
    let timeout = section.integer_in("timeout_seconds", None, TIMEOUT_RANGE);
    check_login(section, host.as_ref(), security, user.as_ref(), [password_file.as_ref(), token_file.as_ref()]);
    Some(SmtpSettings {
        host: host?.value,
        port: port.and_then(|given| u16::try_from(given.value).ok()).unwrap_or(security.port()),
        security,
        user: user.map(|given| given.value),
        password_file: password_file.map(|given| PathBuf::from(given.value)),
        token_file: token_file.map(|given| PathBuf::from(given.value)),
        ca_file: ca_file.map(|given| PathBuf::from(given.value)),
        hello_name: hello_name.map(|given| given.value),
        timeout: timeout.and_then(|given| u64::try_from(given.value).ok()).map_or(SMTP_TIMEOUT_DEFAULT, Duration::from_secs),
    })
}

fn check_login(
    section: &Section<'_>,
    host: Option<&Given<String>>,
    security: SmtpSecurity,
    user: Option<&Given<String>>,
    [password_file, token_file]: [Option<&Given<String>>; 2],
) {
    let reader = section.reader();
    let has_password = password_file.is_some() || token_file.is_some() || reader.has(Variable::SmtpPassword);
    match (user, password_file.or(token_file)) {
        (Some(user), _) if !has_password => {
            let help = format!("add `password_file = \"…\"`, or set {}", Variable::SmtpPassword.name());
            reader.error(user, "config.smtp", "a user without a password", "no password for this user", help);
        }
        (None, Some(file)) => {
            reader.error(file, "config.smtp", "a password without a user", "for which user?", "add `user = \"…\"`, or remove this");
        }
        _ => {}
    }
    let local = host.is_some_and(|host| host.value == "localhost" || host.value.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()));
    if let Some(user) = user.filter(|_| security == SmtpSecurity::None && !local) {
        let help = "use `security = \"starttls\"` or `\"tls\"`";
        reader.warning(user, "config.smtp", "the password crosses the network in the clear", "sent without TLS", help);
    }
}

/// A host name or numeric address, without port.
fn host_name(section: &Section<'_>, given: Given<String>, key: &str) -> Option<Given<String>> {
    let alphabet = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if given.value.parse::<IpAddr>().is_ok() || given.value.chars().all(alphabet) {
        return Some(given);
    }
    let help =
        if key == "host" { "write only the name; the port goes to `port = …`" } else { "write a host name such as `mail.example.jp`" };
    section.reader().error(&given, "config.host", format!("`{key}` is not a host name"), "not a name or address", help);
    None
}
