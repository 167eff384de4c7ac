//! Secrets: read from files or the environment, never printed.
//!
//! Files are preferred: the environment of a process is visible to its children and often lands in crash reports, so a
//! secret found there works but is warned about, as is a secret file that others may read.

use crate::config::environment::{Environment, Variable};
use crate::config::settings::events::EventWay;
use crate::config::settings::{ChannelSettings, Settings};
use crate::diag::{Diagnostic, Grave};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Largest secret file, in bytes: anything longer is a mistaken path.
pub const SECRET_BYTES_MAX: u64 = 4 << 10;

/// Shortest intake token, in characters: about 96 random bits in base64.
pub const TOKEN_CHARS_MIN: usize = 16;

/// A secret. Its `Debug` and `Display` say `**REDACTED**`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself; for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("**REDACTED**")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("**REDACTED**")
    }
}

/// The secrets the settings ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Secrets {
    /// What callers of the intake must present; `None` on loopback without a token.
    pub intake_token: Option<Secret>,
    /// Password for the mail relay.
    pub smtp_password: Option<Secret>,
    /// Address and signing key of each `[[notify.channel]]`, in their order.
    pub channels: Vec<(Secret, Option<Secret>)>,
    /// Signing key of each `[[events.out]]` that is a webhook, by its id.
    pub events: BTreeMap<String, Secret>,
}

/// Reads the secrets that `settings` and `environment` name. The environment is stronger than a file, and warned about.
pub fn read(settings: &Settings, environment: &Environment) -> (Secrets, Vec<Diagnostic>) {
    let mut faults = vec![];
    let intake_token = one(environment, Variable::HttpToken, settings.intake.http.token_file.as_deref(), &mut faults);
    let smtp = settings.notify.smtp.as_ref().filter(|smtp| smtp.user.is_some() && smtp.token_file.is_none());
    let smtp_password = smtp.and_then(|smtp| one(environment, Variable::SmtpPassword, smtp.password_file.as_deref(), &mut faults));
    // The token itself is read at every mail; whether it is there, and only for us, is said at the start.
    if let Some(file) = settings.notify.smtp.as_ref().and_then(|smtp| smtp.token_file.as_deref()) {
        match std::fs::metadata(file) {
            Ok(_) => faults.extend(open_to_others(file)),
            Err(error) => {
                let help = "whatever refreshes the access token writes it there, before the worker starts";
                faults.push(fault(Grave::Warning, file.display().to_string(), format!("the token cannot be read: {error}"), help));
            }
        }
    }
    if intake_token.as_ref().is_some_and(|token| token.reveal().chars().count() < TOKEN_CHARS_MIN) {
        let title = format!("the intake token is shorter than {TOKEN_CHARS_MIN} characters");
        faults.push(fault(Grave::Error, "intake token".to_owned(), title, "make one with `head -c 24 /dev/urandom | base64`"));
    }
    let channel = |channel: &ChannelSettings, faults: &mut Vec<Diagnostic>| {
        let url = file_secret(&channel.url_file, faults);
        let key = channel.secret_file.as_deref().map(|file| file_secret(file, faults));
        Some((url?, key.flatten()))
    };
    let channels = settings.notify.channels.iter().filter_map(|row| channel(row, &mut faults)).collect();
    let mut events = BTreeMap::new();
    for row in &settings.events {
        let EventWay::Webhook { secret_file, .. } = &row.way else { continue };
        let Some(secret) = file_secret(secret_file, &mut faults) else { continue };
        if secret.reveal().chars().count() < TOKEN_CHARS_MIN {
            let title = format!("the signing key is shorter than {TOKEN_CHARS_MIN} characters");
            let help = "make one with `echo whsec_$(head -c 24 /dev/urandom | base64)`";
            faults.push(fault(Grave::Error, secret_file.display().to_string(), title, help));
        }
        events.insert(row.id.clone(), secret);
    }
    (Secrets { intake_token, smtp_password, channels, events }, faults)
}

fn one(environment: &Environment, variable: Variable, file: Option<&Path>, faults: &mut Vec<Diagnostic>) -> Option<Secret> {
    if let Some(value) = environment.get(variable) {
        let title = format!("{} holds a secret in the environment", variable.name());
        faults.push(fault(
            Grave::Warning,
            variable.name().to_owned(),
            title,
            "child processes and crash reports can see it; prefer a file",
        ));
        return Some(Secret::new(value.to_owned()));
    }
    file_secret(file?, faults)
}

fn file_secret(file: &Path, faults: &mut Vec<Diagnostic>) -> Option<Secret> {
    match of_file(file) {
        Ok(secret) => {
            faults.extend(open_to_others(file));
            Some(secret)
        }
        Err(why) => {
            let help = "the file holds the secret alone, on one line";
            faults.push(fault(Grave::Error, file.display().to_string(), format!("the secret cannot be read: {why}"), help));
            None
        }
    }
}

fn of_file(path: &Path) -> Result<Secret, String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if metadata.len() > SECRET_BYTES_MAX {
        return Err(format!("larger than {SECRET_BYTES_MAX} bytes"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() || text.contains(char::is_control) {
        return Err("empty, or more than one line".to_owned());
    }
    Ok(Secret::new(text.to_owned()))
}

#[cfg(unix)]
fn open_to_others(path: &Path) -> Option<Diagnostic> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    let title = "other users can read this secret";
    (mode & 0o077 != 0).then(|| fault(Grave::Warning, path.display().to_string(), title.to_owned(), "set its mode to 0600"))
}

#[cfg(not(unix))]
fn open_to_others(_: &Path) -> Option<Diagnostic> {
    None
}

fn fault(grave: Grave, file: String, title: String, help: &str) -> Diagnostic {
    Diagnostic { grave, code: "config.secret", title, file, span: 0..0, label: String::new(), help: help.to_owned() }
}
