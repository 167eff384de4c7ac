//! The configured way out for alerts.

use crate::config::secret::Secrets;
use crate::config::settings::{NotifySettings, SmtpSecurity, Transport};
use crate::edge::metrics::labels::AlertChannel;
use crate::edge::notify::Notifier;
use crate::edge::notify::outbox::Outbox;
use crate::edge::notify::smtp::{Proof, Relay, Security, Smtp};
use crate::edge::notify::switchboard::Switchboard;
use crate::edge::notify::webhook::{Shape, Target, Webhook};
use crate::policy::Policy;
use crate::policy::people::ChannelKind;
use crate::wording::Texts;
use crate::wording::text::Text;
use anyhow::{Context, Result, anyhow};
use std::sync::Arc;

/// Builds the way out for every channel of the policy; connects to nothing. Without a mail relay everything goes to the folder.
pub fn notifier(settings: &NotifySettings, secrets: &Secrets, policy: &Policy, texts: &Texts) -> Result<(AlertChannel, Arc<dyn Notifier>)> {
    let mut board = Switchboard::default();
    if settings.transport == Transport::Outbox {
        let folder = settings.outbox_dir.clone();
        let outbox = Outbox::new(folder.clone()).with_context(|| format!("cannot make the outbox folder {}", folder.display()))?;
        let outbox = Arc::new(outbox);
        for channel in &policy.channels {
            board.connect(&channel.id, outbox.clone());
        }
        return Ok((AlertChannel::Outbox, Arc::new(board)));
    }
    let mail = Arc::new(mail(settings, secrets)?);
    for channel in &policy.channels {
        let row = settings.channels.iter().zip(&secrets.channels).find(|(row, _)| row.id == channel.id);
        match (channel.kind, row) {
            (ChannelKind::Mail, _) => board.connect(&channel.id, mail.clone()),
            (kind, Some((row, (url, key)))) => {
                let shape = match kind {
                    ChannelKind::Slack => Shape::Slack,
                    ChannelKind::Teams => Shape::Teams,
                    ChannelKind::Mail | ChannelKind::Webhook => Shape::Plain,
                };
                let (url, secret) = (url.reveal().to_owned(), key.as_ref().map(|key| key.reveal().to_owned()));
                let button = texts.plain(Text::TakeLink);
                let target = Target { url, secret, private_hosts: row.private_hosts.clone(), shape, button };
                let webhook = Webhook::new(&target).with_context(|| format!("channel `{}` cannot be used", channel.id))?;
                board.connect(&channel.id, Arc::new(webhook));
            }
            (_, None) => {}
        }
    }
    Ok((AlertChannel::Smtp, Arc::new(board)))
}

fn mail(settings: &NotifySettings, secrets: &Secrets) -> Result<Smtp> {
    let smtp = settings.smtp.as_ref().ok_or_else(|| anyhow!("transport \"smtp\" needs [notify.smtp]"))?;
    let authority = match &smtp.ca_file {
        Some(file) => Some(std::fs::read(file).with_context(|| format!("cannot read the certificate authority {}", file.display()))?),
        None => None,
    };
    let password = secrets.smtp_password.as_ref().map(|secret| Proof::Password(secret.reveal().to_owned()));
    let proof = smtp.token_file.clone().map(Proof::TokenFile).or(password);
    let credentials = smtp.user.clone().zip(proof);
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
    Smtp::new(relay).context("the mail relay settings cannot be used")
}
