//! The database file: who may open it, which tables it has, how a connection is set up.
//!
//! Every connection of every process is made here, so that all of them agree on durability. It never repairs or deletes
//! a file it does not understand.

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// Schema version this program writes; a file with a newer one is refused, because its rules are not known here.
pub const SCHEMA_VERSION: i64 = 2;

/// `application_id` of a mimamori store: "MIMA" in ASCII, so that `file` and we can tell it from another database.
pub const APPLICATION_ID: i64 = 0x4D49_4D41;

/// Longest wait for another process to finish its write, in milliseconds: far beyond any commit of ours, so that only a
/// stuck process or disk is reported.
const BUSY_WAIT: Duration = Duration::from_secs(20);

/// Pause between two attempts at a lock held by another process: below the time of one commit, so that a one-off
/// `submit` gets its turn beside a busy worker. SQLite's own back-off reaches 100 ms and starves there.
const BUSY_STEP: Duration = Duration::from_micros(300);

/// Write-ahead log kept on disk after a checkpoint, in bytes: a burst must not leave a large file for ever.
const LOG_BYTES_KEPT: i64 = 64 << 20;

/// Pages of the write-ahead log after which it is folded into the database (32 MiB): the dedupe index is written at random
/// places, and a page that many commits touch is then folded once. Reading the log after a crash stays below a second.
const LOG_PAGES: i64 = 8 << 10;

/// Page cache of one connection, in KiB: the dedupe index is hit at random places.
const CACHE_KIB: i64 = 16 << 10;

/// `queue` is small and rewritten often; `message` holds the payload and is written once, so that a lease does not
/// rewrite megabytes. `due` is 0 for a message never handed out: such a one is ready whatever the clock says. `share` is
/// whose message it is (0: nobody's), and `turn` its place in line. A settled message stays until it was audited.
const TABLES: &str = "
    CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE record (key TEXT PRIMARY KEY, revision INTEGER NOT NULL, value BLOB NOT NULL);
    CREATE TABLE entry (
        stream TEXT NOT NULL, seq INTEGER NOT NULL, dedupe TEXT NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (stream, seq), UNIQUE (stream, dedupe)
    );
    CREATE TABLE blob (digest BLOB PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE queue (
        seq INTEGER PRIMARY KEY,
        due INTEGER NOT NULL DEFAULT 0,
        leased INTEGER NOT NULL DEFAULT 0,
        deliveries INTEGER NOT NULL DEFAULT 0,
        deaths INTEGER NOT NULL DEFAULT 0,
        solo INTEGER NOT NULL DEFAULT 0,
        accepted_at INTEGER NOT NULL,
        share INTEGER NOT NULL DEFAULT 0,
        turn INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX queue_turn ON queue (due, turn);
    CREATE INDEX queue_share ON queue (share, turn);
    CREATE TABLE settled (number INTEGER PRIMARY KEY AUTOINCREMENT, seq INTEGER NOT NULL);
    CREATE TABLE message (seq INTEGER PRIMARY KEY, meta TEXT NOT NULL, payload BLOB NOT NULL);
    CREATE TABLE intake (accepted INTEGER NOT NULL, pending INTEGER NOT NULL);
    CREATE TABLE accepted (
        name BLOB NOT NULL, content BLOB NOT NULL, variant INTEGER NOT NULL, PRIMARY KEY (name, content)
    ) WITHOUT ROWID;
    INSERT INTO counter VALUES ('revision', 0);
    INSERT INTO intake VALUES (0, 0);
";

/// What version 1 lacks. What waits keeps its order of acceptance; what was settled is gone.
const TURNS: &str = "
    ALTER TABLE queue ADD COLUMN share INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE queue ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;
    DROP INDEX queue_due;
    CREATE INDEX queue_turn ON queue (due, turn);
    CREATE INDEX queue_share ON queue (share, turn);
    CREATE TABLE settled (number INTEGER PRIMARY KEY AUTOINCREMENT, seq INTEGER NOT NULL);
";

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or file cannot be created or reached.
    #[error("cannot open the store {}: {error}", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It is a database, but not ours.
    #[error("{} is not a mimamori store", path.display())]
    Foreign {
        /// Where.
        path: PathBuf,
    },
    /// A newer program wrote it.
    #[error("{} was written by a newer mimamori (store version {found}, this program knows up to {SCHEMA_VERSION})", path.display())]
    Newer {
        /// Where.
        path: PathBuf,
        /// Its schema version.
        found: i64,
    },
    /// The database engine refused.
    #[error("cannot open the store {}: {error}", path.display())]
    Database {
        /// Where.
        path: PathBuf,
        /// What the engine said.
        error: rusqlite::Error,
    },
}

impl OpenError {
    /// Whether the file is fine and only this program is the wrong one for it.
    pub fn needs_other_program(&self) -> bool {
        matches!(self, Self::Foreign { .. } | Self::Newer { .. })
    }
}

/// Creates folder, file and tables where they are missing, and checks that the file is ours.
pub fn prepare(path: &Path) -> Result<Connection, OpenError> {
    create_file(path).map_err(|error| OpenError::File { path: path.to_owned(), error })?;
    let engine = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => OpenError::Foreign { path: path.to_owned() },
        _ => OpenError::Database { path: path.to_owned(), error },
    };
    let mut db = connect(path).map_err(engine)?;
    // Asked before anything is written, so that a stranger's file keeps its journal mode.
    let (application, version, has_no_tables) = identify(&mut db).map_err(engine)?;
    let empty = version == 0 && application == 0 && has_no_tables;
    if !empty && application != APPLICATION_ID {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    if version > SCHEMA_VERSION {
        return Err(OpenError::Newer { path: path.to_owned(), found: version });
    }
    use_write_ahead_log(&db).map_err(engine)?;
    if empty {
        create_tables(&mut db).map_err(engine)?;
    } else if version < SCHEMA_VERSION {
        bring_up(&mut db).map_err(engine)?;
    }
    Ok(db)
}

/// Another connection to a store that [`prepare`] has opened; it refuses to write.
pub fn connect_reader(path: &Path) -> rusqlite::Result<Connection> {
    let db = connect(path)?;
    db.pragma_update(None, "query_only", true)?;
    Ok(db)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let mut db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_handler(Some(patience()))?;
    // A commit is on the platter before anyone is told; on Apple systems plain fsync does not promise that.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "fullfsync", true)?;
    db.pragma_update(None, "checkpoint_fullfsync", true)?;
    db.query_row(&format!("PRAGMA wal_autocheckpoint = {LOG_PAGES}"), [], |_| Ok(()))?;
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    // Deleted customer text is overwritten where that costs no further page.
    db.execute_batch("PRAGMA secure_delete = FAST")?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// Waits for other processes in small steps, for [`BUSY_WAIT`] at most.
fn patience() -> impl FnMut(i32) -> bool + Send + 'static {
    let mut since = Instant::now();
    move |attempt| {
        if attempt == 0 {
            since = Instant::now();
        }
        thread::sleep(BUSY_STEP);
        since.elapsed() < BUSY_WAIT
    }
}

/// All three from one moment: another process may be creating the tables between two questions, and a file with tables and
/// no id would look like a stranger's.
fn identify(db: &mut Connection) -> rusqlite::Result<(i64, i64, bool)> {
    let moment = Transaction::new(db, TransactionBehavior::Deferred)?;
    let has_no_tables = is_empty(&moment)?;
    let application = moment.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version = moment.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok((application, version, has_no_tables))
}

fn is_empty(db: &Connection) -> rusqlite::Result<bool> {
    db.query_row("SELECT count(*) = 0 FROM sqlite_master", [], |row| row.get(0))
}

/// Changing the journal mode needs the file alone, and SQLite does not ask the busy handler for that.
fn use_write_ahead_log(db: &Connection) -> rusqlite::Result<()> {
    let since = Instant::now();
    loop {
        let changed = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
        match changed {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) && since.elapsed() < BUSY_WAIT => {
                thread::sleep(BUSY_STEP);
            }
            Err(error) => return Err(error),
            Ok(_) => return db.query_row(&format!("PRAGMA journal_size_limit = {LOG_BYTES_KEPT}"), [], |_| Ok(())),
        }
    }
}

/// Two processes may start on a new file at once: whoever comes second finds the tables and leaves them.
fn create_tables(db: &mut Connection) -> rusqlite::Result<()> {
    let transaction = Transaction::new(db, TransactionBehavior::Immediate)?;
    if is_empty(&transaction)? {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    }
    transaction.commit()
}

/// Brings the tables of an older program up to date; whoever comes second finds them so.
fn bring_up(db: &mut Connection) -> rusqlite::Result<()> {
    let transaction = Transaction::new(db, TransactionBehavior::Immediate)?;
    let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version < 2 {
        transaction.execute_batch(TURNS)?;
    }
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

/// Creates the file for its owner alone (SQLite gives its log the same mode), in a folder for its owner alone.
fn create_file(path: &Path) -> io::Result<()> {
    let folder = folder_of(path);
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        builder.mode(0o700);
        options.mode(0o600);
    }
    builder.create(folder)?;
    options.open(path)?;
    // The new names themselves must survive a power loss.
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// The folder a store lies in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
