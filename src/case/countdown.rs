//! The time that is left until what a slot says. Pure, and never a guess: a text is either read whole, as one day and one time
//! in the policy's zone, or not at all.
//!
//! A bare hour is read on the 24-hour clock: where 「8時」 could mean the evening, too, the earlier reading is the one to act on.

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

/// Farthest moment that is counted down to: beyond it a date is not what decides what to do now, and its year is in doubt.
const AHEAD_MAX: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Days that are named by how far they are.
const NEAR_DAYS: [(&str, i64); 7] = [("今日", 0), ("本日", 0), ("明後日", 2), ("あさって", 2), ("明日", 1), ("あした", 1), ("あす", 1)];

/// Days that are named together with a part of the day.
const PARTED_DAYS: [(&str, i64, Part); 3] = [("今夜", 0, Part::Night), ("今晩", 0, Part::Night), ("明朝", 1, Part::Morning)];

/// Words for a part of the day.
const PARTS: [(&str, Part); 5] =
    [("午前", Part::First), ("午後", Part::Second), ("朝", Part::Morning), ("夜", Part::Night), ("夕方", Part::Evening)];

/// What may follow a time without making it vague.
const TAILS: [&str; 3] = ["", "に", "ちょうど"];

/// Digits behind the colon of a time: with more or fewer it is something else.
const MINUTE_DIGITS: usize = 2;

/// Which hours a word allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    First,
    Second,
    Morning,
    Evening,
    Night,
}

impl Part {
    /// The hour on the 24-hour clock; nothing where the two do not fit.
    fn hour(self, said: i8) -> Option<i8> {
        match (self, said) {
            (Self::First, 0..=11) | (Self::Morning, 4..=11) | (Self::Night, 18..=23) | (Self::Evening, 15..=18) => Some(said),
            (Self::Second, 1..=11) | (Self::Night, 6..=11) | (Self::Evening, 3..=6) => Some(said + 12),
            _ => None,
        }
    }
}

/// A day as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Day {
    /// So many days after the message came.
    Near(i64),
    /// Month and day.
    Yearless(i8, i8),
    /// A whole date.
    Full(i16, i8, i8),
}

/// From `now` to the moment that the text names; nothing unless it is one moment, ahead, and within two weeks. `received` is when
/// the message came: 「明日」 is the day after that.
pub fn left(text: &str, received: Timestamp, now: Timestamp, zone: &TimeZone) -> Option<SignedDuration> {
    let (day, time) = written(text)?;
    let on = |at: Timestamp| jiff::ZonedDateTime::new(at, zone.clone()).date();
    let dates: Vec<Date> = match day {
        Day::Near(days) => on(received).checked_add(days.days()).into_iter().collect(),
        Day::Full(year, month, day) => Date::new(year, month, day).into_iter().collect(),
        // Around the turn of a year both years are possible; the window below leaves at most one.
        Day::Yearless(month, day) => {
            let year = on(now).year();
            [year, year.saturating_add(1)].into_iter().filter_map(|year| Date::new(year, month, day).ok()).collect()
        }
    };
    let moments = dates.into_iter().filter_map(|date| zone.to_ambiguous_timestamp(date.to_datetime(time)).unambiguous().ok());
    let ahead = |at: Timestamp| Some(at.duration_since(now)).filter(|left| left.is_positive() && *left <= AHEAD_MAX);
    let mut found = moments.filter_map(ahead);
    found.next().filter(|_| found.next().is_none())
}

/// Day and time of a text that says nothing else.
fn written(text: &str) -> Option<(Day, Time)> {
    let folded: Vec<char> = text.trim().chars().map(narrow).collect();
    let mut reading = Reading { rest: &folded };
    let (day, part) = reading.day()?;
    reading.gap();
    let part = part.or_else(|| PARTS.iter().find(|(word, _)| reading.take(word)).map(|(_, part)| *part));
    let time = reading.time(part)?;
    let tail: String = reading.rest.iter().collect();
    TAILS.contains(&tail.as_str()).then_some((day, time))
}

/// Full-width digits and marks as narrow ones.
fn narrow(c: char) -> char {
    match c {
        '０'..='９' => char::from_digit(u32::from(c) - u32::from('０'), 10).unwrap_or(c),
        '：' => ':',
        '／' => '/',
        '\u{3000}' => ' ',
        _ => c,
    }
}

struct Reading<'a> {
    rest: &'a [char],
}

impl Reading<'_> {
    /// Steps over `word` if it comes next.
    fn take(&mut self, word: &str) -> bool {
        let length = word.chars().count();
        let is_next = self.rest.iter().take(length).copied().eq(word.chars());
        if is_next {
            self.rest = self.rest.get(length..).unwrap_or_default();
        }
        is_next
    }

    /// Steps over what may stand between day and time.
    fn gap(&mut self) {
        let marks = self.rest.iter().take_while(|c| matches!(c, ' ' | 'の' | '、' | ',')).count();
        self.rest = self.rest.get(marks..).unwrap_or_default();
    }

    /// A number of at most four digits.
    fn number(&mut self) -> Option<i16> {
        let digits: String = self.rest.iter().take_while(|c| c.is_ascii_digit()).collect();
        let number = if digits.len() <= 4 { digits.parse().ok()? } else { return None };
        self.rest = self.rest.get(digits.len()..)?;
        Some(number)
    }

    fn small(&mut self) -> Option<i8> {
        i8::try_from(self.number()?).ok()
    }

    /// A number with its unit.
    fn small_before(&mut self, unit: &str) -> Option<i8> {
        let number = self.small()?;
        self.take(unit).then_some(number)
    }

    fn day(&mut self) -> Option<(Day, Option<Part>)> {
        if let Some((_, days, part)) = PARTED_DAYS.iter().find(|(word, ..)| self.take(word)) {
            return Some((Day::Near(*days), Some(*part)));
        }
        if let Some((_, days)) = NEAR_DAYS.iter().find(|(word, _)| self.take(word)) {
            return Some((Day::Near(*days), None));
        }
        let first = self.number()?;
        if self.take("年") {
            let (month, day) = (self.small_before("月")?, self.small_before("日")?);
            return Some((Day::Full(first, month, day), None));
        }
        let month = i8::try_from(first).ok();
        if self.take("月") {
            return Some((Day::Yearless(month?, self.small_before("日")?), None));
        }
        let mark = ["/", "-"].into_iter().find(|mark| self.take(mark))?;
        let second = self.small()?;
        if self.take(mark) {
            return Some((Day::Full(first, second, self.small()?), None));
        }
        // 「11-24」 alone could be anything.
        (mark == "/").then_some((Day::Yearless(month?, second), None))
    }

    fn time(&mut self, part: Option<Part>) -> Option<Time> {
        if part.is_none() && self.take("正午") {
            return Time::new(12, 0, 0, 0).ok();
        }
        let said = self.small()?;
        let minute = if self.take(":") {
            let digits = self.rest.iter().take_while(|c| c.is_ascii_digit()).count();
            (digits == MINUTE_DIGITS).then(|| self.small()).flatten()?
        } else {
            self.take("時").then_some(())?;
            let is_half = self.take("半");
            let minute = if is_half { Some(30) } else { self.small() };
            // Digits without 「分」 belong to something else, and then the rest is not empty.
            if minute.is_some() && !is_half {
                self.take("分").then_some(())?;
            }
            minute.unwrap_or(0)
        };
        let hour = part.map_or(Some(said), |part| part.hour(said))?;
        Time::new(hour, minute, 0, 0).ok()
    }
}

#[cfg(test)]
mod tests {
    use crate::case::countdown::left;
    use jiff::tz::TimeZone;
    use jiff::{SignedDuration, Timestamp};

    /// Received on the evening of 11/23 in Japan; read a few minutes after two in the night.
    const RECEIVED: &str = "2026-11-23T22:30:00+09:00";
    const NOW: &str = "2026-11-24T02:02:00+09:00";

    fn shown(text: &str, received: &str, now: &str) -> Option<SignedDuration> {
        let zone = TimeZone::fixed(jiff::tz::offset(9));
        let at = |text: &str| text.parse::<Timestamp>().expect("a time");
        left(text, at(received), at(now), &zone)
    }

    fn after(hours: i64, minutes: i64) -> SignedDuration {
        SignedDuration::from_mins(hours * 60 + minutes)
    }

    #[test]
    fn one_moment_ahead_is_counted_down_to() {
        for (text, expected) in [
            ("11/24 10:00", after(7, 58)),
            ("１１／２４　１０：００", after(7, 58)),
            ("11月24日10時", after(7, 58)),
            ("11月24日の午前10時", after(7, 58)),
            ("2026年11月24日 10時00分に", after(7, 58)),
            ("2026/11/24 10:00", after(7, 58)),
            ("2026-11-24 10:00", after(7, 58)),
            ("明日の10時", after(7, 58)),
            ("明日10時半", after(8, 28)),
            ("明日の午後3時15分", after(13, 13)),
            ("明日夕方5時ちょうど", after(14, 58)),
            ("明日正午", after(9, 58)),
            ("明朝8時", after(5, 58)),
            ("明日の夜9時", after(18, 58)),
            ("あさって10時", after(31, 58)),
            ("12/8 2:02", after(14 * 24, 0)),
        ] {
            assert_eq!(shown(text, RECEIVED, NOW), Some(expected), "{text}");
        }
        assert_eq!(shown("今夜11時", RECEIVED, "2026-11-23T22:40:00+09:00"), Some(after(0, 20)));
        assert_eq!(
            shown("1/2 9:00", "2026-12-30T09:00:00+09:00", "2026-12-30T09:00:00+09:00"),
            Some(after(72, 0)),
            "over the turn of the year"
        );
    }

    #[test]
    fn anything_else_stays_as_written() {
        for text in [
            "",
            "明日",
            "10時",
            "11/24",
            "今から",
            "今夜1時",  // of which day?
            "今夜11時", // has passed: today was the 23rd
            "明日の午後13時",
            "明日25時",
            "明日10時頃",
            "明日10時か11時",
            "明日10:0",
            "明日10:000",
            "明日10時5",
            "11-24 10:00", // a date, a range, a number of something
            "24/11 10:00",
            "11/31 10:00",
            "13月1日10時",
            "11/24 02:00", // two minutes ago
            "11/24 02:02", // now
            "12/8 2:03",   // a minute too far
            "2025/11/24 10:00",
            "来週の月曜10時",
            "明日10時に渋谷店",
            "99999/1 10:00",
        ] {
            assert_eq!(shown(text, RECEIVED, NOW), None, "{text}");
        }
    }

    #[test]
    fn an_hour_that_the_clocks_skip_or_repeat_is_no_moment() {
        let zone = TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").expect("a rule");
        let now: Timestamp = "2026-10-31T12:00:00Z".parse().expect("a time");
        assert_eq!(left("11/1 1:30", now, now, &zone), None, "it comes twice");
        assert!(left("11/1 3:30", now, now, &zone).is_some());
    }
}
