//! Who wrote a mail, to whom it belongs and which way it went, with every step in words for `explain`.
//!
//! Never takes an address many customers share for an identity, and never believes that a mail is our own when the
//! receiving server says it is forged.

use crate::decode::mail::form::FormReading;
use crate::decode::mail::header::{Headers, Mailbox};
use crate::decode::settings::{DecodeSettings, NOTICE_HEADER};
use crate::model::ids::{ConversationId, CustomerId};
use crate::model::message::{Direction, Event};

/// Longest id kept, in characters: References of a broken mailer may be of any length.
const ID_CHARS_MAX: usize = 500;

/// Identity of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MailIdentity {
    pub direction: Direction,
    pub event: Event,
    pub customer: Option<CustomerId>,
    pub conversation: Option<ConversationId>,
    /// One sentence a step.
    pub derivation: Vec<String>,
}

/// Derives it all from headers and, for a form mail, from what the form says.
pub(crate) fn derive(headers: &Headers<'_>, from: &Mailbox, form: Option<&FormReading>, settings: &DecodeSettings) -> MailIdentity {
    let mut steps = vec![];
    let direction = if form.is_some() { Direction::Inbound } else { direction(headers, from, settings, &mut steps) };
    let outbound = direction == Direction::Outbound;
    let event = match headers.keyword(&NOTICE_HEADER.to_ascii_lowercase()).as_str() {
        "caution" if outbound => Event::Caution,
        "refusal" if outbound => Event::Refusal,
        _ => Event::Message,
    };
    let customer = if outbound {
        recipients(headers).into_iter().find(|one| !settings.is_own(&one.address)).map(|one| {
            steps.push("customer: first recipient that is not our own, since the mail is outbound".to_owned());
            one.address
        })
    } else {
        inbound_customer(headers, from, form, settings, &mut steps)
    };
    if customer.is_none() {
        steps.push("customer: unknown".to_owned());
    }
    let conversation = conversation(headers, customer.as_deref(), &mut steps);
    let customer = customer.map(|address| CustomerId(bounded(&address)));
    MailIdentity { direction, event, customer, conversation, derivation: steps }
}

fn direction(headers: &Headers<'_>, from: &Mailbox, settings: &DecodeSettings, steps: &mut Vec<String>) -> Direction {
    if !settings.is_own(&from.address) {
        return Direction::Inbound;
    }
    let recipients = recipients(headers);
    if headers.keyword("authentication-results").contains("dmarc=fail") {
        steps.push("direction: inbound, because DMARC failed for our own From address".to_owned());
    } else if recipients.iter().all(|one| settings.is_own(&one.address)) {
        steps.push("direction: inbound, because a mail from us to us alone may be a form or forged".to_owned());
    } else {
        steps.push("direction: outbound, From is our own address".to_owned());
        return Direction::Outbound;
    }
    Direction::Inbound
}

fn recipients(headers: &Headers<'_>) -> Vec<Mailbox> {
    let mut all = headers.mailboxes("to");
    all.extend(headers.mailboxes("cc"));
    all.retain(|one| one.address.contains('@'));
    all
}

fn inbound_customer(
    headers: &Headers<'_>,
    from: &Mailbox,
    form: Option<&FormReading>,
    settings: &DecodeSettings,
    steps: &mut Vec<String>,
) -> Option<String> {
    let reply_to = headers.mailboxes("reply-to").into_iter().next().map(|one| one.address);
    let candidates = [
        ("address in the form", form.and_then(|form| form.customer.clone())),
        ("Reply-To", reply_to),
        ("From", Some(from.address.clone())),
    ];
    for (source, address) in candidates {
        let Some(address) = address.filter(|address| address.contains('@')) else { continue };
        if settings.is_shared(&address) {
            steps.push(format!("customer: {source} is a shared sender and says nothing"));
        } else if settings.is_own(&address) {
            steps.push(format!("customer: {source} is our own address and says nothing"));
        } else {
            steps.push(format!("customer: {source}"));
            return Some(address);
        }
    }
    None
}

/// Thread root and the customer's address: two people who answer the same circular stay apart.
fn conversation(headers: &Headers<'_>, customer: Option<&str>, steps: &mut Vec<String>) -> Option<ConversationId> {
    let sources = [("References", "references"), ("In-Reply-To", "in-reply-to"), ("Message-ID", "message-id")];
    let found = sources.into_iter().find_map(|(title, name)| headers.ids(name).into_iter().next().map(|id| (title, id)));
    let Some((source, root)) = found else {
        steps.push("conversation: no thread headers".to_owned());
        return None;
    };
    steps.push(format!("conversation: first id of {source}, with the customer's address"));
    Some(ConversationId(format!("{} {}", bounded(&root), bounded(customer.unwrap_or("-")))))
}

fn bounded(id: &str) -> String {
    id.chars().take(ID_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_follows_the_stated_order() {
        let settings = DecodeSettings {
            shared_senders: vec!["form@shop.example".into()],
            own_addresses: vec!["@desk.example".into()],
            ..DecodeSettings::default()
        };
        for (mail, expected) in [
            ("From: A <A@X.example>\nMessage-ID: <1@x>", ("inbound message", "a@x.example", "1@x a@x.example")),
            ("From: a@x.example\nReply-To: b@y.example\nReferences: <r@x> <s@x>", ("inbound message", "b@y.example", "r@x b@y.example")),
            ("From: form@shop.example\nMessage-ID: <1@x>", ("inbound message", "-", "1@x -")),
            ("From: form@shop.example\nReply-To: c@z.example", ("inbound message", "c@z.example", "-")),
            (
                "From: s@desk.example\nTo: a@x.example\nIn-Reply-To: <1@x>\nX-Mimamori-Notice: refusal",
                ("outbound refusal", "a@x.example", "1@x a@x.example"),
            ),
            ("From: s@desk.example\nTo: help@desk.example\nX-Mimamori-Notice: refusal", ("inbound message", "-", "-")),
            ("From: s@desk.example\nTo: a@x.example\nAuthentication-Results: mx.desk.example; dmarc=fail", ("inbound message", "-", "-")),
        ] {
            let mail = mail.to_owned() + "\n\n";
            let (headers, _) = Headers::split(mail.as_bytes());
            let from = headers.mailboxes("from").into_iter().next().unwrap_or_default();
            let found = derive(&headers, &from, None, &settings);
            let way = format!("{:?} {:?}", found.direction, found.event).to_lowercase();
            let customer = found.customer.map_or("-".to_owned(), |id| id.0);
            let conversation = found.conversation.map_or("-".to_owned(), |id| id.0);
            assert_eq!((way.as_str(), customer.as_str(), conversation.as_str()), expected, "{mail}");
        }
    }
}
