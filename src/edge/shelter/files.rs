//! The files of the shelter: `<number>-<messages>.held`, each with the messages of one submission. Blocking.
//!
//! Each message is a line of JSON with everything of its envelope, the length and the digest of the payload, and then the payload. A
//! file is written under another name, synced and renamed, and the folder synced: under its own name it is complete. A lock makes
//! sure that one process uses a folder; the system releases it when the process dies.

use crate::edge::shelter::Held;
use crate::model::digest::Digest;
use crate::model::envelope::{ContentKind, Envelope, Purpose, Source};
use crate::model::ids::{QueueName, Tenant};
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Version of [`Header`].
const HEADER_VERSION: u32 = 1;

/// End of the names of complete files.
const COMPLETE: &str = "held";

/// End of the names of files that are being written.
const UNFINISHED: &str = "part";

#[derive(Serialize, Deserialize)]
struct Header {
    v: u32,
    kind: ContentKind,
    given_id: Option<String>,
    tenant: Tenant,
    queue: QueueName,
    received_at: Timestamp,
    source: Source,
    purpose: Purpose,
    bytes: usize,
    digest: Digest,
}

/// Why a file was not read.
#[derive(Debug)]
pub(in crate::edge::shelter) enum Unusable {
    /// Repeating may help.
    Broken(io::Error),
    /// It is not what was written.
    Damaged(String),
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Self::Damaged(error.to_string()),
            _ => Self::Broken(error),
        }
    }
}

/// The folder.
#[derive(Debug, Clone)]
pub(in crate::edge::shelter) struct Files {
    dir: PathBuf,
    names: Arc<std::sync::Mutex<BTreeMap<u64, PathBuf>>>,
    _lock: Arc<File>,
}

impl Files {
    /// Takes the folder, removes what is unfinished, and lists what waits.
    pub(in crate::edge::shelter) fn open(dir: &Path) -> io::Result<(Self, BTreeMap<u64, Held>)> {
        fs::create_dir_all(dir.join("aside"))?;
        let lock = File::options().create(true).truncate(false).write(true).open(dir.join("lock"))?;
        lock.try_lock().map_err(|error| io::Error::other(format!("another process uses it: {error}")))?;
        let (mut names, mut held) = (BTreeMap::new(), BTreeMap::new());
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            if path.extension().is_some_and(|end| end == UNFINISHED) {
                fs::remove_file(&path)?;
            } else if let Some((number, messages)) = numbers(&path) {
                let metadata = fs::metadata(&path)?;
                let since = Timestamp::try_from(metadata.modified()?).unwrap_or_else(|_| Timestamp::now());
                held.insert(number, Held { messages, bytes: metadata.len(), since });
                names.insert(number, path);
            }
        }
        sync(dir)?;
        Ok((Self { dir: dir.to_path_buf(), names: Arc::new(names.into()), _lock: Arc::new(lock) }, held))
    }

    /// Durable when this returns.
    pub(in crate::edge::shelter) fn write(&self, number: u64, messages: u64, bytes: &[u8]) -> io::Result<()> {
        let path = self.dir.join(format!("{number:016}-{messages}.{COMPLETE}"));
        let unfinished = path.with_extension(UNFINISHED);
        let written = File::create_new(&unfinished).and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
        let renamed = written.and_then(|()| fs::rename(&unfinished, &path)).and_then(|()| sync(&self.dir));
        if let Err(error) = renamed {
            // Nobody is told "accepted", so nothing may be handed over.
            _ = fs::remove_file(&unfinished);
            _ = fs::remove_file(&path);
            return Err(error);
        }
        self.with(|names| _ = names.insert(number, path));
        Ok(())
    }

    pub(in crate::edge::shelter) fn read(&self, number: u64) -> Result<Vec<Envelope>, Unusable> {
        unpack(&Bytes::from(fs::read(self.path(number)?)?)).map_err(Unusable::Damaged)
    }

    pub(in crate::edge::shelter) fn remove(&self, number: u64) -> io::Result<()> {
        fs::remove_file(self.path(number)?)?;
        self.with(|names| _ = names.remove(&number));
        sync(&self.dir)
    }

    pub(in crate::edge::shelter) fn set_aside(&self, number: u64) -> io::Result<()> {
        let path = self.path(number)?;
        let aside = self.dir.join("aside");
        // Numbers begin again when the folder is empty; the time keeps an older file of the same number.
        let name = format!("{}-{}", Timestamp::now().as_millisecond(), path.file_name().unwrap_or_default().to_string_lossy());
        match fs::rename(&path, aside.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.with(|names| _ = names.remove(&number));
        sync(&aside)?;
        sync(&self.dir)
    }

    fn path(&self, number: u64) -> io::Result<PathBuf> {
        self.with(|names| names.get(&number).cloned()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<u64, PathBuf>) -> T) -> T {
        act(&mut self.names.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// The bytes of a file.
pub(in crate::edge::shelter) fn pack(envelopes: &[Envelope]) -> io::Result<Vec<u8>> {
    let mut out = vec![];
    for envelope in envelopes {
        let header = Header {
            v: HEADER_VERSION,
            kind: envelope.kind,
            given_id: envelope.given_id.clone(),
            tenant: envelope.tenant.clone(),
            queue: envelope.queue.clone(),
            received_at: envelope.received_at,
            source: envelope.source,
            purpose: envelope.purpose,
            bytes: envelope.payload.len(),
            digest: Digest::of(&envelope.payload),
        };
        serde_json::to_writer(&mut out, &header)?;
        out.push(b'\n');
        out.extend_from_slice(&envelope.payload);
    }
    Ok(out)
}

fn unpack(bytes: &Bytes) -> Result<Vec<Envelope>, String> {
    let (mut rest, mut envelopes) = (bytes.clone(), vec![]);
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').ok_or("a header has no end")?;
        let line = rest.split_to(end + 1);
        let header: Header = serde_json::from_slice(&line).map_err(|error| format!("a header cannot be read: {error}"))?;
        if header.v > HEADER_VERSION {
            return Err("it was written by a newer version".to_owned());
        }
        if header.bytes > rest.len() {
            return Err("it is shorter than it says".to_owned());
        }
        let payload = rest.split_to(header.bytes);
        if Digest::of(&payload) != header.digest {
            return Err("a message is not what was accepted".to_owned());
        }
        let Header { kind, given_id, tenant, queue, received_at, source, purpose, .. } = header;
        envelopes.push(Envelope { kind, payload, given_id, tenant, queue, received_at, source, purpose });
    }
    if envelopes.is_empty() { Err("it is empty".to_owned()) } else { Ok(envelopes) }
}

/// Number and count of messages, from the name.
fn numbers(path: &Path) -> Option<(u64, u64)> {
    let name = path.file_name()?.to_str()?;
    let (number, messages) = name.strip_suffix(".held")?.split_once('-')?;
    Some((number.parse().ok()?, messages.parse().ok()?))
}

/// Makes the names in a folder durable.
#[cfg(unix)]
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}
