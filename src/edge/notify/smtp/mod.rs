//! Alerts by mail.
//!
//! A fresh connection per alert: with a pool, a send that was cancelled by a timeout leaves a half-used connection
//! behind, and the next mail takes its late answer for its own. The dialogue is driven step by step, because only the
//! step tells what a fault means: before the text nothing was sent, after it perhaps; a refused sender breaks the channel, a
//! refused recipient does not. One recipient per mail, because a refused one would abort the others.

use crate::edge::notify::{Notifier, Outcome, Outgoing, Reason};
use async_trait::async_trait;
use dialogue::{Fault, Step, Why};
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

mod compose;
mod dialogue;

pub(crate) use compose::compose;

/// Largest access token, in bytes: real ones are 1 to 4 KiB, and grow with the groups of their account.
const TOKEN_BYTES_MAX: u64 = 16 << 10;

/// Time to read the token: a folder on a network that hangs must not hold an alert.
const TOKEN_READ_MAX: Duration = Duration::from_secs(2);

/// How the connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// STARTTLS, required.
    StartTls,
    /// TLS from the first byte.
    Tls,
    /// None.
    None,
}

/// How we show who we are.
#[derive(Clone)]
pub enum Proof {
    /// PLAIN or LOGIN.
    Password(String),
    /// XOAUTH2 with the token of this file, read for every mail: whatever refreshes it writes a new one there.
    TokenFile(PathBuf),
}

/// The mail relay.
#[derive(Clone)]
pub struct Relay {
    /// Host name; also the name the certificate must carry.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Protection.
    pub security: Security,
    /// User, and how it is proven.
    pub credentials: Option<(String, Proof)>,
    /// A further certificate authority, PEM.
    pub authority: Option<Vec<u8>>,
    /// Name given in EHLO.
    pub hello_name: Option<String>,
    /// Time for one whole transaction.
    pub timeout: Duration,
}

/// Sends through a relay.
pub struct Smtp {
    relay: Relay,
    tls: Option<TlsParameters>,
    hello: ClientId,
}

impl Smtp {
    /// Checks the settings; connects to nothing.
    pub fn new(relay: Relay) -> Result<Self, lettre::transport::smtp::Error> {
        let tls = match relay.security {
            Security::None => None,
            Security::StartTls | Security::Tls => {
                let mut parameters = TlsParameters::builder(relay.host.clone());
                if let Some(pem) = &relay.authority {
                    parameters = parameters.add_root_certificate(Certificate::from_pem(pem)?);
                }
                Some(parameters.build_rustls()?)
            }
        };
        let hello = relay.hello_name.clone().map_or_else(ClientId::default, ClientId::Domain);
        Ok(Self { relay, tls, hello })
    }

    /// What is shown to the server, read anew for every mail.
    async fn login(&self) -> Result<Option<(Credentials, &'static [Mechanism])>, Outcome> {
        let Some((user, proof)) = &self.relay.credentials else { return Ok(None) };
        let (secret, mechanisms): (String, &[Mechanism]) = match proof {
            Proof::Password(password) => (password.clone(), &[Mechanism::Plain, Mechanism::Login]),
            Proof::TokenFile(file) => {
                let read = tokio::time::timeout(TOKEN_READ_MAX, token(file.clone())).await;
                let token = read.ok().flatten().ok_or(Outcome::ChannelBroken { reason: Reason::Authentication })?;
                (token, &[Mechanism::Xoauth2])
            }
        };
        Ok(Some((Credentials::new(user.clone(), secret), mechanisms)))
    }
}

#[async_trait]
impl Notifier for Smtp {
    async fn send(&self, alert: &Outgoing) -> Outcome {
        if !alert.to.address.contains('@') {
            return Outcome::RecipientRefused { reason: Reason::Unsendable };
        }
        let Ok(mail) = compose(alert) else { return Outcome::RecipientRefused { reason: Reason::Unsendable } };
        match self.login().await {
            Ok(login) => self.deliver(login, mail.envelope(), &mail.formatted()).await.map_or_else(outcome, |()| Outcome::Sent),
            Err(broken) => broken,
        }
    }
}

/// A token that can be sent: one line without anything that could end it early.
async fn token(file: PathBuf) -> Option<String> {
    use tokio::io::AsyncReadExt;
    let mut text = String::new();
    tokio::fs::File::open(file).await.ok()?.take(TOKEN_BYTES_MAX + 1).read_to_string(&mut text).await.ok()?;
    let token = text.trim();
    let is_sound = !token.is_empty() && text.len() as u64 <= TOKEN_BYTES_MAX && token.bytes().all(|c| c.is_ascii_graphic());
    is_sound.then(|| token.to_owned())
}

/// What a fault means for the alert.
fn outcome(fault: Fault) -> Outcome {
    let step = fault.step;
    // Before the text was handed over nothing was sent; after it the server may have it.
    let later = |before: Reason| {
        let reason = if step == Step::Text { Reason::MaybeSent } else { before };
        Outcome::Transient { reason, slow_down: false }
    };
    let error = match fault.why {
        Why::Error(error) => error,
        Why::Time => return later(Reason::Timeout),
        Why::OutOfStep => return later(Reason::Connection),
    };
    let code: Option<u16> = error.status().map(u16::from);
    match (code, step) {
        (Some(421 | 432 | 452), _) => Outcome::Transient { reason: Reason::Busy, slow_down: true },
        (Some(400..=499), _) => Outcome::Transient { reason: Reason::Busy, slow_down: false },
        (Some(530 | 534 | 535 | 538), _) | (Some(500..=599), Step::Login) => Outcome::ChannelBroken { reason: Reason::Authentication },
        // Greeting, names and sender are the same for every recipient.
        (Some(500..=599), Step::Connect | Step::Protect | Step::Sender) => Outcome::ChannelBroken { reason: Reason::Refused },
        (Some(500..=599), _) => Outcome::RecipientRefused { reason: Reason::Refused },
        (_, Step::Text) => Outcome::Transient { reason: Reason::MaybeSent, slow_down: false },
        _ if error.is_timeout() => Outcome::Transient { reason: Reason::Timeout, slow_down: false },
        // A missing STARTTLS or AUTH is the server's set-up, not a passing fault.
        (_, Step::Login) if error.is_client() => Outcome::ChannelBroken { reason: Reason::Authentication },
        _ if error.is_tls() || error.is_client() || speaks_of_certificates(&error) => Outcome::ChannelBroken { reason: Reason::Tls },
        _ => Outcome::Transient { reason: Reason::Connection, slow_down: false },
    }
}

fn speaks_of_certificates(error: &lettre::transport::smtp::Error) -> bool {
    error.source().is_some_and(|source| source.to_string().contains("certificate"))
}
