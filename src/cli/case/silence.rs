//! `case silence`: put off alerts that are not urgent, list, lift.

use crate::cli::case::args::SilenceArguments;
use crate::cli::{Common, Exit, Failure, Outcome, load};
use crate::engine::lexicon;
use crate::model::ids::{EntryId, QueueName, Tenant};
use crate::model::severity::Category;
use crate::worker::Engines;
use crate::worker::desk::Desk;
use crate::worker::quiet::{SILENCE_MAX, Silence};
use jiff::{SignedDuration, Timestamp};
use std::io::Write;

pub(crate) async fn run(
    desk: &Desk,
    arguments: &SilenceArguments,
    common: &Common,
    shown: &dyn Fn(Timestamp) -> String,
    out: &mut impl Write,
) -> Outcome {
    if let Some(id) = &arguments.lift {
        let lifted = desk.lift(&id.to_uppercase()).await?;
        writeln!(out, "{id} {}", if lifted { "解除しました(これからの事案に効きます)" } else { "という停止はありません" })?;
        return Ok(if lifted { Exit::Done } else { Exit::SomeFailed });
    }
    let Some(length) = length(arguments)? else {
        let silences = desk.silences(Timestamp::now()).await?;
        for one in &silences {
            let entry = one.entry.as_ref().map(EntryId::as_str);
            let place = [one.tenant.as_deref(), one.queue.as_deref(), one.category.map(Category::name), entry];
            let place: Vec<&str> = place.into_iter().flatten().collect();
            let place = if place.is_empty() { "すべて".to_owned() } else { place.join("・") };
            writeln!(out, "{}  {}まで  {place}  {}  {}", one.id, shown(one.until), one.by, one.reason)?;
        }
        if silences.is_empty() {
            writeln!(out, "停止中の通知はありません。")?;
        }
        return Ok(Exit::Done);
    };
    let silence = silence(arguments, length)?;
    check_entry(&silence, common)?;
    desk.silence(&silence).await?;
    writeln!(out, "{} {}まで。レベル4・ケア・製品事故・担当者の申出は止まりません", silence.id, shown(silence.until))?;
    Ok(Exit::Done)
}

/// How long; nothing if the silences are to be listed.
fn length(arguments: &SilenceArguments) -> Result<Option<SignedDuration>, Failure> {
    let (option, count, unit) = match (arguments.minutes, arguments.days) {
        (Some(minutes), _) => ("--minutes", minutes, SignedDuration::from_mins(1)),
        (None, Some(days)) => ("--days", days, SignedDuration::from_hours(24)),
        (None, None) if arguments.entry.is_some() => return Err(Failure::refused("--entry needs --minutes or --days: a silence ends")),
        (None, None) => return Ok(None),
    };
    let most = SILENCE_MAX.as_secs() / unit.as_secs();
    if !(1..=most).contains(&count) {
        return Err(Failure::refused(format!("{option} must be 1 to {most}")));
    }
    Ok(Some(SignedDuration::from_secs(count * unit.as_secs())))
}

/// An entry that does not exist would quiet nothing, and nobody would notice.
fn check_entry(silence: &Silence, common: &Common) -> Result<(), Failure> {
    let (Some(entry), Some(queue)) = (&silence.entry, &silence.queue) else { return Ok(()) };
    let tenant =
        silence.tenant.as_deref().map_or_else(|| Ok(Tenant::default()), Tenant::new).map_err(|why| Failure::refused(why.to_string()))?;
    let queue = QueueName::new(queue).map_err(|why| Failure::refused(why.to_string()))?;
    let engine = load::loaded(common)?.profiles.engine(&tenant, &queue);
    if engine.has_entry(entry) {
        return Ok(());
    }
    let near = lexicon::suggest(entry.as_str(), engine.ids().map(EntryId::as_str));
    Err(Failure::refused(format!("no entry of this queue's lexicon is called `{entry}`: {near}")))
}

fn silence(arguments: &SilenceArguments, length: SignedDuration) -> Result<Silence, Failure> {
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
    let entry = arguments.entry.clone().map(EntryId);
    Ok(Silence::new(Silence { id: String::new(), tenant, queue, category, entry, from, until: from + length, by, reason }))
}
