//! Events to another system's webhook: signed as Standard Webhooks asks, to an address that was checked, without redirects.

use crate::edge::notify::Reason;
use crate::edge::notify::event::{EventSink, Handed};
use crate::edge::notify::webhook::guard::{Forbidden, Place};
use crate::edge::notify::webhook::wire::{self, Answer, Fault};
use crate::edge::notify::webhook::{EXCHANGE_MAX, headers, key};
use crate::model::event::EventKind;
use async_trait::async_trait;
use std::fmt;

/// A webhook that takes events.
pub struct EventHook {
    place: Place,
    secret: Vec<u8>,
}

impl fmt::Debug for EventHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventHook").finish_non_exhaustive()
    }
}

impl EventHook {
    /// Checks the address as far as it can be without a network. `secret` is `whsec_` and base64, or plain text.
    pub fn new(url: &str, secret: &str, private_hosts: &[String]) -> Result<Self, Forbidden> {
        Ok(Self { place: Place::parse(url, private_hosts)?, secret: key(secret) })
    }
}

#[async_trait]
impl EventSink for EventHook {
    async fn hand_over(&self, _kind: EventKind, id: &str, body: &str) -> Handed {
        let headers = headers(Some(&self.secret), id, body);
        match tokio::time::timeout(EXCHANGE_MAX, wire::post(&self.place, &headers, body.to_owned())).await {
            Ok(Ok(answer)) => handed(answer),
            Ok(Err(fault)) => faulty(fault),
            Err(_) => Handed::Later { reason: Reason::Timeout, wait: None },
        }
    }
}

fn handed(answer: Answer) -> Handed {
    match answer.status {
        200..=299 => Handed::Accepted,
        410 => Handed::Gone,
        408 | 425 | 429 | 500..=599 => Handed::Later { reason: Reason::Busy, wait: answer.wait },
        401 | 403 => Handed::Refused { reason: Reason::Authentication },
        // A redirect would lead where nobody has checked; anything else needs a person, too.
        _ => Handed::Refused { reason: Reason::Refused },
    }
}

fn faulty(fault: Fault) -> Handed {
    let reason = match fault {
        Fault::Connection => Reason::Connection,
        Fault::Forbidden => return Handed::Refused { reason: Reason::Refused },
        Fault::Tls => Reason::Tls,
        Fault::Cut => Reason::MaybeSent,
    };
    Handed::Later { reason, wait: None }
}
