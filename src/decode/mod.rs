//! Bytes to [`crate::model::message::Message`]: sans-I/O, bounded, never fails on content alone.
//!
//! A JSON line is checked strictly, because its sender is a program that can be corrected; a mail is read as far as it
//! goes, because its sender is a customer. What could not be read is a row of coverage, never silence. Nothing is
//! fetched, executed or expanded. Cost: linear in the payload.

mod fault;
pub mod limit;
pub mod line;
mod mail;
pub mod parts;
pub mod reply;
pub mod settings;
pub mod share;

pub use fault::{DecodeCode, DecodeError};

use crate::model::envelope::{ContentKind, Envelope, Identity, MESSAGE_BYTES_HARD};
use crate::model::message::Message;
use settings::DecodeSettings;

/// Decodes one message. A mail fails only when it is empty or larger than [`MESSAGE_BYTES_HARD`].
pub fn decode(envelope: &Envelope, identity: &Identity, settings: &DecodeSettings) -> Result<Message, DecodeError> {
    if envelope.payload.trim_ascii().is_empty() {
        return Err(DecodeError::new(DecodeCode::Empty, "the message holds nothing"));
    }
    if envelope.payload.len() > MESSAGE_BYTES_HARD {
        let message = format!("{} bytes, at most {MESSAGE_BYTES_HARD}", envelope.payload.len());
        return Err(DecodeError::new(DecodeCode::TooLarge, message));
    }
    match envelope.kind {
        ContentKind::JsonLine => line::decode(envelope, identity),
        ContentKind::Rfc822 => Ok(mail::decode(envelope, identity, settings)),
    }
}
