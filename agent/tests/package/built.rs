//! The packages under test, made once per run.

use std::ffi::OsString;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// The version that hosts begin with.
pub(crate) const OLD: &str = "1.0.0-1";
/// The one that comes after.
pub(crate) const NEW: &str = "1.0.1-1";

/// What was made.
pub(crate) struct Built {
    /// `sentinel` and `demo-service` of [`OLD`].
    pub(crate) old: Vec<PathBuf>,
    /// The repository with both versions.
    pub(crate) repository: PathBuf,
    /// The file that tells apt of it.
    pub(crate) sources: PathBuf,
}

pub(crate) static BUILT: LazyLock<Built> = LazyLock::new(|| {
    let folder = target_dir().join("package-test");
    // What another run left there is none of this one's.
    let _ = std::fs::remove_dir_all(&folder);
    let old = pack(OLD, &folder.join("deb"));
    let new = pack(NEW, &folder.join("deb"));
    let repository = folder.join("apt");
    let arguments: Vec<OsString> = old.iter().chain(&new).map(|path| path.clone().into()).collect();
    let keys = folder.join("keys");
    let key = make_key(&keys);
    let environment = [
        ("OUT", repository.clone().into()),
        ("GNUPGHOME", keys.into()),
        ("APT_KEY", key.into()),
    ];
    let sources = script("apt-repo", &arguments, &environment);
    Built {
        old,
        repository,
        sources: sources.into_iter().next().expect("it names the file"),
    }
});

/// Packs the programs as `version`, and answers where the packages are.
pub(crate) fn pack(version: &str, out: &Path) -> Vec<PathBuf> {
    let built = Path::new(env!("CARGO_BIN_EXE_sentinel"))
        .parent()
        .expect("it is in a folder");
    let programs = std::env::var_os("SENTINEL_PROGRAMS").unwrap_or_else(|| built.into());
    let packages = script(
        "deb",
        &[],
        &[
            ("VERSION", version.into()),
            ("OUT", out.into()),
            ("PROGRAMS", programs),
            ("PACKING", "-z1".into()),
        ],
    );
    assert_eq!(packages.len(), 2, "{packages:?}");
    packages
}

/// Makes a key as a publisher of packages has one, in a keyring of its own; answers its name.
fn make_key(folder: &Path) -> &'static str {
    const NAME: &str = "Some Publisher <packages@example.com>";
    std::fs::create_dir_all(folder).expect("a folder");
    std::fs::set_permissions(folder, Permissions::from_mode(0o700)).expect("it is ours");
    let made = Command::new("gpg")
        .env("GNUPGHOME", folder)
        .args(["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", ""])
        .args(["--quick-generate-key", NAME, "ed25519", "sign", "never"])
        .status();
    assert!(made.expect("gpg can be run").success(), "gpg makes a key");
    NAME
}

/// Runs one of the scripts in `packaging/`; answers the paths it prints.
pub(crate) fn script(name: &str, arguments: &[OsString], environment: &[(&str, OsString)]) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging").join(name);
    let output = Command::new(&path)
        .args(arguments)
        .env("CARGO_TARGET_DIR", target_dir())
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stderr(Stdio::inherit())
        .output()
        .unwrap_or_else(|error| panic!("cannot run {}: {error}", path.display()));
    assert!(output.status.success(), "{} failed: {}", path.display(), output.status);
    let paths = String::from_utf8(output.stdout).expect("paths are text");
    paths.lines().map(PathBuf::from).collect()
}

/// Where cargo puts what it builds: two folders above the program.
fn target_dir() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_sentinel"));
    program.ancestors().nth(2).expect("target/PROFILE/sentinel").to_owned()
}
