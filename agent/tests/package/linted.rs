//! The packages as files.

use std::process::Command;

use crate::built::{BUILT, OLD, pack, script};

#[test]
fn lintian_finds_nothing() {
    let output = Command::new("lintian")
        .args(["--fail-on", "error,warning", "--allow-root", "--tag-display-limit", "0"])
        .args(&BUILT.old)
        .output()
        .expect("lintian can be run; packaging/test-host/requirements installs it");
    let found = String::from_utf8_lossy(&output.stdout);
    println!("{found}");
    assert!(output.status.success() && !found.contains("W: "), "{found}");
}

/// Installed, removed and purged by Debian's own tool in a root of its own, where no systemd runs.
#[test]
fn piuparts_finds_nothing() {
    let arguments: Vec<_> = BUILT.old.iter().map(|path| path.clone().into()).collect();
    assert_eq!(script("piuparts", &arguments, &[]).len(), 1);
}

#[test]
fn without_a_key_of_ones_own_the_repository_gets_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("apt");
    let arguments: Vec<_> = BUILT.old.iter().map(|path| path.clone().into()).collect();
    let release = out.join("dists/stable/InRelease");
    let keyring = out.join("sentinel-archive-keyring.gpg");
    let mut keys = Vec::new();
    for _ in 0..2 {
        script("apt-repo", &arguments, &[("OUT", out.clone().into())]);
        let verified = Command::new("gpgv")
            .arg("--keyring")
            .args([&keyring, &release])
            .output();
        let verified = verified.expect("gpgv can be run");
        assert!(
            verified.status.success(),
            "{}",
            String::from_utf8_lossy(&verified.stderr)
        );
        keys.push(std::fs::read(&keyring).expect("the key is there"));
    }
    assert!(
        keys[0] == keys[1],
        "the key is made once, so that whoever trusts it goes on"
    );
}

#[test]
fn the_same_programs_make_the_same_packages() {
    let folder = tempfile::tempdir().expect("a folder");
    for (first, second) in BUILT.old.iter().zip(pack(OLD, folder.path())) {
        let read = |path| std::fs::read(path).expect("the package is there");
        assert!(
            read(first) == read(&second),
            "{} is made differently each time",
            first.display()
        );
    }
}
