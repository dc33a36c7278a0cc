//! Reading the files of units, if they are root's, and finding those that have a section.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use sentinel_config::{DiscoveredService, Rejected};
use sentinel_text::chain;

use super::SECTION;
use super::keys::{self, Part};
use super::syntax::section;

/// A unit file has some KiB; what is larger is none.
const FILE_MAX: u64 = 256 << 10;

/// Entries of one directory of units that are looked at, at most. A big host has a thousand.
const ENTRIES_MAX: usize = 20_000;

/// Units with a section, at most: as many services as may be found on a host.
pub(super) const UNITS_MAX: usize = 1000;

/// Drop-ins of one unit, at most.
const DROP_INS_MAX: usize = 100;

/// Why a file does not count.
#[derive(Debug, thiserror::Error)]
enum FileError {
    /// The user it belongs to may write whatever he likes.
    #[error("the file belongs to user {0}, not to root")]
    NotRoots(u32),
    /// Its mode lets others write.
    #[error("others than root may write the file (mode {0:04o})")]
    Writable(u32),
    /// The system does not give it.
    #[error("the file cannot be read")]
    Unreadable(#[from] io::Error),
    /// A directory, a device, a pipe.
    #[error("it is not a regular file")]
    NotRegular,
    /// More than [`FILE_MAX`].
    #[error("the file is larger than {} KiB", FILE_MAX >> 10)]
    TooLarge,
    /// It was there a moment ago.
    #[error("it is gone")]
    Gone,
}

/// What files looked like when they were last read, and whether they had a section: reading hundreds of them again at
/// each reload of systemd would cost more than everything else.
#[derive(Debug, Default)]
pub(super) struct Cache(HashMap<PathBuf, (Stamp, bool)>);

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            // Cannot be set back, unlike the time of modification, which package managers set to what they like.
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Cache {
    /// The names of service units and templates that have a section in one of the directories `dirs`, in their file or in
    /// a drop-in of their own. Which of the files count is for systemd to say.
    pub(super) fn candidates(&mut self, dirs: &[String]) -> BTreeSet<String> {
        let mut units = BTreeSet::new();
        let mut seen = HashMap::with_capacity(self.0.len());
        for dir in dirs {
            for path in entries(Path::new(dir)) {
                let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                    continue;
                };
                if name.ends_with(".service") {
                    if self.has_section(&path, &mut seen) {
                        units.insert(name.to_owned());
                    }
                } else if let Some(unit) = name.strip_suffix(".d").filter(|unit| is_of_one(unit)) {
                    let mut drop_ins = entries(&path).filter(|path| path.extension().is_some_and(|end| end == "conf"));
                    // Every one of them, as the cache forgets those that are not asked for.
                    let mut any = false;
                    drop_ins
                        .by_ref()
                        .for_each(|path| any |= self.has_section(&path, &mut seen));
                    if any {
                        units.insert(unit.to_owned());
                    }
                }
            }
        }
        self.0 = seen;
        units
    }

    fn has_section(&mut self, path: &Path, seen: &mut HashMap<PathBuf, (Stamp, bool)>) -> bool {
        let Ok(metadata) = fs::metadata(path) else {
            return false;
        };
        let stamp = Stamp::of(&metadata);
        let known = self.0.get(path).filter(|(before, _)| *before == stamp);
        let has = known.map_or_else(|| read(path).is_ok_and(|text| names_section(&text)), |(_, has)| *has);
        seen.insert(path.to_owned(), (stamp, has));
        has
    }
}

/// Whether a folder of drop-ins is of one unit: not of all services (`service.d`), nor of all that begin alike
/// (`foo-.service.d`). Those count for units that have a section of their own.
fn is_of_one(unit: &str) -> bool {
    unit.strip_suffix(".service")
        .is_some_and(|name| !name.is_empty() && !name.ends_with('-'))
}

fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().take(ENTRIES_MAX);
    entries.filter_map(|entry| Some(entry.ok()?.path()))
}

fn names_section(text: &[u8]) -> bool {
    let mut brackets = text.split(|byte| *byte == b'[').skip(1);
    brackets.any(|rest| {
        rest.get(..SECTION.len())
            .is_some_and(|name| name.eq_ignore_ascii_case(SECTION.as_bytes()))
    })
}

/// The service that `unit` is, by its file and drop-ins in the order in which systemd reads them.
pub(super) fn service(unit: &str, paths: &[String]) -> Result<Option<DiscoveredService>, Vec<Rejected>> {
    let mut parts = Vec::new();
    let mut rejected = Vec::new();
    for path in paths.iter().filter(|path| !path.is_empty()).take(DROP_INS_MAX) {
        let file = match open(Path::new(path)) {
            // Gone since systemd read it: then it says nothing any more.
            Ok(None) => continue,
            Ok(Some(file)) => file,
            Err(why) => {
                rejected.push(keys::unreadable(unit, path, &chain(&why)));
                continue;
            }
        };
        let text = match contents(file.0) {
            Ok(text) => text,
            Err(why) => {
                rejected.push(keys::unreadable(unit, path, &chain(&why)));
                continue;
            }
        };
        let section = section(SECTION, &text);
        if section.line.is_none() {
            continue;
        }
        if let Err(why) = trusted(&file.1) {
            rejected.push(keys::unreadable(unit, path, &chain(&why)));
            continue;
        }
        parts.push(Part {
            path: path.clone(),
            section,
        });
    }
    if rejected.is_empty() {
        return keys::service(unit, &parts);
    }
    Err(rejected)
}

/// Only what root alone can write is believed: the agent restarts things on its word.
fn trusted(metadata: &Metadata) -> Result<(), FileError> {
    const OTHERS_WRITE: u32 = 0o022;
    if metadata.uid() != 0 {
        return Err(FileError::NotRoots(metadata.uid()));
    }
    if metadata.mode() & OTHERS_WRITE != 0 {
        return Err(FileError::Writable(metadata.mode() & 0o7777));
    }
    Ok(())
}

/// Opens a regular file without ever waiting for one that is not.
fn open(path: &Path) -> Result<Option<(File, Metadata)>, FileError> {
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let opened = OpenOptions::new().read(true).custom_flags(nonblocking).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(FileError::NotRegular);
    }
    Ok(Some((file, metadata)))
}

fn contents(file: File) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    file.take(FILE_MAX + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|size| size > FILE_MAX) {
        return Err(FileError::TooLarge);
    }
    Ok(bytes)
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let file = open(path)?.ok_or(FileError::Gone)?;
    contents(file.0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn units_with_a_section_are_found_in_files_and_drop_ins_and_again_when_they_change() {
        let root = tempfile::tempdir().unwrap();
        let dir = |name: &str| root.path().join(name);
        let dirs = ["etc", "lib", "missing"].map(|name| dir(name).display().to_string());
        let section = "[Service]\nExecStart=/bin/x\n[X-Sentinel]\n";
        write(&dir("lib/shop.service"), section);
        write(&dir("lib/plain.service"), "[Service]\nExecStart=/bin/x\n");
        write(&dir("lib/shop.timer"), section);
        write(&dir("lib/tmpl@.service"), section);
        write(&dir("etc/plain.service.d/health.conf"), "[x-sentinel]\n");
        write(&dir("etc/other.service.d/README"), section);
        write(&dir("etc/service.d/all.conf"), section);
        write(&dir("etc/many-.service.d/all.conf"), section);
        symlink("/dev/null", dir("etc/masked.service")).unwrap();
        let mut cache = Cache::default();
        let found = |cache: &mut Cache| cache.candidates(&dirs).into_iter().collect::<Vec<_>>();
        assert_eq!(found(&mut cache), ["plain.service", "shop.service", "tmpl@.service"]);
        assert_eq!(found(&mut cache), ["plain.service", "shop.service", "tmpl@.service"]);
        write(&dir("lib/shop.service"), "[Service]\nExecStart=/bin/x\n");
        write(&dir("etc/other.service.d/x.conf"), section);
        fs::remove_file(dir("lib/tmpl@.service")).unwrap();
        assert_eq!(found(&mut cache), ["other.service", "plain.service"]);
    }

    #[test]
    fn what_others_can_write_is_rejected_and_what_is_gone_says_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop.service");
        let shown = path.display().to_string();
        let service = |paths: &[&str]| {
            let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            super::service("shop.service", &paths).map_err(|rejected| rejected[0].to_string())
        };
        write(&path, "[X-Sentinel]\nfall=2\n");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        let mine = fs::metadata(&path).unwrap().uid();
        let why = if mine == 0 {
            "others than root may write the file (mode 0664)".to_owned()
        } else {
            format!("the file belongs to user {mine}, not to root")
        };
        let said = format!("{shown}: its [X-Sentinel] section does not count: {why}");
        assert_eq!(service(&[&shown]), Err(said));
        // Without a section it is nobody's business who can write it.
        write(&path, "[Service]\n");
        assert_eq!(service(&[&shown]), Ok(None));
        assert_eq!(service(&[&shown, "/nonexistent/x.conf", ""]), Ok(None));
        let folder = folder.path().display().to_string();
        assert!(service(&[&folder]).is_err());
    }
}
