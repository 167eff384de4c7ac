//! `case silence`: put off alerts that are not urgent, list, lift.

use crate::cli::case::args::SilenceArguments;
use crate::cli::{Exit, Failure, Outcome};
use crate::model::severity::Category;
use crate::worker::desk::Desk;
use crate::worker::quiet::{SILENCE_MAX, Silence};
use jiff::{SignedDuration, Timestamp};
use std::io::Write;

pub(crate) async fn run(desk: &Desk, arguments: &SilenceArguments, shown: &dyn Fn(Timestamp) -> String, out: &mut impl Write) -> Outcome {
    if let Some(id) = &arguments.lift {
        let lifted = desk.lift(&id.to_uppercase()).await?;
        writeln!(out, "{id} {}", if lifted { "解除しました(これからの事案に効きます)" } else { "という停止はありません" })?;
        return Ok(if lifted { Exit::Done } else { Exit::SomeFailed });
    }
    let Some(minutes) = arguments.minutes else {
        let silences = desk.silences(Timestamp::now()).await?;
        for one in &silences {
            let place = [one.tenant.as_deref(), one.queue.as_deref(), one.category.map(Category::name)];
            let place: Vec<&str> = place.into_iter().flatten().collect();
            let place = if place.is_empty() { "すべて".to_owned() } else { place.join("・") };
            writeln!(out, "{}  {}まで  {place}  {}  {}", one.id, shown(one.until), one.by, one.reason)?;
        }
        if silences.is_empty() {
            writeln!(out, "停止中の通知はありません。")?;
        }
        return Ok(Exit::Done);
    };
    let silence = silence(arguments, minutes)?;
    desk.silence(&silence).await?;
    writeln!(out, "{} {}まで。レベル4・ケア・製品事故・担当者の申出は止まりません", silence.id, shown(silence.until))?;
    Ok(Exit::Done)
}

fn silence(arguments: &SilenceArguments, minutes: i64) -> Result<Silence, Failure> {
    let length = SignedDuration::from_mins(minutes);
    if minutes < 1 || length > SILENCE_MAX {
        return Err(Failure::refused(format!("--minutes must be 1 to {}", SILENCE_MAX.as_mins())));
    }
    let category = match arguments.category.as_deref() {
        None => None,
        Some(id) => {
            let found = Category::ALL.iter().find(|one| one.id() == id).copied();
            Some(found.ok_or_else(|| Failure::refused(format!("no category is called `{id}`")))?)
        }
    };
    let text = |given: &Option<String>| given.as_deref().map(str::trim).unwrap_or_default().to_owned();
    let (by, reason, from) = (text(&arguments.by), text(&arguments.reason), Timestamp::now());
    if by.is_empty() || reason.is_empty() {
        return Err(Failure::refused("a name or reason must not be empty"));
    }
    let (tenant, queue) = (arguments.tenant.clone(), arguments.queue.clone());
    Ok(Silence::new(Silence { id: String::new(), tenant, queue, category, from, until: from + length, by, reason }))
}
