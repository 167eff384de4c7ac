//! `[[events.out]]`: other systems that are told what happens.

use crate::config::layers::{Given, Section, choose};
use crate::config::read::{named, notify};
use crate::config::settings::SubjectSettings;
use crate::config::settings::events::{EVENT_TARGETS_MAX, EventTargetSettings, EventWay};
use crate::model::event::EventKind;
use crate::model::ids::{QueueName, Tenant};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Longest id of a target, in bytes: it is a label of metrics.
const ID_BYTES_MAX: usize = 32;

/// The kinds of targets.
#[derive(Clone, Copy)]
enum Kind {
    Webhook,
    Nats,
}

/// The settings, and what a later check must point at.
pub(in crate::config) struct EventsGiven {
    pub(in crate::config) targets: Vec<EventTargetSettings>,
    /// Where each of the targets stands.
    places: Vec<Given<()>>,
}

impl EventsGiven {
    /// The targets that are subjects, with their places.
    pub(in crate::config) fn subjects(&self) -> impl Iterator<Item = (&SubjectSettings, &Given<()>)> {
        self.targets.iter().zip(&self.places).filter_map(|(target, place)| match &target.way {
            EventWay::Nats(subject) => Some((subject, place)),
            EventWay::Webhook { .. } => None,
        })
    }
}

pub(in crate::config) fn events(section: &Section<'_>) -> EventsGiven {
    let mut given = EventsGiven { targets: vec![], places: vec![] };
    let mut seen = BTreeSet::new();
    for row in section.rows("out") {
        let Some(target) = target(&row, &mut seen) else { continue };
        given.targets.push(target);
        given.places.push(row.place());
    }
    if let Some(place) = given.places.get(EVENT_TARGETS_MAX) {
        let title = format!("more than {EVENT_TARGETS_MAX} targets of events");
        section.reader().error(place, "config.events", title, "one too many", "let one system pass events on to the others");
    }
    given
}

fn target(row: &Section<'_>, seen: &mut BTreeSet<String>) -> Option<EventTargetSettings> {
    let id = row.filled_required("id").and_then(|id| plain(row, id));
    if let Some(id) = id.as_ref().filter(|id| !seen.insert(id.value.clone())) {
        row.reader().error(id, "config.duplicate", format!("target `{}` twice", id.value), "named before", "keep one of them");
    }
    let kinds = [("webhook", Kind::Webhook), ("nats", Kind::Nats)];
    let kind = row.filled_required("kind").and_then(|kind| choose(row.reader(), &kind, "`kind`", &kinds));
    let way = match kind {
        Some(Kind::Webhook) => webhook(row),
        Some(Kind::Nats) => {
            row.filled_required("subject");
            notify::subject(row, id.clone()).map(EventWay::Nats)
        }
        None => None,
    };
    let kinds = wanted(row);
    let names = |key: &'static str| row.texts(key);
    let tenants = names("tenants").iter().filter_map(|given| named(given, Tenant::new, row.reader())).map(|given| given.value).collect();
    let queues = names("queues").iter().filter_map(|given| named(given, QueueName::new, row.reader())).map(|given| given.value).collect();
    let from = row.choice("from", None, &[("now", false), ("beginning", true)]);
    let from_beginning = from.is_some_and(|given| given.value);
    Some(EventTargetSettings { id: id?.value, way: way?, kinds, tenants, queues, from_beginning })
}

fn plain(row: &Section<'_>, id: Given<String>) -> Option<Given<String>> {
    let alphabet = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-');
    if id.value.len() <= ID_BYTES_MAX && id.value.bytes().all(alphabet) {
        return Some(id);
    }
    let title = format!("`id` must be 1 to {ID_BYTES_MAX} characters of A-Z a-z 0-9 _ -");
    row.reader().error(&id, "config.name", title, "not such a name", "it becomes a label of metrics");
    None
}

fn webhook(row: &Section<'_>) -> Option<EventWay> {
    let private_hosts: Vec<String> = row.texts("private_hosts").into_iter().map(|given| given.value).collect();
    let url = row.filled_required("url").and_then(|url| address(row, url, &private_hosts));
    let secret_file = row.filled_required("secret_file");
    Some(EventWay::Webhook { url: url?, secret_file: PathBuf::from(secret_file?.value), private_hosts })
}

/// The form of the address; where it may lead is checked when it is used.
fn address(row: &Section<'_>, url: Given<String>, private_hosts: &[String]) -> Option<String> {
    let rest = url.value.strip_prefix("https://").or_else(|| url.value.strip_prefix("http://")).unwrap_or_default();
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|c| c.is_ascii_digit())).map_or(authority, |(host, _)| host);
    let (label, help) = if host.is_empty() || rest.contains(|c: char| c.is_whitespace() || c == '@') {
        ("not understood", "write it as `https://crm.example.jp/hooks/mimamori`, without a name or password before the host")
    } else if url.value.starts_with("http://") && !private_hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
        ("without TLS", "use https://, or list the host in `private_hosts`")
    } else {
        return Some(url.value);
    };
    row.reader().error(&url, "config.events", "`url` is not an address that events may go to", label, help);
    None
}

/// Types of events; all where none is named.
fn wanted(row: &Section<'_>) -> Vec<EventKind> {
    let known = EventKind::ALL.map(|kind| (kind.id(), kind));
    let mut kinds: Vec<EventKind> =
        row.texts("events").iter().filter_map(|given| choose(row.reader(), given, "`events`", &known)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.is_empty() { EventKind::ALL.to_vec() } else { kinds }
}
