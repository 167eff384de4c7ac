//! Personal links of operators: proof that whoever presents one was given it for that operator.
//!
//! Operators stand in no policy, so the link itself says who: operator, tenant and queue, readable, under a signature that
//! serves nothing else. A link dies with its days, and earlier when the links given out before a moment are called back.

use crate::case::token::TokenKeys;
use crate::model::ids::{QueueName, Tenant};
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use jiff::Timestamp;

/// Days for which a link is good: the life of a signing key, so that the key before always still opens it.
pub const PASS_DAYS: i64 = 30;

/// Longest name of an operator, in characters.
pub const OPERATOR_CHARS_MAX: usize = 100;

/// Longest link read at all, in bytes: the name in UTF-8 and base64, tenant, queue, time and signature.
const PASS_BYTES_MAX: usize = 1_000;

const SECONDS_PER_DAY: i64 = 24 * 3600;

/// What the signature is for: a link of an alert must not open this door, nor the other way round.
const PURPOSE: &[u8] = b"mimamori operator";

/// Whose link it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// The operator, as the company calls them.
    pub operator: String,
    /// Where they work.
    pub tenant: Tenant,
    /// On which queue.
    pub queue: QueueName,
    until_second: i64,
}

/// Why a link opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassError {
    /// Not a link of ours.
    #[error("not a personal link")]
    Forged,
    /// Too old.
    #[error("the link has expired")]
    Expired,
}

impl Pass {
    /// A pass given out now. `None` if the name is empty, too long or holds control characters.
    pub fn new(operator: &str, tenant: Tenant, queue: QueueName, now: Timestamp) -> Option<Self> {
        let operator = operator.trim();
        let is_name = (1..=OPERATOR_CHARS_MAX).contains(&operator.chars().count()) && !operator.chars().any(char::is_control);
        let until_second = now.as_second() + PASS_DAYS * SECONDS_PER_DAY;
        is_name.then(|| Self { operator: operator.to_owned(), tenant, queue, until_second })
    }

    /// When it was given out, to the second.
    pub fn given_at(&self) -> Timestamp {
        Timestamp::from_second(self.until_second.saturating_sub(PASS_DAYS * SECONDS_PER_DAY)).unwrap_or(Timestamp::MIN)
    }

    /// Until when it is good.
    pub fn until(&self) -> Timestamp {
        Timestamp::from_second(self.until_second).unwrap_or(Timestamp::MIN)
    }

    /// The last part of the address.
    pub fn seal(&self, keys: &TokenKeys) -> String {
        let who = self.who();
        let until = self.until_second.to_be_bytes();
        let signature = BASE32_NOPAD.encode(&keys.seal(&[PURPOSE, who.as_bytes(), &until])).to_ascii_lowercase();
        format!("{}.{:x}.{signature}", BASE64URL_NOPAD.encode(who.as_bytes()), self.until_second)
    }

    /// Reads one and checks its signature and its age.
    pub fn open(text: &str, keys: &TokenKeys, now: Timestamp) -> Result<Self, PassError> {
        let (pass, who, signature) = Self::parse(text).ok_or(PassError::Forged)?;
        if !keys.opens(&[PURPOSE, who.as_bytes(), &pass.until_second.to_be_bytes()], &signature) {
            return Err(PassError::Forged);
        }
        if now >= pass.until() { Err(PassError::Expired) } else { Ok(pass) }
    }

    fn parse(text: &str) -> Option<(Self, String, Vec<u8>)> {
        let mut parts = text.split('.');
        let (Some(who), Some(until), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else { return None };
        if text.len() > PASS_BYTES_MAX {
            return None;
        }
        let who = String::from_utf8(BASE64URL_NOPAD.decode(who.as_bytes()).ok()?).ok()?;
        let signature = BASE32_NOPAD.decode(signature.to_ascii_uppercase().as_bytes()).ok()?;
        let until_second = i64::from_str_radix(until, 16).ok()?;
        let mut names = who.split('\n');
        let (operator, tenant, queue) = (names.next()?.to_owned(), Tenant::new(names.next()?).ok()?, QueueName::new(names.next()?).ok()?);
        names.next().is_none().then_some(())?;
        Some((Self { operator, tenant, queue, until_second }, who, signature))
    }

    fn who(&self) -> String {
        format!("{}\n{}\n{}", self.operator, self.tenant, self.queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::token::KEY_BYTES;
    use jiff::SignedDuration;

    #[test]
    fn a_pass_serves_its_operator_until_its_day() {
        let now: Timestamp = "2026-11-24T02:30:00Z".parse().expect("a time");
        let keys = TokenKeys::new([7; KEY_BYTES], None);
        let queue = QueueName::new("shop").expect("a name");
        let pass = Pass::new(" 田中.花子 ", Tenant::default(), queue, now).expect("a name");
        let text = pass.seal(&keys);
        assert_eq!(Pass::open(&text, &keys, now), Ok(pass.clone()));
        assert_eq!((pass.operator.as_str(), pass.queue.as_str()), ("田中.花子", "shop"));
        assert_eq!((pass.given_at(), pass.until()), (now, now + SignedDuration::from_hours(720)));
        let days = |days: i64| now + SignedDuration::from_hours(24 * days);
        assert!(Pass::open(&text, &keys, days(29)).is_ok());
        assert_eq!(Pass::open(&text, &keys, days(30)), Err(PassError::Expired));
        let rotated = TokenKeys::new([8; KEY_BYTES], Some([7; KEY_BYTES]));
        assert!(Pass::open(&text, &rotated, days(29)).is_ok(), "the key before still opens it");
        assert_eq!(Pass::open(&text, &TokenKeys::new([9; KEY_BYTES], None), now), Err(PassError::Forged));
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
            assert!(Pass::open(&String::from_utf8(bytes).expect("ascii"), &keys, now).is_err(), "byte {at}");
        }
        for broken in ["", ".", "..", "a.b.c", "a.b.c.d", "あ.1.a", &"a".repeat(5_000)] {
            assert_eq!(Pass::open(broken, &keys, now), Err(PassError::Forged), "{broken}");
        }
        for name in ["", " ", "a\nb", &"あ".repeat(101)] {
            assert_eq!(Pass::new(name, Tenant::default(), QueueName::default(), now), None, "{name}");
        }
    }
}
