//! Alerts that waited, as one list. Pure. Number, level, kind and deadline only, so that every channel may carry it whole.

use crate::case::{CaseRecord, Intent};
use crate::edge::notify::render::{Block, clock, kinds, text};
use crate::edge::notify::{Outgoing, header_text, html};
use crate::model::digest::Digest;
use crate::policy::{Policy, Recipient, Track};

/// One alert of a list.
pub struct Line<'a> {
    /// Its case.
    pub case: &'a CaseRecord,
    /// The alert.
    pub intent: &'a Intent,
    /// A page on which the person takes the case or passes it on.
    pub link: Option<String>,
}

/// Renders the list of that Message-ID.
pub fn render(message_id: &str, to: &Recipient, lines: &[Line<'_>], policy: &Policy) -> Outgoing {
    let deadline = lines.iter().map(|line| line.intent.deadline).min().map(|at| clock(at, policy)).unwrap_or_default();
    let first = lines.first().map(|line| what(line)).unwrap_or_default();
    let more = match lines.len().saturating_sub(1) {
        0 => String::new(),
        more => format!(" ほか{more}件"),
    };
    let subject = header_text(&format!("【見守り｜まとめて通知】{first}{more}｜最初の受領期限 {deadline}"));
    let rows = lines.iter().flat_map(|line| {
        let row = format!("{}  受領期限 {}", what(line), clock(line.intent.deadline, policy));
        std::iter::once(row).chain(line.link.as_ref().map(|link| format!("  受領・交代: {link}")))
    });
    let why = format!(
        "この手段の通知が{}分間に{}件を超えたため、1通にまとめました。受領がなければ、それぞれ次の段へ進みます。",
        policy.throttle.window.as_secs() / 60,
        policy.throttle.alerts_max
    );
    let take =
        vec!["引き受ける方のお名前で: mimamori case ack 番号 --by お名前".to_owned(), "経過を見る: mimamori case show 番号".to_owned()];
    let blocks = [Block { title: "受領を待っている事案", lines: rows.collect(), notes: vec![why] }, Block::new("受け取る", take)];
    let domain = policy.sender.address.rsplit('@').next().unwrap_or("localhost");
    let thread = Digest::of_fields(&[b"bundle", to.person.as_bytes(), to.channel.as_bytes()]).key();
    Outgoing {
        message_id: message_id.to_owned(),
        thread_id: format!("bundle-{}@{domain}", thread.chars().take(12).collect::<String>()),
        from: policy.sender.clone(),
        to: to.clone(),
        text: text(&blocks),
        html: html::list(&subject, "まとめて通知", &format!("最初の受領期限 {deadline}"), &blocks),
        subject,
        // Nothing in it needs to be kept back from any channel.
        leaves_site: false,
        link: None,
        reply_to: None,
    }
}

/// Number, level, kind.
fn what(line: &Line<'_>) -> String {
    let Line { case, intent, .. } = line;
    if intent.track == Track::Unchecked {
        return format!("{}  {} {}件", case.id, intent.track.name(), case.message_count());
    }
    format!("{}  レベル{} {}", case.id, case.level, kinds(case))
}
