//! What the pages and calls of people's answers need from the rest of the program: plain values, one trait.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Why a request about a case was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeskError {
    /// No such case, flag or person.
    #[error("{0}")]
    Unknown(String),
    /// The token opens nothing.
    #[error("the token does not open anything")]
    Forged,
    /// The token has expired.
    #[error("the token has expired")]
    Expired,
    /// The request says something that cannot be.
    #[error("{0}")]
    Invalid(String),
    /// The store does not answer; repeating may help.
    #[error("not available now; repeat the request later")]
    Unavailable,
}

/// What a person does with a case from outside the console: no judging, lowering or closing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Take it.
    Take,
    /// 「ほかの人に代わってもらう」
    Pass,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Done {
    /// Only looked at.
    Looked,
    /// Taken; nobody else is told.
    Taken,
    /// Their part is given; others are still called.
    Partly,
    /// It was theirs already, or is closed.
    Unchanged,
    /// Several named roles must acknowledge, and this person belongs to none that is missing.
    NotTheirs,
    /// Passed on.
    Passed,
}

/// A case as the page shows it: no word of the customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AckView {
    /// Its id.
    pub case: String,
    /// Its level.
    pub level: u8,
    /// The level's name, or the lane's.
    pub level_name: String,
    /// Kinds of harm, or the lane, in Japanese.
    pub kinds: String,
    /// 未受領, 対応中, 終了.
    pub state: String,
    /// Who has it.
    pub holder: Option<String>,
    /// Who is asking, by name.
    pub person: String,
    /// Roles that have not acknowledged yet, by name.
    pub missing: Vec<String>,
    /// Messages so far.
    pub messages: u64,
    /// What the manual advises.
    pub advice: Vec<String>,
    /// What this request did.
    pub done: Done,
}

/// What an operator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlagKind {
    /// This is abusive.
    Flag,
    /// 今すぐ代わってほしい
    SwapNow,
    /// 上司以外(相談窓口)に伝える
    OtherThanSupervisor,
}

/// An operator's own flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlagRequest {
    /// Id of this flag; sending the same id again adds nothing. Made where absent.
    #[serde(default)]
    pub id: Option<String>,
    /// The conversation, as the integrator names it.
    #[serde(default)]
    pub conversation: Option<String>,
    /// The customer, where there is no conversation.
    #[serde(default)]
    pub customer: Option<String>,
    /// Whose; `default` where absent.
    #[serde(default)]
    pub tenant: Option<String>,
    /// Queue; `default` where absent.
    #[serde(default)]
    pub queue: Option<String>,
    /// chat, email, phone, …; `chat` where absent.
    #[serde(default)]
    pub channel: Option<String>,
    /// Who flags.
    pub operator: String,
    /// What they ask for.
    pub kind: FlagKind,
    /// Level 2 to 4 as the operator sees it; 2 where absent, at least 3 for `swap_now`.
    #[serde(default)]
    pub level: Option<u8>,
    /// In their own words; shown to whoever is told.
    #[serde(default)]
    pub note: String,
}

/// What became of a flag, as its operator may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlagView {
    /// Id of the flag.
    pub flag: String,
    /// The case it stands in.
    pub case: String,
    /// 受付, 対応中, 結果.
    pub state: String,
    /// Who has it.
    pub by: Option<String>,
    /// The finding, in Japanese.
    pub finding: Option<String>,
    /// Why it was judged or closed so.
    pub reason: Option<String>,
}

/// Whether replies to a customer are held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HoldView {
    /// Held.
    pub hold: bool,
    /// The case that holds it.
    pub case: Option<String>,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// Who has the case.
    pub owner: Option<String>,
}

/// Cases, for whoever answers from outside the console.
#[async_trait]
pub trait CaseDesk: Send + Sync {
    /// What the bearer of a token sees. Changes nothing.
    async fn look(&self, token: &str) -> Result<AckView, DeskError>;
    /// What the bearer of a token does. Repeating changes nothing more.
    async fn act(&self, token: &str, act: Act) -> Result<AckView, DeskError>;
    /// A named person of the policy takes a case, told by a trusted system.
    async fn take(&self, case: &str, by: &str) -> Result<AckView, DeskError>;
    /// An operator's flag becomes a case, or part of one.
    async fn flag(&self, flag: FlagRequest) -> Result<FlagView, DeskError>;
    /// What became of a flag.
    async fn flagged(&self, tenant: Option<&str>, id: &str) -> Result<FlagView, DeskError>;
    /// Whether replies in a conversation are held.
    async fn hold(&self, tenant: Option<&str>, conversation: &str) -> Result<HoldView, DeskError>;
}
