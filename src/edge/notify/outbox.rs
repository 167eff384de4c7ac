//! The default channel: one `.eml` file per alert in a folder. Nobody is told; `run` says so at start.

use crate::edge::notify::smtp::compose;
use crate::edge::notify::{Notifier, Outcome, Outgoing, Reason};
use crate::model::digest::Digest;
use async_trait::async_trait;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A folder of alerts.
#[derive(Debug, Clone)]
pub struct Outbox {
    folder: PathBuf,
}

impl Outbox {
    /// Makes the folder.
    pub fn new(folder: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// The file of an alert: the same for every attempt, so that a repeat overwrites itself.
    fn file(&self, alert: &Outgoing) -> PathBuf {
        let case = alert.thread_id.split('@').next().unwrap_or_default();
        let unique: String = Digest::of(alert.message_id.as_bytes()).key().chars().take(16).collect();
        self.folder.join(format!("{case}-{unique}.eml"))
    }
}

#[async_trait]
impl Notifier for Outbox {
    async fn send(&self, alert: &Outgoing) -> Outcome {
        // What would leave by another channel is kept as a mail, too; `.invalid` (RFC 2606) is nobody's address.
        let mut alert = alert.clone();
        if !alert.to.address.contains('@') {
            alert.to.address = format!("{}@{}.invalid", alert.to.address, alert.to.channel);
        }
        let Ok(mail) = compose(&alert) else { return Outcome::RecipientRefused { reason: Reason::Unsendable } };
        let (file, bytes) = (self.file(&alert), mail.formatted());
        match tokio::task::spawn_blocking(move || write(&file, &bytes)).await {
            Ok(Ok(())) => Outcome::Sent,
            Ok(Err(_)) | Err(_) => Outcome::Transient { reason: Reason::Disk, slow_down: false },
        }
    }
}

/// Whole or not at all, also after a power cut: temporary file, flush, rename, flush of the folder.
fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().ok_or(io::ErrorKind::NotFound)?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(file).map_err(|error| error.error)?;
    std::fs::File::open(folder)?.sync_all()
}
