//! The mail of an alert: plain text and HTML, threading by case, marked as automatic.

use crate::edge::notify::{Outgoing, header_text};
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use std::error::Error;

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
