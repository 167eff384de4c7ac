//! Alerts over HTTPS: a signed webhook, Slack, Teams.
//!
//! What leaves is number, level, kind and deadline: no word of the customer, no name. Signed as Standard Webhooks asks:
//! `webhook-id` stays the same over all attempts. Redirects are never followed, the address that was checked is the address
//! that is connected to, and the answer's body is not needed.

use crate::edge::notify::webhook::wire::Answer;
use crate::edge::notify::{Notifier, Outcome, Outgoing, Reason};
use async_trait::async_trait;
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;
use std::fmt;
use std::time::Duration;

pub mod event;
pub mod guard;
mod wire;

/// A whole exchange, from the name lookup to the status line: a pager that needs longer has missed its purpose.
pub const EXCHANGE_MAX: Duration = Duration::from_secs(10);

/// Reads a page of an address that was checked; nothing if there is no answer within [`EXCHANGE_MAX`].
pub async fn get(place: &guard::Place) -> Option<(u16, String)> {
    tokio::time::timeout(EXCHANGE_MAX, wire::get(place)).await.ok()?.ok()
}

/// How the body looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Our own fields.
    Plain,
    /// Slack incoming webhook.
    Slack,
    /// Teams workflow: an adaptive card.
    Teams,
}

/// Where to, and with which key.
#[derive(Clone)]
pub struct Target {
    /// The address; a secret for Slack and Teams.
    pub url: String,
    /// The signing key, `whsec_` and base64, or plain text.
    pub secret: Option<String>,
    /// Hosts that may be in private networks, or be reached without TLS.
    pub private_hosts: Vec<String>,
    /// How the body looks.
    pub shape: Shape,
    /// What stands on the button of Slack and Teams.
    pub button: String,
}

/// A webhook.
#[derive(Clone)]
pub struct Webhook {
    place: guard::Place,
    secret: Option<Vec<u8>>,
    shape: Shape,
    button: String,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("shape", &self.shape).finish_non_exhaustive()
    }
}

impl Webhook {
    /// Checks the address as far as it can be without a network.
    pub fn new(target: &Target) -> Result<Self, guard::Forbidden> {
        let place = guard::Place::parse(&target.url, &target.private_hosts)?;
        let secret = target.secret.as_ref().map(|text| key(text));
        Ok(Self { place, secret, shape: target.shape, button: target.button.clone() })
    }

    fn body(&self, alert: &Outgoing) -> Value {
        let subject = &alert.subject;
        // Words of a case only where somebody decided that this channel stays inside.
        let inside = (!alert.leaves_site).then_some(alert.text.as_str());
        match self.shape {
            Shape::Plain => alert.facts(),
            Shape::Slack => {
                let safe = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                let link = alert
                    .link
                    .as_ref()
                    .map(|link| format!("\n<{}|{}>", safe(link), safe(&self.button).replace('|', " ")))
                    .unwrap_or_default();
                let more = inside.map(|text| format!("\n{}", safe(text))).unwrap_or_default();
                json!({ "text": format!("{}{link}{more}", safe(subject)) })
            }
            Shape::Teams => json!({
                "type": "message",
                "attachments": [{
                    "contentType": "application/vnd.microsoft.card.adaptive",
                    "content": {
                        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
                        "body": std::iter::once(json!({ "type": "TextBlock", "text": subject, "wrap": true, "weight": "bolder" }))
                            .chain(inside.map(|text| json!({ "type": "TextBlock", "text": text, "wrap": true })))
                            .collect::<Vec<_>>(),
                        "actions": alert.link.iter().map(|link| json!({ "type": "Action.OpenUrl", "title": self.button, "url": link })).collect::<Vec<_>>(),
                    },
                }],
            }),
        }
    }
}

/// The bytes of a key: Standard Webhooks writes them as base64 behind `whsec_`.
fn key(text: &str) -> Vec<u8> {
    text.strip_prefix("whsec_").and_then(|coded| BASE64.decode(coded.as_bytes()).ok()).unwrap_or_else(|| text.as_bytes().to_vec())
}

/// `v1,` and the base64 of HMAC-SHA256 over id, time and body.
pub fn signature(secret: &[u8], id: &str, seconds: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{seconds}.").as_bytes());
    mac.update(body);
    format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()))
}

/// The headers of Standard Webhooks for a request made now.
fn headers(secret: Option<&[u8]>, id: &str, body: &str) -> Vec<(&'static str, String)> {
    let seconds = Timestamp::now().as_second();
    let mut headers = vec![("webhook-id", id.to_owned()), ("webhook-timestamp", seconds.to_string())];
    headers.extend(secret.map(|secret| ("webhook-signature", signature(secret, id, seconds, body.as_bytes()))));
    headers
}

#[async_trait]
impl Notifier for Webhook {
    async fn send(&self, alert: &Outgoing) -> Outcome {
        let body = self.body(alert).to_string();
        let headers = headers(self.secret.as_deref(), &alert.message_id, &body);
        match tokio::time::timeout(EXCHANGE_MAX, wire::post(&self.place, &headers, body)).await {
            Ok(Ok(answer)) => outcome(answer),
            Ok(Err(fault)) => fault.outcome(),
            Err(_) => Outcome::Transient { reason: Reason::Timeout, slow_down: false },
        }
    }
}

fn outcome(answer: Answer) -> Outcome {
    match (answer.status, answer.wait) {
        (200..=299, _) => Outcome::Sent,
        (429 | 503, Some(wait)) => Outcome::Later { wait },
        (429 | 503, None) => Outcome::Transient { reason: Reason::Busy, slow_down: true },
        (408 | 425 | 500..=599, _) => Outcome::Transient { reason: Reason::Busy, slow_down: false },
        (401 | 403, _) => Outcome::ChannelBroken { reason: Reason::Authentication },
        // A redirect would lead where nobody has checked; anything else needs a person, too.
        _ => Outcome::ChannelBroken { reason: Reason::Refused },
    }
}
