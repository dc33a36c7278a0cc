//! A damaged store is moved away, not removed: somebody may want to look at it, or to save what can be saved.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::error::StoreError;
use super::open::{FILE, file_error};

/// Damaged files kept for a look at them; older ones are removed, as a failing disk must not also fill up.
const QUARANTINED_MAX: usize = 3;

/// Moves the file and what belongs to it away; answers with its new name.
pub(super) fn quarantine(path: &Path) -> Result<PathBuf, StoreError> {
    let stamp = sentinel_base::clock::wall().strftime("%Y%m%dT%H%M%S%.6fZ").to_string();
    let suffixed = |name: &Path, suffix: &str| {
        let mut name = name.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let moved = suffixed(path, &format!(".corrupt-{stamp}"));
    for suffix in ["-wal", "-shm"] {
        match fs::rename(suffixed(path, suffix), suffixed(&moved, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(file_error("move away", path)(error));
            }
            _ => {}
        }
    }
    fs::rename(path, &moved).map_err(file_error("move away", path))?;
    forget_old_quarantines(path);
    Ok(moved)
}

/// The damaged file that was moved away last.
pub(super) fn newest_quarantine(path: &Path) -> Option<PathBuf> {
    quarantined(path).pop()
}

/// Removes all but the newest damaged files; failing to is no reason not to start.
fn forget_old_quarantines(path: &Path) {
    let mut names = quarantined(path);
    names.truncate(names.len().saturating_sub(QUARANTINED_MAX));
    for name in names {
        for suffix in ["", "-wal", "-shm"] {
            let mut file = name.as_os_str().to_owned();
            file.push(suffix);
            let _ = fs::remove_file(file);
        }
    }
}

/// The damaged files that were moved away, the oldest first.
fn quarantined(path: &Path) -> Vec<PathBuf> {
    let Some(entries) = path.parent().and_then(|dir| fs::read_dir(dir).ok()) else {
        return Vec::new();
    };
    let prefix = format!("{FILE}.corrupt-");
    let mut names: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with(&prefix) && name.ends_with('Z')
        })
        .map(|entry| entry.path())
        .collect();
    // The names hold the time, so they sort by age.
    names.sort();
    names
}
