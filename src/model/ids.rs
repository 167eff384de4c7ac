//! Identifiers as types. A tenant can never be passed where a queue is meant.

use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// Longest id an integrator may give, in bytes (dedupe keys of paging tools stop at 255).
pub const ID_BYTES_MAX: usize = 255;

/// Longest tenant or queue name, in bytes: both become parts of subjects, keys and file names.
pub const NAME_BYTES_MAX: usize = 64;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be 1 to {NAME_BYTES_MAX} characters of A-Z a-z 0-9 _ -")]
pub struct InvalidName {
    what: &'static str,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Checks the alphabet and the length.
            pub fn new(name: &str) -> Result<Self, InvalidName> {
                let alphabet = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'-';
                if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(alphabet) {
                    Ok(Self(name.to_owned()))
                } else {
                    Err(InvalidName { what: $what })
                }
            }
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self("default".to_owned())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

name_type!(
    /// The company (or brand) on whose behalf messages are judged.
    Tenant, "tenant"
);
name_type!(
    /// The contact-center queue (窓口) a message arrived at.
    QueueName, "queue"
);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text_id!(
    /// What a verdict line prints as `id`: the integrator's id, else `sha256:…` of the raw mail, else a number given at acceptance.
    MessageId
);
text_id!(
    /// A conversation as the integrator names it, or the root of a mail thread.
    ConversationId
);
text_id!(
    /// A customer as the integrator names them, or the mail address.
    CustomerId
);
text_id!(
    /// A lexicon entry, combination or neutral span: `threat.kill`.
    EntryId
);
text_id!(
    /// A case as people see it: `C-` and eight characters.
    CaseId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_their_alphabet() {
        assert!(Tenant::new("shop_1-b").is_ok());
        for bad in ["", "a.b", "日本", "a b", "*", ">", &"x".repeat(65)] {
            assert!(Tenant::new(bad).is_err(), "{bad}");
        }
    }
}
