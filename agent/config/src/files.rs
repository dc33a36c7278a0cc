//! Finds and reads the files of a configuration.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::findings::Findings;
use super::problem::{Fault, Place};
use super::reading::read_text;

/// `conf.d` is written by operators and packages.
const MAX_FILES: usize = 1000;
/// The directory beside the main file whose `*.toml` files are merged into it, in the order of their names.
const CONF_D: &str = "conf.d";

/// What is named at most of what stands beside those files and is not read.
const MAX_UNREAD: usize = 10;

/// What is said of it.
pub(super) const NOT_READ: &str = "is not read: in this directory only files are whose names end in `.toml`";

/// What to do when the main file is not what it should be.
const ELSEWHERE: &str = "; another file is named with `--config`";

/// One file as it was read.
#[derive(Clone, Debug)]
pub(super) struct Fragment {
    pub(super) path: PathBuf,
    pub(super) place: Place,
    pub(super) text: String,
}

/// Reads the main file and what stands in `conf.d` beside it; answers also what stands there and is not read.
pub(super) fn read_all(main: &Path, findings: &mut Findings) -> (Vec<Fragment>, Vec<Place>) {
    let (mut paths, mut passed_over) = (vec![main.to_owned()], Vec::new());
    let directory = fragments(main);
    match list(&directory) {
        Ok((found, unread)) => {
            paths.extend(found);
            passed_over.extend(unread.iter().map(|path| Place::source(1, path.to_string_lossy())));
        }
        Err(reason) => findings.unreadable(Place::source(1, directory.to_string_lossy()), reason, None),
    }
    let mut fragments = Vec::new();
    for (order, path) in paths.into_iter().enumerate() {
        let place = Place::source(order, path.to_string_lossy());
        match read_text(&path) {
            Ok(text) => fragments.push(Fragment { path, place, text }),
            Err(error) => {
                let elsewhere = if order == 0 { ELSEWHERE } else { "" };
                let message = format!("{}{elsewhere}", error.words());
                findings.unreadable(place, Fault::of_file(&error, &path, message), None);
            }
        }
    }
    (fragments, passed_over)
}

/// What a configuration is made of: the main file, the directory beside it if there is one, and the files in that.
pub fn sources(main: &Path) -> Vec<PathBuf> {
    let directory = fragments(main);
    let (files, _) = list(&directory).unwrap_or_default();
    let directory = directory.symlink_metadata().is_ok().then_some(directory);
    [main.to_owned()].into_iter().chain(directory).chain(files).collect()
}

/// The directory of the fragments of `main`.
fn fragments(main: &Path) -> PathBuf {
    main.parent().unwrap_or(Path::new("")).join(CONF_D)
}

/// The visible `*.toml` files in a directory that may not exist, sorted by name; and what else stands there and was
/// probably meant to be read.
fn list(directory: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Fault> {
    let cannot = |error: io::Error| match error.kind() {
        io::ErrorKind::PermissionDenied => Fault {
            message: "cannot be listed: permission denied".to_owned(),
            denied: Some(directory.to_owned()),
        },
        _ => format!("cannot be listed: {error}").into(),
    };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
        Err(error) => return Err(cannot(error)),
    };
    let (mut paths, mut unread) = (Vec::new(), Vec::new());
    for entry in entries {
        let path = entry.map_err(cannot)?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        } else if is_meant(&path) && unread.len() < MAX_UNREAD {
            unread.push(path);
        }
        if paths.len() > MAX_FILES {
            return Err(format!("holds more than {MAX_FILES} files").into());
        }
    }
    paths.sort();
    unread.sort();
    Ok((paths, unread))
}

/// Whether something that is not read was probably meant to be. What was put aside (`web.toml.off`,
/// `web.toml.dpkg-old`) and what explains (`README`) was not.
fn is_meant(path: &Path) -> bool {
    const LIKE_CONFIGURATION: [&str; 8] = ["conf", "config", "cfg", "ini", "json", "tml", "yaml", "yml"];
    let Some(extension) = path.extension() else {
        return path.is_dir();
    };
    let extension = extension.to_string_lossy().to_lowercase();
    // `Web.TOML`, which the shell's `*.toml` does not find either.
    extension == "toml" || LIKE_CONFIGURATION.contains(&extension.as_str())
}
