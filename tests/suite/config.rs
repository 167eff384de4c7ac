//! The configuration: goldens of every fault, defaults equal to the shipped file, layers, secrets.

use mimamori::config::environment::{Environment, Variable};
use mimamori::config::load::{self, SHIPPED};
use mimamori::config::read;
use mimamori::config::secret::Secret;
use mimamori::config::settings::{LogFormat, ProfileSettings, Settings, SmtpSecurity, Transport};
use mimamori::decode::settings::FormTarget;
use mimamori::diag::{Grave, SourceText};
use mimamori::model::ids::{QueueName, Tenant};
use std::fs;
use std::path::{Path, PathBuf};

fn source(text: &str) -> SourceText {
    SourceText { name: "mimamori.toml".into(), text: text.into() }
}

fn environment(pairs: &[(&str, &str)]) -> Environment {
    Environment::read(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

fn settings(text: &str, pairs: &[(&str, &str)]) -> Settings {
    let (source, environment) = (source(text), environment(pairs));
    let (settings, faults) = read::settings(&source, &environment);
    settings.unwrap_or_else(|| panic!("{}", mimamori::diag::render(&faults, &[source, environment.source().clone()], false)))
}

#[test]
fn the_shipped_file_says_the_defaults() {
    assert_eq!(settings(SHIPPED, &[]), Settings::default());
    assert_eq!(settings("", &[]), Settings::default());
}

/// The shipped file with its commented options switched on: `# key = value`, `# [table]`.
fn shipped_in_full() -> String {
    let is_option =
        |rest: &str| rest.starts_with('[') || rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ') || key.starts_with('"'));
    let open = |line: &str| match line.strip_prefix("# ") {
        Some(rest) if is_option(rest) => rest.to_owned(),
        _ => line.to_owned(),
    };
    SHIPPED.lines().map(open).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_option_stands_in_the_shipped_file() {
    let full = shipped_in_full();
    let found = settings(&full, &[]);
    assert_eq!(found.intake.decode.forms.len(), 1, "the examples are switched on");
    // An unknown key makes the reader list the keys it knows, which the shipped file must name, each in its table.
    let document: toml::Table = full.parse().expect("parses");
    let mut paths = vec![];
    tables(&toml::Value::Table(document.clone()), &mut vec![], &mut paths);
    assert!(paths.len() >= 14, "{paths:?}");
    for path in paths {
        let mut probed = toml::Value::Table(document.clone());
        let table = descend(&mut probed, &path);
        if path.last().is_some_and(|last| last == "labels") {
            continue; // its keys are the user's own
        }
        let written: Vec<String> = table.keys().cloned().collect();
        table.insert("qqqqqqqqqqqqqqqqqqqqqqqqqqqqqq".into(), toml::Value::Boolean(true));
        let (_, faults) = Settings::parse(&source(&toml::to_string(&probed).expect("writes")));
        let [fault] = faults.as_slice() else { panic!("{path:?}: {faults:?}") };
        let known = fault.help.strip_prefix("known keys: ").unwrap_or_else(|| panic!("{fault:?}"));
        for key in known.split(", ") {
            assert!(written.iter().any(|name| name == key), "{path:?}: `{key}` is not in the shipped file");
        }
    }
}

fn tables(value: &toml::Value, at: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    let inside: Vec<(String, &toml::Value)> = match value {
        toml::Value::Table(table) => table.iter().map(|(key, inner)| (key.clone(), inner)).collect(),
        // Rows of one name may be of several kinds.
        toml::Value::Array(rows) => rows.iter().enumerate().map(|(n, row)| (n.to_string(), row)).collect(),
        _ => return,
    };
    if value.is_table() {
        found.push(at.clone());
    }
    for (key, inner) in inside {
        at.push(key);
        tables(inner, at, found);
        at.pop();
    }
}

fn descend<'a>(value: &'a mut toml::Value, path: &[String]) -> &'a mut toml::Table {
    let mut value = value;
    for key in path {
        value = match value {
            toml::Value::Array(rows) => &mut rows[key.parse::<usize>().expect("a row")],
            table => table.get_mut(key.as_str()).expect("there"),
        };
    }
    value.as_table_mut().expect("a table")
}

#[test]
fn every_variable_is_named_in_the_shipped_file() {
    for variable in Variable::ALL {
        let is_named = SHIPPED.contains(variable.name());
        let is_about_files = matches!(variable, Variable::Config | Variable::HttpToken);
        assert!(is_named || is_about_files, "{}", variable.name());
    }
}

#[test]
fn faults_are_rendered_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/config");
    let mut cases: Vec<PathBuf> = fs::read_dir(&folder).expect("cases").map(|entry| entry.expect("entry").path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    cases.sort();
    assert!(cases.len() >= 12, "only {} cases", cases.len());
    let mut differing = vec![];
    for case in &cases {
        let text = fs::read_to_string(case).expect("readable");
        let pairs: Vec<(String, String)> = text
            .lines()
            .filter_map(|line| line.strip_prefix("#env ")?.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let environment = Environment::read(pairs.into_iter());
        let source = SourceText { name: case.file_name().expect("name").to_string_lossy().into_owned(), text };
        let (settings, faults) = read::settings(&source, &environment);
        let has_error = faults.iter().any(|fault| fault.grave == Grave::Error);
        assert!(!faults.is_empty(), "{}: no fault", case.display());
        assert_eq!(settings.is_none(), has_error, "{}: settings only without errors", case.display());
        let shown = mimamori::diag::render(&faults, &[source, environment.source().clone()], false) + "\n";
        assert!(!shown.contains("hunter2"), "{}: a secret is shown", case.display());
        let golden = case.with_extension("out");
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            fs::write(&golden, &shown).expect("written");
        }
        if fs::read_to_string(&golden).unwrap_or_default() != shown {
            differing.push(format!("{}:\n{shown}", case.display()));
        }
    }
    assert!(differing.is_empty(), "run with UPDATE_GOLDENS=1 and review:\n{}", differing.join("\n"));
}

#[test]
fn the_environment_is_stronger_than_the_file() {
    let text = "[store]\npath = \"file.db\"\n[log]\nformat = \"text\"\n[notify.smtp]\nhost = \"file.example.jp\"\nsecurity = \"tls\"\n";
    let found = settings(
        text,
        &[
            ("MIMAMORI_STORE_PATH", "environment.db"),
            ("MIMAMORI_LOG_FORMAT", "json"),
            ("MIMAMORI_SMTP_HOST", "relay.example.jp"),
            ("MIMAMORI_WORKER_CONCURRENCY", "3"),
            ("MIMAMORI_NOTIFY_TRANSPORT", "smtp"),
            ("MIMAMORI_OPS_LISTEN", ""), // empty counts as not set
        ],
    );
    assert_eq!(found.store.path, Path::new("environment.db"));
    assert_eq!(found.log.format, LogFormat::Json);
    assert_eq!(found.worker.concurrency(), 3);
    assert_eq!(found.ops, Settings::default().ops);
    assert_eq!(found.notify.transport, Transport::Smtp);
    let smtp = found.notify.smtp.expect("a relay");
    assert_eq!((smtp.host.as_str(), smtp.port, smtp.security), ("relay.example.jp", 465, SmtpSecurity::Tls));
}

#[test]
fn a_token_in_the_environment_opens_other_addresses() {
    let found = settings("[intake.http]\nlisten = \"0.0.0.0:8470\"\n", &[("MIMAMORI_HTTP_TOKEN", "0123456789abcdef")]);
    assert!(!found.intake.http.listen.ip().is_loopback());
}

#[test]
fn forms_reach_decoding_as_written() {
    let found = settings(&shipped_in_full(), &[]).intake.decode;
    let form = &found.forms[0];
    assert!(form.matches("Form@example.jp", "Re: 【お問い合わせ】配送"));
    let targets: Vec<FormTarget> = form.labels.iter().map(|label| label.target).collect();
    assert_eq!(targets.len(), 4);
    assert!(form.labels.iter().any(|label| label.label == "【お問い合わせ内容】" && label.target == FormTarget::Text));
}

#[test]
fn the_nearest_row_decides_the_profile() {
    let found = settings(
        "[[lexicon.profile]]\nname = \"games\"\npacks = [\"pack.games\"]\n[[lexicon.profile]]\nname = \"shop\"\n\
         [[tenant]]\nname = \"a\"\nprofile = \"shop\"\n[[tenant]]\nname = \"a\"\nqueue = \"play\"\nprofile = \"games\"\n",
        &[],
    );
    assert_eq!(found.lexicon.profiles[0], ProfileSettings::default(), "`default` is always there");
    for (tenant, queue, expected) in [("a", "play", "games"), ("a", "other", "shop"), ("b", "play", "default")] {
        let (tenant, queue) = (Tenant::new(tenant).expect("name"), QueueName::new(queue).expect("name"));
        assert_eq!(found.profile_for(&tenant, &queue), expected, "{tenant} {queue}");
    }
}

/// Writes a configuration and a secret file and loads them.
fn load_with_secret(secret: &[u8], mode: u32, pairs: &[(&str, &str)]) -> load::Loaded {
    let folder = tempfile::tempdir().expect("folder");
    let (config, token) = (folder.path().join("c.toml"), folder.path().join("token"));
    fs::write(&token, secret).expect("written");
    fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(mode)).expect("mode");
    let text = format!("[intake.http]\nlisten = \"0.0.0.0:8470\"\ntoken_file = {:?}\n", token.display().to_string());
    fs::write(&config, text).expect("written");
    load::load(Some(&config), &environment(pairs))
}

#[test]
fn secrets_come_from_files_and_are_never_shown() {
    let good = "a-very-long-secret-token";
    let loaded = load_with_secret(format!("{good}\r\n").as_bytes(), 0o600, &[]);
    assert_eq!(loaded.diagnostics, [], "{}", loaded.render(false));
    assert_eq!(loaded.secrets.intake_token.as_ref().map(Secret::reveal), Some(good));
    assert!(!format!("{loaded:?} {:?}", loaded.secrets).contains(good));
    assert!(format!("{:?}", loaded.secrets).contains("**REDACTED**"));

    let of_environment = load_with_secret(b"unused-but-fine-token", 0o600, &[("MIMAMORI_HTTP_TOKEN", good)]);
    assert_eq!(of_environment.secrets.intake_token.as_ref().map(Secret::reveal), Some(good));
    assert!(!format!("{of_environment:?}{}", of_environment.render(false)).contains(good));
    assert!(of_environment.settings.is_some() && of_environment.diagnostics.iter().any(|fault| fault.grave == Grave::Warning));

    for (content, mode, grave, expected) in [
        ("short", 0o600, Grave::Error, "shorter than"),
        ("", 0o600, Grave::Error, "cannot be read"),
        ("two-lines-of-secret\nx", 0o600, Grave::Error, "cannot be read"),
        ("a-very-long-secret-token", 0o644, Grave::Warning, "other users"),
    ] {
        let loaded = load_with_secret(content.as_bytes(), mode, &[]);
        let fault = loaded.diagnostics.iter().find(|fault| fault.title.contains(expected)).unwrap_or_else(|| panic!("{expected}"));
        assert_eq!(fault.grave, grave, "{expected}");
        assert_eq!(loaded.settings.is_some(), grave == Grave::Warning, "{expected}");
    }
}

#[test]
fn a_named_file_must_be_there() {
    let missing = Path::new("no-such-folder/mimamori.toml");
    for (named, pairs) in [(Some(missing), vec![]), (None, vec![("MIMAMORI_CONFIG", "no-such-folder/mimamori.toml")])] {
        let loaded = load::load(named, &environment(&pairs));
        assert!(loaded.settings.is_none());
        assert_eq!(loaded.diagnostics.first().map(|fault| fault.code), Some("config.file"));
    }
}
