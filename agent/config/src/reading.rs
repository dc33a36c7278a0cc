//! Reads files within limits: a file of any size and kind may stand at a path.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// A file of 10,000 services with five keys each has 2 MiB; what is larger is not a configuration.
const MAX_FILE: u64 = 4 << 20;

/// Why a file cannot be used; said behind its path.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// There is none.
    #[error("does not exist")]
    Missing,
    /// This user may not read it.
    #[error("cannot be read: permission denied")]
    Denied,
    /// The system does not read it.
    #[error("cannot be read")]
    Unreadable(#[source] io::Error),
    /// A FIFO, say, which could keep the agent waiting forever.
    #[error("is not a regular file")]
    Irregular,
    /// It has more than so many KiB.
    #[error("is larger than {0} KiB")]
    TooLarge(u64),
    /// It is no text from this line on.
    #[error("is not UTF-8 text (line {0})")]
    NotText(usize),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::Unreadable(error),
        }
    }
}

impl FileError {
    /// All of it in words.
    pub fn words(&self) -> String {
        match self {
            Self::Unreadable(source) => format!("{self}: {source}"),
            _ => self.to_string(),
        }
    }
}

/// The text of one file.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    String::from_utf8(read_limited(path, MAX_FILE)?).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        FileError::NotText(good.split(|byte| *byte == b'\n').count())
    })
}

/// Reads a regular file of at most `max` bytes.
pub(super) fn read_limited(path: &Path, max: u64) -> Result<Vec<u8>, FileError> {
    if !fs::metadata(path)?.is_file() {
        return Err(FileError::Irregular);
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(max + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > max) {
        return Err(FileError::TooLarge(max >> 10));
    }
    Ok(bytes)
}
