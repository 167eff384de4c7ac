//! `[intake]`: where messages come in, and how senders are told apart.

use crate::config::environment::Variable;
use crate::config::layers::{Given, Section, choose};
use crate::config::settings::{HttpSettings, IntakeSettings, SpoolSettings};
use crate::decode::settings::{DecodeSettings, FormLabel, FormRule, FormTarget};
use crate::sheet::Placed;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The settings, and what a later check must point at.
pub(in crate::config) struct IntakeGiven {
    pub(in crate::config) settings: IntakeSettings,
    pub(in crate::config) spool_dir: Option<Given<String>>,
}

pub(in crate::config) fn intake(section: &Section<'_>) -> IntakeGiven {
    let http = http(&section.section("http"));
    let spool_dir = section.section("spool").filled("dir", Some(Variable::SpoolDir));
    let spool = spool_dir.as_ref().map_or_else(SpoolSettings::default, |given| SpoolSettings { dir: PathBuf::from(&given.value) });
    let mail = section.section("mail");
    let (own_addresses, shared_senders) = (addresses(&mail, "own_addresses"), addresses(&mail, "shared_senders"));
    let mut names = BTreeSet::new();
    let forms = section.rows("form").iter().map(|row| form(row, &mut names)).collect();
    IntakeGiven { settings: IntakeSettings { http, spool, decode: DecodeSettings { forms, shared_senders, own_addresses } }, spool_dir }
}

fn http(section: &Section<'_>) -> HttpSettings {
    let default = HttpSettings::default();
    let listen = section.address("listen", Some(Variable::HttpListen));
    let token_file = section.filled("token_file", Some(Variable::HttpTokenFile));
    let has_token = token_file.is_some() || section.reader().has(Variable::HttpToken);
    if let Some(listen) = listen.as_ref().filter(|listen| !listen.value.ip().is_loopback() && !has_token) {
        let help = "add `token_file = \"…\"` under [intake.http], or listen on 127.0.0.1";
        section.reader().error(listen, "config.token", "intake off loopback needs a token", "anybody could send messages here", help);
    }
    HttpSettings {
        listen: listen.map_or(default.listen, |given| given.value),
        token_file: token_file.map(|given| PathBuf::from(given.value)),
    }
}

fn addresses(section: &Section<'_>, key: &'static str) -> Vec<String> {
    section.texts(key).iter().filter_map(|given| address(section, given)).collect()
}

fn address(section: &Section<'_>, given: &Given<String>) -> Option<String> {
    let text = given.value.trim();
    let forbidden = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | '"');
    let sound = text.split_once('@').is_some_and(|(_, domain)| !domain.is_empty() && !domain.contains('@')) && !text.contains(forbidden);
    if !sound {
        let help = "write `name@example.jp`, or `@example.jp` for a whole domain";
        section.reader().error(given, "config.mail-address", "not a mail address or domain", "not understood", help);
        return None;
    }
    Some(text.to_lowercase())
}

/// A form has a name for the reader of the file and for diagnostics; decoding needs only the rule.
fn form(row: &Section<'_>, names: &mut BTreeSet<String>) -> FormRule {
    if let Some(name) = row.filled_required("name")
        && !names.insert(name.value.clone())
    {
        let title = format!("form `{}` is there twice", name.value);
        row.reader().error(&name, "config.duplicate", title, "used above", "give each form its own name");
    }
    let from_given = row.filled("from", None);
    let subject_contains = row.filled("subject_contains", None).map(|given| given.value);
    if from_given.is_none() && subject_contains.is_none() {
        let title = "this form rule has no condition";
        row.reader().error(&row.place(), "config.form", title, "it would match no mail", "add `from` or `subject_contains`");
    }
    FormRule { from: from_given.and_then(|given| address(row, &given)), subject_contains, labels: labels(row) }
}

fn labels(row: &Section<'_>) -> Vec<FormLabel> {
    let given = row.section("labels").named_texts();
    let written = given.len();
    let labels: Vec<FormLabel> = given.into_iter().filter_map(|(label, target)| one_label(row, label, target)).collect();
    // Among labels that were not understood may be the text.
    if labels.len() == written && !labels.iter().any(|label| label.target == FormTarget::Text) {
        let help = "map the label of the free text: `\"【お問い合わせ内容】\" = \"text\"` under [intake.form.labels]";
        row.reader().error(&row.place(), "config.form", "this form has no text", "nothing would be judged", help);
    }
    labels
}

fn one_label(row: &Section<'_>, label: Placed<String>, target: Placed<String>) -> Option<FormLabel> {
    let label = Given::from(label);
    if label.value.trim().is_empty() {
        let help = "write the label as it stands in the mail";
        row.reader().error(&label, "config.form", "an empty label matches everywhere", "no text", help);
    }
    let choices = FormTarget::ALL.map(|(target, id)| (id, target));
    let target = choose(row.reader(), &target.into(), "the meaning of a label", &choices)?;
    Some(FormLabel { label: label.value, target })
}
