//! Working hours: when a ladder that may sleep counts time.
//!
//! Wall times are those of the policy's zone. A wall time that does not exist (clocks go forward) means the moment after
//! the gap; one that exists twice means the first. Waits never end early.

use crate::policy::calendar::Calendar;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use std::time::Duration;

/// Days that are searched for an open hour; the reader refuses a week without one, this bounds long holidays.
const DAYS_MAX: usize = 400;

/// Minutes of a day.
const DAY: u16 = 24 * 60;

/// A stretch of a day in minutes after midnight; the end may lie in the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stretch {
    /// First minute.
    pub from: u16,
    /// The minute after the last.
    pub to: u16,
}

impl Stretch {
    /// Reads `09:00-18:00`, `22:00-06:00` (over midnight), `00:00-24:00`.
    pub fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-')?;
        let (from, to) = (minutes(from)?, minutes(to)?);
        let to = if to <= from { to + DAY } else { to };
        (from < DAY && from != to).then_some(Self { from, to })
    }
}

fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
    (minute < 60 && hour * 60 + minute <= DAY).then_some(hour * 60 + minute)
}

/// Hours of a week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// Key in the policy file.
    pub id: String,
    /// Monday first.
    pub week: [Vec<Stretch>; 7],
    /// On holidays, whatever the day of the week.
    pub holiday: Vec<Stretch>,
}

impl Hours {
    /// Whether it is open at that moment.
    pub fn is_open(&self, at: Timestamp, calendar: &Calendar, zone: &TimeZone) -> bool {
        self.after(at, Duration::ZERO, calendar, zone) == Some(at)
    }

    /// Moments at which it opens or closes on a day.
    pub(crate) fn changes(&self, date: Date, calendar: &Calendar, zone: &TimeZone) -> impl Iterator<Item = Timestamp> {
        let edges = self.on(date, calendar).iter().flat_map(|stretch| [stretch.from, stretch.to]).collect::<Vec<_>>();
        edges.into_iter().filter_map(move |minute| instant(date, minute, zone)).collect::<Vec<_>>().into_iter()
    }

    fn on<'h>(&'h self, date: Date, calendar: &Calendar) -> &'h [Stretch] {
        if calendar.is_holiday(date) {
            return &self.holiday;
        }
        &self.week[usize::try_from(date.weekday().since(Weekday::Monday)).unwrap_or(0)]
    }

    /// The moment at which so much open time has passed since `from`; with no time to wait, the next open moment. `None` if
    /// there is not enough within a year.
    pub fn after(&self, from: Timestamp, wait: Duration, calendar: &Calendar, zone: &TimeZone) -> Option<Timestamp> {
        let mut left = SignedDuration::try_from(wait).ok()?;
        let mut cursor = from;
        let yesterday = zone.to_datetime(from).date().checked_sub(Span::new().days(1)).ok()?;
        for date in yesterday.series(Span::new().days(1)).take(DAYS_MAX) {
            for stretch in self.on(date, calendar) {
                let (open, close) = (instant(date, stretch.from, zone)?, instant(date, stretch.to, zone)?);
                let begin = cursor.max(open);
                if begin >= close {
                    continue;
                }
                let span = close.duration_since(begin);
                if left < span {
                    return begin.checked_add(left).ok();
                }
                left -= span;
                cursor = close;
            }
        }
        None
    }
}

/// A minute of a day as a moment; the minute may lie in the next day.
pub(crate) fn instant(date: Date, minute: u16, zone: &TimeZone) -> Option<Timestamp> {
    let date = if minute >= DAY { date.checked_add(Span::new().days(1)).ok()? } else { date };
    let (hour, minute) = (i8::try_from(minute % DAY / 60).ok()?, i8::try_from(minute % 60).ok()?);
    zone.to_timestamp(date.at(hour, minute, 0, 0)).ok()
}
