//! The operator's door, carried out on the cases: personal links, their flags, what became of them.

use crate::case::pass::{Pass, PassError};
use crate::edge::http::desk::{DeskError, FlagRequest, FlagView};
use crate::edge::http::door::{DoorRequest, DoorView, FORM_CHARS, FlagDoor};
use crate::model::digest::Digest;
use crate::model::ids::Tenant;
use crate::model::severity::Level;
use crate::policy::Track;
use crate::policy::route::Facts;
use crate::store::record::{self, Change, Versioned};
use crate::store::{Bucket, Key, StoreError};
use crate::worker::desk::Desk;
use crate::worker::keys;
use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Characters of a flag's id that say whose it is: enough that nobody's flags look like another's.
const OWNER_CHARS: usize = 16;

/// Links of an operator that were given out until then open nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct CalledBack {
    at: Timestamp,
}

impl Versioned for CalledBack {
    const VERSION: u32 = 1;
}

impl From<PassError> for DeskError {
    fn from(error: PassError) -> Self {
        if error == PassError::Expired { Self::Expired } else { Self::Forged }
    }
}

#[async_trait]
impl FlagDoor for Desk {
    async fn enter(&self, link: &str) -> Result<DoorView, DeskError> {
        let pass = self.pass(link).await?;
        let form = short(&Digest::of(&keys::random()?), FORM_CHARS);
        Ok(DoorView { has_consult: self.has_consult(&pass), operator: pass.operator, form })
    }

    async fn ask(&self, link: &str, request: DoorRequest) -> Result<FlagView, DeskError> {
        let pass = self.pass(link).await?;
        let conversation = request.conversation.trim();
        let kind = serde_json::to_vec(&request.kind).map_err(|error| DeskError::Invalid(error.to_string()))?;
        // The same form with other words is another wish.
        let own = Digest::of_fields(&[request.form.as_bytes(), &kind, conversation.as_bytes(), request.note.as_bytes()]);
        let flag = FlagRequest {
            id: Some(format!("{}{}", owner(&pass), short(&own, FORM_CHARS))),
            conversation: (!conversation.is_empty()).then(|| conversation.to_owned()),
            customer: None,
            tenant: Some(pass.tenant.to_string()),
            queue: Some(pass.queue.to_string()),
            channel: None,
            operator: pass.operator,
            kind: request.kind,
            level: None,
            note: request.note.trim().to_owned(),
        };
        self.take_flag(flag).await
    }

    async fn look_after(&self, link: &str, flag: &str) -> Result<FlagView, DeskError> {
        let pass = self.pass(link).await?;
        if !flag.starts_with(&owner(&pass)) {
            return Err(DeskError::Unknown("not a flag of this operator".to_owned()));
        }
        let mut view = self.flag_state(&pass.tenant, flag).await?;
        // Whoever acts at a terminal may have given their key; an operator knows names.
        let policy = self.policy();
        view.by = view.by.map(|by| policy.person_called(&by).map_or(by, |person| person.name.clone()));
        Ok(view)
    }
}

impl Desk {
    /// The last part of the address that opens the door to this operator.
    pub async fn give_link(&self, pass: &Pass, now: Timestamp) -> Result<String, StoreError> {
        Ok(pass.seal(&self.keys(now).await?))
    }

    /// From now on, no link opens the door that this operator has been given so far.
    pub async fn call_back_links(&self, tenant: &Tenant, operator: &str, now: Timestamp) -> Result<(), StoreError> {
        self.change::<CalledBack, ()>(&called_back(tenant, operator), |_| Change::Write(CalledBack { at: now }, ())).await
    }

    async fn pass(&self, link: &str) -> Result<Pass, DeskError> {
        let now = Timestamp::now();
        let pass = Pass::open(link, &self.keys(now).await?, now)?;
        let known = record::load::<CalledBack>(&*self.store, &called_back(&pass.tenant, &pass.operator)).await?;
        if known.is_some_and(|(known, _)| pass.given_at() <= known.at) {
            return Err(DeskError::Expired);
        }
        Ok(pass)
    }

    fn has_consult(&self, pass: &Pass) -> bool {
        let facts = Facts {
            tenant: Some(pass.tenant.to_string()),
            queue: Some(pass.queue.to_string()),
            ..Facts::of(Track::Consult, Level::Suspected)
        };
        self.policy().routes.iter().any(|route| route.ladder_for(&facts).is_some())
    }
}

/// Beginning of the ids of an operator's flags.
fn owner(pass: &Pass) -> String {
    let digest = Digest::of_fields(&[b"operator", pass.tenant.as_str().as_bytes(), pass.operator.as_bytes()]);
    format!("F-{}-", short(&digest, OWNER_CHARS))
}

fn short(digest: &Digest, characters: usize) -> String {
    digest.key().chars().take(characters).collect()
}

fn called_back(tenant: &Tenant, operator: &str) -> Key {
    let digest = Digest::of_fields(&[tenant.as_str().as_bytes(), operator.as_bytes()]);
    Key::new(Bucket::System, &["operator-link", &digest.key()])
}
