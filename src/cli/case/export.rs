//! `case export`: a case with its originals, for other systems (JSON) or for the police (a sheet to print).

use crate::case::sheet::{SheetField, Tick};
use crate::case::{CaseMessage, CaseRecord};
use crate::cli::{Exit, Failure, Outcome};
use crate::decode::decode;
use crate::decode::settings::DecodeSettings;
use crate::model::envelope::{ContentKind, Envelope, Identity, Purpose, Source};
use crate::model::markup::escape;
use crate::model::message::FieldName;
use crate::worker::desk::Desk;
use data_encoding::BASE64;
use jiff::Timestamp;
use serde_json::json;
use std::io::Write;
use std::path::Path;

/// Originals on one sheet: what a person can read through; the JSON export holds all that the case lists.
const ORIGINALS_MAX: usize = 20;

pub(crate) async fn run(
    desk: &Desk,
    case: &CaseRecord,
    sheet: bool,
    file: Option<&Path>,
    shown: &dyn Fn(Timestamp) -> String,
    out: &mut impl Write,
) -> Outcome {
    let mut originals = vec![];
    for message in &case.messages {
        originals.push((message, desk.store.get_blob(&message.evidence).await?));
    }
    let text = if sheet {
        page(case, &originals, shown)
    } else {
        let history = desk.history(case).await?;
        let row = |(message, bytes): &(&CaseMessage, Option<bytes::Bytes>)| json!({ "message": message, "original_base64": bytes.as_ref().map(|bytes| BASE64.encode(bytes)) });
        let rows: Vec<_> = originals.iter().map(row).collect();
        format!("{}\n", json!({ "case": case, "history": history, "messages": rows }))
    };
    match file {
        None => out.write_all(text.as_bytes())?,
        Some(path) => {
            std::fs::write(path, text).map_err(|error| Failure::later(format!("cannot write {}: {error}", path.display())))?;
            writeln!(out, "{} {}", case.id, path.display())?;
        }
    }
    let is_whole = originals.iter().all(|(_, bytes)| bytes.is_some());
    Ok(if is_whole { Exit::Done } else { Exit::SomeFailed })
}

/// 通報シート: A4, everything escaped, nothing fetched.
fn page(case: &CaseRecord, originals: &[(&CaseMessage, Option<bytes::Bytes>)], shown: &dyn Fn(Timestamp) -> String) -> String {
    let mut facts = vec![row("事案", &format!("{} レベル{} {}", case.id, case.level, case.level.name()))];
    facts.push(row("受信", &format!("{}通 {} 〜 {}", case.message_count(), shown(case.opened_at), shown(case.last_at))));
    for field in SheetField::ALL {
        let written = case.sheet.fields.get(&field).map(|filled| format!("({} {})", filled.by, shown(filled.at))).unwrap_or_default();
        facts.push(row(field.name(), &format!("{}{written}", case.known(field).unwrap_or(""))));
    }
    let mut ticks: Vec<String> = vec![];
    for tick in Tick::ALL {
        let line = case
            .sheet
            .ticks
            .get(&tick)
            .map_or_else(|| format!("□ {}", tick.name()), |taken| format!("☑ {}  {} {}", tick.name(), taken.by, shown(taken.at)));
        ticks.push(format!("<li>{}</li>", escape(&line)));
    }
    let events: Vec<String> = case
        .events
        .iter()
        .map(|event| {
            format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                shown(event.at),
                event.what.name(),
                escape(&event.by),
                escape(&event.detail)
            )
        })
        .collect();
    let mut texts: Vec<String> = vec![];
    // The newest are the gravest concern; what does not fit is counted.
    for (message, bytes) in originals.iter().rev().take(ORIGINALS_MAX) {
        let read = bytes.as_ref().and_then(|bytes| readable(case, message, bytes)).unwrap_or_default();
        let original = bytes.as_ref().map_or_else(|| "(原本がありません)".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned());
        texts.push(format!(
            "<h3>{} {}</h3><p class=\"small\">{}　SHA-256 {}</p>{read}<p class=\"small\">原本(受信したままのバイト)</p><pre class=\"raw\">{}</pre>",
            shown(message.received_at),
            message.channel.name(),
            escape(message.id.as_str()),
            message.evidence,
            escape(&original)
        ));
    }
    let left = case.message_count().saturating_sub(originals.len().min(ORIGINALS_MAX) as u64);
    if left > 0 {
        texts.push(format!("<p>ほか{left}通は保全されています。</p>"));
    }
    format!(
        "<!DOCTYPE html><html lang=\"ja\"><head><meta charset=\"utf-8\"><title>通報シート {id}</title><style>\
         @page{{size:A4;margin:15mm}}body{{font:11pt/1.5 'Hiragino Sans','Noto Sans JP','Noto Sans CJK JP',sans-serif;color:#000;max-width:180mm;margin:0 auto}}\
         h1{{font-size:18pt;border-bottom:2px solid #000}}h2{{font-size:13pt;margin:14pt 0 4pt}}h3{{font-size:11pt;margin:10pt 0 0}}\
         table{{border-collapse:collapse;width:100%}}th,td{{border:1px solid #888;padding:3pt 6pt;text-align:left;vertical-align:top;overflow-wrap:anywhere}}\
         th{{width:35mm;background:#f2f2f2}}ul{{list-style:none;padding:0}}.small{{font-size:8pt;overflow-wrap:anywhere;margin:0}}\
         pre.raw{{font-size:7pt}}pre{{white-space:pre-wrap;overflow-wrap:anywhere;border:1px solid #888;padding:6pt;font:9pt/1.4 monospace}}</style></head><body>\
         <h1>通報シート {id}</h1><p>原文は受信したままです。伏せ字はありません。取り扱いに注意してください。</p><table>{facts}</table>\
         <h2>確認</h2><ul>{ticks}</ul><h2>原文</h2>{texts}<h2>経過</h2><table>{events}</table></body></html>\n",
        id = case.id,
        facts = facts.concat(),
        ticks = ticks.concat(),
        texts = texts.concat(),
        events = events.concat()
    )
}

/// The words as a person reads them: a mail travels coded. Nothing is masked, and what was not read is said.
fn readable(case: &CaseRecord, message: &CaseMessage, bytes: &bytes::Bytes) -> Option<String> {
    let kind = if bytes.trim_ascii_start().starts_with(b"{") { ContentKind::JsonLine } else { ContentKind::Rfc822 };
    let (tenant, queue) = (case.tenant.clone(), case.queue.clone());
    let identity = Identity { tenant: tenant.clone(), id: message.id.clone(), content: message.evidence };
    let (received_at, source, purpose) = (message.received_at, Source::Replay, Purpose::History);
    let envelope = Envelope { kind, payload: bytes.clone(), given_id: None, tenant, queue, received_at, source, purpose };
    let message = decode(&envelope, &identity, &DecodeSettings::default()).ok()?;
    let field = |name: FieldName| message.field(name).map(|field| field.text.as_str()).filter(|text| !text.is_empty());
    let subject = field(FieldName::Subject).map(|text| format!("件名: {text}\n\n")).unwrap_or_default();
    let hidden = field(FieldName::Hidden).map(|text| format!("\n\n(隠された文字)\n{text}")).unwrap_or_default();
    let skipped: Vec<String> = message.coverage.skipped.iter().map(|one| format!("{}({})", one.what.name(), one.detail)).collect();
    let skipped = if skipped.is_empty() { String::new() } else { format!("\n\n(読めなかったもの: {})", skipped.join("、")) };
    let text = field(FieldName::Text).unwrap_or_default();
    Some(format!("<pre>{}</pre>", escape(&format!("{subject}{text}{hidden}{skipped}"))))
}

fn row(name: &str, value: &str) -> String {
    format!("<tr><th>{name}</th><td>{}</td></tr>", escape(value))
}
