//! The work queue: a durable pull consumer over the inbound stream, shared by all workers.
//!
//! The server's window of known ids is minutes long; a sender may repeat a message after days, and a second verdict on it would
//! alert twice. So accepted ids are remembered in a bucket of their own: the name is claimed first, then the message
//! published, then its acceptance noted. A crash between only means that the sender repeats and the server, or the worker's own
//! idempotency, recognises the message.
//!
//! Retries are counted beside the server's count of deliveries, so that what is left is deaths.

use crate::edge::nats::faults::Trouble;
use crate::edge::nats::hands::{Grip, sequence_of};
use crate::edge::nats::layout::{ACCEPTED_AT, inbound_bytes};
use crate::edge::nats::{Nats, letter, page, unavailable};
use crate::model::digest::Digest;
use crate::model::envelope::{Envelope, Identity, MESSAGE_BYTES_HARD};
use crate::model::ids::ID_BYTES_MAX;
use crate::store::{Accepted, Leased, Queue, QueueState, Settled, SettledPage, Settlement, StoreError};
use async_nats::jetstream::AckKind;
use async_nats::jetstream::context::PublishAckFuture;
use async_nats::jetstream::kv::{self, CreateErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::{RequestErrorKind, Subject};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Room for our own headers beside a message, in bytes: an id, a source, two times.
const LETTER_ROOM: usize = 4 << 10;

/// Acknowledgements of which one waits for its answer: a consumer that is gone is noticed after so many at the latest.
const CONFIRMED_EVERY: u64 = 32;

/// Pause while a suspect is out, or waits for the others to come back.
const CAREFUL_PAUSE: Duration = Duration::from_millis(50);

/// The same while messages wait until others of their sender are settled.
const TURN_PAUSE: Duration = Duration::from_millis(2);

/// Longest delay of a retry: a mistaken delay must not put a message away for ever.
const RETRY_DELAY_MAX: Duration = Duration::from_hours(24);

/// What a delivery went through beside being handed out.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(crate) struct Troubles {
    /// Given back on purpose.
    pub(crate) retries: u32,
    /// Handed out alone.
    pub(crate) solo: u32,
}

/// What becomes of one envelope.
enum Fate {
    Done(Result<Accepted, StoreError>),
    Sent { identity: Option<Identity>, variant: bool, ack: PublishAckFuture, tenant: crate::model::ids::Tenant, content: Digest },
}

impl Nats {
    pub(crate) fn accepted(&self) -> &kv::Store {
        &self.buckets[ACCEPTED_AT]
    }

    /// Whose content has this id: the claim of the first, made now if there is none.
    async fn claim(&self, name: &str, content: &Digest) -> Result<String, StoreError> {
        match self.accepted().create(name, Bytes::from(content.to_string())).await {
            Ok(_) => Ok(content.to_string()),
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {
                let found = self.accepted().get(name).await.map_err(unavailable)?;
                Ok(found.map_or_else(|| content.to_string(), |bytes| String::from_utf8_lossy(&bytes).into_owned()))
            }
            Err(error) => Err(unavailable(error)),
        }
    }

    /// Bytes that the queue takes of one message at most: our own headers and the server's words need room, too.
    pub fn limit(&self) -> usize {
        inbound_bytes(self.client.max_payload()).saturating_sub(LETTER_ROOM).min(MESSAGE_BYTES_HARD)
    }

    fn check(&self, envelope: &Envelope) -> Result<(), StoreError> {
        let (size, limit) = (envelope.payload.len(), self.limit());
        if size > limit {
            return Err(StoreError::TooLarge { size, limit });
        }
        match envelope.given_id.as_ref().map(String::len) {
            Some(size) if size > ID_BYTES_MAX => Err(StoreError::TooLarge { size, limit: ID_BYTES_MAX }),
            _ => Ok(()),
        }
    }

    async fn publish(&self, envelope: &Envelope, identity: Option<Identity>, variant: bool) -> Fate {
        let header = letter::header(envelope, identity.as_ref().map(|identity| &identity.id));
        let mut message = PublishMessage::build().payload(envelope.payload.clone()).header(letter::ENVELOPE, header);
        if let Some(identity) = &identity {
            message = message.message_id(identity.key());
        }
        let subject = letter::subject(&self.options.layout.inbound_prefix, envelope);
        match self.context.send_publish(subject, message).await {
            Ok(ack) => Fate::Sent { identity, variant, ack, tenant: envelope.tenant.clone(), content: Digest::of(&envelope.payload) },
            Err(error) => Fate::Done(Err(unavailable(error))),
        }
    }

    /// Waits for the server's word and notes the acceptance.
    async fn conclude(&self, fate: Fate) -> Result<Accepted, StoreError> {
        let (identity, variant, ack, tenant, content) = match fate {
            Fate::Done(answer) => return answer,
            Fate::Sent { identity, variant, ack, tenant, content } => (identity, variant, ack, tenant, content),
        };
        let ack = ack.await.map_err(unavailable)?;
        let Some(identity) = identity else {
            let id = crate::model::ids::MessageId(format!("n-{}", ack.sequence));
            return Ok(Accepted { identity: Identity { tenant, id, content }, duplicate: false, variant: false });
        };
        match self.accepted().create(&mark(&identity), Bytes::new()).await {
            Ok(_) => {}
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {}
            Err(error) => return Err(unavailable(error)),
        }
        Ok(Accepted { identity, duplicate: ack.duplicate, variant })
    }

    /// A final acknowledgement, confirmed by the server. A request, because the client's own takes the answer "nobody listens"
    /// of a deleted consumer for a yes.
    async fn confirm(&self, reply: &Subject, kind: AckKind) -> Result<(), StoreError> {
        self.client.request(reply.clone(), kind.into()).await.map(|_| ()).map_err(|error| {
            if error.kind() == RequestErrorKind::NoResponders {
                self.faults.note(Trouble::AckLost);
            }
            unavailable(error)
        })
    }

    /// Says that a message is done. Every verdict is there under its key, so a word that is lost costs a judgement and alerts nobody
    /// twice; under load only each [`CONFIRMED_EVERY`]th waits for the server's answer. Words of one connection are heard in order, so
    /// that answer stands for those before, and the last of a row is always such a one: what was finished before a stop stays finished.
    async fn acknowledge(&self, reply: Subject) -> Result<(), StoreError> {
        let count = self.acknowledged.fetch_add(1, Ordering::Relaxed);
        if self.hands.out() <= 1 || count.is_multiple_of(CONFIRMED_EVERY) {
            return self.confirm(&reply, AckKind::Ack).await;
        }
        if !self.is_connected() {
            return Err(unavailable("there is no connection"));
        }
        self.client.publish(reply, AckKind::Ack.into()).await.map_err(unavailable)
    }

    async fn is_full(&self) -> Result<bool, StoreError> {
        let info = self.consumer.get_info().await.map_err(unavailable)?;
        Ok(info.num_pending + info.num_ack_pending as u64 >= self.options.pending_max)
    }

    pub(crate) async fn troubles(&self, sequence: u64) -> Result<Troubles, StoreError> {
        let found = self.accepted().get(troubles_key(sequence)).await.map_err(unavailable)?;
        Ok(found.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }

    pub(crate) async fn note_troubles(&self, sequence: u64, troubles: &Troubles) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(troubles).map_err(unavailable)?;
        self.accepted().put(troubles_key(sequence), bytes.into()).await.map(|_| ()).map_err(unavailable)
    }

    /// Counts, durably and before it is handed out, that a suspect runs alone.
    async fn mark_solo(&self, leased: &mut [Leased]) -> Result<(), StoreError> {
        for one in leased.iter_mut().filter(|one| one.suspect) {
            let mut troubles = self.troubles(sequence_of(one.ticket)).await?;
            troubles.solo += 1;
            self.note_troubles(sequence_of(one.ticket), &troubles).await?;
            one.solo_deliveries = troubles.solo;
        }
        Ok(())
    }
}

fn mark(identity: &Identity) -> String {
    format!("id.{}", identity.key())
}

fn troubles_key(sequence: u64) -> String {
    format!("trouble.{sequence}")
}

#[async_trait]
impl Queue for Nats {
    async fn submit(&self, envelopes: Vec<Envelope>) -> Vec<Result<Accepted, StoreError>> {
        match self.is_full().await {
            Ok(false) => {}
            Ok(true) => {
                let full = StoreError::Full("too many messages wait".to_owned());
                return vec![Err(full); envelopes.len()];
            }
            Err(error) => return vec![Err(error); envelopes.len()],
        }
        let known: Vec<Option<Identity>> = envelopes.iter().map(Identity::of).collect();
        // Whoever comes first in this batch claims the name; claims of different names go side by side.
        let mut firsts: HashMap<String, Digest> = HashMap::new();
        for identity in
            envelopes.iter().zip(&known).filter(|(envelope, _)| self.check(envelope).is_ok()).filter_map(|(_, known)| known.as_ref())
        {
            firsts.entry(name(identity)).or_insert(identity.content);
        }
        let mut wanted: Vec<(String, Digest)> = firsts.into_iter().collect();
        wanted.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let claims = join_all(wanted.iter().map(|(name, content)| self.claim(name, content))).await;
        let claims: HashMap<String, Result<String, StoreError>> = wanted.into_iter().map(|(name, _)| name).zip(claims).collect();
        let named: Vec<Option<(Identity, bool)>> = known
            .into_iter()
            .map(|identity| {
                let identity = identity?;
                let first = claims.get(&name(&identity)).and_then(|claim| claim.as_ref().ok());
                let is_variant = first.is_some_and(|first| *first != identity.content.to_string());
                Some(if is_variant { (identity.variant(), true) } else { (identity, false) })
            })
            .collect();
        let marks = join_all(named.iter().map(|identity| async {
            match identity {
                Some((identity, _)) => self.accepted().get(mark(identity)).await.map(|found| found.is_some()).map_err(unavailable),
                None => Ok(false),
            }
        }))
        .await;
        let mut in_batch: HashMap<String, ()> = HashMap::new();
        let mut fates = vec![];
        for ((envelope, identity), marked) in envelopes.iter().zip(named).zip(marks) {
            let fate = match (self.check(envelope), identity, marked) {
                (Err(error), ..) | (_, _, Err(error)) => Fate::Done(Err(error)),
                (_, Some((identity, variant)), Ok(known)) => {
                    let repeated = in_batch.insert(identity.key(), ()).is_some();
                    let claim = claims.get(&name(&identity)).or_else(|| claims.get(&base_name(&identity, envelope)));
                    match claim {
                        Some(Err(error)) => Fate::Done(Err(error.clone())),
                        _ if known || repeated => Fate::Done(Ok(Accepted { identity, duplicate: true, variant })),
                        _ => self.publish(envelope, Some(identity), variant).await,
                    }
                }
                (_, None, Ok(_)) => self.publish(envelope, None, false).await,
            };
            fates.push(fate);
        }
        join_all(fates.into_iter().map(|fate| self.conclude(fate))).await
    }

    async fn lease(&self, limit: usize, longest: Duration) -> Result<Vec<Leased>, StoreError> {
        let end = Instant::now() + longest;
        if limit == 0 {
            return Ok(vec![]);
        }
        let mut pull = self.pull.lock().await;
        pull.resume();
        if longest.is_zero() && !self.hands.is_careful() {
            self.look(&mut pull, limit).await?;
        }
        loop {
            self.hands.let_go();
            // Nothing more is asked for while a suspect is out, or while too much waits for its turn.
            let room = limit.min(self.hands.spare(self.message_bytes()));
            let asks = !longest.is_zero() && room > 0 && (!self.hands.is_careful() || self.hands.out() == 0);
            self.gather(&mut pull, room.max(1), Instant::now(), asks).await?;
            let mut leased = self.hands.hand_out(limit).unwrap_or_default();
            if !leased.is_empty() {
                self.mark_solo(&mut leased).await?;
                return Ok(leased);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(vec![]);
            }
            if self.hands.is_careful() {
                let settled = self.hands.settled.notified();
                _ = tokio::time::timeout(left.min(CAREFUL_PAUSE), settled).await;
                pull.restart_clock();
            } else {
                // While some wait for their turn, the next one settled may end that.
                let longest = if self.hands.is_waiting() { TURN_PAUSE } else { self.options.lease / 4 };
                self.gather(&mut pull, room.max(1), end.min(Instant::now() + longest), asks).await?;
            }
        }
    }

    async fn settle(&self, ticket: u64, settlement: Settlement) -> Result<(), StoreError> {
        let sequence = sequence_of(ticket);
        match (self.hands.grip(ticket), settlement) {
            (Grip::Unknown, _) | (Grip::Late(_), Settlement::Retry(_)) => Ok(()),
            (Grip::Firm(reply) | Grip::Late(reply), Settlement::Done) => {
                self.acknowledge(reply).await?;
                self.hands.drop_sequence(sequence);
                Ok(())
            }
            (Grip::Firm(reply) | Grip::Late(reply), Settlement::Dead) => {
                self.confirm(&reply, AckKind::Term).await?;
                self.hands.drop_sequence(sequence);
                Ok(())
            }
            (Grip::Firm(reply), Settlement::Retry(delay)) => {
                let mut troubles = self.troubles(sequence).await?;
                troubles.retries += 1;
                // Alone and given back is no death either.
                troubles.solo = troubles.solo.saturating_sub(1);
                self.note_troubles(sequence, &troubles).await?;
                let delay = delay.min(RETRY_DELAY_MAX);
                let nak = AckKind::Nak((!delay.is_zero()).then_some(delay));
                self.client.publish(reply, nak.into()).await.map_err(unavailable)?;
                self.hands.drop_ticket(ticket);
                Ok(())
            }
        }
    }

    async fn state(&self) -> Result<QueueState, StoreError> {
        let info = self.look_at_consumer().await?;
        self.note_floor(&info).await;
        let pending = info.num_pending + info.num_ack_pending as u64;
        let layout = &self.options.layout;
        let oldest = if pending == 0 {
            None
        } else {
            let subject = format!("{}.>", layout.inbound_prefix);
            let rows = page::read(&self.client, &layout.inbound, &subject, info.ack_floor.stream_sequence + 1, 1).await?;
            rows.first().map(|row| row.at)
        };
        Ok(QueueState { pending, leased: self.hands.out(), oldest })
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.is_whole().await
    }

    async fn settled(&self, after: u64, limit: usize) -> Result<SettledPage, StoreError> {
        let newest = self.look_at_consumer().await?.ack_floor.stream_sequence;
        if newest <= after {
            return Ok(SettledPage { rows: vec![], newest });
        }
        let layout = &self.options.layout;
        let subject = format!("{}.>", layout.inbound_prefix);
        let found = page::read(&self.client, &layout.inbound, &subject, after + 1, limit).await?;
        let rows = found.into_iter().filter(|row| row.sequence <= newest).map(|row| {
            let message = letter::read(&row.subject, &row.headers, row.body, row.sequence, row.at);
            Settled { number: row.sequence, message: Some(message) }
        });
        Ok(SettledPage { rows: rows.collect(), newest })
    }

    /// The stream keeps its messages as long as its limits say.
    async fn forget_settled(&self, _: u64) -> Result<(), StoreError> {
        Ok(())
    }

    async fn hand_back(&self, all: bool) {
        self.return_all(all).await;
    }
}

/// The claim of an id, whatever its content.
fn name(identity: &Identity) -> String {
    let name = Digest::of_fields(&[identity.tenant.as_str().as_bytes(), identity.id.as_str().as_bytes()]);
    format!("name.{}", name.key())
}

/// The claim under which a variant was found.
fn base_name(identity: &Identity, envelope: &Envelope) -> String {
    Identity::of(envelope).map_or_else(|| name(identity), |base| name(&base))
}
