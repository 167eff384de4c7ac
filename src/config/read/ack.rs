//! `[ack]`: how people answer alerts.

use crate::config::layers::{Given, Section};
use crate::config::settings::AckSettings;

/// Room that a token and its plus need before the @ (RFC 5321 allows 64 bytes there).
const LOCAL_BYTES_MAX: usize = 18;

pub(in crate::config) fn ack(section: &Section<'_>) -> AckSettings {
    let base_url = section.filled("base_url", None).and_then(|given| base_url(section, &given));
    let reply_address = section.filled("reply_address", None).and_then(|given| reply_address(section, &given));
    AckSettings { base_url, reply_address }
}

fn base_url(section: &Section<'_>, given: &Given<String>) -> Option<String> {
    let url = given.value.trim_end_matches('/');
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]%".contains(c);
    if rest.is_empty() || rest.starts_with('/') || !rest.chars().all(is_plain) {
        let help = "write it as `https://mimamori.example.jp`";
        section.reader().error(given, "config.url", "`base_url` is not an address a phone can open", "not understood", help);
        return None;
    }
    if url.starts_with("http://") {
        let help = "put a TLS proxy before the app router, and write `https://`";
        section.reader().warning(given, "config.url", "links of alerts cross the network in the clear", "without TLS", help);
    }
    Some(url.to_owned())
}

fn reply_address(section: &Section<'_>, given: &Given<String>) -> Option<String> {
    let alphabet = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    let sound = given.value.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && local.len() <= LOCAL_BYTES_MAX
            && local.chars().all(alphabet)
            && !domain.is_empty()
            && domain.chars().all(alphabet)
    });
    if !sound {
        let help =
            format!("write it as `mimamori@cc.example.jp`, at most {LOCAL_BYTES_MAX} characters before the @: a token is added behind it");
        section.reader().error(given, "config.reply-address", "`reply_address` cannot carry a token", "not such an address", help);
        return None;
    }
    Some(given.value.clone())
}
