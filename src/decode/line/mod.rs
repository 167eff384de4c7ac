//! One JSON input line: strict about its own fields, indifferent to unknown ones.
//!
//! What is accepted can be judged: acceptance and decoding run the same checks. Errors name the field and never repeat
//! a value, which may be a customer's text. Cost: linear in the line.

mod raw;

use crate::decode::fault::{DecodeCode, DecodeError};
use crate::decode::limit::{self, PART_TEXT_BYTES_MAX};
use crate::decode::parts::{self, KnownLines};
use crate::model::envelope::{Envelope, Identity};
use crate::model::ids::{ConversationId, CustomerId, ID_BYTES_MAX, MessageId, QueueName, Tenant};
use crate::model::message::{Channel, Coverage, Direction, Event, Field, FieldName, Message, SkippedKind};
use jiff::Timestamp;
use raw::RawLine;
use serde::de::DeserializeOwned;

/// Longest customer, conversation, operator, ticket or link, in bytes: they become parts of records and alerts.
pub const REFERENCE_BYTES_MAX: usize = 2_048;

/// Most messages in one conversation line: a bounded piece of work for one line of output.
pub const MESSAGES_MAX: usize = 5_000;

/// What intake needs to know of a line before it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepting {
    /// The line's own id.
    pub id: Option<String>,
    /// The tenant it names.
    pub tenant: Option<Tenant>,
    /// The queue it names.
    pub queue: Option<QueueName>,
}

/// A line for `triage` and `eval`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// One message.
    One(Box<Message>),
    /// A conversation: judged in order, with a memory of its own.
    Conversation {
        /// Id of the whole.
        outer_id: MessageId,
        /// Its messages; missing ids are `outer#1`, `outer#2`, …
        messages: Vec<Message>,
    },
}

/// Checks a line wholly before it is accepted.
pub fn accept(line: &[u8]) -> Result<Accepting, DecodeError> {
    let raw = single(line)?;
    let fields = Fields { raw: &raw, outer: None, place: String::new() };
    fields.message(MessageId::from("-"))?;
    Ok(Accepting { id: fields.id()?, tenant: fields.name("tenant", Tenant::new)?, queue: fields.name("queue", QueueName::new)? })
}

/// Reads a line as it came, `default_id` standing in where it has none. Times stay absent where none is given.
pub fn parse(line: &[u8], default_id: &str) -> Result<Line, DecodeError> {
    let raw = raw::read(line)?;
    let fields = Fields { raw: &raw, outer: None, place: String::new() };
    let id = MessageId(fields.id()?.unwrap_or_else(|| default_id.to_owned()));
    let Some(inner) = &raw.messages else { return fields.message(id).map(|message| Line::One(Box::new(message))) };
    if inner.is_empty() || inner.len() > MESSAGES_MAX {
        return Err(bad("messages", &format!("must hold 1 to {MESSAGES_MAX} messages")));
    }
    let mut messages = Vec::with_capacity(inner.len());
    for (index, one) in inner.iter().enumerate() {
        let place = format!("messages[{index}].");
        if one.messages.is_some() {
            return Err(bad(&format!("{place}messages"), "must not be nested"));
        }
        let fields = Fields { raw: one, outer: Some(&raw), place };
        let own = fields.id()?.map_or_else(|| MessageId(format!("{id}#{}", index + 1)), MessageId);
        let mut message = fields.message(own)?;
        message.conversation.get_or_insert_with(|| ConversationId(id.0.clone()));
        messages.push(message);
    }
    Ok(Line::Conversation { outer_id: id, messages })
}

/// Decodes a line that was accepted.
pub(crate) fn decode(envelope: &Envelope, identity: &Identity) -> Result<Message, DecodeError> {
    let raw = single(&envelope.payload)?;
    let mut message = Fields { raw: &raw, outer: None, place: String::new() }.message(identity.id.clone())?;
    message.tenant = identity.tenant.clone();
    message.queue = envelope.queue.clone();
    message.at.get_or_insert(envelope.received_at);
    Ok(message)
}

/// A line that is one message.
fn single(line: &[u8]) -> Result<RawLine, DecodeError> {
    let raw = raw::read(line)?;
    if raw.messages.is_some() {
        return Err(bad("messages", "is for triage and eval; send its messages one by one"));
    }
    Ok(raw)
}

fn bad(field: &str, why: &str) -> DecodeError {
    DecodeError::new(DecodeCode::BadField, format!("`{field}` {why}"))
}

/// The fields of a line, with what an outer line hands down.
struct Fields<'a> {
    raw: &'a RawLine,
    outer: Option<&'a RawLine>,
    place: String,
}

impl Fields<'_> {
    fn message(&self, id: MessageId) -> Result<Message, DecodeError> {
        let missing = |code, name: &str| DecodeError::new(code, format!("`{}{name}` is missing", self.place));
        let channel = self.inherited_choice::<Channel>("channel", &Channel::ALL.map(Channel::id).join(", "))?;
        let text = self.text("text")?.ok_or_else(|| missing(DecodeCode::NoText, "text"))?;
        let channel = channel.ok_or_else(|| missing(DecodeCode::NoChannel, "channel"))?;
        let direction = self.inherited_choice::<Direction>("direction", "inbound, outbound, internal")?.unwrap_or_default();
        let events = "message, reply, caution, refusal, edited, deleted, closed";
        let event = self.choice::<Event>(self.raw, "event", events)?.unwrap_or_default();
        let mut coverage = Coverage::default();
        if self.raw.repaired || self.outer.is_some_and(|outer| outer.repaired) {
            coverage.skip(SkippedKind::Damaged, "half a surrogate pair in a JSON string");
        }
        let text = limit::clip(limit::with_lf(&text), PART_TEXT_BYTES_MAX, "text", &mut coverage);
        if text.trim().is_empty() && direction == Direction::Inbound && event == Event::Message {
            coverage.skip(SkippedKind::NoText, "no readable text");
        }
        let subject = self.text("subject")?.map(|text| limit::with_lf(&text)).filter(|text| !text.is_empty());
        let subject = subject.map(|text| limit::clip(text, PART_TEXT_BYTES_MAX, "subject", &mut coverage));
        let mut fields: Vec<Field> = subject.map(|text| Field::new(FieldName::Subject, text)).into_iter().collect();
        let split = parts::split(&text, &KnownLines::default());
        fields.push(Field { name: FieldName::Text, text, parts: split });
        Ok(Message {
            id,
            tenant: self.name("tenant", Tenant::new)?.unwrap_or_default(),
            queue: self.name("queue", QueueName::new)?.unwrap_or_default(),
            channel,
            direction,
            event,
            conversation: self.inherited_reference("conversation")?.map(ConversationId),
            customer: self.inherited_reference("customer")?.map(CustomerId),
            operator: self.reference(self.raw, "operator")?,
            ticket: self.reference(self.raw, "ticket")?,
            url: self.reference(self.raw, "url")?,
            at: self.time()?,
            fields,
            coverage,
            machine: None,
            derivation: vec!["identity: as given in the line".to_owned()],
            headers: vec![],
        })
    }

    fn id(&self) -> Result<Option<String>, DecodeError> {
        let id = self.string(self.raw, "id")?;
        match &id {
            Some(given) if given.is_empty() || given.len() > ID_BYTES_MAX => {
                Err(bad(&format!("{}id", self.place), &format!("must be 1 to {ID_BYTES_MAX} bytes")))
            }
            _ => Ok(id),
        }
    }

    fn text(&self, name: &str) -> Result<Option<String>, DecodeError> {
        self.string(self.raw, name)
    }

    /// A string; `null` counts as absent.
    fn string(&self, line: &RawLine, name: &str) -> Result<Option<String>, DecodeError> {
        match line.fields.get(name) {
            None | Some(serde_json::Value::Null) => Ok(None),
            Some(serde_json::Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(bad(&format!("{}{name}", self.place), "must be a string")),
        }
    }

    /// A string that refers to something; an empty one counts as absent.
    fn reference(&self, line: &RawLine, name: &str) -> Result<Option<String>, DecodeError> {
        let text = self.string(line, name)?.filter(|text| !text.trim().is_empty());
        match &text {
            Some(given) if given.len() > REFERENCE_BYTES_MAX => {
                Err(bad(&format!("{}{name}", self.place), &format!("must be at most {REFERENCE_BYTES_MAX} bytes")))
            }
            _ => Ok(text),
        }
    }

    fn inherited_reference(&self, name: &str) -> Result<Option<String>, DecodeError> {
        let own = self.reference(self.raw, name)?;
        own.map_or_else(|| self.outer.map_or(Ok(None), |outer| self.reference(outer, name)), |own| Ok(Some(own)))
    }

    fn choice<T: DeserializeOwned>(&self, line: &RawLine, name: &str, allowed: &str) -> Result<Option<T>, DecodeError> {
        let Some(given) = self.string(line, name)? else { return Ok(None) };
        let value = serde_json::from_value(serde_json::Value::String(given));
        value.map(Some).map_err(|_| bad(&format!("{}{name}", self.place), &format!("must be one of {allowed}")))
    }

    fn inherited_choice<T: DeserializeOwned>(&self, name: &str, allowed: &str) -> Result<Option<T>, DecodeError> {
        let own = self.choice(self.raw, name, allowed)?;
        own.map_or_else(|| self.outer.map_or(Ok(None), |outer| self.choice(outer, name, allowed)), |own| Ok(Some(own)))
    }

    fn name<T, E: std::fmt::Display>(&self, name: &str, read: impl Fn(&str) -> Result<T, E>) -> Result<Option<T>, DecodeError> {
        let Some(given) = self.inherited_reference(name)? else { return Ok(None) };
        read(&given).map(Some).map_err(|why| DecodeError::new(DecodeCode::BadField, format!("`{}{name}`: {why}", self.place)))
    }

    fn time(&self) -> Result<Option<Timestamp>, DecodeError> {
        let Some(given) = self.string(self.raw, "at")? else { return Ok(None) };
        let time = given.trim().parse::<Timestamp>();
        time.map(Some).map_err(|_| bad(&format!("{}at", self.place), "must be a time as in 2026-11-02T10:03:00+09:00 (RFC 3339)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(line: &str) -> String {
        match parse(line.as_bytes(), "1") {
            Ok(_) => "ok".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn faults_name_the_field() {
        for (line, expected) in [
            (r#"{"channel":"chat","text":"a"}"#, "ok"),
            (r#"{"channel":"chat","text":"a","at":"2026-11-02T10:03:00+09:00","unknown":1e999,"subject":null}"#, "ok"),
            (r#"{"channel":"chat","text":"\ud83d"}"#, "ok"),
            (r#"{"channel":"chat","text":"a","text":"b"}"#, "bad_field: `text` is given twice"),
            ("", "empty: the line holds nothing"),
            ("[1]", "not_json: the line must be one JSON object"),
            ("7", "not_json: the line must be one JSON object"),
            (r#"{"channel":"chat","text":"a"} x"#, "not_json: trailing characters at line 1 column 31"),
            (r#"{"channel":"chat""#, "not_json: EOF while parsing an object at line 1 column 17"),
            (r#"{"text":"a"}"#, "no_channel: `channel` is missing"),
            (r#"{"channel":"chat"}"#, "no_text: `text` is missing"),
            (r#"{"channel":"chat","text":7}"#, "bad_field: `text` must be a string"),
            (r#"{"channel":"fax","text":"a"}"#, "bad_field: `channel` must be one of chat, email, phone, sns, letter, visit"),
            (r#"{"channel":"chat","text":"a","direction":"in"}"#, "bad_field: `direction` must be one of inbound, outbound, internal"),
            (r#"{"channel":"chat","text":"a","id":""}"#, "bad_field: `id` must be 1 to 255 bytes"),
            (r#"{"channel":"chat","text":"a","id":7}"#, "bad_field: `id` must be a string"),
            (
                r#"{"channel":"chat","text":"a","at":"yesterday"}"#,
                "bad_field: `at` must be a time as in 2026-11-02T10:03:00+09:00 (RFC 3339)",
            ),
            (r#"{"channel":"chat","text":"a","queue":"a.b"}"#, "bad_field: `queue`: queue must be 1 to 64 characters of A-Z a-z 0-9 _ -"),
            (r#"{"channel":"chat","messages":7}"#, "bad_field: `messages` must be an array of objects"),
            (r#"{"channel":"chat","messages":[]}"#, "bad_field: `messages` must hold 1 to 5000 messages"),
            (r#"{"channel":"chat","messages":[{"text":"a"},{"text":7}]}"#, "bad_field: `messages[1].text` must be a string"),
            (r#"{"channel":"chat","messages":[{"messages":[]}]}"#, "bad_field: `messages[0].messages` must not be nested"),
        ] {
            assert_eq!(code(line), expected, "{line}");
        }
        assert_eq!(parse(b"{\"text\":\"\xff\"}", "1").map_err(|error| error.code), Err(DecodeCode::BadEncoding));
    }

    #[test]
    fn hostile_json_does_not_abort() {
        let deep = |key: &str| format!(r#"{{"channel":"chat","text":"a","{key}":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(code(&deep("x")), "ok");
        assert!(code(&deep("subject")).starts_with("not_json"));
        assert!(code(&deep("messages")).starts_with("bad_field"));
        assert_eq!(code(r#"{"channel":"chat","messages":[{"text":"\ud83d"}]}"#), "ok");
    }

    #[test]
    fn inner_lines_inherit() {
        let line = r#"{"id":"C","channel":"email","customer":"k","queue":"q","direction":"outbound",
            "messages":[{"text":"a"},{"id":"x","text":"b","channel":"chat","customer":"m","conversation":"v","direction":"inbound"}]}"#;
        let Ok(Line::Conversation { outer_id, messages }) = parse(line.as_bytes(), "1") else { panic!("a conversation") };
        let rows: Vec<String> = messages
            .iter()
            .map(|m| {
                let customer = m.customer.as_ref().map_or("-", CustomerId::as_str);
                let conversation = m.conversation.as_ref().map_or("-", ConversationId::as_str);
                format!("{} {} {customer} {conversation} {} {:?}", m.id, m.channel.id(), m.queue, m.direction)
            })
            .collect();
        assert_eq!(outer_id.as_str(), "C");
        assert_eq!(rows, ["C#1 email k C q Outbound", "x chat m v q Inbound"]);
        assert!(accept(line.as_bytes()).is_err());
    }

    #[test]
    fn acceptance_tells_what_the_line_names() {
        let accepted = accept(r#"{"id":"A","channel":"chat","text":"","tenant":"t"}"#.as_bytes());
        assert_eq!(accepted, Ok(Accepting { id: Some("A".into()), tenant: Tenant::new("t").ok(), queue: None }));
    }
}
