//! Whether a file is root's alone.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

/// As many symbolic links as the kernel follows (`path_resolution(7)`).
const LINKS_MAX: usize = 40;

/// The uid of root.
const ROOT: u32 = 0;

/// Write permission of the group and of others. That of an access control list shows in the group's (`acl(5)`).
const WRITABLE: u32 = 0o022;

/// Why a file is not to be relied on.
#[derive(Debug, thiserror::Error)]
pub enum Untrusted {
    /// Another party may change it, or replace what is in it.
    #[error(
        "`{}` could be changed by others than root (mode {mode:04o}, owner {owner}); fix it with `chown root` and `chmod go-w`",
        path.display()
    )]
    Writable {
        /// The file, or one of the directories on the way to it.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
        /// The user it belongs to.
        owner: u32,
    },
    /// It cannot be looked at.
    #[error("`{}` cannot be looked at", path.display())]
    Unseen {
        /// The file, or one of the directories on the way to it.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Fails unless nobody but root can change what is at `path`, or what that name leads to: the file itself, each directory on
/// the way, and each symbolic link with whatever it points to.
///
/// Where this succeeds it goes on being true, as long as root does not change it: so there is no race between the check
/// and the use.
pub fn check(path: &Path) -> Result<(), Untrusted> {
    let unseen = |path: &Path, source| Untrusted::Unseen {
        path: path.to_owned(),
        source,
    };
    let absolute = std::path::absolute(path).map_err(|error| unseen(path, error))?;
    let mut at = PathBuf::from("/");
    let mut rest = parts(&absolute);
    let mut links = 0;
    loop {
        let metadata = fs::symlink_metadata(&at).map_err(|error| unseen(&at, error))?;
        // A link has no permissions of its own; who may replace it the directory says.
        let writable = !metadata.is_symlink() && metadata.mode() & WRITABLE != 0;
        if writable || metadata.uid() != ROOT {
            return Err(Untrusted::Writable {
                path: at,
                mode: metadata.mode() & 0o7777,
                owner: metadata.uid(),
            });
        }
        if metadata.is_symlink() {
            links += 1;
            if links > LINKS_MAX {
                return Err(unseen(path, io::Error::other("too many symbolic links")));
            }
            let target = fs::read_link(&at).map_err(|error| unseen(&at, error))?;
            at.pop();
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            let mut parts = parts(&target);
            parts.append(&mut rest);
            rest = parts;
        }
        match rest.pop_front() {
            None => return Ok(()),
            // No link is left in what was walked, so that the parent of the name is the parent of the directory.
            Some(part) if part == ".." => drop(at.pop()),
            Some(part) => at.push(part),
        }
    }
}

/// The names in a path, with `..` among them.
fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|component| matches!(component, Component::Normal(_) | Component::ParentDir))
        .map(|component| component.as_os_str().to_owned())
        .collect()
}
