//! Changes of a pid file, told by inotify on its directory.
//!
//! Directories below `/run` come and go with their daemon: while the file's own directory is missing, the nearest one
//! above it is watched. Two bounded fallbacks remain. What inotify cannot see (network file systems, a directory further
//! up being renamed) is looked for every [`LOOK_AGAIN`]; where inotify cannot be had at all (its limits are used up),
//! the file is looked at every [`WITHOUT_INOTIFY`].

use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{sleep, timeout};

/// How often to look without having been told of anything.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// How often to look where inotify cannot be had.
const WITHOUT_INOTIFY: Duration = Duration::from_secs(2);

/// Room for a few dozen events; what does not fit is read next.
const BUFFER: usize = 4096;

/// Directories may come and go while the nearest one is looked for; after this many tries the next look finds it.
const TRIES: usize = 8;

/// The events that may change what a pid file says. Some daemons keep theirs open, so closing is not enough.
const EVENTS: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MODIFY)
    .union(WatchFlags::CLOSE_WRITE)
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// Changes of one pid file.
#[derive(Debug)]
pub(super) struct Changes {
    file: PathBuf,
    inotify: Option<AsyncFd<OwnedFd>>,
    watched: Option<Watched>,
}

#[derive(Debug, PartialEq, Eq)]
struct Watched {
    descriptor: i32,
    directory: PathBuf,
}

impl Changes {
    /// Begins to watch: what changes after this returned is reported by [`Self::next`].
    pub(super) fn of(file: &Path) -> Self {
        let inotify = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)
            .ok()
            .and_then(|inotify| {
                // See `Live::open` for the deprecation.
                #[allow(deprecated)]
                AsyncFd::with_interest(inotify, Interest::READABLE).ok()
            });
        let mut changes = Self {
            file: file.to_owned(),
            inotify,
            watched: None,
        };
        changes.arm();
        changes
    }

    /// Returns when the file may have changed; without need now and then. Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) {
        while !self.arm() {
            let Some(inotify) = self.inotify.as_ref().filter(|_| self.watched.is_some()) else {
                return sleep(WITHOUT_INOTIFY).await;
            };
            let Ok(Ok(mut ready)) = timeout(LOOK_AGAIN, inotify.readable()).await else {
                return;
            };
            let relevant = self.drain(inotify.get_ref());
            ready.clear_ready();
            if relevant {
                return;
            }
        }
    }

    /// Watches the nearest directory there is; true when that is another one than before.
    fn arm(&mut self) -> bool {
        let Some(inotify) = &self.inotify else {
            return false;
        };
        let mut nearest = nearest(inotify.get_ref(), &self.file);
        for _ in 0..TRIES {
            // A directory made after its turn, and before the one above was watched, would be missed.
            let again = self::nearest(inotify.get_ref(), &self.file);
            if again == nearest {
                break;
            }
            nearest = again;
        }
        if nearest == self.watched {
            return false;
        }
        let before = std::mem::replace(&mut self.watched, nearest);
        if let Some(before) = before
            && self
                .watched
                .as_ref()
                .is_none_or(|now| now.descriptor != before.descriptor)
        {
            // Fails when the directory has gone, and its watch with it.
            let _ = remove_watch(inotify.get_ref(), before.descriptor);
        }
        true
    }

    /// Reads the events there are; true when one may concern the file.
    fn drain(&self, inotify: &OwnedFd) -> bool {
        let Some(watched) = &self.watched else {
            return true;
        };
        let own_directory = self.file.parent() == Some(&watched.directory);
        let mut buffer = [MaybeUninit::uninit(); BUFFER];
        let mut events = Reader::new(inotify, &mut buffer);
        let mut relevant = false;
        while let Ok(event) = events.next() {
            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
            let named = name.is_none_or(|name| Some(name) == self.file.file_name());
            relevant |= event.events().contains(ReadFlags::QUEUE_OVERFLOW)
                || (event.wd() == watched.descriptor && (named || !own_directory));
        }
        relevant
    }
}

/// Watches the nearest existing directory above `file`.
fn nearest(inotify: &OwnedFd, file: &Path) -> Option<Watched> {
    file.ancestors().skip(1).find_map(|directory| {
        let path = if directory.as_os_str().is_empty() {
            Path::new(".")
        } else {
            directory
        };
        let descriptor = add_watch(inotify, path, EVENTS).ok()?;
        Some(Watched {
            descriptor,
            directory: directory.to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(20);

    async fn reported(changes: &mut Changes) -> bool {
        timeout(BOUND, changes.next()).await.is_ok()
    }

    #[tokio::test]
    async fn writing_and_removing_are_reported() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let mut changes = Changes::of(&file);
        std::fs::write(&file, "1").unwrap();
        assert!(reported(&mut changes).await);
        std::fs::remove_file(&file).unwrap();
        assert!(reported(&mut changes).await);
        let other = directory.path().join("other");
        std::fs::write(&other, "1").unwrap();
        std::fs::rename(&other, &file).unwrap();
        assert!(reported(&mut changes).await);
    }

    #[tokio::test(start_paused = true)]
    async fn neighbours_are_not_reported() {
        let directory = tempfile::tempdir().unwrap();
        let mut changes = Changes::of(&directory.path().join("pid"));
        std::fs::write(directory.path().join("neighbour"), "1").unwrap();
        // The clock is paused: it jumps to the deadline only when nothing else is left to wait for.
        let start = tokio::time::Instant::now();
        changes.next().await;
        assert!(start.elapsed() >= LOOK_AGAIN, "told of a neighbour");
    }

    #[tokio::test]
    async fn directories_that_come_and_go_are_followed() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("run/daemon");
        let file = directory.join("pid");
        let mut changes = Changes::of(&file);
        for _ in 0..2 {
            std::fs::create_dir_all(&directory).unwrap();
            while changes
                .watched
                .as_ref()
                .is_none_or(|watched| watched.directory != directory)
            {
                assert!(reported(&mut changes).await);
            }
            std::fs::write(&file, "1").unwrap();
            assert!(reported(&mut changes).await);
            std::fs::remove_dir_all(root.path().join("run")).unwrap();
            while changes
                .watched
                .as_ref()
                .is_none_or(|watched| watched.directory != root.path())
            {
                assert!(reported(&mut changes).await);
            }
        }
    }
}
