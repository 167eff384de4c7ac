//! A digest as people read it. Pure. Number, level, kind and time only: no word of a customer.

use crate::edge::notify::render::{Block, text};
use crate::edge::notify::{Outgoing, header_text, html};
use crate::model::digest::Digest as Hash;
use crate::policy::digest::Digest;
use crate::policy::{Policy, Recipient};
use jiff::Timestamp;

/// One list of a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// What it lists.
    pub title: &'static str,
    /// Its lines.
    pub lines: Vec<String>,
    /// Lines that did not fit.
    pub more: usize,
}

/// Renders a digest for one recipient. The same slot and recipient give the same Message-ID.
pub fn render(digest: &Digest, to: &Recipient, lists: &[List], slot: Timestamp, policy: &Policy) -> Outgoing {
    let at = jiff::ZonedDateTime::new(slot, policy.time_zone.clone()).strftime("%-m月%-d日 %H:%M").to_string();
    let counts: Vec<String> =
        lists.iter().filter(|list| !list.lines.is_empty()).map(|list| format!("{}{}", list.title, list.lines.len() + list.more)).collect();
    let counts = if counts.is_empty() { "ありません".to_owned() } else { counts.join("・") };
    let subject = header_text(&format!("【見守り｜一覧】{} {at}｜{counts}", digest.name));
    let domain = policy.sender.address.rsplit('@').next().unwrap_or("localhost");
    let slot_bytes = slot.as_second().to_be_bytes();
    let fields = [digest.id.as_bytes(), &slot_bytes, to.person.as_bytes(), to.channel.as_bytes()];
    let unique: String = Hash::of_fields(&fields).key().chars().take(20).collect();
    let block = |list: &List| {
        let mut lines = list.lines.clone();
        if lines.is_empty() {
            lines.push("ありません".to_owned());
        }
        let notes = if list.more > 0 { vec![format!("ほか{}件(mimamori case list)", list.more)] } else { vec![] };
        Block { title: list.title, lines, notes }
    };
    let blocks: Vec<Block> = lists.iter().map(block).collect();
    Outgoing {
        message_id: format!("digest-{unique}@{domain}"),
        thread_id: format!("digest-{}@{domain}", Hash::of(digest.id.as_bytes()).key().chars().take(12).collect::<String>()),
        from: policy.sender.clone(),
        to: to.clone(),
        text: text(&blocks),
        leaves_site: policy.channels.iter().any(|channel| channel.id == to.channel && channel.leaves_site),
        html: html::list(&subject, &digest.name, &at, &blocks),
        subject,
        link: None,
        reply_to: None,
    }
}
