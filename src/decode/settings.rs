//! What a company tells decoding about its own mail: form mails, shared senders, own addresses.
//!
//! Plain data, filled by the configuration. Never holds a secret and never looks anything up.

/// Header our own notifications carry; a mail with it is our own alert coming back.
pub const LOOP_HEADER: &str = "X-Mimamori-Loop";

/// Header the desk puts on its own mail to tell that it was a caution or a refusal (`caution`, `refusal`).
pub const NOTICE_HEADER: &str = "X-Mimamori-Notice";

/// Everything decoding needs to know beyond the message itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DecodeSettings {
    /// Form mails, in order; the first rule that matches a mail is taken.
    pub forms: Vec<FormRule>,
    /// Addresses (`form@shop.example`) or whole domains (`@forms.example`) many customers share: never an identity.
    pub shared_senders: Vec<String>,
    /// Addresses or whole domains of our own side: mail from one of them is outbound.
    pub own_addresses: Vec<String>,
}

/// One `[[intake.form]]`: how to read the mail a web form sends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FormRule {
    /// The From address, or `@domain`; any if absent.
    pub from: Option<String>,
    /// Words the subject holds; any if absent. A rule with neither condition never matches.
    pub subject_contains: Option<String>,
    /// The labels of the form, as they stand in the mail: `【お問い合わせ内容】`.
    pub labels: Vec<FormLabel>,
}

/// One label of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormLabel {
    /// As it stands at the beginning of a line.
    pub label: String,
    /// What its value is.
    pub target: FormTarget,
}

/// What the value behind a label is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FormTarget {
    /// The customer's mail address: their identity.
    Customer,
    /// The customer's name, as typed.
    CustomerName,
    /// The order or contract number: shown, not judged.
    Order,
    /// The free text: judged.
    Text,
    /// The subject the customer chose: judged.
    Subject,
    /// Neither judged nor shown.
    Ignore,
}

impl FormTarget {
    /// Every target with its id in the configuration.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Customer, "customer"),
        (Self::CustomerName, "customer_name"),
        (Self::Order, "order"),
        (Self::Text, "text"),
        (Self::Subject, "subject"),
        (Self::Ignore, "ignore"),
    ];

    /// Reads the id.
    pub fn parse(id: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == id).map(|(target, _)| *target)
    }
}

impl FormRule {
    /// Whether this rule reads a mail of that sender and subject.
    pub fn matches(&self, from: &str, subject: &str) -> bool {
        let sender = self.from.as_deref().is_none_or(|pattern| address_matches(pattern, from));
        let topic = self.subject_contains.as_deref().is_none_or(|words| subject.contains(words));
        (self.from.is_some() || self.subject_contains.is_some()) && sender && topic
    }
}

impl DecodeSettings {
    /// Whether many customers write from this address.
    pub fn is_shared(&self, address: &str) -> bool {
        self.shared_senders.iter().any(|pattern| address_matches(pattern, address))
    }

    /// Whether the address is our own.
    pub fn is_own(&self, address: &str) -> bool {
        self.own_addresses.iter().any(|pattern| address_matches(pattern, address))
    }
}

/// `pattern` is an address, or `@domain` for every address of exactly that domain. Case does not count.
pub fn address_matches(pattern: &str, address: &str) -> bool {
    let (pattern, address) = (pattern.trim().to_lowercase(), address.trim().to_lowercase());
    match pattern.strip_prefix('@') {
        Some(domain) => address.rsplit_once('@').is_some_and(|(_, own)| own == domain),
        None => !pattern.is_empty() && pattern == address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_match_whole_or_by_domain() {
        for (pattern, address, expected) in [
            ("form@shop.example", "Form@Shop.Example", true),
            ("@shop.example", "a@shop.example", true),
            ("@shop.example", "a@sub.shop.example", false),
            ("@shop.example", "a@evilshop.example", false),
            ("", "a@shop.example", false),
        ] {
            assert_eq!(address_matches(pattern, address), expected, "{pattern} {address}");
        }
    }

    #[test]
    fn a_rule_without_a_condition_matches_nothing() {
        assert!(!FormRule::default().matches("a@b.example", "件名"));
    }
}
