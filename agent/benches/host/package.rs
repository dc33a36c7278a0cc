//! The agent as operators get it: packed, and installed by apt.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::HOST_OPTIONS;
use crate::host::Host;
use crate::options::target_dir;

/// Boots a host and installs the package of `agent`, which then runs as user `sentinel` in its sandbox.
pub fn host(agent: &Path) -> anyhow::Result<Host> {
    let out = target_dir().join("bench/deb");
    let package = pack(agent, &out)?;
    let volume = format!("{0}:{0}:ro", out.display());
    let host = Host::start_with(&[&HOST_OPTIONS[..], &["--volume", &volume]].concat());
    host.sh(&format!(
        "apt-get install -y --no-install-recommends {} 2>&1",
        package.display()
    ));
    Ok(host)
}

/// Packs the programs in the folder of `agent` as `make deb` does; answers where the agent's package is.
fn pack(agent: &Path, out: &Path) -> anyhow::Result<PathBuf> {
    let programs = agent.parent().context("the agent is in a folder")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/deb");
    let output = Command::new(&script)
        .env("PROGRAMS", programs)
        .env("OUT", out)
        .env("CARGO_TARGET_DIR", target_dir())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", script.display()))?;
    ensure!(
        output.status.success(),
        "{} failed: {}",
        script.display(),
        output.status
    );
    let paths = String::from_utf8(output.stdout)?;
    let package = paths.lines().map(Path::new).find(|path| {
        path.file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"sentinel_"))
    });
    Ok(package.context("it names the package")?.to_owned())
}
