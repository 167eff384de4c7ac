//! A digest as people read it. Pure. Number, level, kind and time only: no word of a customer.

use crate::edge::notify::render::{Block, moment, text};
use crate::edge::notify::{Outgoing, header_text, html};
use crate::model::digest::Digest as Hash;
use crate::policy::digest::Digest;
use crate::policy::{Policy, Recipient};
use crate::wording::Texts;
use crate::wording::hole::Hole;
use crate::wording::text::Text;
use jiff::Timestamp;

/// The colour of its badge: nothing here is urgent.
const COLOUR: &str = "#37474f";

/// One list of a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// What it lists.
    pub title: String,
    /// Its lines.
    pub lines: Vec<String>,
    /// Lines that did not fit.
    pub more: usize,
}

/// Renders a digest for one recipient. The same slot and recipient give the same Message-ID.
pub fn render(digest: &Digest, to: &Recipient, lists: &[List], slot: Timestamp, policy: &Policy, texts: &Texts) -> Outgoing {
    let at = moment(texts, Text::FormatDate, slot, &policy.time_zone);
    let count = |list: &List| {
        let count = (list.lines.len() + list.more).to_string();
        texts.fill(Text::DigestCount, &[(Hole::Name, &list.title), (Hole::Count, &count)])
    };
    let counts: Vec<String> = lists.iter().filter(|list| !list.lines.is_empty()).map(count).collect();
    let counts = if counts.is_empty() { texts.plain(Text::DigestNothing) } else { texts.join(counts, Text::JointDot) };
    let subject = texts.fill(Text::SubjectDigest, &[(Hole::Name, &digest.name), (Hole::At, &at), (Hole::Counts, &counts)]);
    let subject = header_text(&subject);
    let domain = policy.sender.address.rsplit('@').next().unwrap_or("localhost");
    let slot_bytes = slot.as_second().to_be_bytes();
    let fields = [digest.id.as_bytes(), &slot_bytes, to.person.as_bytes(), to.channel.as_bytes()];
    let unique: String = Hash::of_fields(&fields).key().chars().take(20).collect();
    let block = |list: &List| {
        let mut lines = list.lines.clone();
        if lines.is_empty() {
            lines.push(texts.plain(Text::DigestNothing));
        }
        let more = || texts.fill(Text::DigestMore, &[(Hole::Count, &list.more.to_string())]);
        Block { title: list.title.clone(), lines, notes: if list.more > 0 { vec![more()] } else { vec![] } }
    };
    let blocks: Vec<Block> = lists.iter().map(block).collect();
    let page = html::Page { language: texts.language(), subject: &subject, badge: (COLOUR, &digest.name), below: &at, blocks: &blocks };
    Outgoing {
        message_id: format!("digest-{unique}@{domain}"),
        thread_id: format!("digest-{}@{domain}", Hash::of(digest.id.as_bytes()).key().chars().take(12).collect::<String>()),
        from: policy.sender.clone(),
        to: to.clone(),
        text: text(&blocks),
        leaves_site: policy.channels.iter().any(|channel| channel.id == to.channel && channel.leaves_site),
        html: page.render(None),
        subject,
        link: None,
        reply_to: None,
    }
}
