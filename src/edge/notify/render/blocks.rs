//! The blocks of an alert: the point, why, the history, what to do now, what happens next.

use crate::case::countdown;
use crate::case::summary::{Origin, Reason};
use crate::case::{CaseRecord, Occasion};
use crate::edge::notify::render::{Alert, Block, is_asked_only, kinds};
use crate::model::severity::Level;
use crate::model::verdict::Role;
use crate::policy::Track;
use crate::wording::hole::Hole;
use crate::wording::text::Text;
use jiff::SignedDuration;

/// Most entries named in an alert.
const ENTRIES_SHOWN: usize = 4;

/// Most lines of advice for a kind of act: they stand below the policy's own, and both are read on a phone.
const ADVICE_SHOWN: usize = 4;

impl Alert<'_> {
    /// The block that stands for a placeholder; nothing where it has nothing to say.
    pub(crate) fn block(&self, hole: Hole) -> Option<Block> {
        let is_check = matches!(self.case.occasion, Occasion::Check { .. });
        if is_check && !matches!(hole, Hole::Point | Hole::Take) {
            return None;
        }
        let (title, lines, notes) = match hole {
            Hole::Drill => (Text::HeadingDrill, self.drill(), vec![]),
            Hole::Point => (Text::HeadingPoint, self.point(), vec![]),
            Hole::Reasons => (Text::HeadingReasons, self.reasons(), self.entries()),
            Hole::OwnWords => (Text::HeadingOwnWords, self.own_words(), vec![]),
            Hole::Unread => (Text::HeadingUnread, self.unread(), vec![]),
            Hole::History => (Text::HeadingHistory, self.history(), vec![]),
            Hole::Now => (Text::HeadingNow, self.steps_now(), vec![]),
            Hole::Guide => (Text::HeadingGuide, self.guide(), self.sources()),
            Hole::Desks => (Text::HeadingDesks, self.desks(), vec![]),
            Hole::Next => (Text::HeadingNext, self.next(), vec![]),
            Hole::Take => (Text::HeadingTake, self.take(), vec![]),
            _ => return None,
        };
        let says_something = !lines.is_empty() || !notes.is_empty();
        says_something.then(|| Block { title: self.texts.plain(title), lines, notes })
    }

    fn drill(&self) -> Vec<String> {
        if self.case.occasion == Occasion::Drill { self.texts.lines(Text::PointDrill, &[]) } else { vec![] }
    }

    fn point(&self) -> Vec<String> {
        let text = match (&self.case.occasion, self.intent.track) {
            (Occasion::Check { .. }, _) => Text::PointCheck,
            (_, Track::Care) => Text::PointCare,
            (_, Track::Safety) => Text::PointSafety,
            (_, Track::Consult) => Text::PointConsult,
            (_, Track::Unchecked) => Text::PointUnchecked,
            (_, Track::Harassment) if is_asked_only(self.case) => Text::PointAsked,
            (_, Track::Harassment) => Text::PointHarassment,
        };
        let level = self.case.level;
        let values = [
            (Hole::Level, level.to_string()),
            (Hole::LevelName, self.texts.level(level).to_owned()),
            (Hole::Kind, self.texts.join(kinds(self.case, self.texts), Text::JointSlash)),
            (Hole::Slots, self.slots()),
            (Hole::Count, self.case.message_count().to_string()),
        ];
        let values: Vec<(Hole, &str)> = values.iter().map(|(hole, value)| (*hole, value.as_str())).collect();
        self.texts.lines(text, &values)
    }

    fn slots(&self) -> String {
        let slot = |(role, words): &(Role, String)| {
            let left = if *role == Role::When { self.left(words) } else { String::new() };
            self.texts.fill(Text::Slot, &[(Hole::Role, self.texts.role(*role)), (Hole::Words, words), (Hole::Left, &left)])
        };
        self.texts.join(self.summary.slots.iter().map(slot), Text::JointSlash)
    }

    /// The time that is left until what the customer named.
    fn left(&self, words: &str) -> String {
        let message = self.case.messages.iter().find(|message| message.id.0 == self.summary.message_id);
        let left = message.and_then(|message| countdown::left(words, message.received_at, self.now, &self.policy.time_zone));
        left.map_or_else(String::new, |left| self.duration(left))
    }

    fn duration(&self, left: SignedDuration) -> String {
        let minutes = left.as_mins();
        let (days, hours) = (minutes / 60 / 24, minutes / 60 % 24);
        let text = match (days, hours) {
            (0, 0) => Text::LeftMinutes,
            (0, _) => Text::LeftHours,
            _ => Text::LeftDays,
        };
        let (days, hours, minutes) = (days.to_string(), hours.to_string(), (minutes % 60).to_string());
        self.texts.fill(text, &[(Hole::Days, &days), (Hole::Hours, &hours), (Hole::Minutes, &minutes)])
    }

    fn reasons(&self) -> Vec<String> {
        match self.intent.track {
            // The words themselves follow in full; a list of matched entries would only come between.
            Track::Care => vec![],
            Track::Unchecked => {
                let row = |(code, count): (&String, &u64)| {
                    self.texts.fill(Text::ReasonUnchecked, &[(Hole::Code, code), (Hole::Count, &count.to_string())])
                };
                self.case.reasons.iter().map(row).collect()
            }
            Track::Safety | Track::Harassment | Track::Consult => self.summary.reasons.iter().map(|reason| self.reason(reason)).collect(),
        }
    }

    fn reason(&self, reason: &Reason) -> String {
        let texts = self.texts;
        let categories = reason.categories.iter().map(|category| texts.category(*category));
        let kinds: Vec<&str> = categories.chain(reason.lanes.iter().map(|lane| texts.lane(*lane))).collect();
        let kind = if kinds.is_empty() { texts.plain(Text::ReasonClue) } else { texts.join(kinds, Text::JointSlash) };
        let place = reason.place.as_deref().map(|place| self.place(place)).unwrap_or_default();
        let excerpt =
            if reason.excerpt.is_empty() { String::new() } else { texts.fill(Text::ReasonExcerpt, &[(Hole::Excerpt, &reason.excerpt)]) };
        texts.fill(Text::ReasonLine, &[(Hole::Kind, &kind), (Hole::Place, &place), (Hole::Excerpt, &excerpt)])
    }

    fn place(&self, recorded: &str) -> String {
        let named = |(place, rest): (Origin, &str)| format!("{}{rest}", self.texts.place(place.id()));
        let place = Origin::read(recorded).map_or_else(|| recorded.to_owned(), named);
        self.texts.fill(Text::ReasonPlace, &[(Hole::Place, &place)])
    }

    /// The entries behind the reasons, for those who tune the lexicon.
    fn entries(&self) -> Vec<String> {
        let mut names: Vec<&str> = vec![];
        for name in self.summary.reasons.iter().flat_map(|reason| &reason.entries) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        if names.is_empty() || matches!(self.intent.track, Track::Care | Track::Unchecked) {
            return vec![];
        }
        let more = names.len().saturating_sub(ENTRIES_SHOWN);
        let rest = if more == 0 { String::new() } else { self.texts.fill(Text::ReasonMore, &[(Hole::Count, &more.to_string())]) };
        names.truncate(ENTRIES_SHOWN);
        vec![self.texts.fill(Text::ReasonEntries, &[(Hole::Entries, &format!("{}{rest}", names.join(", ")))])]
    }

    fn own_words(&self) -> Vec<String> {
        let words = self.summary.full.as_ref().filter(|_| self.intent.track == Track::Care);
        words.map_or_else(Vec::new, |words| words.lines().map(str::to_owned).collect())
    }

    fn unread(&self) -> Vec<String> {
        let rows = self.summary.skipped.iter();
        rows.map(|row| self.texts.fill(Text::ReasonUnread, &[(Hole::Name, self.texts.unread(row.what)), (Hole::Detail, &row.detail)]))
            .collect()
    }

    fn history(&self) -> Vec<String> {
        let (case, texts, track) = (self.case, self.texts, self.intent.track);
        let (first, last) = (self.date(case.opened_at), self.date(case.last_at));
        let mut lines = vec![texts.fill(Text::HistorySpan, &[(Hole::First, &first), (Hole::Last, &last)])];
        if track != Track::Unchecked {
            lines.push(match track {
                // Levels measure harassment; a call for help or an injury has none.
                Track::Care | Track::Safety | Track::Consult => {
                    texts.fill(Text::HistoryMessages, &[(Hole::Count, &case.message_count().to_string())])
                }
                _ => self.counts(),
            });
            if case.generation > 1 {
                lines.push(texts.fill(Text::HistoryAgain, &[(Hole::Count, &case.generation.to_string())]));
            }
        }
        if let Some(hold) = case.hold.as_ref().filter(|_| track == Track::Harassment) {
            lines.push(texts.fill(Text::HistoryHold, &[(Hole::Since, &self.date(hold.since))]));
        }
        if case.tracks.contains(&Track::Care) && track == Track::Harassment {
            lines.push(texts.plain(Text::HistoryCare));
        }
        lines
    }

    fn counts(&self) -> String {
        let (rows, total) = flagged(self.case);
        let row = |(level, count): &(u8, u64)| {
            self.texts.fill(Text::HistoryLevel, &[(Hole::Level, &level.to_string()), (Hole::Count, &count.to_string())])
        };
        let levels = self.texts.join(rows.iter().map(row), Text::JointComma);
        self.texts.fill(Text::HistoryFlagged, &[(Hole::Count, &total.to_string()), (Hole::Levels, &levels)])
    }

    /// What the company's manual says, in its own words.
    fn steps_now(&self) -> Vec<String> {
        self.ladder.advice.iter().enumerate().map(|(n, line)| format!("{}. {line}", n + 1)).collect()
    }

    /// Advice for this kind of act, below what the policy says.
    fn guide(&self) -> Vec<String> {
        let new = self.summary.hints.advice.iter().filter(|line| !self.ladder.advice.contains(line));
        new.take(ADVICE_SHOWN).map(|line| self.texts.fill(Text::GuideLine, &[(Hole::Words, line)])).collect()
    }

    /// Types and articles, as small print.
    fn sources(&self) -> Vec<String> {
        let hints = &self.summary.hints;
        let mut notes = vec![];
        for (text, list) in [(Text::GuideMhlw, &hints.mhlw), (Text::GuideTokyo, &hints.tokyo), (Text::GuideArticles, &hints.articles)] {
            if !list.is_empty() {
                notes.push(self.texts.fill(text, &[(Hole::List, &self.texts.join(list, Text::JointSlash))]));
            }
        }
        if !hints.articles.is_empty() {
            notes.push(self.texts.plain(Text::GuideCaution));
        }
        notes
    }

    fn desks(&self) -> Vec<String> {
        if self.intent.track != Track::Care {
            return vec![];
        }
        if self.policy.care_desks.is_empty() { self.summary.hints.desks.clone() } else { self.policy.care_desks.clone() }
    }

    /// What happens if nobody takes it: who is told next, and when.
    fn next(&self) -> Vec<String> {
        let (texts, policy) = (self.texts, self.policy);
        let deadline = self.date(self.intent.deadline);
        let following = self.ladder.moment(self.intent.moment.saturating_add(1));
        let mut names: Vec<&str> = following.to.iter().map(|name| policy.name_of(name)).collect();
        names.dedup();
        let text = match (following.is_final, following.is_repeat) {
            (false, true) => Text::NextAgain,
            (true, true) => Text::NextForever,
            (_, false) => Text::NextOthers,
        };
        let mut lines = vec![texts.fill(text, &[(Hole::Deadline, &deadline), (Hole::Names, &texts.join(names, Text::JointDot))])];
        let missing = self.ladder.acknowledge_by.iter().filter(|slot| !self.case.taken.contains_key(*slot));
        let missing: Vec<&str> = missing.map(|slot| policy.name_of(slot)).collect();
        if !missing.is_empty() {
            lines.push(texts.fill(Text::NextMissing, &[(Hole::Names, &texts.join(missing, Text::JointDot))]));
        }
        lines
    }
}

/// Flagged messages by level, gravest first, and all of them.
fn flagged(case: &CaseRecord) -> (Vec<(u8, u64)>, u64) {
    let is_flagged = |number: u8| Level::try_from(number).is_ok_and(Level::is_flagged);
    let rows: Vec<(u8, u64)> =
        case.counts.iter().rev().filter(|(level, _)| is_flagged(**level)).map(|(level, count)| (*level, *count)).collect();
    let total = rows.iter().map(|(_, count)| count).sum();
    (rows, total)
}
