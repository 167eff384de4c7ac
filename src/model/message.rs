//! A decoded message: fields of text with their parts, and what could not be read.

use crate::model::digest::Digest;
use crate::model::ids::{ConversationId, CustomerId, MessageId, QueueName, Tenant};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// How the customer reached us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Channel {
    Chat,
    Email,
    Phone,
    Sns,
    Letter,
    Visit,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 6] = [Self::Chat, Self::Email, Self::Phone, Self::Sns, Self::Letter, Self::Visit];

    /// The id of the contract.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Sns => "sns",
            Self::Letter => "letter",
            Self::Visit => "visit",
        }
    }

    /// The Japanese name shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "チャット",
            Self::Email => "メール",
            Self::Phone => "電話",
            Self::Sns => "SNS",
            Self::Letter => "手紙",
            Self::Visit => "来訪",
        }
    }
}

/// Who wrote it. Only inbound messages are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The customer, to us.
    #[default]
    Inbound,
    /// We, to the customer.
    Outbound,
    /// A note among ourselves.
    Internal,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// A message.
    #[default]
    Message,
    /// Our answer.
    Reply,
    /// We cautioned the customer.
    Caution,
    /// We refused further contact; an element of two statutes, so its date counts.
    Refusal,
    /// The customer edited an earlier message.
    Edited,
    /// The customer deleted an earlier message.
    Deleted,
    /// The conversation was closed.
    Closed,
}

/// Which field of the message. Printed as in the contract: `attachment_name[0]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldName {
    /// The subject line.
    Subject,
    /// The body as a reader sees it.
    Text,
    /// The sender's display name.
    FromName,
    /// The name of the n-th attachment.
    AttachmentName(u16),
    /// Text that is in the message but not shown to a reader.
    Hidden,
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subject => f.write_str("subject"),
            Self::Text => f.write_str("text"),
            Self::FromName => f.write_str("from_name"),
            Self::AttachmentName(n) => write!(f, "attachment_name[{n}]"),
            Self::Hidden => f.write_str("hidden"),
        }
    }
}

impl std::str::FromStr for FieldName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "subject" => Self::Subject,
            "text" => Self::Text,
            "from_name" => Self::FromName,
            "hidden" => Self::Hidden,
            other => other
                .strip_prefix("attachment_name[")
                .and_then(|rest| rest.strip_suffix(']'))
                .and_then(|n| n.parse().ok())
                .map(Self::AttachmentName)
                .ok_or_else(|| format!("unknown field `{other}`"))?,
        })
    }
}

impl Serialize for FieldName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FieldName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Whose words a stretch of a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartKind {
    /// The sender's own words in this message.
    New,
    /// An earlier message, shown by an attribution header or matched with the conversation.
    Quoted,
    /// Somebody else's message, passed on.
    Forwarded,
    /// The sender's signature block.
    Signature,
}

/// A stretch of a field, in Unicode scalar values, end exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PartSpan {
    /// Whose words.
    pub kind: PartKind,
    /// First character.
    pub start: usize,
    /// One past the last character.
    pub end: usize,
}

/// One field: its text (decoded, line ends as LF) and its parts.
///
/// Invariant: `parts` are sorted, do not overlap and cover the text wholly; an empty text has no parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Which field.
    pub name: FieldName,
    /// Its text.
    pub text: String,
    /// Its parts.
    pub parts: Vec<PartSpan>,
}

impl Field {
    /// A field that is wholly the sender's own words.
    pub fn new(name: FieldName, text: String) -> Self {
        let end = text.chars().count();
        let parts = if end == 0 { vec![] } else { vec![PartSpan { kind: PartKind::New, start: 0, end }] };
        Self { name, text, parts }
    }

    /// The part that holds the character at `index`; text outside any part counts as new.
    pub fn part_at(&self, index: usize) -> PartKind {
        self.parts.iter().find(|part| (part.start..part.end).contains(&index)).map_or(PartKind::New, |part| part.kind)
    }
}

/// What kind of content was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkippedKind {
    /// A picture; text inside it was not read.
    Image,
    /// A PDF.
    Pdf,
    /// Sound or video.
    Media,
    /// An office document, archive or any other attachment.
    Attachment,
    /// An encrypted archive.
    EncryptedArchive,
    /// S/MIME or PGP content.
    EncryptedMail,
    /// Text beyond a limit.
    Truncated,
    /// Bytes that are no text in the declared or any likely charset.
    Charset,
    /// Structure nested or repeated beyond a limit.
    Nesting,
    /// Damaged encoding or structure.
    Damaged,
    /// Nothing readable at all.
    NoText,
}

impl SkippedKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Image,
        Self::Pdf,
        Self::Media,
        Self::Attachment,
        Self::EncryptedArchive,
        Self::EncryptedMail,
        Self::Truncated,
        Self::Charset,
        Self::Nesting,
        Self::Damaged,
        Self::NoText,
    ];

    /// The Japanese name shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "画像",
            Self::Pdf => "PDF",
            Self::Media => "音声・動画",
            Self::Attachment => "添付ファイル",
            Self::EncryptedArchive => "暗号化された添付",
            Self::EncryptedMail => "暗号化メール",
            Self::Truncated => "長すぎる本文の一部",
            Self::Charset => "文字コード不明の部分",
            Self::Nesting => "入れ子が深すぎる部分",
            Self::Damaged => "壊れた部分",
            Self::NoText => "本文なし",
        }
    }
}

/// One thing that was not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// What.
    pub what: SkippedKind,
    /// Where or how much, in a few words without customer text: `part 2, image/png, 48211 bytes`.
    pub detail: String,
}

/// Not read is not clean: what the verdict could not look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Whether everything was read.
    pub complete: bool,
    /// What was not, at most [`SKIPPED_MAX`] rows.
    pub skipped: Vec<Skipped>,
}

/// Most rows in [`Coverage::skipped`]: enough to act on, and bounded for a mail of a thousand attachments.
pub const SKIPPED_MAX: usize = 64;

impl Default for Coverage {
    fn default() -> Self {
        Self { complete: true, skipped: vec![] }
    }
}

impl Coverage {
    /// Notes something not read.
    pub fn skip(&mut self, what: SkippedKind, detail: impl Into<String>) {
        self.complete = false;
        if self.skipped.len() < SKIPPED_MAX {
            self.skipped.push(Skipped { what, detail: detail.into() });
        }
    }
}

/// Why a mail was recognised as written by a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MachineKind {
    /// A delivery status notification or bounce.
    DeliveryReport,
    /// An automatic reply.
    AutoReply,
    /// A mailing list or newsletter.
    List,
    /// One of our own alerts came back.
    OwnLoop,
}

/// One decoded message. Time and identity are arguments of acceptance, not of judging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The id printed in the verdict.
    pub id: MessageId,
    /// Whose message.
    pub tenant: Tenant,
    /// The queue it arrived at.
    pub queue: QueueName,
    /// How the customer reached us.
    pub channel: Channel,
    /// Who wrote it.
    pub direction: Direction,
    /// What happened.
    pub event: Event,
    /// Conversation as given, or the thread root of a mail.
    pub conversation: Option<ConversationId>,
    /// Customer as given, or form address → Reply-To → From; never a shared sender.
    pub customer: Option<CustomerId>,
    /// The operator in charge, if the integrator told.
    pub operator: Option<String>,
    /// The ticket in the desk's own system.
    pub ticket: Option<String>,
    /// A link to it.
    pub url: Option<String>,
    /// When it happened (given, or time of acceptance). A mail's Date header is evidence only.
    pub at: Option<Timestamp>,
    /// Subject, text, display name, attachment names, hidden text; in this order.
    pub fields: Vec<Field>,
    /// What was not read.
    pub coverage: Coverage,
    /// Set when a machine wrote it.
    pub machine: Option<MachineKind>,
    /// How identity was derived, for `explain`: one short English sentence a step.
    pub derivation: Vec<String>,
    /// Facts of the mail that are evidence only (`Date`, `Message-ID`, …), for `explain` and the case.
    pub headers: Vec<(String, String)>,
}

impl Message {
    /// The field of that name.
    pub fn field(&self, name: FieldName) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The same message with nothing but `text` in it: for reading fragments together.
    #[must_use]
    pub fn with_text(&self, text: &str) -> Self {
        let fields = vec![Field::new(FieldName::Text, text.to_owned())];
        Self { fields, coverage: Coverage::default(), derivation: vec![], headers: vec![], ..self.clone() }
    }

    /// Key of the conversation this message belongs to: given conversation, else mail thread root and sender
    /// (decoding puts both into `conversation`), else customer, else the message itself.
    pub fn conversation_key(&self) -> String {
        conversation_key(&self.tenant, self.conversation.as_ref(), self.customer.as_ref(), &self.id)
    }
}

/// Key of a conversation from what is known of it; the first of conversation, customer and message that is there decides.
pub fn conversation_key(
    tenant: &Tenant,
    conversation: Option<&ConversationId>,
    customer: Option<&CustomerId>,
    message: &MessageId,
) -> String {
    let (kind, id) = match (conversation, customer) {
        (Some(conversation), _) => ("conversation", conversation.as_str()),
        (None, Some(customer)) => ("customer", customer.as_str()),
        (None, None) => ("message", message.as_str()),
    };
    Digest::of_fields(&[tenant.as_str().as_bytes(), kind.as_bytes(), id.as_bytes()]).key()
}
