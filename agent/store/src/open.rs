//! The state directory: its lock, the file in it, and what happens to a damaged one.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension};
use rustix::fs::{FlockOperation, flock};
use sentinel_base::clock::Anchor;
use sentinel_engine::{ActionId, IncidentId};

use super::alerts;
use super::error::{StoreError, StoreErrorKind};
use super::memory::{self, Remembered};
use super::migrations::{APPLICATION_ID, NEWEST, migrate, schema_of};
use super::outbox::{Ledger, OutboxSettings};
use super::quarantine::{newest_quarantine, quarantine};
use super::state::State;
use super::thread::Store;
use super::value::optional_text;

/// The database's name in the state directory.
pub(super) const FILE: &str = "sentinel.db";

/// How long an operator's `sqlite3` may keep the database locked before a request fails. Recovery waits for this.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Page cache, in KiB. The working set is a few pages; the agent's memory matters more.
const CACHE_KIB: i64 = 512;

/// A write-ahead log larger than this is cut back after a checkpoint.
const LOG_BYTES: i64 = 4 * 1024 * 1024;

/// A store that was opened, and what it remembers.
#[derive(Debug)]
pub struct Opened {
    /// The handle.
    pub store: Store,
    /// What the engine must not forget.
    pub remembered: Remembered,
    /// The number of the next incident.
    pub next_incident: IncidentId,
    /// The number of the next action.
    pub next_action: ActionId,
    /// Where the clock goes on from; `None` in a new store.
    pub anchor: Option<Anchor>,
    /// Where a damaged store was moved, now or by an agent that ended before its first commit. Everything was forgotten:
    /// every budget must count as spent (see [`super::spent`]), and a receiver must be notified.
    pub quarantined: Option<PathBuf>,
}

/// What the store's thread owns.
pub(super) struct Database {
    /// The one connection.
    pub(super) connection: Connection,
    /// The state row as it is stored.
    pub(super) state: State,
    /// What the outbox works with.
    pub(super) outbox: OutboxSettings,
    /// What was sent from memory.
    pub(super) ledger: Ledger,
    /// Dropped last, after the connection.
    _lock: Lock,
}

/// The lock on the state directory, held as long as this lives.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file is not enough while a child that was just forked still has it. Nothing can be done about a
        // failure, and the end of the process unlocks it too.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

/// What was found in the file.
pub(super) struct Found {
    pub(super) remembered: Remembered,
    pub(super) quarantined: Option<PathBuf>,
}

impl Database {
    /// Opens the store in `dir`, which is made when it is missing; a damaged file is moved away.
    pub(super) fn open(dir: &Path) -> Result<(Self, Found), StoreError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(file_error("create", dir))?;
        let lock = lock(&dir.join("lock"))?;
        let path = dir.join(FILE);
        let (opened, quarantined) = match open_file(&path) {
            Err(error) if error.kind() == StoreErrorKind::Corrupt => {
                let moved = quarantine(&path)?;
                tracing::warn!(%error, moved = %moved.display(), "the store was damaged; starting with a fresh one");
                (open_file(&path)?, Some(moved))
            }
            other => {
                let opened = other?;
                // Nothing was ever recorded here: the agent that moved the damaged one away ended before it could.
                let is_new = opened.1.anchor.is_none();
                (opened, is_new.then(|| newest_quarantine(&path)).flatten())
            }
        };
        let (connection, state, remembered) = opened;
        let database = Self {
            connection,
            state,
            outbox: OutboxSettings::default(),
            ledger: Ledger::default(),
            _lock: lock,
        };
        let found = Found {
            remembered,
            quarantined,
        };
        Ok((database, found))
    }
}

/// Makes sure that this is the only agent on the directory.
fn lock(path: &Path) -> Result<Lock, StoreError> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(file_error("open", path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            let mut holder = String::new();
            // Only for the message: without it the message says less.
            let _ = file.take(20).read_to_string(&mut holder);
            return Err(StoreError::Locked {
                path: path.to_owned(),
                pid: holder.trim().parse().ok(),
            });
        }
        Err(error) => return Err(file_error("lock", path)(error.into())),
    }
    // Who holds it is only for the message of a second agent; a full disk must not keep this one from starting.
    let _ = file.set_len(0);
    let _ = writeln!(file, "{}", std::process::id());
    Ok(Lock(file))
}

type OpenFile = (Connection, State, Remembered);

/// Opens the file, made when it is missing, checks it and brings its schema up to date.
fn open_file(path: &Path) -> Result<OpenFile, StoreError> {
    // SQLite would make it readable for all; its log and index take over these permissions.
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(file_error("open", path))?;
    let doing = StoreError::doing("open the store");
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(&doing)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(&doing)?;
    let version = identify(&connection, path)?;
    settle(&connection).map_err(&doing)?;
    if version > 0 {
        check(&connection, version)?;
    }
    migrate(&mut connection, version)?;
    if version < NEWEST {
        // Into the file itself, not only its log: whoever installs an older agent looks there, while this one runs.
        let _busy = connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
            .map_err(StoreError::doing("open the store"))?;
    }
    let state = State::read_checked(&connection)?;
    let mut remembered = memory::load(&connection)?;
    remembered.alerts = alerts::load(&connection)?;
    Ok((connection, state, remembered))
}

/// The schema's version; 0 for a new file. Fails for a newer agent's store, and for what is not a store at all.
pub(super) fn identify(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let doing = StoreError::doing("find out what the store's file holds");
    let number = |pragma: &str| {
        connection
            .pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
            .map_err(&doing)
    };
    let (application, version) = (number("application_id")?, number("user_version")?);
    let (tables, ours): (i64, i64) = connection
        .query_row(
            "SELECT count(*), count(*) FILTER (WHERE name = 'state') FROM sqlite_schema",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .map_err(|error| damage_or(error, &doing))?;
    if tables == 0 && application == 0 && version == 0 {
        return Ok(0);
    }
    if application != i64::from(APPLICATION_ID) && ours == 0 {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    // A flipped bit in the header must neither pass for a newer agent's store nor for an older one.
    let repeated: i64 = connection
        .query_row("SELECT schema FROM state", [], |row| row.get(0))
        .map_err(|error| StoreError::Damaged(format!("its state cannot be read: {error}")))?;
    if application != i64::from(APPLICATION_ID) || version != repeated || version < 1 {
        return Err(StoreError::Damaged("its header does not match its content".to_owned()));
    }
    if version > NEWEST {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            found: version,
            known: NEWEST,
        });
    }
    Ok(version)
}

/// How the connection works: durable at every commit, small in memory.
fn settle(connection: &Connection) -> rusqlite::Result<()> {
    // Has an effect only before the first table; freed pages can then be given back to a disk that is short of them.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES, |_| Ok(()))
}

/// What SQLite says when its question makes no sense is damage where the question is always the same: the header names a
/// file format that there is none of, or the statement that made an index does not parse.
fn damage_or(error: rusqlite::Error, doing: impl Fn(rusqlite::Error) -> StoreError) -> StoreError {
    let is_input = matches!(error, rusqlite::Error::SqlInputError { .. });
    if is_input || error.sqlite_error_code() == Some(ErrorCode::Unknown) {
        StoreError::Damaged(error.to_string())
    } else {
        doing(error)
    }
}

/// Looks for damage. Reads the whole file, which retention keeps small.
fn check(connection: &Connection, version: i64) -> Result<(), StoreError> {
    let doing = StoreError::doing("check the store");
    let verdict = connection
        .pragma_query_value(None, "quick_check", |row| row.get::<_, String>(0))
        .map_err(|error| damage_or(error, &doing))?;
    if verdict != "ok" {
        return Err(StoreError::Damaged(verdict));
    }
    for (name, sql) in schema_of(version)? {
        let found = connection
            .query_row("SELECT sql FROM sqlite_schema WHERE name = ?1", [&name], |row| {
                optional_text(row, 0)
            })
            .optional()
            .map_err(&doing)?;
        if found.flatten().as_ref() != Some(&sql) {
            return Err(StoreError::Damaged(format!("`{name}` is not as it was made")));
        }
    }
    // The file could be opened for writing, so if SQLite refuses to, it is the file's header that says so.
    if connection.is_readonly("main").map_err(&doing)? {
        return Err(StoreError::Damaged(format!("schema {version} claims to be read-only")));
    }
    Ok(())
}

/// Turns errors of the file system into errors that say what was being done, and to what.
pub(super) fn file_error(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::File { doing, path, source }
}
