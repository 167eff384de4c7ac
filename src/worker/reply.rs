//! A supervisor answers an alert by mail: 「受領」. The reply comes in through the inbound queue like any mail.
//!
//! Believed only if its address carries a token that we signed, and it comes from the person to whom the token was given.
//! Everything else is judged as the customer's mail it may be: an address alone must not be a way around judging.

use crate::decode::reply::{self, Word};
use crate::edge::http::desk::{Act, DeskError};
use crate::model::envelope::ContentKind;
use crate::store::{Leased, StoreError};
use crate::worker::Worker;
use jiff::Timestamp;

/// Who acts when a reply says nothing we know.
const UNCLEAR: &str = "返信の1行目を読み取れませんでした(「受領」か「交代」とだけ書いてください)";

impl Worker {
    /// Carries out a reply to an alert; false if this is no such reply.
    pub(crate) async fn answered(&self, leased: &Leased) -> Result<bool, StoreError> {
        let Some(address) = &self.ways.reply_address else { return Ok(false) };
        if leased.envelope.kind != ContentKind::Rfc822 {
            return Ok(false);
        }
        let Some(reply) = reply::read(&leased.envelope.payload, address, &self.decode) else { return Ok(false) };
        let (case, person) = match self.desk.open(&reply.token).await {
            Ok(opened) => opened,
            Err(DeskError::Unavailable) => return Err(StoreError::Unavailable("the case of a reply cannot be read".to_owned())),
            Err(error) => {
                tracing::warn!(id = %leased.identity.id, %error, "a mail to the reply address is judged like any other");
                return Ok(false);
            }
        };
        if !person.reach.values().any(|known| known.eq_ignore_ascii_case(&reply.from)) {
            tracing::warn!(id = %leased.identity.id, "a reply comes from somebody else than the alert went to; judged like any other");
            return Ok(false);
        }
        if reply.is_automatic {
            tracing::info!(case = %case.id, by = %person.id, "an automatic reply takes no case");
            return Ok(true);
        }
        let act = match reply.word {
            Word::Take => Act::Take,
            Word::Pass => Act::Pass,
            Word::Unclear => {
                let (policy, now) = (self.policy(), Timestamp::now());
                self.desk
                    .act(&case, |case| {
                        case.remark(&person.name, UNCLEAR, &policy, now);
                        Some(())
                    })
                    .await?;
                return Ok(true);
            }
        };
        match self.desk.carry_out(&case, &person, act).await {
            Ok(_) => Ok(true),
            Err(_) => Err(StoreError::Unavailable("a reply could not be carried out".to_owned())),
        }
    }
}
