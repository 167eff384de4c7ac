//! An alert as people read it: subject, plain text, HTML. Pure.
//!
//! Order of the body: the point, why, the history, what to do now, what happens next, how to take the case. The first
//! characters of the subject decide whether it is opened; no names and no abusive words stand there. Care alerts have
//! their own wording: not harassment, no law, no refusal, the customer's own words in full.

use crate::case::summary::Summary;
use crate::case::{CaseRecord, Intent, Occasion, Step};
use crate::edge::notify::{Outgoing, header_text, html};
use crate::model::message::Channel;
use crate::model::severity::{Category, Level};
use crate::model::verdict::Role;
use crate::policy::{Ladder, Policy, Track};
use jiff::Timestamp;

/// Title of the block that says how to answer.
const TAKE: &str = "受け取る";

/// Most entries named in an alert.
const ENTRIES_SHOWN: usize = 4;

/// Most lines of advice for a kind of act: they stand below the policy's own, and both are read on a phone.
const ADVICE_SHOWN: usize = 4;

/// A titled block of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// 要点, 理由, …
    pub title: &'static str,
    /// Its lines.
    pub lines: Vec<String>,
    /// Small print below them: of use to those who tune, not to those who act.
    pub notes: Vec<String>,
}

impl Block {
    pub(crate) fn new(title: &'static str, lines: Vec<String>) -> Self {
        Self { title, lines, notes: vec![] }
    }
}

/// How people answer alerts without a console; neither is there unless configured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ways {
    /// Where the app router is reached from the people's phones, without a slash at the end.
    pub base_url: Option<String>,
    /// Address whose mail arrives at the inbound queue.
    pub reply_address: Option<String>,
}

/// How one person answers one alert.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answers {
    /// A page with the buttons.
    pub link: Option<String>,
    /// Where a reply by mail goes.
    pub reply_to: Option<String>,
}

impl Ways {
    /// Whether there is any.
    pub const fn are_open(&self) -> bool {
        self.base_url.is_some() || self.reply_address.is_some()
    }

    /// The ways that this token opens.
    pub fn answers(&self, token: Option<&str>) -> Answers {
        let Some(token) = token else { return Answers::default() };
        let reply_to = |address: &String| address.split_once('@').map(|(local, domain)| format!("{local}+{token}@{domain}"));
        Answers {
            link: self.base_url.as_ref().map(|base| format!("{base}/ack/{token}")),
            reply_to: self.reply_address.as_ref().and_then(reply_to),
        }
    }
}

/// Renders the alert of one intent.
pub fn render(case: &CaseRecord, intent: &Intent, policy: &Policy, answers: &Answers) -> Outgoing {
    let none = Summary::default();
    let summary = case.summaries.get(&intent.track).unwrap_or(&none);
    let subject = subject(case, intent, policy);
    let leaves_site = policy.channels.iter().any(|channel| channel.id == intent.to.channel && channel.leaves_site);
    let mut blocks = blocks(case, intent, summary, policy, answers);
    if leaves_site {
        blocks.retain(|block| block.title == TAKE);
    }
    let deadline = format!("受領期限 {}", date(intent.deadline, policy));
    Outgoing {
        message_id: intent.message_id.clone(),
        thread_id: format!("{}@{}", case.id, policy.sender.address.rsplit('@').next().unwrap_or("localhost")),
        from: policy.sender.clone(),
        to: intent.to.clone(),
        text: format!("{deadline}\n\n{}", text(&blocks)),
        leaves_site,
        html: html::page(&subject, intent, &deadline, &blocks, answers.link.as_deref()),
        link: answers.link.clone(),
        reply_to: answers.reply_to.clone(),
        subject,
    }
}

fn subject(case: &CaseRecord, intent: &Intent, policy: &Policy) -> String {
    let deadline = clock(intent.deadline, policy);
    let again = match intent.step {
        Step::First => "",
        Step::Raised => "【上昇】",
        Step::Grown => "【件数増加】",
        Step::Repeat => "【再通知】",
        Step::Next => "【次の担当へ】",
        Step::Returned => "【再開】",
    };
    let channel = case.channel().map_or("", Channel::name);
    let id = &case.id;
    if let Occasion::Check { .. } = case.occasion {
        return format!("【見守り｜到達確認】この通知が届いたことを確認してください {id}");
    }
    let again = if case.occasion.is_real() { again.to_owned() } else { format!("【訓練】{again}") };
    let text = match intent.track {
        Track::Care => format!("【見守り｜至急・ケア】{again}命にかかわるおそれのあるご相談({channel}) {id}｜受領期限 {deadline}"),
        Track::Safety => format!("【見守り｜至急・製品事故】{again}けがを伴う製品事故の申出({channel}) {id}｜受領期限 {deadline}"),
        Track::Consult => format!("【見守り｜相談】{again}担当者からの相談(SV以外の方へ) {id}｜受領期限 {deadline}"),
        Track::Unchecked => format!("【見守り｜未判定】{again}確認できなかった受信が{}件 {id}｜受領期限 {deadline}", case.message_count()),
        Track::Harassment => {
            let level = case.level;
            format!("【見守り｜{level} {}】{again}{}({channel}) {id}｜受領期限 {deadline}", level.name(), kinds(case))
        }
    };
    header_text(&text)
}

/// The categories, gravest kinds first, and which slots are known.
pub(crate) fn kinds(case: &CaseRecord) -> String {
    let names: Vec<&str> = case.categories.iter().filter(|one| **one != Category::SelfHarm).map(|one| one.name()).take(2).collect();
    let slots = case.summaries.get(&Track::Harassment).map(|summary| &summary.slots);
    let has = |role: Role| slots.is_some_and(|slots| slots.iter().any(|(known, _)| *known == role));
    let known: Vec<&str> = [(Role::When, "日時"), (Role::Where, "場所"), (Role::Means, "手段"), (Role::Demand, "要求")]
        .into_iter()
        .filter(|(role, _)| has(*role))
        .map(|(_, name)| name)
        .collect();
    let detail = if known.is_empty() { String::new() } else { format!("[{}あり]", known.join("・")) };
    format!("{}{detail}", names.join("・"))
}

fn blocks(case: &CaseRecord, intent: &Intent, summary: &Summary, policy: &Policy, answers: &Answers) -> Vec<Block> {
    if let Occasion::Check { .. } = case.occasion {
        let lines = ["通知が届くかどうかの確認です。事案ではありません。", "受領すると「届いた」と記録されます。"];
        let ladder = case.ladder(intent.track, policy);
        return vec![Block::new("要点", lines.map(str::to_owned).to_vec()), Block::new(TAKE, take(case, intent, ladder, summary, answers))];
    }
    let mut blocks = vec![Block::new("要点", point(case, intent, summary))];
    if case.occasion == Occasion::Drill {
        blocks.insert(0, Block::new("訓練", vec!["これは訓練です。本物の事案ではありません。いつもどおり受領してください。".to_owned()]));
    }
    let reasons = reasons(case, intent.track, summary);
    if !reasons.is_empty() {
        blocks.push(Block { title: "理由", lines: reasons, notes: entries(intent.track, summary) });
    }
    if intent.track == Track::Care
        && let Some(words) = &summary.full
    {
        blocks.push(Block::new("お客さまの言葉(原文)", words.lines().map(str::to_owned).collect()));
    }
    if !summary.skipped.is_empty() {
        let rows = summary.skipped.iter().map(|row| format!("{}({})", row.what.name(), row.detail));
        blocks.push(Block::new("読めなかったもの", rows.collect()));
    }
    blocks.push(Block::new("経緯", history(case, intent.track, policy)));
    let ladder = case.ladder(intent.track, policy);
    if !ladder.advice.is_empty() {
        blocks.push(Block::new("今すること", ladder.advice.iter().enumerate().map(|(n, line)| format!("{}. {line}", n + 1)).collect()));
    }
    blocks.extend(guide(summary, &ladder.advice));
    let desks = if policy.care_desks.is_empty() { &summary.hints.desks } else { &policy.care_desks };
    if intent.track == Track::Care && !desks.is_empty() {
        blocks.push(Block::new("相談先(ご本人に案内できます)", desks.clone()));
    }
    blocks.push(Block::new("次", next(case, intent, ladder, policy)));
    blocks.push(Block::new(TAKE, take(case, intent, ladder, summary, answers)));
    blocks
}

/// Advice for this kind of act, below what the policy says; types and articles as small print.
fn guide(summary: &Summary, said: &[String]) -> Option<Block> {
    let hints = &summary.hints;
    let lines: Vec<String> =
        hints.advice.iter().filter(|line| !said.contains(line)).take(ADVICE_SHOWN).map(|line| format!("・{line}")).collect();
    let mut notes = vec![];
    for (name, list) in [("類型(厚労省)", &hints.mhlw), ("類型(東京都)", &hints.tokyo), ("関連しうる条文", &hints.articles)]
    {
        if !list.is_empty() {
            notes.push(format!("{name}: {}", list.join("／")));
        }
    }
    if !hints.articles.is_empty() {
        notes.push("条文は参考です。あてはまるかどうかは法務・警察が判断します。".to_owned());
    }
    (!lines.is_empty() || !notes.is_empty()).then_some(Block { title: "手引", lines, notes })
}

fn point(case: &CaseRecord, intent: &Intent, summary: &Summary) -> Vec<String> {
    match intent.track {
        Track::Care => vec![
            "命にかかわるおそれのあるご相談です(カスハラではありません)。".to_owned(),
            "切らない・急かさない・規約で返さない。危険が迫るときは110番・119番。".to_owned(),
        ],
        Track::Safety => vec!["けがを伴う製品事故の申出です。口調にかかわらず、安全の確認を最優先にしてください。".to_owned()],
        Track::Consult => {
            vec!["担当者が、上司以外の方への相談を希望しています。".to_owned(), "本人の希望なしに、上司へ伝えないでください。".to_owned()]
        }
        Track::Unchecked => vec![format!("判定できなかった受信が{}件あります。通常とはみなしていません。", case.message_count())],
        Track::Harassment => {
            let slots: Vec<String> = summary.slots.iter().map(|(role, text)| format!("{}={text}", role_name(*role))).collect();
            let kinds: Vec<&str> = case.categories.iter().filter(|one| **one != Category::SelfHarm).map(|one| one.name()).collect();
            let mut lines = vec![format!("レベル{} {}", case.level, case.level.name()), format!("種類: {}", kinds.join("／"))];
            if !slots.is_empty() {
                lines.push(slots.join("／"));
            }
            lines.push("機械による検知です。カスハラかどうかは人が判断します。".to_owned());
            lines
        }
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Harm => "害",
        Role::Target => "対象",
        Role::When => "時",
        Role::Where => "場所",
        Role::Means => "手段",
        Role::Demand => "要求",
        Role::Condition => "条件",
        Role::Cue => "手がかり",
    }
}

fn reasons(case: &CaseRecord, track: Track, summary: &Summary) -> Vec<String> {
    match track {
        // The words themselves follow in full; a list of matched entries would only come between.
        Track::Care => vec![],
        Track::Unchecked => case.reasons.iter().map(|(code, count)| format!("{code}: {count}件")).collect(),
        Track::Safety | Track::Harassment | Track::Consult => summary
            .reasons
            .iter()
            .map(|reason| {
                let categories = reason.categories.iter().map(|category| category.name());
                let lanes = reason.lanes.iter().map(|lane| lane.name());
                let kinds: Vec<&str> = categories.chain(lanes).collect();
                let place = reason.place.as_deref().map(|place| format!("[{place}]")).unwrap_or_default();
                let excerpt = if reason.excerpt.is_empty() { String::new() } else { format!("「{}」", reason.excerpt) };
                format!("{}{place}{excerpt}", if kinds.is_empty() { "手がかり".to_owned() } else { kinds.join("／") })
            })
            .collect(),
    }
}

/// The entries behind the reasons, for those who tune the lexicon.
fn entries(track: Track, summary: &Summary) -> Vec<String> {
    let mut names: Vec<&str> = vec![];
    for name in summary.reasons.iter().flat_map(|reason| &reason.entries) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    if names.is_empty() || matches!(track, Track::Care | Track::Unchecked) {
        return vec![];
    }
    let more = names.len().saturating_sub(ENTRIES_SHOWN);
    let rest = if more == 0 { String::new() } else { format!(" ほか{more}") };
    names.truncate(ENTRIES_SHOWN);
    vec![format!("●は伏せた文字です。辞書の項目: {}{rest}", names.join(", "))]
}

fn history(case: &CaseRecord, track: Track, policy: &Policy) -> Vec<String> {
    let mut lines = vec![format!("最初 {}／最新 {}", date(case.opened_at, policy), date(case.last_at, policy))];
    if track != Track::Unchecked {
        lines.push(match track {
            // Levels measure harassment; a call for help or an injury has none.
            Track::Care | Track::Safety | Track::Consult => format!("この会話で{}通", case.message_count()),
            _ => format!("この会話で該当{}", counts(case)),
        });
        if case.generation > 1 {
            lines.push(format!("同じ会話で{}回目の事案です", case.generation));
        }
    }
    if let Some(hold) = case.hold.as_ref().filter(|_| track == Track::Harassment) {
        lines.push(format!("返信を保留中です({}から)。お客さまがお待ちです。受領か判断で解除されます。", date(hold.since, policy)));
    }
    if case.tracks.contains(&Track::Care) && track == Track::Harassment {
        lines.push("命にかかわるおそれのある相談でもあります。ケアの対応を先にしてください。".to_owned());
    }
    lines
}

fn counts(case: &CaseRecord) -> String {
    let flagged = |number: u8| Level::try_from(number).is_ok_and(Level::is_flagged);
    let rows: Vec<String> =
        case.counts.iter().rev().filter(|(level, _)| flagged(**level)).map(|(level, count)| format!("レベル{level}が{count}通")).collect();
    let total: u64 = case.counts.iter().filter(|(level, _)| flagged(**level)).map(|(_, count)| count).sum();
    format!("{total}通({})", rows.join("、"))
}

/// What happens if nobody takes it: who is told next, and when.
fn next(case: &CaseRecord, intent: &Intent, ladder: &Ladder, policy: &Policy) -> Vec<String> {
    let deadline = date(intent.deadline, policy);
    let following = ladder.moment(intent.moment.saturating_add(1));
    let mut names: Vec<&str> = following.to.iter().map(|name| policy.name_of(name)).collect();
    names.dedup();
    let then = match (following.is_final, following.is_repeat) {
        (false, true) => format!("{deadline}までに受領がなければ、もう一度通知します。"),
        (true, true) => format!("{deadline}までに受領がなければ、もう一度通知します。受領まで繰り返します。"),
        (_, false) => format!("{deadline}までに受領がなければ、{}へ通知します。", names.join("・")),
    };
    let missing: Vec<&str> =
        ladder.acknowledge_by.iter().filter(|slot| !case.taken.contains_key(*slot)).map(|slot| policy.name_of(slot)).collect();
    let mut lines = vec![then];
    if !missing.is_empty() {
        lines.push(format!("受領が必要な担当: {}(それぞれの受領までその担当へ通知を続けます)", missing.join("・")));
    }
    lines
}

fn take(case: &CaseRecord, intent: &Intent, ladder: &Ladder, summary: &Summary, answers: &Answers) -> Vec<String> {
    // Where several roles must acknowledge, only the key of the policy tells which part is given.
    let (who, by) = if ladder.acknowledge_by.is_empty() {
        ("引き受ける方のお名前で", "お名前")
    } else {
        ("あなたの分を受領", intent.to.person.as_str())
    };
    let mut lines = vec![];
    if let Some(link) = &answers.link {
        lines.push(format!("受領・交代: {link}"));
    }
    if answers.reply_to.is_some() {
        lines.push("このメールに「受領」とだけ書いて返信しても受け取れます(代わってほしいときは「交代」)。".to_owned());
    }
    lines.extend([
        format!("{who}: mimamori case ack {} --by {by}", case.id),
        format!("ほかの人に代わってもらう(理由は不要): mimamori case pass {} --by {}", case.id, intent.to.person),
        format!("経過を見る: mimamori case show {}", case.id),
    ]);
    if let Some(ticket) = &summary.ticket {
        lines.push(format!("チケット: {ticket}"));
    }
    if let Some(url) = &summary.url {
        lines.push(url.clone());
    }
    lines
}

/// Blocks as plain text.
pub(crate) fn text(blocks: &[Block]) -> String {
    let block = |block: &Block| format!("■ {}\n  {}\n", block.title, [block.lines.as_slice(), &block.notes].concat().join("\n  "));
    blocks.iter().map(block).collect::<Vec<_>>().join("\n")
}

fn date(at: Timestamp, policy: &Policy) -> String {
    jiff::ZonedDateTime::new(at, policy.time_zone.clone()).strftime("%-m月%-d日 %H:%M").to_string()
}

pub(crate) fn clock(at: Timestamp, policy: &Policy) -> String {
    jiff::ZonedDateTime::new(at, policy.time_zone.clone()).strftime("%H:%M").to_string()
}

/// The colour of the badge: one glance tells how grave.
pub(crate) fn badge(intent: &Intent) -> (&'static str, String) {
    match intent.track {
        Track::Care => ("#1b5e20", "至急・ケア".to_owned()),
        Track::Safety => ("#e65100", "至急・製品事故".to_owned()),
        Track::Consult => ("#4527a0", "相談".to_owned()),
        Track::Unchecked => ("#455a64", "未判定".to_owned()),
        Track::Harassment => {
            let colour = match intent.level {
                Level::Emergency => "#b71c1c",
                Level::Severe => "#d84315",
                _ => "#f57f17",
            };
            (colour, format!("{} {}", intent.level, intent.level.name()))
        }
    }
}
