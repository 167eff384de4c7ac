//! Alerts that waited, as one list. Pure. Number, level, kind and deadline only, so that every channel may carry it whole.

use crate::case::{CaseRecord, Intent};
use crate::edge::notify::render::{Block, kinds, known, moment, text};
use crate::edge::notify::{Outgoing, header_text, html};
use crate::model::digest::Digest;
use crate::policy::{Policy, Recipient, Track};
use crate::wording::Texts;
use crate::wording::hole::Hole;
use crate::wording::text::Text;
use jiff::Timestamp;

/// One alert of a list.
pub struct Line<'a> {
    /// Its case.
    pub case: &'a CaseRecord,
    /// The alert.
    pub intent: &'a Intent,
    /// A page on which the person takes the case or passes it on.
    pub link: Option<String>,
}

/// The colour of its badge: that of level 2, because nothing in it is urgent.
const COLOUR: &str = "#995700";

/// Renders the list of that Message-ID.
pub fn render(message_id: &str, to: &Recipient, lines: &[Line<'_>], policy: &Policy, texts: &Texts) -> Outgoing {
    let clock = |at: Timestamp| moment(texts, Text::FormatClock, at, &policy.time_zone);
    let first = lines.iter().map(|line| line.intent.deadline).min().map(clock).unwrap_or_default();
    let name = lines.first().map(|line| what(line, texts)).unwrap_or_default();
    let count = lines.len().to_string();
    let subject = texts.fill(Text::SubjectBundle, &[(Hole::Name, &name), (Hole::Count, &count), (Hole::Deadline, &first)]);
    let subject = header_text(&subject);
    let blocks = [waiting(lines, policy, texts, &clock), Block::new(texts.plain(Text::HeadingTake), texts.lines(Text::BundleTake, &[]))];
    let domain = policy.sender.address.rsplit('@').next().unwrap_or("localhost");
    let thread = Digest::of_fields(&[b"bundle", to.person.as_bytes(), to.channel.as_bytes()]).key();
    let (badge, below) = (texts.plain(Text::BundleBadge), texts.fill(Text::BundleFirst, &[(Hole::Deadline, &first)]));
    let page = html::Page { language: texts.language(), subject: &subject, badge: (COLOUR, &badge), below: &below, blocks: &blocks };
    Outgoing {
        message_id: message_id.to_owned(),
        thread_id: format!("bundle-{}@{domain}", thread.chars().take(12).collect::<String>()),
        from: policy.sender.clone(),
        to: to.clone(),
        text: text(&blocks),
        html: page.render(None),
        subject,
        // Nothing in it needs to be kept back from any channel.
        leaves_site: false,
        link: None,
        reply_to: None,
    }
}

/// The cases, and why they come as one.
fn waiting(lines: &[Line<'_>], policy: &Policy, texts: &Texts, clock: &dyn Fn(Timestamp) -> String) -> Block {
    let rows = lines.iter().flat_map(|line| {
        let row = texts.fill(Text::BundleLine, &[(Hole::Name, &what(line, texts)), (Hole::Deadline, &clock(line.intent.deadline))]);
        let link = line.link.as_ref().map(|link| texts.fill(Text::TakeUrl, &[(Hole::Link, link)]));
        std::iter::once(row).chain(link.map(|link| format!("  {link}")))
    });
    let minutes = (policy.throttle.window.as_secs() / 60).to_string();
    let why = [(Hole::Minutes, minutes.as_str()), (Hole::Count, &policy.throttle.alerts_max.to_string())];
    Block { title: texts.plain(Text::BundleTitle), lines: rows.collect(), notes: vec![texts.fill(Text::BundleWhy, &why)] }
}

/// Number, level, kind.
fn what(line: &Line<'_>, texts: &Texts) -> String {
    let Line { case, intent, .. } = line;
    let id = case.id.to_string();
    if intent.track == Track::Unchecked {
        return texts.fill(Text::BundleUnchecked, &[(Hole::Case, &id), (Hole::Count, &case.message_count().to_string())]);
    }
    let values = [
        (Hole::Case, id),
        (Hole::Level, case.level.to_string()),
        (Hole::LevelName, texts.level(case.level).to_owned()),
        (Hole::Kind, texts.join(kinds(case, texts).take(2), Text::JointDot)),
        (Hole::Known, known(case, texts)),
    ];
    let values: Vec<(Hole, &str)> = values.iter().map(|(hole, value)| (*hole, value.as_str())).collect();
    texts.fill(Text::BundleCase, &values)
}
