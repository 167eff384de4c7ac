//! Rotas, exceptions, hours of teams, named customers, channels that leave the company; a policy that changes while running.

use crate::support::{Site, wait_for};
use jiff::Timestamp;
use jiff::civil::date;
use mimamori::app::Faults;
use mimamori::app::policy as files;
use mimamori::diag::{self, SourceText};
use mimamori::model::severity::Level;
use mimamori::policy::read::rota;
use mimamori::policy::route::customer_key;
use mimamori::policy::timeline::timeline;
use mimamori::policy::{Facts, Policy, Rota, SHIPPED, Track};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The shipped policy, alerting at any hour what it leaves to a list; without its own test of the night.
pub(crate) fn awake() -> String {
    let (before, rest) = SHIPPED.split_once("[[test]]\nname = \"夜の").expect("shipped");
    let (_, after) = rest.split_once("[[test]]").expect("not the last one");
    format!("{before}[[test]]{after}").replace("listed = true\n", "").replace("\nhours = \"office\"\n\n# listed", "\n\n# listed")
}

/// The shipped policy with a night team of two under a rota.
fn nights() -> String {
    let text = awake().replace("format = 2\n", "format = 2\nrota = \"rota.csv\"\n");
    let text = text.replace(
        "[teams.severe]\n",
        "[teams.night]\nname = \"夜間SV\"\nmembers = [\"supervisor\", \"manager\", \"quality\"]\nrota = true\n\n[teams.severe]\n",
    );
    text.replacen("[[ladders.suspected.step]]\nto = [\"supervisor\"]", "[[ladders.suspected.step]]\nto = [\"night\"]", 1)
}

fn parse(text: &str) -> Policy {
    let (policy, faults) = Policy::parse(&SourceText { name: "policy.toml".into(), text: text.into() });
    assert_eq!(faults, []);
    policy.expect("sound")
}

fn with_rota(mut policy: Policy, csv: &str) -> Policy {
    let (rota, faults) = rota::rota(&SourceText { name: "rota.csv".into(), text: csv.into() }, &policy);
    assert_eq!(faults, []);
    policy.rota = rota.expect("sound");
    policy
}

fn at(text: &str) -> Timestamp {
    format!("{text}+09:00").parse().expect("a time")
}

fn first_told(policy: &Policy, facts: &Facts, text: &str) -> Vec<String> {
    let rows = timeline(policy, facts, at(text), &[], at(text));
    rows.iter().map(|row| format!("{}/{}", row.to.person, row.to.channel)).collect()
}

const CSV: &str = "date,team,from,to,person,role\n2026-12-01,night,18:00,07:00,quality,主\n2026/12/2,夜間SV,18:00,24:00,センター長,主\n";

fn mild() -> Facts {
    Facts::of(Track::Harassment, Level::Suspected)
}

#[test]
fn who_is_on_duty_is_told() {
    let policy = with_rota(parse(&nights()), CSV);
    let rows = [
        ("2026-12-01T17:59:59", "supervisor/mail manager/mail"),
        ("2026-12-01T18:00:00", "quality/mail"),
        ("2026-12-02T06:59:59", "quality/mail"),
        ("2026-12-02T07:00:00", "supervisor/mail manager/mail"),
        ("2026-12-02T23:59:59", "manager/mail"),
        ("2026-12-03T00:00:00", "supervisor/mail manager/mail"),
    ];
    for (time, expected) in rows {
        // Where nobody is on duty, the next step speaks at once.
        assert_eq!(first_told(&policy, &mild(), time).join(" "), expected, "{time}");
    }
    let skipped = timeline(&policy, &mild(), at("2026-12-01T12:00:00"), &[], at("2026-12-01T12:00:00"));
    assert_eq!(skipped[0].skipped, ["夜間SV(当番なし)"]);
}

#[test]
fn tables_of_spreadsheets_are_read() {
    let policy = parse(&nights());
    let (cp932, _, lossy) = encoding_rs::SHIFT_JIS.encode(CSV);
    assert!(!lossy);
    let marked = [b"\xEF\xBB\xBF".as_slice(), CSV.replace('\n', "\r\n").as_bytes()].concat();
    let read = |bytes: &[u8]| -> Rota {
        let text = rota::decode(bytes).expect("decoded");
        rota::rota(&SourceText { name: "rota.csv".into(), text }, &policy).0.expect("sound")
    };
    let plain = read(CSV.as_bytes());
    assert_eq!((read(&cp932), read(&marked)), (plain.clone(), plain.clone()));
    assert_eq!(plain.len(), 2);
    assert_eq!(rota::decode(b"date\xff\xff"), None);
    let shuffled = "person,\"to\",from,team,date\nquality,07:00,18:00,night,2026-12-01\n,,,,\nmanager,24:00,18:00,night,2026-12-02\n";
    assert_eq!(read(shuffled.as_bytes()), plain);
}

#[test]
fn a_faulty_table_is_refused_with_all_faults_at_once() {
    let policy = parse(&nights());
    let csv = "date,team,from,to,person,memo\n2026-13-01,night,18:00,07:00,quality,\n2026-12-01,nigth,18:00,07:00,quality,\n2026-12-01,night,25:00,07:00,qualitty,\n2026-12-01,severe,18:00,07:00,manager,\n2026-12-01,night,18:00,07:00,security,\n2026-12-01,night\n";
    let source = SourceText { name: "rota.csv".into(), text: csv.into() };
    let (rota, faults) = rota::rota(&source, &policy);
    assert!(rota.is_none());
    let shown = diag::render(&faults, &[source], false);
    for expected in [
        "column `memo` is not known",
        "`2026-13-01` is not a date",
        "did you mean `night`?",
        "`25:00` to `07:00` is no stretch of time",
        "did you mean `quality`?",
        "team `severe` has no rota",
        "`security` is not a member of team `night`",
        "a line with too few cells",
        "rota.csv:3",
    ] {
        assert!(shown.contains(expected), "missing {expected}:\n{shown}");
    }
    let (none, faults) = rota::rota(&SourceText { name: "rota.csv".into(), text: "日付,班\n".into() }, &policy);
    assert!(
        none.is_none() && faults.iter().any(|fault| fault.title.contains("columns are missing: date, team, from, to, person")),
        "{faults:?}"
    );
    let (no_file, faults) = Policy::parse(&SourceText { name: "policy.toml".into(), text: nights().replace("rota = \"rota.csv\"\n", "") });
    assert!(no_file.is_none() && faults[0].title.contains("no file says whose turn it is"), "{faults:?}");
}

#[test]
fn exceptions_stand_above_the_table() {
    let exception = "\n[[override]]\nteam = \"night\"\nfrom = \"2026-12-01T22:00\"\nto = \"2026-12-02T02:00\"\npeople = [\"manager\"]\n";
    let policy = with_rota(parse(&format!("{}{exception}", nights())), CSV);
    for (time, expected) in
        [("2026-12-01T21:59:59", "quality/mail"), ("2026-12-01T22:00:00", "manager/mail"), ("2026-12-02T02:00:00", "quality/mail")]
    {
        assert_eq!(first_told(&policy, &mild(), time).join(" "), expected, "{time}");
    }
    let rows = [
        (exception.replace("22:00", "99:00"), "`from` is not a time of day"),
        (exception.replace("2026-12-02T02", "2026-12-08T02"), "lasts up to 48 hours"),
        (exception.replace("\"manager\"", "\"managr\""), "did you mean `manager`?"),
        (format!("{exception}{exception}"), "two exceptions of team `night` overlap"),
    ];
    for (text, expected) in rows {
        let (policy, faults) = Policy::parse(&SourceText { name: "policy.toml".into(), text: format!("{}{text}", nights()) });
        let told = faults.iter().any(|fault| fault.title.contains(expected) || fault.help.contains(expected));
        assert!(policy.is_none() && told, "{expected}: {faults:?}");
    }
}

#[test]
fn a_team_that_sleeps_is_woken_only_by_what_is_urgent() {
    let text = awake().replace("name = \"SVとセンター長\"\n", "name = \"SVとセンター長\"\nhours = \"office\"\n");
    let text = text.replacen("[[ladders.suspected.step]]\nto = [\"supervisor\"]", "[[ladders.suspected.step]]\nto = [\"severe\"]", 1);
    let text =
        text.replacen("[[ladders.emergency.step]]\nto = [\"emergency\"]", "[[ladders.emergency.step]]\nto = [\"severe\", \"security\"]", 1);
    let policy = parse(&text);
    let (day, night) = ("2026-12-01T12:00:00", "2026-12-01T22:00:00");
    assert_eq!(first_told(&policy, &mild(), day).join(" "), "supervisor/mail manager/mail");
    let asleep = timeline(&policy, &mild(), at(night), &[], at(night));
    assert_eq!(asleep[0].skipped, ["SVとセンター長(受付時間外)"]);
    let urgent = Facts::of(Track::Harassment, Level::Emergency);
    assert!(first_told(&policy, &urgent, night).contains(&"manager/pager".to_owned()));
}

#[test]
fn every_unmanned_minute_is_listed() {
    let policy = with_rota(parse(&nights()), CSV);
    let holes = policy.unmanned(date(2026, 12, 1), date(2026, 12, 2));
    let shown: Vec<String> = holes.iter().map(|hole| format!("{} {} {}-{}", hole.ladder, hole.rung, hole.from, hole.to)).collect();
    let expected = ["suspected 0 2026-11-30T15:00:00Z-2026-12-01T09:00:00Z", "suspected 0 2026-12-01T22:00:00Z-2026-12-02T09:00:00Z"];
    assert_eq!(shown, expected);
    assert_eq!(policy.rota_ends_at(), Some(at("2026-12-03T00:00:00")));
    assert_eq!(policy.off_duty_at("quality", at("2026-12-01T20:00:00")), Some(at("2026-12-02T07:00:00")));
    assert_eq!(policy.off_duty_at("supervisor", at("2026-12-01T20:00:00")), None);
}

#[test]
fn a_named_customer_has_a_road_of_its_own() {
    let route = "[[route]]\ntrack = \"harassment\"\nlevels = [2, 3]\ncustomer = \"Claimer@Example.com\"\nladder = \"severe\"\n\n[[route]]\ntrack = \"care\"";
    let policy = parse(&SHIPPED.replacen("[[route]]\ntrack = \"care\"", route, 1));
    let ladder = |customer: Option<&str>| policy.ladder_for(&Facts { customer: customer.map(customer_key), ..mild() }).id.clone();
    assert_eq!(
        (ladder(Some("claimer@example.com ")), ladder(Some("other@example.com")), ladder(None)),
        ("severe".into(), "suspected".into(), "suspected".into())
    );
}

#[test]
fn what_leaves_the_company_is_a_decision() {
    let faults = |text: String| Policy::parse(&SourceText { name: "policy.toml".into(), text }).1;
    let pager = |more: &str| SHIPPED.replace("kind = \"webhook\"\n", &format!("kind = \"webhook\"\n{more}"));
    let leaves = |text: &str| parse(text).channels.iter().map(|channel| (channel.id.clone(), channel.leaves_site)).collect::<Vec<_>>();
    assert_eq!(leaves(SHIPPED), [("mail".to_owned(), false), ("pager".to_owned(), true)]);
    assert_eq!(faults(pager("leaves_site = false\n"))[0].code, "policy.leaves-site");
    let decided = pager("leaves_site = false\ndecided_by = \"センター長\"\nreason = \"社内の交換機\"\n");
    assert_eq!(leaves(&decided)[1], ("pager".to_owned(), false));
    let outside = SHIPPED.replace(
        "[people.security]",
        "[people.guard]\nname = \"警備会社\"\nreach = { outside = \"guard@example.com\" }\n\n[people.security]",
    );
    let outside = outside.replace("[channels.pager]", "[channels.outside]\nkind = \"mail\"\nleaves_site = true\n\n[channels.pager]");
    parse(&outside);
    assert_eq!(faults(outside.replace("leaves_site = true\n", ""))[0].code, "policy.domain");
}

#[test]
fn somebody_is_left_to_read_every_kind() {
    let spare = |text: &str, who: &str| text.replace(&format!("[people.{who}]\n"), &format!("[people.{who}]\navoid = [\"sexual\"]\n"));
    let read = |text: String| {
        let (policy, faults) = Policy::parse(&SourceText { name: "policy.toml".into(), text });
        let about = |fault: &&diag::Diagnostic| fault.title.starts_with("ladder `severe`");
        (policy.is_some(), faults.iter().find(about).map(|fault| (fault.grave, fault.title.clone())))
    };
    let one = "ladder `severe` has 1 who may be told of `sexual`".to_owned();
    assert_eq!(read(spare(SHIPPED, "supervisor")), (true, Some((diag::Grave::Warning, one))));
    let none = "ladder `severe` has 0 who may be told of `sexual`".to_owned();
    assert_eq!(read(spare(&spare(SHIPPED, "supervisor"), "manager")), (false, Some((diag::Grave::Error, none))));
    assert_eq!(read(spare(SHIPPED, "quality")).1, None);
}

#[test]
fn files_are_read_again_when_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let (policy_file, rota_file) = (folder.path().join("policy.toml"), folder.path().join("rota.csv"));
    fs::write(&policy_file, nights()).unwrap();
    let mut faults = Faults::default();
    assert!(files::read(&policy_file, None, &mut faults).is_none(), "a rota that is not there is a fault");
    assert_eq!(faults.diagnostics[0].code, "rota.file");
    fs::write(&rota_file, CSV).unwrap();
    let policy = files::read(&policy_file, None, &mut Faults::default()).expect("sound");
    assert_eq!(policy.rota.len(), 2);
}

#[test]
fn a_running_worker_takes_over_a_changed_policy() {
    let site = Site::new("");
    let policy = site.path("policy.toml");
    fs::write(&policy, SHIPPED).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/policy.toml");
    let config = fs::read_to_string(site.path("mimamori.toml")).unwrap();
    fs::write(site.path("mimamori.toml"), config.replace(&shipped.display().to_string(), &policy.display().to_string())).unwrap();
    let worker = site.start_ready();
    let ops = site
        .log()
        .lines()
        .find_map(|line| Some(line.split("ops=").nth(1)?.split_whitespace().next()?.to_owned()))
        .expect("the ops address");
    let reloads = |outcome: &str| {
        let page = Command::new("curl").args(["-fsS", &format!("http://{ops}/metrics")]).output().expect("curl runs");
        let wanted = format!("mimamori_policy_reloads_total{{outcome=\"{outcome}\"}} ");
        String::from_utf8(page.stdout).unwrap().lines().find_map(|line| line.strip_prefix(&wanted)?.parse::<u32>().ok())
    };
    let replace = |text: &str| {
        fs::write(site.path("policy.new"), text).unwrap();
        fs::rename(site.path("policy.new"), &policy).unwrap();
    };
    assert_eq!((reloads("applied"), reloads("refused")), (Some(0), Some(0)));
    replace(&SHIPPED.replace("ladder = \"care\"", "ladder = \"car\""));
    wait_for("the refusal", Duration::from_secs(20), || (reloads("refused") == Some(1)).then_some(()));
    assert!(site.log().contains("did you mean `care`?"), "{}", site.log());
    replace(&SHIPPED.replace("sv@example.jp", "newsv@example.jp").replace("version = \"1\"", "version = \"2\""));
    wait_for("the new policy", Duration::from_secs(20), || (reloads("applied") == Some(1)).then_some(()));
    site.run_with(&["submit"], "{\"id\":\"r1\",\"channel\":\"chat\",\"text\":\"お前ら全員殺すぞ\"}\n".as_bytes());
    wait_for("an alert to the new name", Duration::from_secs(30), || {
        let names = fs::read_dir(site.path("outbox")).ok()?;
        names.flatten().find_map(|entry| fs::read_to_string(entry.path()).ok()?.contains("newsv@example.jp").then_some(()))
    });
    assert_eq!(worker.terminate().0, Some(0));
}
