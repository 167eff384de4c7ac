//! The canary: a message that mimamori sends itself, through the real queue, the real judge and the real mail server.
//!
//! It is judged like any other and must be flagged; then one mail to an address that takes and forgets it must be accepted. It leaves
//! no trace anywhere else: no verdict, no case, no ledger, no evidence, no figure. One is under way at a time, whichever worker sent
//! it. When none has come back for too long, people are told (see [`crate::worker::alarm`]), and told when one has.
//!
//! A message is a canary only with a mark that nobody outside can make: the digest of its number and a secret of the store.

use crate::edge::notify::alarm::{Leg, Trouble};
use crate::edge::notify::{Outcome, Outgoing};
use crate::model::digest::Digest;
use crate::model::envelope::{ContentKind, Envelope, Identity, Purpose, Source};
use crate::model::ids::{QueueName, Tenant};
use crate::model::severity::Category;
use crate::model::verdict::Verdict;
use crate::policy::Recipient;
use crate::policy::people::ChannelKind;
use crate::store::record::{self, Change, Versioned};
use crate::store::{Bucket, Key, StoreError};
use crate::worker::{Worker, keys};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Name of the alarm about a canary that does not come back.
const STOPPED: &str = "stopped";

/// Pause between two looks at the record.
const LOOK: Duration = Duration::from_secs(1);

/// How long one worker tries to hand over the mail before another one may.
const MAILING_MAX: SignedDuration = SignedDuration::from_secs(90);

/// Pause before the mail is tried again.
const MAIL_PAUSE: Duration = Duration::from_secs(5);

/// What it says: a threat of the plainest kind, which every lexicon must flag.
const WORDS: &str = "これは見守りの試験です。今からそこへ行って、お前ら全員ぶっ殺してやる。";

/// How often, how patient, and how far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Pause between two.
    pub every: Duration,
    /// Time without one that came back after which people are told.
    pub late_after: Duration,
    /// Mail address that takes and forgets them; without one the way ends at the judgement.
    pub to: Option<String>,
}

/// Where the canary stands.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Flight {
    /// Known to the store alone.
    secret: String,
    /// Number of the newest one.
    number: u64,
    sent_at: Option<Timestamp>,
    judged_at: Option<Timestamp>,
    /// Somebody hands over the mail until then.
    mailing_until: Option<Timestamp>,
    /// The newest one came back.
    is_back: bool,
    /// When one came back last.
    last_back: Option<Timestamp>,
    /// How long that one took, in milliseconds.
    took_ms: u64,
}

impl Versioned for Flight {
    const VERSION: u32 = 1;
}

impl Flight {
    fn mark(&self, number: u64) -> String {
        let mark = Digest::of_fields(&[b"canary", self.secret.as_bytes(), &number.to_be_bytes()]).key();
        format!("canary-{number}-{mark}")
    }

    /// Whether this id is one of ours, the newest or an earlier one.
    fn is_ours(&self, id: &str) -> bool {
        let number = id.strip_prefix("canary-").and_then(|rest| rest.split_once('-')).and_then(|(number, _)| number.parse().ok());
        number.is_some_and(|number| self.mark(number) == id)
    }
}

fn key() -> Key {
    Key::new(Bucket::System, &["canary"])
}

/// Sends canaries and watches for them until `stop`.
pub async fn run(worker: Arc<Worker>, settings: Plan, stop: CancellationToken) {
    let (settings, started) = (Arc::new(settings), Timestamp::now());
    worker.metrics.canary(started, Duration::ZERO);
    while !stop.is_cancelled() {
        if let Err(error) = worker.look_at_canary(&settings, started).await {
            tracing::warn!(%error, "the canary cannot be looked at");
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

impl Worker {
    async fn look_at_canary(self: &Arc<Self>, settings: &Arc<Plan>, started: Timestamp) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let flight = match self.begin_flight(settings, now).await? {
            (flight, true) => {
                self.metrics.canary_sent();
                let sent = self.queue.submit(vec![canary(&flight, now)]).await.pop();
                if let Some(Err(error)) = sent {
                    tracing::warn!(%error, "the canary was not accepted");
                }
                flight
            }
            (flight, false) => flight,
        };
        if flight.judged_at.is_some() && !flight.is_back && flight.mailing_until.is_none_or(|until| until < now) {
            // By itself: a mail server that stalls must not keep the clock from being looked at.
            let (worker, settings, flight) = (Arc::clone(self), Arc::clone(settings), flight.clone());
            tokio::spawn(async move {
                if let Err(error) = worker.bring_back(&flight, &settings, now).await {
                    tracing::warn!(%error, "how far the canary came cannot be noted");
                }
            });
        }
        let last = flight.last_back.map_or(started, |back| back.max(started));
        self.metrics.canary(last, Duration::from_millis(flight.took_ms));
        if now.duration_since(last) > signed(settings.late_after) {
            let leg = if flight.judged_at.is_some() { Leg::Mail } else { Leg::Judging };
            return self.raise(STOPPED, Trouble::Stopped { leg, pending: self.pending().await }, last).await;
        }
        match flight.last_back {
            Some(back) => self.clear(STOPPED, back, self.pending().await).await,
            None => Ok(()),
        }
    }

    async fn pending(&self) -> Option<u64> {
        self.queue.state().await.ok().map(|state| state.pending)
    }

    /// Claims the next one if it is time; answers where the canary stands, and whether it is this worker's to send.
    async fn begin_flight(&self, settings: &Plan, now: Timestamp) -> Result<(Flight, bool), StoreError> {
        let fresh = data_encoding::HEXLOWER.encode(&keys::random()?);
        let decide = |known: Option<Flight>| {
            let mut flight = known.unwrap_or_else(|| Flight { secret: fresh.clone(), ..Flight::default() });
            // One that does not come back is given up when people are told of it; the next one shows whether it still is so.
            let pause = if flight.is_back { settings.every } else { settings.late_after };
            if flight.sent_at.is_some_and(|at| now < at + signed(pause)) {
                return Change::Keep((flight, false));
            }
            flight.number += 1;
            (flight.sent_at, flight.judged_at, flight.mailing_until, flight.is_back) = (Some(now), None, None, false);
            Change::Write(flight.clone(), (flight, true))
        };
        self.desk.change(&key(), decide).await
    }

    /// The last leg: the mail, if there is an address for it.
    async fn bring_back(&self, flight: &Flight, settings: &Plan, now: Timestamp) -> Result<(), StoreError> {
        let number = flight.number;
        if let Some(address) = &settings.to {
            let claim = |known: Option<Flight>| match known {
                Some(mut known) if known.number == number && !known.is_back && known.mailing_until.is_none_or(|until| until < now) => {
                    known.mailing_until = Some(now + MAILING_MAX);
                    Change::Write(known, true)
                }
                _ => Change::Keep(false),
            };
            if !self.desk.change::<Flight, bool>(&key(), claim).await? {
                return Ok(());
            }
            let Some(mail) = self.canary_mail(flight, address) else { return Ok(()) };
            let outcome = self.notifier.send(&mail).await;
            self.channels.note(&mail.to.channel, outcome, Timestamp::now());
            if outcome != Outcome::Sent {
                tracing::warn!(?outcome, "the mail of the canary has not left");
                let give_up = |known: Option<Flight>| match known {
                    Some(mut known) if known.number == number => {
                        known.mailing_until = None;
                        Change::Write(known, ())
                    }
                    _ => Change::Keep(()),
                };
                tokio::time::sleep(MAIL_PAUSE).await;
                return self.desk.change(&key(), give_up).await;
            }
        }
        let back = |known: Option<Flight>| match known {
            Some(mut known) if known.number == number && !known.is_back => {
                let now = Timestamp::now();
                let took = known.sent_at.map_or(SignedDuration::ZERO, |sent| now.duration_since(sent));
                known.took_ms = u64::try_from(took.as_millis()).unwrap_or(0);
                (known.is_back, known.last_back) = (true, Some(now));
                Change::Write(known, ())
            }
            _ => Change::Keep(()),
        };
        self.desk.change(&key(), back).await
    }

    fn canary_mail(&self, flight: &Flight, address: &str) -> Option<Outgoing> {
        let policy = self.policy();
        let channel = policy.channels.iter().find(|channel| channel.kind == ChannelKind::Mail)?;
        let domain = policy.sender.address.rsplit('@').next().unwrap_or("localhost");
        let words = format!("canary {}", flight.number);
        Some(Outgoing {
            message_id: format!("{}@{domain}", flight.mark(flight.number)),
            thread_id: format!("canary@{domain}"),
            from: policy.sender.clone(),
            to: Recipient { person: "canary".to_owned(), name: String::new(), channel: channel.id.clone(), address: address.to_owned() },
            subject: format!("mimamori {words}"),
            text: format!("{words}\n"),
            html: format!("<p>{words}</p>"),
            leaves_site: false,
            link: None,
            reply_to: None,
        })
    }

    /// Whether a message that says so is a canary of this store.
    pub(crate) async fn is_canary(&self, identity: &Identity, envelope: &Envelope) -> Result<bool, StoreError> {
        if envelope.purpose != Purpose::Canary {
            return Ok(false);
        }
        let flight = record::load::<Flight>(&*self.store, &key()).await?;
        let is_ours = flight.is_some_and(|(flight, _)| flight.is_ours(identity.id.as_str()));
        if !is_ours {
            tracing::warn!(id = %identity.id, "a message says that it is a canary, and is none of ours; judged like any other");
        }
        Ok(is_ours)
    }

    /// The canary was judged.
    pub(crate) async fn canary_judged(&self, identity: &Identity, verdict: &Verdict) -> Result<(), StoreError> {
        if !verdict.level.is_flagged() || !verdict.categories.contains(&Category::Threat) {
            tracing::error!(level = %verdict.level, "the canary was judged, and not flagged: the lexicons in use do not see a plain threat");
            return Ok(());
        }
        let judged = |known: Option<Flight>| match known {
            Some(mut known) if known.judged_at.is_none() && known.mark(known.number) == identity.id.as_str() => {
                known.judged_at = Some(Timestamp::now());
                Change::Write(known, ())
            }
            _ => Change::Keep(()),
        };
        self.desk.change(&key(), judged).await
    }
}

fn canary(flight: &Flight, now: Timestamp) -> Envelope {
    let id = flight.mark(flight.number);
    Envelope {
        kind: ContentKind::JsonLine,
        payload: Bytes::from(json!({ "id": id, "channel": "email", "text": WORDS }).to_string()),
        given_id: Some(id),
        tenant: Tenant::default(),
        queue: QueueName::default(),
        received_at: now,
        source: Source::Demo,
        purpose: Purpose::Canary,
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
