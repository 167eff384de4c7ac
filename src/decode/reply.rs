//! Replies to our own alerts: the token in the address, who wrote, and the first new line.
//!
//! Reads only; whether the token is good is not decided here. Cost: headers first, the body only where a token stands.

use crate::decode::mail::reply_of;
use crate::decode::settings::DecodeSettings;
use unicode_normalization::UnicodeNormalization;

/// Longest first line that is looked at, in characters: an answer is one word, or a short sentence.
const LINE_CHARS_MAX: usize = 60;

/// A mail to the reply address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What stands after the plus.
    pub token: String,
    /// The From address, in lower case.
    pub from: String,
    /// A machine answered.
    pub is_automatic: bool,
    /// What the first new line says.
    pub word: Word,
}

/// What a reply says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// 受領
    Take,
    /// 交代
    Pass,
    /// Something else.
    Unclear,
}

/// The reply in a raw mail; `address` is the reply address without a token.
pub fn read(payload: &[u8], address: &str, settings: &DecodeSettings) -> Option<Reply> {
    reply_of(payload, address, settings)
}

/// What the first line of somebody's own says.
pub(crate) fn word(text: &str) -> Word {
    let own = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('>')).unwrap_or_default();
    let line: String = own.nfkc().filter(|c| !c.is_whitespace()).take(LINE_CHARS_MAX).collect::<String>().to_lowercase();
    let line = line.trim_matches(|c: char| !c.is_alphanumeric());
    let refuses = ["ません", "ない", "できな", "無理", "待", "まだ"].iter().any(|word| line.contains(word));
    let says = |words: &[&str], beginnings: &[&str]| words.contains(&line) || beginnings.iter().any(|word| line.starts_with(word));
    if says(&["2", "pass"], &["交代", "交替", "代わって", "かわって"]) {
        Word::Pass
    } else if !refuses && says(&["1", "ok", "ack"], &["受領", "了解", "承知", "受けます", "引き受け"]) {
        Word::Take
    } else {
        Word::Unclear
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_word_is_enough_and_a_refusal_is_none() {
        for (text, expected) in [
            ("受領", Word::Take),
            ("\n\n 了解です。\n> ■ 要点", Word::Take),
            ("１", Word::Take),
            ("1.", Word::Take),
            ("ＯＫ!", Word::Take),
            ("承知しました。向かいます。", Word::Take),
            ("交代お願いします", Word::Pass),
            ("代わってください", Word::Pass),
            ("2", Word::Pass),
            ("受領できません", Word::Unclear),
            ("了解ではない", Word::Unclear),
            ("これは何ですか", Word::Unclear),
            ("10", Word::Unclear),
            ("> 受領", Word::Unclear),
            ("", Word::Unclear),
        ] {
            assert_eq!(word(text), expected, "{text}");
        }
    }
}
