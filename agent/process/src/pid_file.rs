//! Reading a pid file that anybody may have written.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::process::Pid;

/// Only this much is read, in bytes. Some daemons write more lines below the pid; it stands in the first.
const READ: u64 = 64;

/// Any user may write the file.
const WORLD_WRITABLE: u32 = 0o002;

/// What a pid file says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PidFile {
    /// There is none.
    Absent,
    /// It is there, and empty: being written, or its disk was full.
    Empty,
    /// It names a process.
    Names(Named),
    /// It can be read, and cannot name a process to be kept up. Holds the reason.
    Unusable(String),
    /// It cannot be read. Holds the reason.
    Unreadable(String),
}

/// The pid in a file, and which writing of the file that was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) pid: Pid,
    /// Who owns the file.
    pub(super) owner: u32,
    /// Inode, and times of change in nanoseconds: a file written again differs, even with the same pid in it.
    written: (u64, i64, i64, i64, i64),
}

/// Reads `path`. A symbolic link is followed; a FIFO is not waited for.
pub(super) fn read(path: &Path) -> PidFile {
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let opened = OpenOptions::new().read(true).custom_flags(nonblocking).open(path);
    match opened.and_then(|file| contents(&file)) {
        Ok(found) => found,
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => PidFile::Absent,
            _ => PidFile::Unreadable(format!("failed to read `{}`: {error}", path.display())),
        },
    }
}

fn contents(file: &File) -> io::Result<PidFile> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Ok(PidFile::Unusable("the pid file is not a regular file".to_owned()));
    }
    if metadata.mode() & WORLD_WRITABLE != 0 {
        return Ok(PidFile::Unusable(
            "the pid file can be written by every user".to_owned(),
        ));
    }
    let mut bytes = Vec::new();
    file.take(READ).read_to_end(&mut bytes)?;
    if bytes.is_empty() {
        return Ok(PidFile::Empty);
    }
    Ok(match parse(&bytes) {
        Ok(pid) => PidFile::Names(Named {
            pid,
            owner: metadata.uid(),
            written: (
                metadata.ino(),
                metadata.mtime(),
                metadata.mtime_nsec(),
                metadata.ctime(),
                metadata.ctime_nsec(),
            ),
        }),
        Err(reason) => PidFile::Unusable(reason.to_string()),
    })
}

/// Why what a pid file holds names no process to be kept up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum PidError {
    /// No number, or none that a process can have.
    #[error("the pid file holds no pid")]
    None,
    /// It is never restarted.
    #[error("the pid file names process 1, which runs the host")]
    Init,
    /// The agent does not restart itself.
    #[error("the pid file names this agent itself")]
    Own,
}

/// The pid in the first line.
fn parse(bytes: &[u8]) -> Result<Pid, PidError> {
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default()
        .trim_ascii();
    let digits = !line.is_empty() && line.iter().all(u8::is_ascii_digit);
    let text = str::from_utf8(line).ok().filter(|_| digits).ok_or(PidError::None)?;
    let number: i32 = text.parse().map_err(|_| PidError::None)?;
    let pid = Pid::from_raw(number).filter(|_| number > 0).ok_or(PidError::None)?;
    if pid.is_init() {
        Err(PidError::Init)
    } else if pid == rustix::process::getpid() {
        Err(PidError::Own)
    } else {
        Ok(pid)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn parsed(text: &str) -> Option<i32> {
        parse(text.as_bytes()).ok().map(Pid::as_raw_nonzero).map(Into::into)
    }

    #[test]
    fn first_line_must_be_a_pid_of_something_else() {
        let table = [
            ("4242", Some(4242)),
            ("4242\n", Some(4242)),
            ("  4242 \r\n", Some(4242)),
            ("4242\n/var/lib/data\n1700000000\n", Some(4242)),
            ("0004242", Some(4242)),
            ("\n4242", None),
            ("", None),
            ("0", None),
            ("1", None),
            ("-1", None),
            ("+42", None),
            ("-4242", None),
            ("42 42", None),
            ("0x42", None),
            ("4294967338", None),
            ("99999999999999999999", None),
            ("nginx", None),
            ("４２", None),
        ];
        for (text, expected) in table {
            assert_eq!(parsed(text), expected, "{text:?}");
        }
        assert_eq!(parse(b"\xff\xfe"), Err(PidError::None));
        let own = std::process::id().to_string();
        assert_eq!(parse(own.as_bytes()), Err(PidError::Own));
    }

    #[test]
    fn reading_is_bounded_and_never_blocks() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        assert_eq!(read(&path), PidFile::Absent);
        assert_eq!(read(&path.join("below")), PidFile::Absent);
        std::fs::write(&path, "").unwrap();
        assert_eq!(read(&path), PidFile::Empty);
        assert_eq!(read(&path.join("below")), PidFile::Absent);
        std::fs::write(&path, "9".repeat(1_000_000)).unwrap();
        assert!(matches!(read(&path), PidFile::Unusable(_)));
        assert!(matches!(read(directory.path()), PidFile::Unusable(_)));
        let fifo = directory.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        assert!(matches!(read(&fifo), PidFile::Unusable(_)));
    }

    #[test]
    fn file_that_every_user_may_write_is_not_believed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        std::fs::write(&path, "4242\n").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
        assert!(matches!(read(&path), PidFile::Unusable(_)));
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        assert!(matches!(read(&path), PidFile::Names(_)));
    }

    #[test]
    fn file_written_again_is_distinguished_from_the_old_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        std::fs::write(&path, "4242\n").unwrap();
        let first = read(&path);
        assert_eq!(first, read(&path));
        let other = directory.path().join("other");
        std::fs::write(&other, "4242\n").unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_ne!(first, read(&path));
    }
}
