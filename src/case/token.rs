//! Signed tokens: proof that whoever presents one was sent an alert of that case.
//!
//! A token names the case and an hour; its signature also covers tenant, conversation, generation and the person, so that it
//! serves nobody else and no other case. The person does not stand in it: whoever checks tries everybody of the policy who
//! is still there, so a token dies with its person. Short and without upper case, because it also travels as part of a
//! mail address (RFC 5321 allows 64 bytes before the @, and servers change the case of letters).
//!
//! Cost of checking: one HMAC per person and key, a few microseconds each.

use crate::case::CaseRecord;
use crate::policy::{Person, Policy};
use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use std::fmt;

/// Hours for which a token is good: a shift and the way home; an alert older than a day has been followed by others.
pub const TOKEN_HOURS: i64 = 24;

/// Bytes of a signing key: the block that HMAC-SHA256 keeps whole.
pub const KEY_BYTES: usize = 32;

/// Bytes of the signature: 120 bits cannot be guessed, and fit into a mail address.
const SIGNATURE_BYTES: usize = 15;

const SECONDS_PER_HOUR: i64 = 3600;

/// The signing keys, the current one first; the one before it still opens what it signed.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKeys {
    keys: Vec<[u8; KEY_BYTES]>,
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKeys(**REDACTED**)")
    }
}

/// Why a token opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not a token.
    #[error("not a token")]
    Malformed,
    /// Not signed by us for this case and anybody who is still there.
    #[error("the signature does not fit")]
    Forged,
    /// Too old.
    #[error("the token has expired")]
    Expired,
}

/// A token as it was presented; nothing is proven yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AckToken {
    /// The case it speaks of.
    pub case: String,
    until_hour: i64,
    signature: Vec<u8>,
}

impl AckToken {
    /// Reads the form of a token.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let mut parts = text.split('-');
        let (Some(case), Some(hour), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(TokenError::Malformed);
        };
        let is_plain = |part: &str| !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric());
        let signature = BASE32_NOPAD.decode(signature.to_ascii_uppercase().as_bytes()).ok();
        let (Some(signature), Ok(until_hour)) = (signature, i64::from_str_radix(hour, 16)) else { return Err(TokenError::Malformed) };
        if !is_plain(case) || !is_plain(hour) || signature.len() != SIGNATURE_BYTES {
            return Err(TokenError::Malformed);
        }
        Ok(Self { case: format!("C-{}", case.to_ascii_uppercase()), until_hour, signature })
    }

    /// The person to whom the token was given.
    pub fn bearer<'p>(&self, keys: &TokenKeys, case: &CaseRecord, policy: &'p Policy, now: Timestamp) -> Result<&'p Person, TokenError> {
        let signed = |person: &&Person| keys.keys.iter().any(|key| self.is_signed(key, case, &person.id));
        let there = policy.people.iter().filter(|person| !person.disabled);
        let person = there.filter(|_| case.id.as_str() == self.case).find(signed).ok_or(TokenError::Forged)?;
        if now.as_second() >= self.until_hour.saturating_mul(SECONDS_PER_HOUR) {
            return Err(TokenError::Expired);
        }
        Ok(person)
    }

    fn is_signed(&self, key: &[u8; KEY_BYTES], case: &CaseRecord, person: &str) -> bool {
        // Compares in constant time.
        mac(key, case, person, self.until_hour).verify_truncated_left(&self.signature).is_ok()
    }
}

impl TokenKeys {
    /// The keys, the current one first. Never empty.
    pub fn new(current: [u8; KEY_BYTES], before: Option<[u8; KEY_BYTES]>) -> Self {
        Self { keys: std::iter::once(current).chain(before).collect() }
    }

    /// The signature of other fields; the first of them says what for.
    pub(crate) fn seal(&self, fields: &[&[u8]]) -> Vec<u8> {
        over(&self.keys[0], fields).finalize().into_bytes()[..SIGNATURE_BYTES].to_vec()
    }

    /// Whether one of the keys has signed these fields. Compares in constant time.
    pub(crate) fn opens(&self, fields: &[&[u8]], signature: &[u8]) -> bool {
        signature.len() == SIGNATURE_BYTES && self.keys.iter().any(|key| over(key, fields).verify_truncated_left(signature).is_ok())
    }

    /// A token for one person and one case, good for [`TOKEN_HOURS`], rounded up to the hour.
    pub fn sign(&self, case: &CaseRecord, person: &str, now: Timestamp) -> String {
        let until_hour = now.as_second().div_euclid(SECONDS_PER_HOUR) + 1 + TOKEN_HOURS;
        let whole = mac(&self.keys[0], case, person, until_hour).finalize().into_bytes();
        let signature = BASE32_NOPAD.encode(&whole[..SIGNATURE_BYTES]).to_ascii_lowercase();
        let id = case.id.as_str().trim_start_matches("C-").to_ascii_lowercase();
        format!("{id}-{until_hour:x}-{signature}")
    }
}

fn mac(key: &[u8; KEY_BYTES], case: &CaseRecord, person: &str, until_hour: i64) -> Hmac<Sha256> {
    let (tenant, generation, hour) = (case.tenant.as_str(), case.generation.to_be_bytes(), until_hour.to_be_bytes());
    over(key, &[b"mimamori acknowledgement", tenant.as_bytes(), case.scope.as_bytes(), &generation, person.as_bytes(), &hour])
}

fn over(key: &[u8; KEY_BYTES], fields: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    for field in fields {
        mac.update(&(field.len() as u64).to_be_bytes());
        mac.update(field);
    }
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::SourceText;
    use crate::model::ids::{QueueName, Tenant};
    use crate::policy::SHIPPED;
    use jiff::SignedDuration;

    fn scene() -> (Policy, CaseRecord, Timestamp) {
        let policy = Policy::parse(&SourceText { name: "policy.toml".to_owned(), text: SHIPPED.to_owned() }).0.expect("sound");
        let now: Timestamp = "2026-11-24T02:30:00+09:00".parse().expect("a time");
        let case = CaseRecord::open(&Tenant::default(), &QueueName::default(), "scope", 1, &policy, now);
        (policy, case, now)
    }

    #[test]
    fn a_token_serves_its_person_its_case_and_its_day_alone() {
        let (policy, case, now) = scene();
        let keys = TokenKeys::new([7; KEY_BYTES], None);
        let text = keys.sign(&case, "manager", now);
        assert!(text.len() <= 45, "{text} must fit before the @ with a name of its own");
        let check = |text: &str, keys: &TokenKeys, case: &CaseRecord, policy: &Policy, now: Timestamp| {
            let token = AckToken::parse(text)?;
            token.bearer(keys, case, policy, now).map(|person| person.id.clone())
        };
        let ok = Ok("manager".to_owned());
        assert_eq!(check(&text, &keys, &case, &policy, now), ok);
        assert_eq!(check(&text.to_uppercase(), &keys, &case, &policy, now + SignedDuration::from_hours(23)), ok, "servers change case");
        assert_eq!(check(&text, &keys, &case, &policy, now + SignedDuration::from_hours(25)), Err(TokenError::Expired));
        let rotated = TokenKeys::new([8; KEY_BYTES], Some([7; KEY_BYTES]));
        assert_eq!(check(&text, &rotated, &case, &policy, now), ok, "the key before still opens");
        let twice = TokenKeys::new([9; KEY_BYTES], Some([8; KEY_BYTES]));
        assert_eq!(check(&text, &twice, &case, &policy, now), Err(TokenError::Forged));
        let next = CaseRecord { generation: 2, ..case.clone() };
        assert_eq!(check(&text, &keys, &next, &policy, now), Err(TokenError::Forged), "another case of the conversation");
        let mut without = policy.clone();
        without.people.iter_mut().find(|person| person.id == "manager").expect("shipped").disabled = true;
        assert_eq!(check(&text, &keys, &case, &without, now), Err(TokenError::Forged), "a leaver's token dies");
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(bytes).expect("ascii");
            assert!(check(&changed, &keys, &case, &policy, now).is_err(), "{changed}");
        }
        for broken in ["", "-", "--", "a-b", "a-b-c-d", "あ-1-a", "abc-zz-aa", "abc-79c5a-aa"] {
            assert_eq!(AckToken::parse(broken), Err(TokenError::Malformed), "{broken}");
        }
    }
}
