//! The packages as files.

use std::process::Command;

use crate::built::{BUILT, OLD, pack};

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
