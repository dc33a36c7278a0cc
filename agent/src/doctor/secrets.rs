//! Who may enter the directory of secrets, and what an operator's own `tmpfiles.d(5)` makes of it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use sentinel_config::{CONTROL_GROUP, SECRETS_DIRECTORY};

use super::account::group_name;
use super::facts::SecretsFacts;

/// Where an operator's files stand; they win over those of packages.
const OWN_RULES: &str = "/etc/tmpfiles.d";

/// Looks at it; `None` when there is no such directory.
pub(super) fn look() -> Option<SecretsFacts> {
    let directory = fs::metadata(SECRETS_DIRECTORY).ok()?;
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    Some(SecretsFacts {
        group: group_name(&groups, directory.gid()),
        mode: directory.permissions().mode(),
        own_rule: own_rule(),
    })
}

/// The first file that leaves the directory to the group which may control the agent.
fn own_rule() -> Option<String> {
    let mut files: Vec<_> = fs::read_dir(OWN_RULES)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "conf"));
    files.sort();
    files.into_iter().find_map(|file| {
        let text = fs::read_to_string(&file).ok()?;
        gives_to_control_group(&text).then(|| file.display().to_string())
    })
}

/// Whether a line of `tmpfiles.d(5)` (type, path, mode, user, group) does so.
fn gives_to_control_group(text: &str) -> bool {
    text.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().map(|field| field.trim_matches('"')).collect();
        let [kind, path, _, _, group, ..] = fields.as_slice() else {
            return false;
        };
        // Beside the types that make or set a directory, as `d`, `Z`, modifiers may stand; `:` before a group holds for new ones only.
        kind.starts_with(['d', 'D', 'v', 'q', 'Q', 'z', 'Z'])
            && Path::new(path) == Path::new(SECRETS_DIRECTORY)
            && group.trim_start_matches(':') == CONTROL_GROUP
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_gives_the_secrets_away_is_found() {
        for (text, expected) in [
            ("d /etc/sentinel/secrets 2750 root sentinel -\n", true),
            ("# mine\nd+ /etc/sentinel/secrets/ 0750 root sentinel\n", true),
            ("Z \"/etc/sentinel/secrets\" - - :sentinel -\n", true),
            ("d /etc/sentinel/secrets 2750 root sentinel-secrets -\n", false),
            ("d /etc/sentinel/secrets 2700 root root -\n", false),
            ("d /etc/sentinel/secrets\n", false),
            ("# d /etc/sentinel/secrets 2750 root sentinel -\n", false),
            ("r /etc/sentinel/secrets - root sentinel -\n", false),
            ("d /etc/sentinel/conf.d 2750 root sentinel -\n", false),
            ("", false),
        ] {
            assert_eq!(gives_to_control_group(text), expected, "{text}");
        }
    }
}
