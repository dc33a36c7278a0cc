//! Whether packages are being installed, upgraded or removed now, on a host with dpkg.
//!
//! dpkg and apt hold a lock on a file as long as they are at it. The files can be read by root alone, but the kernel tells
//! everybody which files are locked (`/proc/locks`), by their inodes.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;

/// The locks of dpkg, and of apt and other frontends for as long as they run dpkg.
const LOCKS: [&str; 2] = ["/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock"];

/// Longest list of locks read; each takes some fifty bytes.
const LIST_MAX: u64 = 1024 * 1024;

/// Whether they are. Where nobody can tell they are not.
pub fn is_under_way() -> bool {
    let inodes: BTreeSet<u64> = LOCKS
        .iter()
        .filter_map(|path| fs::metadata(path).ok())
        .map(|metadata| metadata.ino())
        .collect();
    if inodes.is_empty() {
        return false;
    }
    let mut list = String::new();
    let read = File::open("/proc/locks").and_then(|file| file.take(LIST_MAX).read_to_string(&mut list));
    read.is_ok() && is_locked(&list, &inodes)
}

/// Whether one of these inodes is locked for writing: `1: POSIX  ADVISORY  WRITE 4711 08:01:131090 0 EOF`. The device is not
/// compared, as some file systems show another one here than elsewhere.
fn is_locked(list: &str, inodes: &BTreeSet<u64>) -> bool {
    list.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "POSIX" | "OFDLCK", _, "WRITE", _, file, ..] = fields[..] else {
            // What waits for a lock has an arrow in second place.
            return false;
        };
        let inode = file.rsplit(':').next().and_then(|inode| inode.parse().ok());
        inode.is_some_and(|inode: u64| inodes.contains(&inode))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_found_by_its_file() {
        let list = "1: POSIX  ADVISORY  READ  900 08:01:7 0 EOF\n\
                    2: FLOCK  ADVISORY  WRITE 901 08:01:8 0 EOF\n\
                    3: POSIX  ADVISORY  WRITE 902 08:01:9 0 EOF\n\
                    3: -> POSIX  ADVISORY  WRITE 903 08:01:10 0 EOF\n\
                    broken\n";
        for (inode, expected) in [(7, false), (8, false), (9, true), (10, false), (11, false)] {
            assert_eq!(is_locked(list, &BTreeSet::from([inode])), expected, "{inode}");
        }
    }
}
