//! What can go wrong with the store.

use std::io;
use std::path::PathBuf;

use rusqlite::ErrorCode;
use thiserror::Error;

/// A request to the store that failed. Nothing of it was kept.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The state directory, or a file in it, cannot be used.
    #[error("failed to {doing} `{}`", path.display())]
    File {
        /// What was being done: `create`, `open`.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Another agent works with this state directory.
    #[error("another agent{} is using `{}`; two agents must not watch the same services", pid.map_or_else(String::new, |pid| format!(" (pid {pid})")), path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Who holds it, as far as it says.
        pid: Option<u32>,
    },
    /// A newer agent made this store.
    #[error("`{}` was written by a newer version of the agent (schema {found}, this one knows up to {known}); \
             install that version again, or move the file away to start afresh", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema known here.
        known: i64,
    },
    /// The file is a database of some other program.
    #[error("`{}` is a database, but not one of the agent; it is left untouched", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// SQLite failed.
    #[error("failed to {doing}")]
    Sql {
        /// What was being done: `record a batch`.
        doing: &'static str,
        /// SQLite's answer.
        source: rusqlite::Error,
    },
    /// A batch contradicts what is stored; recording it would hide a mistake.
    #[error("refused to record a batch: {0}")]
    Conflict(String),
    /// What is stored makes no sense: damage that SQLite cannot see.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// The store's thread has ended, or could not be started.
    #[error("the store is closed")]
    Closed,
}

/// The kinds of [`StoreError`]: a closed set, for decisions and as a metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// No space left.
    Full,
    /// The file system or file is read-only.
    ReadOnly,
    /// Reading or writing failed.
    Io,
    /// Another party holds the database's lock for too long.
    Busy,
    /// The file is damaged; restarting the agent quarantines it.
    Corrupt,
    /// The batch contradicts what is stored.
    Conflict,
    /// Another agent runs here, a newer one made the store, or it is not ours: an operator must act.
    Refused,
    /// The store's thread has ended.
    Closed,
    /// Anything else, a mistake in the agent.
    Other,
}

impl StoreErrorKind {
    /// The word used in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ReadOnly => "read_only",
            Self::Io => "io",
            Self::Busy => "busy",
            Self::Corrupt => "corrupt",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::Closed => "closed",
            Self::Other => "other",
        }
    }
}

impl StoreError {
    /// Which kind of failure this is.
    pub fn kind(&self) -> StoreErrorKind {
        match self {
            Self::File { source, .. } => match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreErrorKind::Full,
                io::ErrorKind::ReadOnlyFilesystem => StoreErrorKind::ReadOnly,
                _ => StoreErrorKind::Io,
            },
            Self::Locked { .. } | Self::Newer { .. } | Self::Foreign { .. } => StoreErrorKind::Refused,
            Self::Sql { source, .. } => match source.sqlite_error_code() {
                Some(ErrorCode::DiskFull) => StoreErrorKind::Full,
                Some(ErrorCode::ReadOnly) => StoreErrorKind::ReadOnly,
                Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                    StoreErrorKind::Io
                }
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreErrorKind::Busy,
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreErrorKind::Corrupt,
                Some(ErrorCode::ConstraintViolation) => StoreErrorKind::Conflict,
                _ => StoreErrorKind::Other,
            },
            Self::Conflict(_) => StoreErrorKind::Conflict,
            Self::Damaged(_) => StoreErrorKind::Corrupt,
            Self::Closed => StoreErrorKind::Closed,
        }
    }

    /// Turns SQLite's errors into errors that say what was being done.
    pub(super) fn doing(doing: &'static str) -> impl Fn(rusqlite::Error) -> Self {
        move |source| Self::Sql { doing, source }
    }
}
