//! Why a message could not be decoded.

/// The closed set of reasons: printed in error lines, answered over HTTP, counted in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DecodeCode {
    /// Nothing but white space.
    Empty,
    /// Larger than any configuration allows.
    TooLarge,
    /// Not UTF-8.
    BadEncoding,
    /// Not one JSON object.
    NotJson,
    /// No `channel`.
    NoChannel,
    /// No `text`.
    NoText,
    /// A field of the wrong type or with a value that is not allowed.
    BadField,
}

impl DecodeCode {
    /// Every code.
    pub const ALL: [Self; 7] =
        [Self::Empty, Self::TooLarge, Self::BadEncoding, Self::NotJson, Self::NoChannel, Self::NoText, Self::BadField];

    /// The fixed id.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TooLarge => "too_large",
            Self::BadEncoding => "bad_encoding",
            Self::NotJson => "not_json",
            Self::NoChannel => "no_channel",
            Self::NoText => "no_text",
            Self::BadField => "bad_field",
        }
    }
}

/// A message that cannot be decoded, in words for whoever sent it. Never holds customer text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {message}", code.id())]
pub struct DecodeError {
    /// Why.
    pub code: DecodeCode,
    /// One sentence, naming the field.
    pub message: String,
}

impl DecodeError {
    pub(crate) fn new(code: DecodeCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}
