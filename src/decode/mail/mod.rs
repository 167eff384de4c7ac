//! Raw RFC 5322 bytes to a message.
//!
//! A mail never fails to decode unless it is empty or beyond the hard limit: what is damaged is read as far as it
//! goes, and what could not be read is a row of coverage. The walk over the parts, the charsets and the header words
//! are ours, bounded and without unbounded recursion; address lists are read by mail-parser. Cost: linear.

mod attachment;
mod body;
mod charset;
mod compare;
mod form;
mod header;
mod html;
mod identity;
mod machine;
mod plain;
mod structure;
mod transfer;
mod word;

use crate::decode::limit::{self, MESSAGE_TEXT_BYTES_MAX, PART_TEXT_BYTES_MAX};
use crate::decode::parts::{self, KnownLines};
use crate::decode::reply::{self, Reply};
use crate::decode::settings::DecodeSettings;
use crate::model::envelope::{Envelope, Identity};
use crate::model::message::{Channel, Field, FieldName, MachineKind, Message, SkippedKind};
use body::{Text, Walk};
use form::FormReading;
use header::{Headers, Mailbox};
use std::borrow::Cow;

/// Where the address of a reply may stand: visible recipients, and what servers note when they forward or deliver.
const REPLY_HEADERS: [&str; 5] = ["to", "cc", "delivered-to", "x-original-to", "envelope-to"];

/// Headers kept beside the message, as evidence.
const EVIDENCE_HEADERS: [&str; 5] = ["Date", "Message-ID", "From", "To", "Subject"];

/// Decodes a mail; the payload is not empty.
pub(crate) fn decode(envelope: &Envelope, identity: &Identity, settings: &DecodeSettings) -> Message {
    let payload = with_line_feeds(&envelope.payload);
    let (outer, outer_body) = Headers::split(without_leading_lines(&payload));
    let report = journaled(&outer, outer_body);
    let (headers, body) = report.as_deref().map_or((outer, outer_body), Headers::split);
    let mut walk = Walk::default();
    let mut text = walk.read(&headers, body);
    // Readers differ in which of two subjects they show; the first is the subject, the others must not go unseen.
    for other in headers.texts("subject").into_iter().skip(1) {
        text.hidden = format!("{other}\n{}", text.hidden);
    }
    let from = headers.mailboxes("from").into_iter().next().unwrap_or_default();
    let subject = headers.text("subject");
    let form = read_form(settings, &from, &subject, &text.visible);
    let mut found = identity::derive(&headers, &from, form.as_ref(), settings);
    if report.is_some() {
        found.derivation.insert(0, "journal report: the mail inside it was read".to_owned());
    }
    let machine = machine::kind(&headers, &from, settings).filter(|kind| form.is_none() || *kind == MachineKind::OwnLoop);
    let mut evidence: Vec<(String, String)> = EVIDENCE_HEADERS
        .iter()
        .map(|name| ((*name).to_owned(), headers.text(&name.to_ascii_lowercase())))
        .filter(|(_, value)| !value.is_empty())
        .collect();
    if let Some(form) = &form {
        found.derivation.insert(0, "form mail: labels read by a configured rule".to_owned());
        evidence.extend(form.order.clone().map(|order| ("Order".to_owned(), order)));
    }
    let fields = fields(subject, &from, text, form, &mut walk);
    Message {
        id: identity.id.clone(),
        tenant: identity.tenant.clone(),
        queue: envelope.queue.clone(),
        channel: Channel::Email,
        direction: found.direction,
        event: found.event,
        conversation: found.conversation,
        customer: found.customer,
        operator: None,
        ticket: None,
        url: None,
        at: Some(envelope.received_at),
        fields,
        coverage: walk.coverage,
        machine,
        derivation: found.derivation,
        headers: evidence,
    }
}

/// A mail whose recipients include the reply address with a token: `local+token@domain`.
pub(crate) fn reply_of(payload: &[u8], address: &str, settings: &DecodeSettings) -> Option<Reply> {
    let (local, domain) = address.split_once('@')?;
    let payload = with_line_feeds(payload);
    let (headers, body) = Headers::split(without_leading_lines(&payload));
    let prefix = format!("{}+", local.to_lowercase());
    let recipients = REPLY_HEADERS.iter().flat_map(|name| headers.mailboxes(name));
    let token = recipients.into_iter().find_map(|one| {
        let (found, at) = one.address.split_once('@')?;
        at.eq_ignore_ascii_case(domain).then(|| found.strip_prefix(&prefix).map(str::to_owned))?
    })?;
    let from = headers.mailboxes("from").into_iter().next().unwrap_or_default();
    let is_automatic = machine::kind(&headers, &from, settings).is_some();
    let text = Walk::default().read(&headers, body);
    Some(Reply { token, is_automatic, word: reply::word(&text.visible), from: from.address })
}

/// The address a mail says it comes from, in lower case; from its first [`header::BLOCK_BYTES_MAX`] bytes.
pub(crate) fn sender_of(payload: &[u8]) -> Option<String> {
    let head = with_line_feeds(payload.get(..header::BLOCK_BYTES_MAX).unwrap_or(payload));
    let (headers, _) = Headers::split(without_leading_lines(&head));
    let from = headers.mailboxes("from").into_iter().next()?;
    (!from.address.is_empty()).then_some(from.address)
}

/// Blank lines and a byte order mark before the headers, as careless programs leave them.
fn without_leading_lines(payload: &[u8]) -> &[u8] {
    payload.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload).trim_ascii_start()
}

/// A mail whose only line ends are carriage returns, as some exports write it, with line feeds instead.
fn with_line_feeds(payload: &[u8]) -> Cow<'_, [u8]> {
    if payload.contains(&b'\r') && !payload.contains(&b'\n') {
        return Cow::Owned(payload.iter().map(|b| if *b == b'\r' { b'\n' } else { *b }).collect());
    }
    Cow::Borrowed(payload)
}

/// The mail inside an Exchange journal report. Anyone can send such a report; the mail inside is judged as it stands.
fn journaled<'a>(headers: &Headers<'a>, body: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    if !headers.has("x-ms-journal-report") {
        return None;
    }
    let kind = headers.structured("content-type");
    let children = structure::children(body, kind.parameter("boundary"), body::PARTS_MAX);
    children.parts.iter().find_map(|part| {
        let (inner, body) = Headers::split(part);
        (inner.structured("content-type").value == "message/rfc822").then(|| match inner.keyword("content-transfer-encoding").as_str() {
            encoding @ ("base64" | "quoted-printable") => Cow::Owned(transfer::undo(body, encoding).bytes),
            _ => Cow::Borrowed(body.trim_ascii_start()),
        })
    })
}

fn read_form(settings: &DecodeSettings, from: &Mailbox, subject: &str, text: &str) -> Option<FormReading> {
    let rule = settings.forms.iter().find(|rule| rule.matches(&from.address, subject))?;
    form::read(rule, text)
}

fn fields(subject: String, from: &Mailbox, text: Text, form: Option<FormReading>, walk: &mut Walk) -> Vec<Field> {
    let Text { visible, mut forwarded, hidden, .. } = text;
    let hidden = compare::lines_missing(&[visible.as_str(), &forwarded].join("\n"), &hidden);
    // What stands behind other labels of a form is left out: it is neither the customer's words nor hidden.
    let (mut shown, form_subject, form_name) = form.map_or((visible, None, None), |form| (form.text, form.subject, form.name));
    if !forwarded.is_empty() {
        if !shown.is_empty() {
            forwarded.insert_str(0, if shown.ends_with('\n') { "\n" } else { "\n\n" });
        }
        shown.push_str(&forwarded);
    }
    let shown = limit::clip(shown, MESSAGE_TEXT_BYTES_MAX, "all parts", &mut walk.coverage);
    let hidden = limit::clip(hidden, PART_TEXT_BYTES_MAX, "hidden text", &mut walk.coverage);
    if shown.trim().is_empty() {
        walk.coverage.skip(SkippedKind::NoText, "no readable text");
    }
    let mut fields = vec![Field::new(FieldName::Subject, form_subject.unwrap_or(subject))];
    let parts = parts::split(&shown, &KnownLines::default());
    fields.push(Field { name: FieldName::Text, text: shown, parts });
    fields.push(Field::new(FieldName::FromName, form_name.unwrap_or_else(|| from.name.clone())));
    let names = std::mem::take(&mut walk.names).into_iter().enumerate();
    fields.extend(names.filter_map(|(n, name)| Some(Field::new(FieldName::AttachmentName(u16::try_from(n).ok()?), name))));
    fields.push(Field::new(FieldName::Hidden, hidden));
    fields.retain(|field| field.name == FieldName::Text || !field.text.is_empty());
    fields
}
