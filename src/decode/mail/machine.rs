//! Recognises mail no person wrote: bounces, automatic replies, lists, our own alerts.
//!
//! Judges headers alone. They can be forged, so the result is a lane, never a reason not to look at the text.

use crate::decode::mail::header::{Headers, Mailbox};
use crate::decode::settings::{DecodeSettings, LOOP_HEADER};
use crate::model::message::MachineKind;

/// What kind of machine wrote the mail, if one did. RFC 3464 (reports), RFC 3834 (automatic replies), RFC 2919 (lists).
pub(crate) fn kind(headers: &Headers<'_>, from: &Mailbox, settings: &DecodeSettings) -> Option<MachineKind> {
    if headers.has(&LOOP_HEADER.to_ascii_lowercase()) {
        return Some(MachineKind::OwnLoop);
    }
    if is_report(headers, from) {
        return Some(MachineKind::DeliveryReport);
    }
    let precedence = headers.keyword("precedence");
    let auto = headers.keyword("auto-submitted");
    let answered = ["x-autoreply", "x-autorespond", "x-auto-reply", "x-autoresponder"].iter().any(|name| headers.has(name));
    if answered || precedence == "auto_reply" || !auto.is_empty() && !auto.starts_with("no") {
        return Some(MachineKind::AutoReply);
    }
    if headers.raw("return-path").is_some_and(|path| path.trim_ascii() == b"<>") {
        return Some(MachineKind::DeliveryReport);
    }
    is_list(headers, &precedence, settings).then_some(MachineKind::List)
}

fn is_report(headers: &Headers<'_>, from: &Mailbox) -> bool {
    let kind = headers.structured("content-type");
    let local = from.address.split('@').next().unwrap_or_default();
    let daemon = local == "mailer-daemon" || from.name.eq_ignore_ascii_case("mailer-daemon");
    kind.value == "multipart/report" || daemon || headers.has("x-failed-recipients")
}

/// A list or newsletter. Our own shared address served by a group (Google Groups sets List-Id there) is no list.
fn is_list(headers: &Headers<'_>, precedence: &str, settings: &DecodeSettings) -> bool {
    let id = headers.keyword("list-id");
    let id = id.rsplit_once('<').map_or(id.as_str(), |(_, tail)| tail.trim_end_matches('>')).trim();
    let own = settings.own_addresses.iter().any(|own| {
        let own = own.trim().to_lowercase();
        let group = own.replacen('@', ".", 1);
        id == group || own.starts_with('@') && id.ends_with(&group)
    });
    let bulk = matches!(precedence, "bulk" | "list" | "junk") && headers.has("list-unsubscribe");
    !own && (!id.is_empty() || bulk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_known_by_their_headers() {
        let settings =
            DecodeSettings { own_addresses: vec!["help@shop.example".into(), "@desk.example".into()], ..DecodeSettings::default() };
        for (mail, expected) in [
            ("X-Mimamori-Loop: a\nAuto-Submitted: auto-replied", Some(MachineKind::OwnLoop)),
            ("From: MAILER-DAEMON@mx.example", Some(MachineKind::DeliveryReport)),
            ("Content-Type: multipart/report; report-type=delivery-status; boundary=b", Some(MachineKind::DeliveryReport)),
            ("Return-Path: <>", Some(MachineKind::DeliveryReport)),
            ("Return-Path: <>\nAuto-Submitted: auto-replied (vacation)", Some(MachineKind::AutoReply)),
            ("Auto-Submitted: no", None),
            ("Precedence: auto_reply", Some(MachineKind::AutoReply)),
            ("List-Id: News <news.shop.example>", Some(MachineKind::List)),
            ("Precedence: bulk\nList-Unsubscribe: <mailto:a@b.example>", Some(MachineKind::List)),
            ("List-ID: <help.shop.example>\nPrecedence: list\nList-Unsubscribe: <x>", None),
            ("List-ID: <team.desk.example>", None),
            ("Precedence: bulk", None),
            ("From: a@b.example", None),
        ] {
            let mail = mail.to_owned() + "\n\n";
            let (headers, _) = Headers::split(mail.as_bytes());
            let from = headers.mailboxes("from").into_iter().next().unwrap_or_default();
            assert_eq!(kind(&headers, &from, &settings), expected, "{mail}");
        }
    }
}
