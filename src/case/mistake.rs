//! 「誤検知」: what a person says the machine took for harassment, and the weight that leaves the memory with it.

use crate::case::{CaseRecord, Finding};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What it really was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mistake {
    /// The name of a product, a shop, a title.
    ProductName,
    /// Somebody else's words, quoted or reported.
    Quotation,
    /// Said of oneself.
    SelfDeprecation,
    /// Said in fun.
    Joke,
    /// A way of speaking of a region.
    Dialect,
}

impl Mistake {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::ProductName, Self::Quotation, Self::SelfDeprecation, Self::Joke, Self::Dialect];

    /// The id used on the command line and in records.
    pub const fn id(self) -> &'static str {
        match self {
            Self::ProductName => "product_name",
            Self::Quotation => "quotation",
            Self::SelfDeprecation => "self_deprecation",
            Self::Joke => "joke",
            Self::Dialect => "dialect",
        }
    }

    /// The Japanese name shown to people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProductName => "商品名",
            Self::Quotation => "引用",
            Self::SelfDeprecation => "自虐",
            Self::Joke => "冗談",
            Self::Dialect => "方言",
        }
    }
}

impl CaseRecord {
    /// Up to when the messages of this case should count for nothing in what later messages are judged by: the moment of a
    /// finding that stands and says what they were mistaken for. Nothing if they should count, or count again.
    pub fn excused_until(&self) -> Option<Timestamp> {
        let judgement = self.judgement.as_ref()?;
        let is_mistake = judgement.finding == Finding::DoesNotApply && judgement.mistake.is_some();
        (is_mistake && self.stands(judgement)).then_some(judgement.at)
    }
}
