//! What the user wrote → [`Settings`]: every fault of file and environment in one pass.
//!
//! Pure: reads no file, asks for no secret, resolves no name. One function a section; checks that span sections come last.

mod ack;
mod events;
mod guard;
mod intake;
mod ledger;
mod nats;
mod notify;

use crate::config::environment::{Environment, Variable};
use crate::config::layers::{Given, Reader, Section, has_errors};
use crate::config::read::intake::IntakeGiven;
use crate::config::read::notify::NotifyGiven;
use crate::config::settings::{
    Backend, CONCURRENCY_MAX, LexiconSettings, LimitSettings, LogFormat, LogLevel, LogSettings, NatsSettings, OpsSettings, PROFILE_DEFAULT,
    PolicySettings, ProfileSettings, Settings, StoreSettings, SubjectSettings, TenantSettings, WorkerSettings,
};
use crate::diag::{Diagnostic, SourceText};
use crate::model::envelope::MESSAGE_BYTES_HARD;
use crate::model::ids::{InvalidName, QueueName, Tenant};
use crate::sheet::Table;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Component, Path, PathBuf};

/// Bounds of `store.pending_max`: below, a burst is refused; above, the disk is full first.
const PENDING_RANGE: RangeInclusive<i64> = 100..=100_000_000;

/// Least `limits.message_bytes`: below, ordinary mail headers alone are refused.
const MESSAGE_BYTES_MIN: i64 = 16 << 10;

/// Bounds of `worker.attempts_max`.
const ATTEMPTS_RANGE: RangeInclusive<i64> = 1..=20;

/// Messages in hand at once: with more, a worker that dies leaves too many to wait for their leases.
const IN_FLIGHT_RANGE: RangeInclusive<i64> = 1..=2_048;

/// Reads the file under the environment. `None` if there is any error.
pub fn settings(source: &SourceText, environment: &Environment) -> (Option<Settings>, Vec<Diagnostic>) {
    let ((settings, of_environment), mut faults) = crate::sheet::parse(source, |root| {
        let reader = Reader::new(environment, root.faults());
        let settings = read(root, &reader);
        (settings, reader.into_faults())
    });
    faults.extend(of_environment);
    let sound = !has_errors(&faults);
    (sound.then_some(settings), faults)
}

fn read(root: &Table<'_>, reader: &Reader<'_>) -> Settings {
    let store = store(&Section::of(root, "store", reader));
    let nats = nats::nats(&Section::of(root, "nats", reader));
    let limits = limits(&Section::of(root, "limits", reader));
    let intake = intake::intake(&Section::of(root, "intake", reader));
    let ops = ops(&Section::of(root, "ops", reader));
    let lexicon = lexicon(&Section::of(root, "lexicon", reader));
    let rows = root.tables("tenant").into_iter().map(|table| Section::from_table(table, reader));
    let tenants = tenants(rows, &lexicon, reader);
    let policy = policy(&Section::of(root, "policy", reader));
    let notify = notify::notify(&Section::of(root, "notify", reader));
    let events = events::events(&Section::of(root, "events", reader));
    let ack = ack::ack(&Section::of(root, "ack", reader));
    let ledger = ledger::ledger(&Section::of(root, "ledger", reader));
    let worker = worker(&Section::of(root, "worker", reader));
    let audit = guard::audit(&Section::of(root, "audit", reader));
    let canary = guard::canary(&Section::of(root, "canary", reader));
    let watchdog = guard::watchdog(&Section::of(root, "watchdog", reader));
    let log = log(&Section::of(root, "log", reader));
    keep_apart(&intake, &notify, reader);
    let subjects = notify.settings.subjects.iter().zip(&notify.subjects);
    for (row, at) in subjects.chain(events.subjects()).filter(|(row, _)| row.url.is_none()) {
        keep_subject_apart(&nats, row, at, reader);
    }
    Settings {
        store,
        nats,
        limits,
        intake: intake.settings,
        ops,
        lexicon,
        tenants,
        policy,
        notify: notify.settings,
        events: events.targets,
        ack,
        ledger,
        worker,
        audit,
        canary,
        watchdog,
        log,
    }
}

fn store(section: &Section<'_>) -> StoreSettings {
    let default = StoreSettings::default();
    StoreSettings {
        backend: section
            .choice("backend", Some(Variable::StoreBackend), &[("embedded", Backend::Embedded), ("nats", Backend::Nats)])
            .map_or(default.backend, |given| given.value),
        path: path_or(section.filled("path", Some(Variable::StorePath)).as_ref(), default.path),
        pending_max: number_or(section.integer_in("pending_max", None, PENDING_RANGE).as_ref(), default.pending_max),
    }
}

fn limits(section: &Section<'_>) -> LimitSettings {
    let hard = i64::try_from(MESSAGE_BYTES_HARD).unwrap_or(i64::MAX);
    let given = section.integer_in("message_bytes", None, MESSAGE_BYTES_MIN..=hard);
    LimitSettings { message_bytes: number_or(given.as_ref(), LimitSettings::default().message_bytes) }
}

fn ops(section: &Section<'_>) -> OpsSettings {
    let given = section.address("listen", Some(Variable::OpsListen));
    OpsSettings { listen: given.map_or(OpsSettings::default().listen, |given| given.value) }
}

fn lexicon(section: &Section<'_>) -> LexiconSettings {
    let default = LexiconSettings::default();
    let dir = path_or(section.filled("dir", Some(Variable::LexiconDir)).as_ref(), default.dir);
    let mut seen = BTreeSet::new();
    let mut profiles: Vec<ProfileSettings> = section.rows("profile").iter().filter_map(|row| profile(row, &mut seen)).collect();
    if !seen.contains(PROFILE_DEFAULT) {
        profiles.insert(0, ProfileSettings::default());
    }
    LexiconSettings { dir, profiles }
}

fn profile(row: &Section<'_>, seen: &mut BTreeSet<String>) -> Option<ProfileSettings> {
    let name = row.filled_required("name");
    let packs = row.texts("packs").into_iter().map(|pack| pack.value).collect();
    let site = row.filled("site", None).map(|given| PathBuf::from(given.value));
    let name = name?;
    if !seen.insert(name.value.clone()) {
        let title = format!("profile `{}` is there twice", name.value);
        row.reader().error(&name, "config.duplicate", title, "used above", "give each profile its own name");
        return None;
    }
    Some(ProfileSettings { name: name.value, packs, site })
}

fn tenants<'a>(rows: impl Iterator<Item = Section<'a>>, lexicon: &LexiconSettings, reader: &Reader<'_>) -> Vec<TenantSettings> {
    let mut seen = BTreeSet::new();
    let mut tenants = vec![];
    for row in rows {
        let name = row.filled_required("name").and_then(|given| named(&given, Tenant::new, reader));
        let queue = row.filled("queue", None).and_then(|given| named(&given, QueueName::new, reader));
        let profile = row.filled_required("profile").and_then(|given| known_profile(&given, lexicon, reader));
        let (Some(name), Some(profile)) = (name, profile) else { continue };
        let queue = queue.map(|given| given.value);
        if !seen.insert((name.value.clone(), queue.clone())) {
            let title = format!("tenant `{}` has two rows for the same queue", name.value);
            reader.error(&name, "config.duplicate", title, "decided above", "keep one of them");
        }
        tenants.push(TenantSettings { name: name.value, queue, profile });
    }
    tenants
}

fn named<T>(given: &Given<String>, new: fn(&str) -> Result<T, InvalidName>, reader: &Reader<'_>) -> Option<Given<T>> {
    match new(&given.value) {
        Ok(name) => Some(given.with(name)),
        Err(why) => {
            let help = "names become parts of keys and file names; put the Japanese name into the policy";
            reader.error(given, "config.name", why.to_string(), "not such a name", help);
            None
        }
    }
}

fn known_profile(given: &Given<String>, lexicon: &LexiconSettings, reader: &Reader<'_>) -> Option<String> {
    let known: Vec<(&str, ())> = lexicon.profiles.iter().map(|profile| (profile.name.as_str(), ())).collect();
    crate::config::layers::choose(reader, given, "`profile`", &known).map(|()| given.value.clone())
}

fn policy(section: &Section<'_>) -> PolicySettings {
    PolicySettings { file: path_or(section.filled("file", Some(Variable::PolicyFile)).as_ref(), PolicySettings::default().file) }
}

fn worker(section: &Section<'_>) -> WorkerSettings {
    let most = i64::try_from(CONCURRENCY_MAX).unwrap_or(i64::MAX);
    let concurrency = section.integer_in("concurrency", Some(Variable::WorkerConcurrency), 1..=most);
    let in_flight = section.integer_in("in_flight", None, IN_FLIGHT_RANGE);
    let attempts = section.integer_in("attempts_max", None, ATTEMPTS_RANGE);
    WorkerSettings {
        concurrency: concurrency.and_then(|given| usize::try_from(given.value).ok()),
        in_flight: number_or(in_flight.as_ref(), WorkerSettings::default().in_flight),
        attempts_max: number_or(attempts.as_ref(), WorkerSettings::default().attempts_max),
    }
}

fn log(section: &Section<'_>) -> LogSettings {
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let levels = [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace].map(|level| (level.id(), level));
    LogSettings {
        format: section.choice("format", Some(Variable::LogFormat), &formats).map_or(LogFormat::default(), |given| given.value),
        level: section.choice("level", Some(Variable::LogLevel), &levels).map_or(LogLevel::default(), |given| given.value),
    }
}

/// The watched folder and the outbox must not hold each other: our own alerts would come back as customer messages.
fn keep_apart(intake: &IntakeGiven, notify: &NotifyGiven, reader: &Reader<'_>) {
    let (spool, outbox) = (plain(&intake.settings.spool.dir), plain(&notify.settings.outbox_dir));
    if !spool.starts_with(&outbox) && !outbox.starts_with(&spool) {
        return;
    }
    // At least one was given: the defaults are apart.
    let Some(at) = notify.outbox_dir.as_ref().or(intake.spool_dir.as_ref()) else { return };
    let title = "the outbox and the watched folder overlap";
    reader.error(at, "config.loop", title, "alerts written here would be read as messages", "choose folders that do not hold each other");
}

/// An alert or event on a subject of our own streams would be read as a message, or stand among the verdicts. Rows with servers of
/// their own are another installation's business.
fn keep_subject_apart(nats: &NatsSettings, row: &SubjectSettings, at: &Given<()>, reader: &Reader<'_>) {
    let is_below = |own: &String| row.subject.strip_prefix(own.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    if is_below(&nats.inbound_subjects) || is_below(&nats.subjects) {
        let title = "alerts would go into our own streams";
        reader.error(at, "config.loop", title, "below `inbound_subjects` or `subjects`", "choose another subject, such as `cc.pop`");
    }
}

fn plain(path: &Path) -> PathBuf {
    path.components().filter(|component| *component != Component::CurDir).collect()
}

fn path_or(given: Option<&Given<String>>, default: PathBuf) -> PathBuf {
    given.map_or(default, |given| PathBuf::from(&given.value))
}

fn number_or<T: TryFrom<i64>>(given: Option<&Given<i64>>, default: T) -> T {
    given.and_then(|given| T::try_from(given.value).ok()).unwrap_or(default)
}
