//! The configured way out for alerts.

use crate::config::secret::Secrets;
use crate::config::settings::{NotifySettings, SmtpSecurity, Transport};
use crate::edge::metrics::labels::AlertChannel;
use crate::edge::notify::Notifier;
use crate::edge::notify::outbox::Outbox;
use crate::edge::notify::smtp::{Relay, Security, Smtp};
use anyhow::{Context, Result, anyhow};
use std::sync::Arc;

/// Builds the notifier; connects to nothing.
pub fn notifier(settings: &NotifySettings, secrets: &Secrets) -> Result<(AlertChannel, Arc<dyn Notifier>)> {
    if settings.transport == Transport::Outbox {
        let folder = settings.outbox_dir.clone();
        let outbox = Outbox::new(folder.clone()).with_context(|| format!("cannot make the outbox folder {}", folder.display()))?;
        return Ok((AlertChannel::Outbox, Arc::new(outbox)));
    }
    let smtp = settings.smtp.as_ref().ok_or_else(|| anyhow!("transport \"smtp\" needs [notify.smtp]"))?;
    let authority = match &smtp.ca_file {
        Some(file) => Some(std::fs::read(file).with_context(|| format!("cannot read the certificate authority {}", file.display()))?),
        None => None,
    };
    let credentials = smtp.user.clone().zip(secrets.smtp_password.as_ref().map(|secret| secret.reveal().to_owned()));
    let relay = Relay {
        host: smtp.host.clone(),
        port: smtp.port,
        security: match smtp.security {
            SmtpSecurity::StartTls => Security::StartTls,
            SmtpSecurity::Tls => Security::Tls,
            SmtpSecurity::None => Security::None,
        },
        credentials,
        authority,
        hello_name: smtp.hello_name.clone(),
        timeout: smtp.timeout,
    };
    Ok((AlertChannel::Smtp, Arc::new(Smtp::new(relay).context("the mail relay settings cannot be used")?)))
}
