//! Alerts by mail.
//!
//! A fresh connection per alert: with a pool, a send that was cancelled by a timeout leaves a half-used connection
//! behind, and the next mail takes its late answer for its own. The library's own timeout covers only connecting, so
//! the whole transaction runs under an outer one. One recipient per mail, because a refused one would abort the others.

use crate::edge::notify::{Notifier, Outcome, Outgoing, Reason, header_text};
use async_trait::async_trait;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use std::error::Error;
use std::time::Duration;

/// Time to connect; a mail server that needs longer is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

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

/// The mail relay.
#[derive(Clone)]
pub struct Relay {
    /// Host name; also the name the certificate must carry.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Protection.
    pub security: Security,
    /// User and password.
    pub credentials: Option<(String, String)>,
    /// A further certificate authority, PEM.
    pub authority: Option<Vec<u8>>,
    /// Name given in EHLO.
    pub hello_name: Option<String>,
    /// Time for one whole transaction.
    pub timeout: Duration,
}

/// Sends through a relay.
pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    timeout: Duration,
}

impl Smtp {
    /// Checks the settings; connects to nothing.
    pub fn new(relay: Relay) -> Result<Self, lettre::transport::smtp::Error> {
        let tls = match relay.security {
            Security::None => Tls::None,
            security => {
                let mut parameters = TlsParameters::builder(relay.host.clone());
                if let Some(pem) = &relay.authority {
                    parameters = parameters.add_root_certificate(Certificate::from_pem(pem)?);
                }
                let parameters = parameters.build_rustls()?;
                if security == Security::Tls { Tls::Wrapper(parameters) } else { Tls::Required(parameters) }
            }
        };
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&relay.host).port(relay.port).tls(tls).timeout(Some(CONNECT_TIMEOUT));
        if let Some((user, password)) = relay.credentials {
            builder = builder.credentials(Credentials::new(user, password));
        }
        if let Some(name) = relay.hello_name {
            builder = builder.hello_name(ClientId::Domain(name));
        }
        Ok(Self { transport: builder.build(), timeout: relay.timeout })
    }
}

#[async_trait]
impl Notifier for Smtp {
    async fn send(&self, alert: &Outgoing) -> Outcome {
        if !alert.to.address.contains('@') {
            return Outcome::ChannelBroken { reason: Reason::Unconfigured };
        }
        let Ok(mail) = compose(alert) else { return Outcome::RecipientRefused { reason: Reason::Unsendable } };
        match tokio::time::timeout(self.timeout, self.transport.send(mail)).await {
            Ok(Ok(_)) => Outcome::Sent,
            Ok(Err(error)) => classify(&error),
            // Where the server stalled is unknown: it may have the mail. The same Message-ID goes out again, later.
            Err(_) => Outcome::Transient { reason: Reason::MaybeSent, slow_down: false },
        }
    }
}

fn classify(error: &lettre::transport::smtp::Error) -> Outcome {
    let code: Option<u16> = error.status().map(u16::from);
    match code {
        Some(421 | 432 | 452) => Outcome::Transient { reason: Reason::Busy, slow_down: true },
        Some(530 | 534 | 535 | 538) => Outcome::ChannelBroken { reason: Reason::Authentication },
        Some(400..=499) => Outcome::Transient { reason: Reason::Busy, slow_down: false },
        Some(500..=599) => Outcome::RecipientRefused { reason: Reason::Refused },
        _ if error.is_timeout() => Outcome::Transient { reason: Reason::Timeout, slow_down: false },
        _ if error.is_tls() => Outcome::ChannelBroken { reason: Reason::Tls },
        // A missing STARTTLS or AUTH is the server's set-up, not a passing fault.
        _ if error.is_client() => Outcome::ChannelBroken { reason: Reason::Tls },
        _ if error.source().is_some_and(|source| source.to_string().contains("certificate")) => {
            Outcome::ChannelBroken { reason: Reason::Tls }
        }
        _ => Outcome::Transient { reason: Reason::Connection, slow_down: false },
    }
}

macro_rules! fixed_header {
    ($(#[$doc:meta])* $type:ident, $name:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        struct $type(String);
        impl Header for $type {
            fn name() -> HeaderName {
                HeaderName::new_from_ascii_str($name)
            }
            fn parse(text: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
                Ok(Self(text.to_owned()))
            }
            fn display(&self) -> HeaderValue {
                HeaderValue::new(Self::name(), self.0.clone())
            }
        }
    };
}

fixed_header!(
    /// RFC 3834: nobody should answer automatically.
    AutoSubmitted,
    "Auto-Submitted"
);
fixed_header!(
    /// The same for Exchange.
    SuppressResponse,
    "X-Auto-Response-Suppress"
);
fixed_header!(
    /// Our own alert, should it come back through a customer's queue.
    Loop,
    "X-Mimamori-Loop"
);

/// The mail: plain text and HTML, threading by case, marked as automatic.
pub(crate) fn compose(alert: &Outgoing) -> Result<Message, Box<dyn Error + Send + Sync>> {
    let mailbox = |name: &str, address: &str| -> Result<Mailbox, Box<dyn Error + Send + Sync>> {
        let name = header_text(name);
        Ok(Mailbox::new((!name.is_empty()).then_some(name), address.parse()?))
    };
    let body = MultiPart::alternative()
        .singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(alert.text.clone()))
        .singlepart(SinglePart::builder().header(ContentType::TEXT_HTML).body(alert.html.clone()));
    let mut builder = Message::builder();
    if let Some(address) = &alert.reply_to {
        builder = builder.reply_to(mailbox(&alert.from.name, address)?);
    }
    let message = builder
        .from(mailbox(&alert.from.name, &alert.from.address)?)
        .to(mailbox(&alert.to.name, &alert.to.address)?)
        .subject(header_text(&alert.subject))
        .message_id(Some(format!("<{}>", alert.message_id)))
        .references(format!("<{}>", alert.thread_id))
        .header(AutoSubmitted("auto-generated".to_owned()))
        .header(SuppressResponse("All".to_owned()))
        .header(Loop("1".to_owned()))
        .multipart(body)?;
    Ok(message)
}
