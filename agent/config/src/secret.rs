//! Secrets: values that are never shown, and the files they stand in.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::problem::Fault;
use super::reading::read_limited;

/// Keys and tokens are short; what is larger is the wrong file.
const MAX_SECRET: u64 = 64 << 10;

/// What follows `whsec_` in a signing secret. Some tools print keys without padding.
pub const SIGNING_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A value that is never shown. Unlike `SecretString` it can be compared, so that a reload finds what changed.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(SecretString);

impl ExposeSecret<str> for Secret {
    fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose_secret() == other.expose_secret()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Secret {
    /// What stands in for one that was not read: an address that leads nowhere, and one line.
    const STAND_IN: &str = "https://not-read.invalid/";

    pub(super) fn stand_in() -> Self {
        Self::from(Self::STAND_IN)
    }

    /// Whether it was not read ([`Secrets`]).
    pub fn is_stand_in(&self) -> bool {
        self.expose_secret() == Self::STAND_IN
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// Where systemd keeps the credentials of the agent while it runs. Lets `sentinel check`, asked by root, see them too.
const CREDENTIALS: &str = "/run/credentials/sentinel.service";

/// The group whose members may control the agent, as its package makes it (`sysusers.d/sentinel.conf`).
pub const CONTROL_GROUP: &str = "sentinel";

/// The group of which the agent's user alone is a member.
pub const SECRETS_GROUP: &str = "sentinel-secrets";

/// Where only that group may enter (`tmpfiles.d/sentinel.conf`).
pub const SECRETS_DIRECTORY: &str = "/etc/sentinel/secrets";

/// Which of the files with secrets are read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Secrets {
    /// All of them, as the agent needs them.
    #[default]
    All,
    /// Those that this process can see: systemd shows a credential to the agent alone, while the agent runs.
    AtHand,
    /// None of them, as nothing depends on what they hold.
    None,
}

/// Where a secret stands.
pub(super) enum Source {
    /// In this file.
    File(PathBuf),
    /// In the credential of this name, which this process is not shown.
    Elsewhere(String),
}

/// The file that `*_file` means: a path, or `credential:NAME` for what systemd hands over (`LoadCredential=`,
/// `LoadCredentialEncrypted=`).
///
/// # Errors
///
/// A sentence for the operator: systemd has handed over other credentials, and not this one.
pub(super) fn resolve(file: &Path) -> Result<Source, Fault> {
    let Some(name) = file.to_str().and_then(|file| file.strip_prefix("credential:")) else {
        return Ok(Source::File(file.to_owned()));
    };
    let directory = match std::env::var_os("CREDENTIALS_DIRECTORY") {
        Some(directory) => PathBuf::from(directory),
        None if Path::new(CREDENTIALS).is_dir() => PathBuf::from(CREDENTIALS),
        None => return Ok(Source::Elsewhere(name.to_owned())),
    };
    let path = directory.join(name);
    if fs::metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Err(format!(
            "the credential `{name}` was not handed over when the agent started: `systemctl edit sentinel`, \
             `LoadCredential={name}:PATH` below `[Service]`, `systemctl restart sentinel`"
        )
        .into());
    }
    Ok(Source::File(path))
}

/// Reads a secret, without the white space around it, and without the mark that some editors begin a file with.
pub(super) fn read(path: &Path) -> Result<Secret, Fault> {
    let bytes = read_limited(path, MAX_SECRET).map_err(|error| Fault::of_file(&error, path, error.words()).at(path))?;
    let text = str::from_utf8(&bytes)
        .map_err(|_| Fault::from("is not UTF-8 text").at(path))?
        .trim_start_matches('\u{feff}')
        .trim();
    if text.is_empty() {
        return Err(Fault::from("is empty").at(path));
    }
    Ok(text.to_owned().into())
}

/// Whether every user of the host may read the file: it is readable by all, and every directory above it may be
/// entered. In a directory that only the agent's group may enter, such as `/etc/sentinel/secrets`, files may be as
/// `tee` makes them.
pub(super) fn is_world_readable(path: &Path) -> bool {
    let has = |path: &Path, bit| fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & bit != 0);
    fs::canonicalize(path)
        .is_ok_and(|path| has(&path, 0o004) && path.ancestors().skip(1).all(|directory| has(directory, 0o001)))
}

/// Whether members of the group that may control the agent may read the file: it lies open to the group, and so does
/// the way there.
pub(super) fn is_control_group_readable(path: &Path) -> bool {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    group_id(&groups, CONTROL_GROUP).is_some_and(|gid| is_group_readable(path, gid))
}

/// Whether a user whose only group is `gid` may read the file.
fn is_group_readable(path: &Path, gid: u32) -> bool {
    // As the kernel decides it: a member of the file's group gets the group's bits, also where others may more.
    let may = |path: &Path, bit: u32| {
        fs::metadata(path).is_ok_and(|file| {
            let shift = if file.gid() == gid { 3 } else { 0 };
            file.permissions().mode() & (bit << shift) != 0
        })
    };
    fs::canonicalize(path)
        .is_ok_and(|path| may(&path, 0o4) && path.ancestors().skip(1).all(|directory| may(directory, 0o1)))
}

/// The number of a group by the text of `group(5)`.
fn group_id(groups: &str, name: &str) -> Option<u32> {
    let mut rows = groups.lines().map(|line| line.split(':'));
    rows.find_map(|mut row| (row.next()? == name).then(|| row.nth(1)?.parse().ok()).flatten())
}

/// Whether `secret` is a signing secret in the form of Standard Webhooks. Its libraries decode what lacks the prefix as
/// well.
pub(super) fn is_standard(secret: &str) -> bool {
    secret.starts_with("whsec_")
}

/// Checks a signing secret: one that says it is a Standard Webhooks secret must be one, for signatures of this kind.
pub(super) fn check_signing(secret: &str) -> Result<(), String> {
    /// Standard Webhooks, "Signature scheme": between 24 and 64 bytes.
    const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

    if secret.starts_with("whsk_") || secret.starts_with("whpk_") {
        return Err("is a key for ed25519; messages are signed with a shared secret, `whsec_` and base64".to_owned());
    }
    let Some(encoded) = secret.strip_prefix("whsec_") else {
        return Ok(());
    };
    match SIGNING_BASE64.decode(encoded) {
        Err(_) => Err("what follows `whsec_` is not base64".to_owned()),
        Ok(key) if !KEY_BYTES.contains(&key.len()) => Err(format!(
            "what follows `whsec_` decodes to {} bytes; it must be 24 to 64",
            key.len()
        )),
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_name() {
        const GROUPS: &str = "root:x:0:\nbroken\nodd:x:y:\nsentinel:x:980:alice,bob\n";
        let id = |name| group_id(GROUPS, name);
        assert_eq!(
            (id("sentinel"), id("root"), id("odd"), id("broken")),
            (Some(980), Some(0), None, None)
        );
    }

    #[test]
    fn a_group_reads_a_file_when_it_gets_there() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("secrets");
        let file = directory.join("slack");
        fs::create_dir(&directory).unwrap();
        fs::write(&file, "a secret").unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        set(place.path(), 0o755);
        let own = fs::metadata(&file).unwrap().gid();
        let other = own + 1;
        #[rustfmt::skip]
        let table = [
            // the directory, the file, the group; whether its members may read it
            (0o750, 0o640, own, true),
            (0o755, 0o640, own, true),
            (0o705, 0o644, own, false),
            (0o750, 0o604, own, false),
            (0o750, 0o644, other, false),
            (0o755, 0o640, other, false),
            (0o755, 0o644, other, true),
        ];
        for (directory_mode, mode, gid, expected) in table {
            set(&directory, directory_mode);
            set(&file, mode);
            assert_eq!(
                is_group_readable(&file, gid),
                expected,
                "{directory_mode:o} {mode:o} {gid}"
            );
        }
    }

    #[test]
    fn a_file_lies_open_when_the_way_to_it_does() {
        let place = tempfile::tempdir().unwrap();
        let (directory, link) = (place.path().join("secrets"), place.path().join("link"));
        let file = directory.join("slack");
        fs::create_dir(&directory).unwrap();
        fs::write(&file, "a secret").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        #[rustfmt::skip]
        let table = [
            // the directory above, that of the secrets, the file; whether every user may read it
            (0o755, 0o755, 0o644, true),
            (0o755, 0o711, 0o604, true),
            (0o755, 0o750, 0o644, false),
            (0o700, 0o755, 0o644, false),
            (0o755, 0o755, 0o640, false),
        ];
        for (above, own, mode, expected) in table {
            set(place.path(), above);
            set(&directory, own);
            set(&file, mode);
            for path in [&file, &link] {
                assert_eq!(is_world_readable(path), expected, "{above:o} {own:o} {mode:o}");
            }
        }
        assert!(!is_world_readable(&place.path().join("nothing")));
    }
}
