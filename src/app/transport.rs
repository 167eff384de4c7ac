//! The configured way out for alerts.

use crate::app::backend::access;
use crate::app::pop::Pop;
use crate::config::secret::Secrets;
use crate::config::settings::{NatsSettings, NotifySettings, Settings, SmtpSecurity, SubjectSettings, Transport};
use crate::edge::metrics::labels::AlertChannel;
use crate::edge::nats::Access;
use crate::edge::notify::Notifier;
use crate::edge::notify::outbox::Outbox;
use crate::edge::notify::smtp::{Proof, Relay, Security, Smtp};
use crate::edge::notify::switchboard::Switchboard;
use crate::edge::notify::webhook::{Shape, Target, Webhook};
use crate::policy::people::ChannelKind;
use crate::policy::{Channel, Policy};
use crate::wording::Texts;
use crate::wording::text::Text;
use anyhow::{Context, Result, anyhow};
use std::sync::Arc;

/// Builds the way out for every channel of the policy; connects to nothing. Without a mail relay everything goes to the folder.
pub fn notifier(settings: &Settings, secrets: &Secrets, policy: &Policy, texts: &Texts) -> Result<(AlertChannel, Arc<dyn Notifier>)> {
    let (settings, nats) = (&settings.notify, &settings.nats);
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
        let shape = match channel.kind {
            ChannelKind::Mail => {
                board.connect(&channel.id, mail.clone());
                continue;
            }
            ChannelKind::Nats => {
                if let Some(row) = settings.subjects.iter().find(|row| row.id == channel.id) {
                    board.connect(&channel.id, Arc::new(Pop::new(row.subject.clone(), subject_access(row, nats))));
                }
                continue;
            }
            ChannelKind::Webhook => Shape::Plain,
            ChannelKind::Slack => Shape::Slack,
            ChannelKind::Teams => Shape::Teams,
        };
        if let Some(target) = target(channel, shape, settings, secrets, texts) {
            let webhook = Webhook::new(&target).with_context(|| format!("channel `{}` cannot be used", channel.id))?;
            board.connect(&channel.id, Arc::new(webhook));
        }
    }
    Ok((AlertChannel::Smtp, Arc::new(board)))
}

/// What settings say of a channel that is an HTTP address.
fn target(channel: &Channel, shape: Shape, settings: &NotifySettings, secrets: &Secrets, texts: &Texts) -> Option<Target> {
    let (row, (url, key)) = settings.channels.iter().zip(&secrets.channels).find(|(row, _)| row.id == channel.id)?;
    let (url, secret) = (url.reveal().to_owned(), key.as_ref().map(|key| key.reveal().to_owned()));
    Some(Target { url, secret, private_hosts: row.private_hosts.clone(), shape, button: texts.plain(Text::TakeLink) })
}

/// How the servers of a subject are reached. Ours by default; one's own name or certificate takes the place of ours there. Servers
/// of its own are shown nothing of ours.
pub fn subject_access(row: &SubjectSettings, nats: &NatsSettings) -> Access {
    let names_itself = row.creds_file.is_some() || row.nkey_file.is_some();
    let ours = if row.url.is_none() { access(nats) } else { Access::default() };
    let (credentials, nkey) = if names_itself { (row.creds_file.clone(), row.nkey_file.clone()) } else { (ours.credentials, ours.nkey) };
    Access {
        url: row.url.clone().unwrap_or(ours.url),
        credentials,
        nkey,
        authority: row.ca_file.clone().or(ours.authority),
        client: row.client.clone().or(ours.client),
        tls: row.tls || ours.tls,
        inbox: row.inbox_prefix.clone().or(ours.inbox),
    }
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
