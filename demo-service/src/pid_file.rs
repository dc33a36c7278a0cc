//! The file with our process id.

use std::path::{Path, PathBuf};
use std::{fs, io, process};

/// A pid file that is there while the service runs.
///
/// There is no `Drop`: only a clean stop removes it, so that a crash leaves it
/// behind, as real services do.
pub(crate) struct PidFile(PathBuf);

impl PidFile {
    /// Writes our process id to `path`, replacing what a crash left there.
    ///
    /// Whoever watches the file sees the old one or the new one, never half of it.
    pub(crate) fn write(path: &Path) -> io::Result<Self> {
        let pid = process::id();
        let mut temporary = path.as_os_str().to_owned();
        temporary.push(format!(".{pid}.tmp"));
        let temporary = PathBuf::from(temporary);
        let written = fs::write(&temporary, format!("{pid}\n")).and_then(|()| fs::rename(&temporary, path));
        if written.is_err() {
            // Nothing may be there; the first error is the one to tell.
            let _ = fs::remove_file(&temporary);
        }
        written.map(|()| Self(path.to_owned()))
    }

    /// Removes the file, unless a successor has put its own process id there.
    pub(crate) fn remove(self) -> io::Result<()> {
        if fs::read_to_string(&self.0)?.trim() == process::id().to_string() {
            fs::remove_file(&self.0)?;
        }
        Ok(())
    }
}
