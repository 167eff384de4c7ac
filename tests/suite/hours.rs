//! Holidays as a table, working hours against a minute-by-minute oracle in four zones.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use mimamori::policy::calendar::{Calendar, is_public_holiday};
use mimamori::policy::hours::{Hours, Stretch};
use proptest::prelude::*;
use std::time::Duration;

/// Every public holiday as the Cabinet Office lists it (2026, 2027), the later years from the law and the equinox days.
const HOLIDAYS: [(i16, &str); 5] = [
    (2026, "1/1 1/12 2/11 2/23 3/20 4/29 5/3 5/4 5/5 5/6 7/20 8/11 9/21 9/22 9/23 10/12 11/3 11/23"),
    (2027, "1/1 1/11 2/11 2/23 3/21 3/22 4/29 5/3 5/4 5/5 7/19 8/11 9/20 9/23 10/11 11/3 11/23"),
    (2028, "1/1 1/10 2/11 2/23 3/20 4/29 5/3 5/4 5/5 7/17 8/11 9/18 9/22 10/9 11/3 11/23"),
    (2029, "1/1 1/8 2/11 2/12 2/23 3/20 4/29 4/30 5/3 5/4 5/5 7/16 8/11 9/17 9/23 9/24 10/8 11/3 11/23"),
    (2030, "1/1 1/14 2/11 2/23 3/20 4/29 5/3 5/4 5/5 5/6 7/15 8/11 8/12 9/16 9/23 10/14 11/3 11/4 11/23"),
];

#[test]
fn public_holidays_are_those_of_the_law() {
    for (year, expected) in HOLIDAYS {
        let days = date(year, 1, 1).series(jiff::Span::new().days(1)).take_while(|day| day.year() == year);
        let found: Vec<String> = days.filter(|day| is_public_holiday(*day)).map(|day| format!("{}/{}", day.month(), day.day())).collect();
        assert_eq!(found.join(" "), expected, "{year}");
    }
}

#[test]
fn the_company_has_days_of_its_own() {
    let calendar = Calendar {
        is_japanese: true,
        year_end: Some(((12, 29), (1, 3))),
        closed: [date(2026, 8, 13)].into(),
        open: [date(2026, 11, 3)].into(),
    };
    let rows: [(Date, bool); 7] = [
        (date(2026, 12, 28), false),
        (date(2026, 12, 29), true),
        (date(2027, 1, 3), true),
        (date(2027, 1, 4), false),
        (date(2026, 8, 13), true),
        (date(2026, 11, 3), false),
        (date(2026, 9, 22), true),
    ];
    for (day, expected) in rows {
        assert_eq!(calendar.is_holiday(day), expected, "{day}");
    }
}

fn office(zone: &str, times: &[&str]) -> (Hours, Calendar, TimeZone) {
    let stretches: Vec<Stretch> = times.iter().map(|text| Stretch::parse(text).unwrap()).collect();
    let week = std::array::from_fn(|day| if day < 5 { stretches.clone() } else { vec![] });
    let calendar = Calendar { is_japanese: true, year_end: Some(((12, 29), (1, 3))), ..Calendar::default() };
    (Hours { id: "office".into(), week, holiday: vec![] }, calendar, TimeZone::get(zone).unwrap())
}

#[test]
fn waits_count_open_time_only() {
    let (hours, calendar, zone) = office("Asia/Tokyo", &["09:00-12:00", "13:00-18:00"]);
    let rows = [
        ("2026-11-24T16:55:00+09:00", 30, "2026-11-24T17:25:00+09:00"),
        ("2026-11-24T17:55:00+09:00", 30, "2026-11-25T09:25:00+09:00"),
        ("2026-11-24T11:50:00+09:00", 20, "2026-11-24T13:10:00+09:00"),
        ("2026-11-24T02:00:00+09:00", 0, "2026-11-24T09:00:00+09:00"),
        ("2026-11-20T18:00:00+09:00", 0, "2026-11-24T09:00:00+09:00"), // a weekend and 勤労感謝の日
        ("2026-12-28T17:59:00+09:00", 2, "2027-01-04T09:01:00+09:00"),
        ("2026-11-24T17:30:00+09:00", 30, "2026-11-25T09:00:00+09:00"), // the last minute has passed: not before the next open one
    ];
    for (from, minutes, expected) in rows {
        let found = hours.after(from.parse().unwrap(), Duration::from_secs(minutes * 60), &calendar, &zone).unwrap();
        assert_eq!(found, expected.parse::<Timestamp>().unwrap(), "{from} + {minutes}");
    }
}

/// Whether a minute is open, asked of the wall clock alone. Only stretches within a day, none in a fold or gap.
fn is_open(at: Timestamp, calendar: &Calendar, zone: &TimeZone, stretches: &[Stretch]) -> bool {
    let wall = zone.to_datetime(at);
    let minute = u16::try_from(i32::from(wall.hour()) * 60 + i32::from(wall.minute())).unwrap();
    let is_weekday = wall.date().weekday().to_monday_zero_offset() < 5;
    is_weekday && !calendar.is_holiday(wall.date()) && stretches.iter().any(|one| one.from <= minute && minute < one.to)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn waits_agree_with_counting_minutes(
        zone in prop_oneof![Just("Asia/Tokyo"), Just("America/New_York"), Just("Europe/London"), Just("Australia/Lord_Howe")],
        start in 0i64..(400 * 24 * 60),
        wait in 0u64..900,
    ) {
        let times = ["06:30-11:00", "12:15-20:00"];
        let (hours, calendar, zone) = office(zone, &times);
        let stretches: Vec<Stretch> = times.iter().map(|text| Stretch::parse(text).unwrap()).collect();
        let from = "2026-02-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(start);
        let found = hours.after(from, Duration::from_secs(wait * 60), &calendar, &zone).unwrap();
        let (mut at, mut left) = (from, wait);
        loop {
            let open = is_open(at, &calendar, &zone, &stretches);
            if open && left == 0 {
                break;
            }
            left -= u64::from(open);
            at += SignedDuration::from_mins(1);
        }
        prop_assert_eq!(found, at);
    }
}

#[test]
fn an_hour_that_does_not_exist_is_not_early() {
    // New York, 2026-03-08: 02:00 to 03:00 does not exist.
    let zone = TimeZone::get("America/New_York").unwrap();
    let day = vec![Stretch::parse("02:30-06:00").unwrap()];
    let hours = Hours { id: "h".into(), week: std::array::from_fn(|_| day.clone()), holiday: vec![] };
    let found = hours.after("2026-03-08T05:00:00Z".parse().unwrap(), Duration::ZERO, &Calendar::default(), &zone).unwrap();
    assert_eq!(found, "2026-03-08T07:30:00Z".parse::<Timestamp>().unwrap());
}

#[test]
fn stretches_are_read_strictly() {
    let rows = [
        ("09:00-18:00", Some((540, 1080))),
        ("22:00-06:00", Some((1320, 1800))),
        ("00:00-24:00", Some((0, 1440))),
        ("24:00-25:00", None),
        ("9-18", None),
        ("09:60-10:00", None),
        ("", None),
        ("-1:00-02:00", None),
    ];
    for (text, expected) in rows {
        assert_eq!(Stretch::parse(text).map(|one| (one.from, one.to)), expected, "{text}");
    }
}
