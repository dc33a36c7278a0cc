//! Where polkit reads its rules: whether they changed.
//!
//! The agent may not list these directories, so nothing tells it of a change; but it may see when they were last changed. A
//! rule that is put in place whole, as `sentinel polkit-rules --install` does, changes its directory.

use std::path::Path;
use std::time::SystemTime;

/// In the order of polkit's own documentation.
const DIRECTORIES: [&str; 4] = [
    "/etc/polkit-1/rules.d",
    "/run/polkit-1/rules.d",
    "/usr/local/share/polkit-1/rules.d",
    "/usr/share/polkit-1/rules.d",
];

/// When each of them was last changed; `None` for those that are not there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rules(Vec<Option<SystemTime>>);

impl Rules {
    /// As they are now.
    pub(super) fn look() -> Self {
        Self::of(&DIRECTORIES)
    }

    fn of(directories: &[impl AsRef<Path>]) -> Self {
        let changed = |directory: &_| std::fs::metadata(directory).ok()?.modified().ok();
        Self(directories.iter().map(changed).collect())
    }

    /// Whether they changed since the last time this was asked.
    pub(super) fn changed(&mut self) -> bool {
        let before = std::mem::replace(self, Self::look());
        before != *self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_comes_or_goes_changes_its_directory() {
        let folder = tempfile::tempdir().unwrap();
        let directories = [folder.path().join("there"), folder.path().join("not-there")];
        std::fs::create_dir(&directories[0]).unwrap();
        let long_ago = SystemTime::UNIX_EPOCH;
        std::fs::File::open(&directories[0])
            .unwrap()
            .set_modified(long_ago)
            .unwrap();
        let before = Rules::of(&directories);
        assert_eq!(before, Rules::of(&directories));
        std::fs::write(directories[0].join("50-sentinel.rules"), "").unwrap();
        assert_ne!(before, Rules::of(&directories));
    }
}
