//! Days on which nobody works: Japanese public holidays, the turn of the year, the company's own days.
//!
//! Computed from the Act on National Holidays (国民の祝日に関する法律, as amended to 2020); the equinoxes are the days the National
//! Astronomical Observatory publishes (暦要項) or will by the same computation.

use jiff::Span;
use jiff::civil::{Date, Weekday};
use std::collections::BTreeSet;

/// First and last year for which public holidays are known.
pub const YEARS: std::ops::RangeInclusive<i16> = 2026..=2030;

/// Day of March and of September on which the equinoxes fall, from the first of [`YEARS`].
const EQUINOXES: [(i8, i8); 5] = [(20, 23), (21, 23), (20, 22), (20, 23), (20, 23)];

/// Holidays of a fixed day: month, day.
const FIXED: [(i8, i8); 9] = [(1, 1), (2, 11), (2, 23), (4, 29), (5, 3), (5, 4), (5, 5), (8, 11), (11, 3)];

/// 勤労感謝の日.
const THANKSGIVING: (i8, i8) = (11, 23);

/// Holidays on a Monday: month, which Monday.
const MONDAYS: [(i8, i8); 4] = [(1, 2), (7, 3), (9, 3), (10, 2)];

/// Which days count as holidays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calendar {
    /// Japanese public holidays.
    pub is_japanese: bool,
    /// Days off at the turn of the year: (month, day) of the first and of the last.
    pub year_end: Option<((i8, i8), (i8, i8))>,
    /// Further days off.
    pub closed: BTreeSet<Date>,
    /// Days on which work goes on although the rules say otherwise.
    pub open: BTreeSet<Date>,
}

impl Calendar {
    /// Whether nobody works on that day.
    pub fn is_holiday(&self, date: Date) -> bool {
        let rules = || self.closed.contains(&date) || self.is_year_end(date) || (self.is_japanese && is_public_holiday(date));
        !self.open.contains(&date) && rules()
    }

    fn is_year_end(&self, date: Date) -> bool {
        let day = (date.month(), date.day());
        self.year_end.is_some_and(|(first, last)| if first <= last { first <= day && day <= last } else { first <= day || day <= last })
    }
}

/// Whether the day is a public holiday in Japan, substitutes (3条2項) and days between two holidays (3条3項) included; false
/// outside [`YEARS`].
pub fn is_public_holiday(date: Date) -> bool {
    if !YEARS.contains(&date.year()) {
        return false;
    }
    is_named(date) || is_substitute(date) || is_between(date)
}

fn is_named(date: Date) -> bool {
    let day = (date.month(), date.day());
    let is_monday = || date.weekday() == Weekday::Monday && MONDAYS.contains(&(date.month(), (date.day() + 6) / 7));
    let equinox = || {
        let (spring, autumn) = EQUINOXES[usize::try_from(date.year() - YEARS.start()).unwrap_or(0)];
        day == (3, spring) || day == (9, autumn)
    };
    FIXED.contains(&day) || day == THANKSGIVING || is_monday() || equinox()
}

/// The first day after a holiday on a Sunday that is none itself.
fn is_substitute(date: Date) -> bool {
    let mut before = date;
    loop {
        let Ok(earlier) = before.checked_sub(Span::new().days(1)) else { return false };
        if is_named(date) || !YEARS.contains(&earlier.year()) || !is_named(earlier) {
            return false;
        }
        if earlier.weekday() == Weekday::Sunday {
            return true;
        }
        before = earlier;
    }
}

fn is_between(date: Date) -> bool {
    let named = |day: Result<Date, jiff::Error>| day.is_ok_and(|day| YEARS.contains(&day.year()) && is_named(day));
    named(date.checked_sub(Span::new().days(1))) && named(date.checked_add(Span::new().days(1)))
}
