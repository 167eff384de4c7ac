//! `events list|replay`: other systems that are told what happens.

use crate::app::{self, feed};
use crate::cli::{Common, Exit, Failure, Format, Outcome, load};
use crate::config::settings::events::{EventTargetSettings, EventWay};
use crate::store::{Store, StoreError};
use crate::worker::events::cursor::{Cursor, Place};
use clap::Subcommand;
use jiff::Timestamp;
use serde_json::json;
use std::io::Write;
use std::str::FromStr;

/// Verbs of `events`.
#[derive(Debug, Subcommand)]
pub enum EventsVerb {
    /// Every target: how far it has been told, how old the oldest event is that it does not have, what is wrong.
    List,
    /// Tell a target again, with the same ids, from a point on; also ends a stop after HTTP 410. A later point skips what lies before.
    Replay {
        /// Id of the target in `[[events.out]]`.
        #[arg(long)]
        to: String,
        /// A time (RFC 3339), `now`, or the number of an entry: `case:12` of the history of cases, `verdict:40` of the verdicts, `1`
        /// of both.
        #[arg(long)]
        from: Beginning,
    },
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// With what is stored from now on.
    Now,
    /// With the first entry stored at or after this.
    Time(Timestamp),
    /// With these entries; the other stream stays where it is.
    Entry {
        /// Of the history of cases.
        history: Option<u64>,
        /// Of the verdicts.
        verdict: Option<u64>,
    },
}

impl FromStr for Beginning {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "now" {
            return Ok(Self::Now);
        }
        let (stream, number) = text.split_once(':').unwrap_or(("", text));
        match (stream, number.parse::<u64>()) {
            (_, Ok(0)) => Err("entries are numbered from 1".to_owned()),
            ("", Ok(number)) => Ok(Self::Entry { history: Some(number), verdict: Some(number) }),
            ("case", Ok(number)) => Ok(Self::Entry { history: Some(number), verdict: None }),
            ("verdict", Ok(number)) => Ok(Self::Entry { history: None, verdict: Some(number) }),
            _ => text.parse().map(Self::Time).map_err(|_| "neither a time, nor `now`, nor a number".to_owned()),
        }
    }
}

impl Beginning {
    async fn place(self, store: &dyn Store, known: Place) -> Result<Place, StoreError> {
        let before = |number: Option<u64>, known: u64| number.map_or(known, |number| number - 1);
        match self {
            Self::Now => Place::newest(store).await,
            Self::Time(time) => Place::before(store, time).await,
            Self::Entry { history, verdict } => {
                Ok(Place { history: before(history, known.history), verdict: before(verdict, known.verdict) })
            }
        }
    }
}

/// Runs the verb. Works while a worker runs on the same store.
pub fn run(verb: &EventsVerb, common: &Common, out: &mut impl Write) -> Outcome {
    let settings = load::prepared(common)?.settings;
    app::small_runtime().map_err(Failure::later)?.block_on(async {
        let backend = app::open_backend(&settings).await.map_err(Failure::later)?;
        let store = &*backend.store;
        match verb {
            EventsVerb::List => list(&settings.events, store, common.format, out).await,
            EventsVerb::Replay { to, from } => {
                if !settings.events.iter().any(|row| row.id == *to) {
                    return Err(Failure::refused(format!("the configuration has no [[events.out]] with the id `{to}`")));
                }
                let known = Cursor::read(store, to).await?.unwrap_or_default().place;
                let place = from.place(store, known).await?;
                Cursor::set(store, to, place).await?;
                writeln!(out, "{to}: 事案の履歴 {} 番、判定 {} 番から送ります", place.history + 1, place.verdict + 1)?;
                Ok(Exit::Done)
            }
        }
    })
}

async fn list(targets: &[EventTargetSettings], store: &dyn Store, format: Format, out: &mut impl Write) -> Outcome {
    let newest = Place::newest(store).await?;
    for row in targets {
        let cursor = Cursor::read(store, &row.id).await?;
        let place = cursor.as_ref().map_or(newest, |cursor| cursor.place);
        let oldest = feed::wish(row).oldest_waiting(store, place).await?;
        let lag = oldest.map_or(0, |at| Timestamp::now().duration_since(at).as_secs().max(0));
        let trouble = cursor.as_ref().and_then(|cursor| cursor.trouble.as_ref());
        let state = match (&cursor, trouble) {
            (None, _) => "new",
            (_, Some(trouble)) if trouble.is_final => "stopped",
            (_, Some(_)) => "failing",
            (_, None) => "working",
        };
        let kind = if matches!(row.way, EventWay::Nats(_)) { "nats" } else { "webhook" };
        if format == Format::Json {
            let told = json!({
                "id": row.id, "kind": kind, "state": state, "reason": trouble.map(|trouble| &trouble.reason), "since": trouble.map(|trouble| trouble.since),
                "cursor": {"case": place.history, "verdict": place.verdict}, "newest": {"case": newest.history, "verdict": newest.verdict}, "lag_seconds": lag,
            });
            writeln!(out, "{told}")?;
            continue;
        }
        let name = match state {
            "new" => "まだ送っていません".to_owned(),
            "stopped" => "停止(410)".to_owned(),
            "failing" => format!("送れていません({})", trouble.map_or("", |trouble| &trouble.reason)),
            _ => "送信中".to_owned(),
        };
        let at = format!("履歴 {}/{}  判定 {}/{}", place.history, newest.history, place.verdict, newest.verdict);
        writeln!(out, "{}  {kind}  {name}  {at}  遅れ {lag} 秒", row.id)?;
    }
    if targets.is_empty() && format == Format::Text {
        writeln!(out, "送り先はありません(設定の [[events.out]])")?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_a_time_or_a_number() {
        let entry = |history, verdict| Ok(Beginning::Entry { history, verdict });
        assert_eq!("1".parse::<Beginning>(), entry(Some(1), Some(1)));
        assert_eq!("case:12".parse::<Beginning>(), entry(Some(12), None));
        assert_eq!("verdict:40".parse::<Beginning>(), entry(None, Some(40)));
        assert_eq!("now".parse::<Beginning>(), Ok(Beginning::Now));
        let time = "2026-11-24T02:00:00Z".parse().expect("a time");
        assert_eq!("2026-11-24T11:00:00+09:00".parse::<Beginning>(), Ok(Beginning::Time(time)));
        for wrong in ["", "0", "-1", "case:", "case:0", "cases:1", "yesterday", "2026-11-24"] {
            assert!(wrong.parse::<Beginning>().is_err(), "{wrong}");
        }
    }
}
