//! The file that polkit reads.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Where the rule is. polkit reads rules by the order of their names, of which the first that answers counts; 50 is where
/// distributions and administrators have theirs.
pub const RULE_FILE: &str = "/etc/polkit-1/rules.d/60-sentinel.rules";

/// A rule of ten thousand units has half a MiB.
const TEXT_MAX: u64 = 4 << 20;

/// The rule holds no secret, and polkit reads it as a user of its own.
const MODE: u32 = 0o644;

/// Why the rule is not in place.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// polkit is not there, or is one of before 0.106.
    #[error("there is no `{}`: polkit 0.106 or later is not installed", .0.display())]
    NoPolkit(PathBuf),
    /// Something else than a file stands there: somebody's own doing, which is not undone here.
    #[error("`{}` is not a regular file; remove it", .0.display())]
    NotAFile(PathBuf),
    /// The file system refuses.
    #[error("failed to {doing} `{}`", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it could not be.
        source: io::Error,
    },
}

/// The rule as it is; `None` when there is none.
pub fn current(path: &Path) -> Result<Option<String>, InstallError> {
    let failed = |source| InstallError::File {
        doing: "read",
        path: path.to_owned(),
        source,
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        Ok(metadata) if !metadata.is_file() => return Err(InstallError::NotAFile(path.to_owned())),
        Ok(_) => {}
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(TEXT_MAX).read_to_end(&mut bytes).map_err(failed)?;
    // What is not text is not ours, and about to be overwritten.
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Puts `text` in place of the rule, whole or not at all. Of names that are there already, links among them, none is followed.
pub fn replace(path: &Path, text: &str) -> Result<(), InstallError> {
    let failed = |doing: &'static str| {
        let path = path.to_owned();
        move |source| InstallError::File { doing, path, source }
    };
    let directory = path.parent().unwrap_or(Path::new("/"));
    if !directory.is_dir() {
        return Err(InstallError::NoPolkit(directory.to_owned()));
    }
    // polkit passes over names that begin with a dot.
    let mut file = tempfile::Builder::new()
        .prefix(".60-sentinel.")
        .suffix(".tmp")
        .tempfile_in(directory)
        .map_err(failed("make a file beside"))?;
    file.write_all(text.as_bytes())
        // Whatever the umask is.
        .and_then(|()| file.as_file().set_permissions(Permissions::from_mode(MODE)))
        .and_then(|()| file.as_file().sync_all())
        .map_err(failed("write"))?;
    file.persist(path).map_err(|error| failed("replace")(error.error))?;
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(failed("keep on disk"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn a_rule_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("60.rules");
        assert_eq!(current(&path).unwrap(), None);
        for text in ["one", "two"] {
            replace(&path, text).unwrap();
            assert_eq!(current(&path).unwrap().as_deref(), Some(text));
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, MODE);
        }
        assert_eq!(names(folder.path()), ["60.rules"]);
    }

    #[test]
    fn links_are_neither_read_nor_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, elsewhere) = (folder.path().join("60.rules"), folder.path().join("elsewhere"));
        fs::write(&elsewhere, "keep").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        assert!(matches!(current(&path), Err(InstallError::NotAFile(_))));
        replace(&path, "rule").unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "keep");
        assert_eq!(fs::read_to_string(&path).unwrap(), "rule");
    }

    #[test]
    fn without_polkit_nothing_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.d/60.rules");
        assert!(matches!(replace(&path, "rule"), Err(InstallError::NoPolkit(_))));
        assert!(names(folder.path()).is_empty());
    }
}
