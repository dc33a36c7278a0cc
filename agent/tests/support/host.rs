//! Drives a test host: a container with a real systemd, made by `packaging/test-host`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Where the running test binary is put in the host. Not below `/tmp` or `/run`, which are file systems of their own.
const TEST_BINARY: &str = "/usr/local/bin/sentinel-test";

/// Longest boot on a busy machine.
const BOOT: Duration = Duration::from_secs(60);

/// Of which suite of Debian hosts are, unless they are what `packaging/test-host/run` takes by itself.
const SUITE: &str = "SENTINEL_TEST_SUITE";

/// A running test host. Removed on drop, also when the test panics.
pub struct Host {
    id: String,
    docker: String,
    /// It is one of another suite, which Docker alone may not be able to enter.
    is_of_suite: bool,
}

impl Host {
    /// Starts a host, which takes a second or two, after the image was made once (half a minute).
    ///
    /// # Panics
    ///
    /// With what the script said, when there is no Docker Engine, no image, or no boot.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with options for `docker create`.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    pub fn start_with(options: &[&str]) -> Self {
        Self::run(&[], options)
    }

    /// The same, of a variant that has more packages: a folder of `packaging/test-host/variants`.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    pub fn start_variant(variant: &str, options: &[&str]) -> Self {
        Self::run(&["--variant", variant], options)
    }

    fn run(arguments: &[&str], options: &[&str]) -> Self {
        let run = scripts().join("run");
        let suite = std::env::var(SUITE).ok().filter(|suite| !suite.is_empty());
        let output = Command::new(&run)
            .args(suite.iter().flat_map(|suite| ["--suite", suite]))
            .args(arguments)
            .arg("--")
            .args(options)
            .stderr(Stdio::inherit())
            .output()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", run.display()));
        assert!(output.status.success(), "{} failed: {}", run.display(), output.status);
        Self {
            id: text(&output.stdout),
            docker: docker(),
            is_of_suite: suite.is_some(),
        }
    }

    /// The container's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `argv` as a command to be run in the host as root, for callers that want its pipes.
    pub fn command<const N: usize>(&self, argv: [&str; N]) -> Command {
        let mut command = if self.is_of_suite {
            let mut command = Command::new(scripts().join("enter"));
            command.arg(&self.id);
            command
        } else {
            let mut command = Command::new(&self.docker);
            command.args(["exec", "--interactive", &self.id]);
            command
        };
        command.args(argv);
        command
    }

    /// Runs a shell script in the host and waits for it, whatever its exit status.
    pub fn try_sh(&self, script: &str) -> Output {
        self.command(["sh", "-c", script])
            .stdin(Stdio::null())
            .output()
            .expect("docker exec can be run")
    }

    /// Runs a shell script in the host, which must succeed, and answers its output without the last newline.
    ///
    /// # Panics
    ///
    /// When the script fails.
    pub fn sh(&self, script: &str) -> String {
        let output = self.try_sh(script);
        assert!(
            output.status.success(),
            "`{script}` failed in the test host with {}\n{}{}",
            output.status,
            text(&output.stdout),
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    /// Powers the host off by its own systemd, and on again: all file systems but `/run` and `/tmp` stay. The kernel, and with
    /// it the boot id and the clock, is the outer machine's and goes on.
    ///
    /// # Panics
    ///
    /// When it does not come up again.
    pub fn reboot(&self) {
        // The connection may break off before the command ends.
        let _ = self.try_sh("systemctl poweroff");
        let docker = |arguments: &[&str]| {
            let output = Command::new(&self.docker).args(arguments).arg(&self.id).output();
            output.expect("docker can be run")
        };
        assert!(docker(&["wait"]).status.success(), "the host can be waited for");
        assert!(docker(&["start"]).status.success(), "the host can be started");
        wait_until("the host has booted", BOOT, || {
            let state = self.try_sh("systemctl is-system-running");
            matches!(text(&state.stdout).as_str(), "running" | "degraded")
        });
    }

    /// Writes a file in the host, with its folders.
    pub fn write(&self, path: &str, content: &[u8]) {
        let script = format!("mkdir -p \"$(dirname '{path}')\" && cat >'{path}'");
        let mut child = self
            .command(["sh", "-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("docker exec can be run");
        child
            .stdin
            .take()
            .expect("stdin is a pipe")
            .write_all(content)
            .expect("the host takes the content");
        let status = child.wait().expect("docker exec can be waited for");
        assert!(status.success(), "writing {path} in the test host failed: {status}");
    }

    /// Copies an executable into the host. (`docker cp` would write below the file systems mounted in the host.)
    pub fn install(&self, from: &Path, to: &str) {
        let content = std::fs::read(from).unwrap_or_else(|error| panic!("cannot read {}: {error}", from.display()));
        self.write(to, &content);
        self.sh(&format!("chmod 0755 '{to}'"));
    }

    /// Installs the agent and its unit, with `RestartSec=restart`, but does not start it. As the package does, but for the
    /// user and the sandbox: tests reach for whatever they need, as process targets may.
    pub fn install_agent(&self, program: &Path, restart: &str) {
        self.install(program, "/usr/bin/sentinel");
        self.write(
            "/usr/lib/sysusers.d/sentinel.conf",
            include_bytes!("../../../systemd/sysusers.d/sentinel.conf"),
        );
        let unit = include_str!("../../../systemd/sentinel.service");
        assert!(unit.contains("RestartSec=2"), "what is replaced is there");
        let unit = unit.replace("RestartSec=2", &format!("RestartSec={restart}"));
        self.write("/etc/systemd/system/sentinel.service", unit.as_bytes());
        self.write(
            "/etc/systemd/system/sentinel.service.d/process-targets.conf",
            include_bytes!("../../../systemd/process-targets.conf"),
        );
        self.sh("systemd-sysusers && systemctl daemon-reload");
    }

    /// From its next start on the agent has the user and the sandbox that the package gives it.
    pub fn confine_agent(&self) {
        self.sh("rm /etc/systemd/system/sentinel.service.d/process-targets.conf
                 chgrp -R sentinel /etc/sentinel && chmod -R u=rwX,g=rX,o= /etc/sentinel
                 systemctl daemon-reload");
    }

    /// Installs the running test binary in the host, so that its `#[ignore]`d tests can be run there by
    /// [`Self::run_test`].
    pub fn install_tests(&self) {
        let this = std::env::current_exe().expect("a running program has a path");
        self.install(&this, TEST_BINARY);
    }

    /// Runs one `#[ignore]`d test of this binary inside the host, as root, and shows its output.
    ///
    /// # Panics
    ///
    /// When it fails, or when there is no such test.
    pub fn run_test(&self, name: &str) {
        self.run_test_as("root", name);
    }

    /// The same as another user.
    ///
    /// # Panics
    ///
    /// When it fails, or when there is no such test.
    pub fn run_test_as(&self, user: &str, name: &str) {
        let test = format!("{TEST_BINARY} --ignored --exact {name} --nocapture --test-threads=1");
        let script = format!("exec setpriv --reuid {user} --regid {user} --clear-groups {test}");
        let output = self.try_sh(&script);
        let shown = format!("{}\n{}", text(&output.stdout), text(&output.stderr));
        println!("{shown}");
        assert!(output.status.success(), "`{name}` failed inside the test host");
        assert!(
            shown.contains("1 passed"),
            "there is no test `{name}` to run inside the test host"
        );
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = Command::new(scripts().join("remove")).arg(&self.id).status();
    }
}

/// Waits until `holds`, looking again every few milliseconds.
///
/// # Panics
///
/// When it does not hold within `bound`.
pub fn wait_until(what: &str, bound: Duration, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < bound, "not within {bound:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The folder of the scripts; `SENTINEL_TEST_HOST` names another one.
fn scripts() -> PathBuf {
    std::env::var_os("SENTINEL_TEST_HOST").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/test-host"),
        PathBuf::from,
    )
}

/// The Docker client, chosen as the scripts choose it.
fn docker() -> String {
    std::env::var("DOCKER").unwrap_or_else(|_| {
        let distribution = "/usr/bin/docker";
        if Path::new(distribution).exists() {
            distribution.to_owned()
        } else {
            "docker".to_owned()
        }
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}
