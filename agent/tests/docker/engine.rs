//! The Engine of this machine, through its client, and containers that are removed again.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The Docker client, chosen as the scripts of the test host choose it.
pub fn docker() -> Command {
    let distribution = "/usr/bin/docker";
    let program = std::env::var("DOCKER").unwrap_or_else(|_| {
        let known = Path::new(distribution).exists();
        if known { distribution } else { "docker" }.to_owned()
    });
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

/// An image with a shell in it.
pub fn image() -> &'static str {
    static IMAGE: OnceLock<String> = OnceLock::new();
    IMAGE.get_or_init(|| {
        let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/test-host/build");
        if !build.exists() {
            // Inside a test host with an Engine of its own.
            return NESTED_IMAGE.to_owned();
        }
        let output = Command::new(&build)
            .stderr(Stdio::inherit())
            .output()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", build.display()));
        assert!(output.status.success(), "{} failed", build.display());
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    })
}

/// The image that is made inside a test host.
pub const NESTED_IMAGE: &str = "tiny:1";

/// Names for containers of one test, none used before.
pub struct Names {
    prefix: String,
}

impl Names {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self {
            prefix: format!("docker-{}-{number}", std::process::id()),
        }
    }

    pub fn of(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        // Whatever they are called by now.
        let filter = format!("name={}-", self.prefix);
        let listed = docker().args(["ps", "--all", "--quiet", "--filter", &filter]).output();
        let ids = listed.map(|output| text(&output.stdout)).unwrap_or_default();
        if !ids.is_empty() {
            let _ = docker()
                .args(["rm", "--force", "--volumes"])
                .args(ids.split_whitespace())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
    }
}

/// Runs a shell script with `$C` for the container's name, `$I` for the image and `docker` for the client. In a process group of
/// its own: `kill` of what is dead already is `kill 0`.
pub fn sh(container: &str, script: &str) -> Output {
    let client = docker().get_program().to_string_lossy().into_owned();
    Command::new("sh")
        .arg("-c")
        .arg(format!("docker() {{ '{client}' \"$@\"; }}\n{script}"))
        .env("C", container)
        .env("I", image())
        .stdin(Stdio::null())
        .process_group(0)
        .output()
        .unwrap()
}

/// The same, which must succeed.
pub fn must(container: &str, script: &str) -> String {
    let output = sh(container, script);
    assert!(
        output.status.success(),
        "`{script}` failed: {}{}",
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// A field of `docker inspect`.
pub fn inspect(container: &str, field: &str) -> String {
    must(container, &format!("docker inspect \"$C\" --format '{{{{{field}}}}}'"))
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}
