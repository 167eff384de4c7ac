//! `audit`: what the auditor of the running workers has found.

use crate::cli::{Common, Exit, Failure, Format, Outcome, desk};
use crate::worker::audit::Audited;
use serde_json::json;
use std::io::Write;

/// Runs the verb: exit 0 if everything accepted is accounted for, 1 if messages are lost or no pass was made yet.
pub fn run(common: &Common, out: &mut impl Write) -> Outcome {
    let audited = crate::app::small_runtime().map_err(Failure::later)?.block_on(async {
        let desk = desk::open(common).await?;
        Audited::read(&*desk.store).await.map_err(Failure::from)
    })?;
    if common.format == Format::Json {
        let lost: Vec<_> = audited.lost.iter().map(|(id, at)| json!({ "id": id, "at": at })).collect();
        writeln!(out, "{}", json!({ "at": audited.at, "repaired": audited.repaired, "lost_count": audited.lost_count, "lost": lost }))?;
    } else {
        let at = audited.at.map_or_else(|| "まだ行われていません".to_owned(), |at| at.to_string());
        writeln!(out, "最後の点検: {at}\nやり直した受信: {}件\n失われた受信: {}件", audited.repaired, audited.lost_count)?;
        for (id, at) in &audited.lost {
            writeln!(out, "  {id}  {at}")?;
        }
    }
    Ok(if audited.at.is_some() && audited.lost_count == 0 { Exit::Done } else { Exit::SomeFailed })
}
