//! The folders of the spool: finding, reading and moving files. Blocking; never deletes, never overwrites, never follows a link.

use crate::edge::intake::Refused;
use crate::edge::spool::watch::Stamp;
use crate::edge::spool::{FILE_BYTES_MAX, Found};
use serde::Serialize;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

/// Files looked at in one round: a folder with a million files is worked off in portions.
const FILES_MAX: usize = 10_000;

/// Rows of one report; the file itself is kept, so nothing is lost beyond them.
const REPORT_ROWS_MAX: usize = 1_000;

/// Files of the same name on the same day before a move gives up.
const SAME_NAME_MAX: usize = 10_000;

/// Names that their writer has not finished.
const UNFINISHED: [&str; 2] = ["tmp", "part"];

/// What was refused in a file.
#[derive(Debug, Default)]
pub(in crate::edge::spool) struct Report {
    rows: Vec<Refused>,
    more: usize,
}

impl Report {
    pub(in crate::edge::spool) fn of(refused: Refused) -> Self {
        Self { rows: vec![refused], more: 0 }
    }

    pub(in crate::edge::spool) fn add(&mut self, refused: Refused) {
        if self.rows.len() < REPORT_ROWS_MAX {
            self.rows.push(refused);
        } else {
            self.more += 1;
        }
    }

    pub(in crate::edge::spool) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Why a file was not read.
#[derive(Debug)]
pub(in crate::edge::spool) enum Unread {
    /// It is not the file that came to rest; look again.
    Changed,
    /// It will never be read.
    Refused(Refused),
    /// The disk or network failed; repeating may help.
    Broken(io::Error),
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        let refused = |code, message: &str| Self::Refused(Refused { line: 0, code, message: message.to_owned(), original: vec![] });
        match error.kind() {
            io::ErrorKind::NotFound => Self::Changed,
            io::ErrorKind::PermissionDenied => refused("unreadable", "the file may not be read"),
            _ => Self::Broken(error),
        }
    }
}

/// The watched folder and its sub-folders.
#[derive(Debug, Clone)]
pub(in crate::edge::spool) struct Folders {
    top: PathBuf,
    new: PathBuf,
    done: PathBuf,
    failed: PathBuf,
}

#[derive(Serialize)]
struct Row<'a> {
    line: u64,
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    original: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_base64: Option<String>,
}

impl Folders {
    pub(in crate::edge::spool) fn open(top: &Path) -> io::Result<Self> {
        let top = top.to_path_buf();
        let folders = Self { new: top.join("new"), done: top.join("done"), failed: top.join("failed"), top };
        for folder in [&folders.new, &folders.done, &folders.failed] {
            fs::create_dir_all(folder)?;
        }
        Ok(folders)
    }

    /// The files that may be taken, with their state.
    pub(in crate::edge::spool) fn scan(&self) -> io::Result<Found> {
        let mut found = vec![];
        for folder in [&self.new, &self.top] {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                if found.len() >= FILES_MAX {
                    return Ok(found);
                }
                // Neither call follows a link; a file that vanished meanwhile is not an error.
                let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
                if let Some(metadata) = entry.metadata().ok().filter(|_| is_file && is_finished(&entry.file_name())) {
                    found.push((entry.path(), Stamp::of(&metadata)));
                }
            }
        }
        Ok(found)
    }

    pub(in crate::edge::spool) fn move_to_done(&self, path: &Path) -> io::Result<()> {
        move_without_overwriting(path, &self.done)
    }

    pub(in crate::edge::spool) fn move_to_failed(&self, path: &Path) -> io::Result<()> {
        move_without_overwriting(path, &self.failed)
    }

    /// Writes `failed/<date>_<name>.errors.jsonl`, durable before this returns.
    pub(in crate::edge::spool) fn write_report(&self, path: &Path, report: &Report) -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".report-").suffix(".tmp").tempfile_in(&self.failed)?;
        let mut out = BufWriter::new(file.as_file_mut());
        for refused in &report.rows {
            write_row(&mut out, refused)?;
        }
        if report.more > 0 {
            let message = format!("{} more rows are not listed; the whole file is kept", report.more);
            write_row(&mut out, &Refused { line: 0, code: "more", message, original: vec![] })?;
        }
        out.flush()?;
        drop(out);
        file.as_file().sync_all()?;
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(".errors.jsonl");
        for candidate in candidates(&self.failed, &name) {
            file = match file.persist_noclobber(&candidate) {
                Ok(_) => return sync(&self.failed),
                Err(taken) if taken.error.kind() == io::ErrorKind::AlreadyExists => taken.file,
                Err(other) => return Err(other.error),
            };
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many reports of one name"))
    }
}

/// Reads a whole file, if it is still the one that came to rest.
pub(in crate::edge::spool) fn read(path: &Path, stamp: Stamp) -> Result<Vec<u8>, Unread> {
    if stamp.length() > FILE_BYTES_MAX {
        let message = format!("larger than {FILE_BYTES_MAX} bytes; use `mimamori submit`");
        return Err(Unread::Refused(Refused { line: 0, code: crate::edge::intake::TOO_LARGE, message, original: vec![] }));
    }
    // A link put in the file's place since the look has another inode; so has what it points to.
    if !fs::symlink_metadata(path)?.is_file() {
        return Err(Unread::Changed);
    }
    let mut file = File::open(path)?;
    let mut bytes = vec![];
    let is_same = Stamp::of(&file.metadata()?) == stamp;
    if is_same {
        Read::by_ref(&mut file).take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    }
    // And nobody wrote to it while it was read.
    if is_same && Stamp::of(&file.metadata()?) == stamp { Ok(bytes) } else { Err(Unread::Changed) }
}

fn is_finished(name: &OsStr) -> bool {
    let extension = Path::new(name).extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    !name.as_encoded_bytes().starts_with(b".") && extension.is_none_or(|extension| !UNFINISHED.contains(&extension.as_str()))
}

fn write_row(out: &mut impl Write, refused: &Refused) -> io::Result<()> {
    let original = std::str::from_utf8(&refused.original).ok();
    let original_base64 = original.is_none().then(|| data_encoding::BASE64.encode(&refused.original));
    let original = original.filter(|text| !text.is_empty());
    serde_json::to_writer(
        &mut *out,
        &Row { line: refused.line, code: refused.code, message: &refused.message, original, original_base64 },
    )?;
    out.write_all(b"\n")
}

/// Claims a name by creating an empty file and renames onto it: unlike a hard link this works on every file system. A crash between
/// the two leaves an empty file behind and the original in place.
fn move_without_overwriting(path: &Path, folder: &Path) -> io::Result<()> {
    for candidate in candidates(folder, path.file_name().unwrap_or_default()) {
        match OpenOptions::new().write(true).create_new(true).open(&candidate) {
            Ok(_) => {
                fs::rename(path, &candidate).inspect_err(|_| _ = fs::remove_file(&candidate))?;
                return sync(folder);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many files of one name"))
}

/// `2026-11-24_name`, then `2026-11-24_2_name` and so on. The date is that of this machine.
fn candidates(folder: &Path, name: &OsStr) -> impl Iterator<Item = PathBuf> {
    let date = jiff::ZonedDateTime::now().date();
    (1..=SAME_NAME_MAX).map(move |number| {
        let mut full = OsString::from(if number == 1 { format!("{date}_") } else { format!("{date}_{number}_") });
        full.push(name);
        folder.join(full)
    })
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
