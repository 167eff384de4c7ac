//! Only one worker leases from a store at a time: an advisory lock on a file beside the database.
//!
//! The operating system releases the lock when its holder ends, however it ends; the process id inside the file only
//! serves the message to the person who starts a second worker.

use crate::store::StoreError;
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Why the worker lock was not given.
#[derive(Debug, thiserror::Error)]
pub enum WorkerLockError {
    /// Another worker runs on this store.
    #[error("another worker is running on this store{}", pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Held {
        /// Its process id, if it could be read.
        pid: Option<u32>,
    },
    /// The lock file cannot be used.
    #[error("cannot lock {}: {error}", path.display())]
    File {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The lock was free, but the leases of the worker before could not be released.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Held while a worker runs; released when dropped, or when the process ends in whatever way.
#[derive(Debug)]
#[must_use = "the lock is released when this is dropped"]
pub struct WorkerLock {
    _file: File,
}

/// Takes the lock that belongs to the store at `store`, without waiting.
pub fn take(store: &Path) -> Result<WorkerLock, WorkerLockError> {
    let mut name = OsString::from(store);
    name.push(".lock");
    let path = PathBuf::from(name);
    let failed = |error| WorkerLockError::File { path: path.clone(), error };
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {
            write_holder(&mut file).map_err(failed)?;
            Ok(WorkerLock { _file: file })
        }
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let pid = file.read_to_string(&mut holder).ok().and_then(|_| holder.trim().parse().ok());
            Err(WorkerLockError::Held { pid })
        }
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}
