//! Which version this is.

use std::sync::LazyLock;

/// The version: as the package says, in which it is, without the number of the packaging; otherwise Cargo's.
pub const VERSION: &str = match option_env!("SENTINEL_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
};

/// The commit it was built from, where that is known.
const COMMIT: Option<&str> = option_env!("SENTINEL_COMMIT");

/// For `--version`.
pub static LONG: LazyLock<String> = LazyLock::new(|| long(VERSION, COMMIT));

/// The version of a release has no commit in it.
fn long(version: &str, commit: Option<&str>) -> String {
    match commit {
        Some(commit) if !version.contains(commit) => format!("{version} ({commit})"),
        _ => version.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_is_there_once() {
        for (version, commit, expected) in [
            ("1.2.3", Some("0123abc"), "1.2.3 (0123abc)"),
            (
                "1.2.3~git20261129.0123abc",
                Some("0123abc"),
                "1.2.3~git20261129.0123abc",
            ),
            ("1.2.3", None, "1.2.3"),
        ] {
            assert_eq!(long(version, commit), expected);
        }
    }
}
