//! Which files have come to rest. Pure: time is an argument.

use crate::edge::spool::{Found, SETTLE};
use std::collections::BTreeMap;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{Instant, UNIX_EPOCH};

/// Size, time and identity of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::edge::spool) struct Stamp {
    length: u64,
    modified_nanoseconds: u128,
    inode: (u64, u64),
}

impl Stamp {
    pub(in crate::edge::spool) fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Self { length: metadata.len(), modified_nanoseconds: modified.unwrap_or_default().as_nanos(), inode: inode(metadata) }
    }

    pub(in crate::edge::spool) fn length(self) -> u64 {
        self.length
    }

    pub(in crate::edge::spool) fn modified_nanoseconds(self) -> u128 {
        self.modified_nanoseconds
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> (u64, u64) {
    (0, 0)
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    stamp: Stamp,
    since: Instant,
    not_before: Option<Instant>,
}

/// What was seen at earlier looks; holds only files that are still there.
#[derive(Debug, Default)]
pub(in crate::edge::spool) struct Watch {
    seen: BTreeMap<PathBuf, Seen>,
}

impl Watch {
    /// Of the files found now, those that have been the same for [`SETTLE`], in the order of their names.
    pub(in crate::edge::spool) fn settled(&mut self, found: Found, now: Instant) -> Found {
        let mut before = std::mem::take(&mut self.seen);
        let mut settled = vec![];
        for (path, stamp) in found {
            let seen = match before.remove(&path) {
                Some(seen) if seen.stamp == stamp => seen,
                _ => Seen { stamp, since: now, not_before: None },
            };
            if now.duration_since(seen.since) >= SETTLE && seen.not_before.is_none_or(|at| now >= at) {
                settled.push((path.clone(), stamp));
            }
            self.seen.insert(path, seen);
        }
        settled.sort_by(|a, b| a.0.cmp(&b.0));
        settled
    }

    /// Leaves a file alone until `at`.
    pub(in crate::edge::spool) fn postpone(&mut self, path: &Path, at: Instant) {
        if let Some(seen) = self.seen.get_mut(path) {
            seen.not_before = Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn stamp(length: u64) -> Stamp {
        Stamp { length, modified_nanoseconds: 1, inode: (1, 1) }
    }

    #[test]
    fn only_files_at_rest_are_taken() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut watch = Watch::default();
        let path = PathBuf::from("a.eml");
        for (milliseconds, length, expected) in [
            (0, 5, 0),
            (400, 5, 0),
            (500, 5, 1),
            (600, 9, 0), // grew after all
            (1_000, 9, 0),
            (1_100, 9, 1),
        ] {
            let taken = watch.settled(vec![(path.clone(), stamp(length))], at(milliseconds));
            assert_eq!(taken.len(), expected, "at {milliseconds} ms");
        }
        watch.postpone(&path, at(6_000));
        assert!(watch.settled(vec![(path.clone(), stamp(9))], at(5_999)).is_empty());
        assert_eq!(watch.settled(vec![(path.clone(), stamp(9))], at(6_000)).len(), 1);
        assert!(watch.settled(vec![], at(7_000)).is_empty());
        assert!(watch.seen.is_empty(), "a file that went away is forgotten");
    }
}
