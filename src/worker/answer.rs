//! People's answers from outside the console, carried out on the cases: links, calls of trusted systems, holds.

use crate::case::people::Taking;
use crate::case::token::{AckToken, TokenError};
use crate::case::{CaseRecord, CaseState};
use crate::edge::http::desk::{AckView, Act, CaseDesk, DeskError, Done, FlagRequest, FlagView, HoldView};
use crate::model::ids::{ConversationId, CustomerId, MessageId, Tenant};
use crate::model::message::conversation_key;
use crate::policy::{Person, Policy, Track};
use crate::store::{Bucket, Key, StoreError, record};
use crate::worker::desk::{Desk, Found};
use async_trait::async_trait;
use jiff::Timestamp;

impl From<StoreError> for DeskError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "an answer could not be carried out");
        Self::Unavailable
    }
}

impl From<TokenError> for DeskError {
    fn from(error: TokenError) -> Self {
        if error == TokenError::Expired { Self::Expired } else { Self::Forged }
    }
}

#[async_trait]
impl CaseDesk for Desk {
    async fn look(&self, token: &str) -> Result<AckView, DeskError> {
        let (case, person) = self.open(token).await?;
        Ok(view(&case, &person.name, &self.policy(), Done::Looked))
    }

    async fn act(&self, token: &str, act: Act) -> Result<AckView, DeskError> {
        let (case, person) = self.open(token).await?;
        self.carry_out(&case, &person, act).await
    }

    async fn take(&self, case: &str, by: &str) -> Result<AckView, DeskError> {
        let policy = self.policy();
        let person = policy.person_called(by).filter(|person| !person.disabled);
        let person = person.ok_or_else(|| DeskError::Unknown(format!("nobody in the policy is called `{by}`")))?;
        match self.find(case).await? {
            Found::One(case) => self.carry_out(&case, person, Act::Take).await,
            Found::None | Found::Many(_) => Err(DeskError::Unknown(format!("there is no case `{case}`"))),
        }
    }

    async fn flag(&self, flag: FlagRequest) -> Result<FlagView, DeskError> {
        self.take_flag(flag).await
    }

    async fn flagged(&self, tenant: Option<&str>, id: &str) -> Result<FlagView, DeskError> {
        self.flag_state(&tenant_of(tenant)?, id).await
    }

    async fn hold(&self, tenant: Option<&str>, conversation: &str) -> Result<HoldView, DeskError> {
        let (tenant, nothing) = (tenant_of(tenant)?, MessageId(String::new()));
        // Where the integrator knows customers only, their id is the conversation.
        let of_conversation = conversation_key(&tenant, Some(&ConversationId(conversation.to_owned())), None, &nothing);
        let of_customer = conversation_key(&tenant, None, Some(&CustomerId(conversation.to_owned())), &nothing);
        for scope in [of_conversation, of_customer] {
            let rows = self.store.scan(&Key::new(Bucket::Case, &[&scope])).await?;
            let Some(row) = rows.last() else { continue };
            let case: CaseRecord = record::decode(&row.value)?;
            let owner = holder(&case);
            if let Some(hold) = case.hold {
                return Ok(HoldView { hold: true, case: Some(case.id.0), since: Some(hold.since), reason: Some(hold.reason), owner });
            }
        }
        Ok(HoldView { hold: false, case: None, since: None, reason: None, owner: None })
    }
}

impl Desk {
    /// The case a token opens, and for whom.
    pub(crate) async fn open(&self, token: &str) -> Result<(CaseRecord, Person), DeskError> {
        let now = Timestamp::now();
        let parsed = AckToken::parse(token)?;
        let Found::One(case) = self.find(&parsed.case).await? else { return Err(DeskError::Forged) };
        let policy = self.policy();
        let person = parsed.bearer(&self.keys(now).await?, &case, &policy, now)?.clone();
        Ok((*case, person))
    }

    /// Takes a case or passes it on, for a person who proved to be one of the policy.
    pub(crate) async fn carry_out(&self, case: &CaseRecord, person: &Person, act: Act) -> Result<AckView, DeskError> {
        let (policy, now) = (self.policy(), Timestamp::now());
        let done = match act {
            Act::Take => {
                let taken = Desk::act(self, case, |case| Some(case.acknowledge(&person.id, &policy, now))).await?;
                match taken.unwrap_or(Taking::Unchanged) {
                    Taking::Whole => Done::Taken,
                    Taking::Partly { .. } => Done::Partly,
                    Taking::NotTheirs { .. } => Done::NotTheirs,
                    Taking::Unchanged => Done::Unchanged,
                }
            }
            Act::Pass => {
                let pass = |case: &mut CaseRecord| {
                    // A second press, or a reload of the page, must not wake yet another rung.
                    let again = case.spared.contains(&person.id) && case.state == CaseState::Open;
                    (again || case.hand_over(&person.id, &policy, now)).then_some(Done::Passed)
                };
                Desk::act(self, case, pass).await?.unwrap_or(Done::Unchanged)
            }
        };
        tracing::info!(case = %case.id, by = %person.id, ?done, "answered");
        let Found::One(after) = self.find(case.id.as_str()).await? else { return Err(DeskError::Unavailable) };
        Ok(view(&after, &person.name, &policy, done))
    }
}

pub(crate) fn tenant_of(name: Option<&str>) -> Result<Tenant, DeskError> {
    name.map_or_else(|| Ok(Tenant::default()), |name| Tenant::new(name).map_err(|why| DeskError::Invalid(why.to_string())))
}

pub(crate) fn holder(case: &CaseRecord) -> Option<String> {
    match &case.state {
        CaseState::Open => None,
        CaseState::Acknowledged { by, .. } | CaseState::Closed { by, .. } => Some(by.clone()),
    }
}

fn view(case: &CaseRecord, person: &str, policy: &Policy, done: Done) -> AckView {
    let track = case.tracks.first().copied().unwrap_or(Track::Harassment);
    let kinds = if track == Track::Harassment {
        case.categories.iter().map(|category| category.name()).collect::<Vec<_>>().join("・")
    } else {
        case.tracks.iter().map(|track| track.name()).collect::<Vec<_>>().join("・")
    };
    let is_open = case.state == CaseState::Open;
    let missing = case.slots(policy).into_iter().filter(|slot| is_open && !case.taken.contains_key(slot));
    AckView {
        case: case.id.to_string(),
        level: case.level.number(),
        level_name: if track == Track::Harassment { format!("{} {}", case.level, case.level.name()) } else { track.name().to_owned() },
        kinds,
        state: case.state.name().to_owned(),
        holder: holder(case),
        person: person.to_owned(),
        missing: missing.map(|slot| policy.name_of(&slot).to_owned()).collect(),
        messages: case.message_count(),
        advice: case.ladder(track, policy).advice.clone(),
        done,
    }
}
