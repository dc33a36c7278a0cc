//! Docker, the scripts, and what they make.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// The repository.
pub fn root() -> PathBuf {
    let agent = Path::new(env!("CARGO_MANIFEST_DIR"));
    agent
        .parent()
        .expect("the agent is a folder of the repository")
        .to_owned()
}

/// `docker ARGUMENTS`, by the client that the scripts choose.
pub fn docker<const N: usize>(arguments: [&str; N]) -> Command {
    let client = std::env::var("DOCKER").unwrap_or_else(|_| {
        let distribution = "/usr/bin/docker";
        let found = Path::new(distribution).exists();
        if found { distribution } else { "docker" }.to_owned()
    });
    let mut command = Command::new(client);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs to the end, and must succeed; what it wrote to stdout, trimmed.
pub fn run(command: &mut Command) -> String {
    let output = output(command);
    assert!(
        output.status.success(),
        "{command:?} failed with {}\n{}",
        output.status,
        said(&output)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Runs to the end, whatever comes of it.
pub fn output(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"))
}

/// Everything that was said, on either stream.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The stand-in for a public image, made if need be.
pub fn stand_in(kind: &str) -> String {
    let script = root().join("packaging/stand-ins/build");
    run(Command::new(script).arg(kind).stderr(Stdio::inherit()))
}

/// The images that `deploy/` describes, built once a run.
pub fn images() {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| drop(run(demo().arg("build").stderr(Stdio::inherit()))));
}

/// `deploy/demo`, with Debian's Compose 1.29.
pub fn demo() -> Command {
    let mut command = Command::new(root().join("deploy/demo"));
    command.env("COMPOSE", "docker-compose").stdin(Stdio::null());
    command
}

/// Compose v2, as a command line: it lives in an image of its own, and speaks to this machine's engine from there.
pub fn compose_v2() -> String {
    let root = root();
    let root = root.display();
    let variables = [
        "COMPOSE_FILE",
        "COMPOSE_PROJECT_NAME",
        "IMAGE_TAG",
        "DEMO_PORT",
        "RUST_IMAGE",
        "HAPROXY_IMAGE",
        "BUILD_PROFILE",
        "SENTINEL_UID",
        "SENTINEL_GID",
    ]
    .map(|name| format!("--env {name}"))
    .join(" ");
    let client = docker([]).get_program().to_string_lossy().into_owned();
    format!(
        "{client} run --rm --volume /var/run/docker.sock:/var/run/docker.sock --volume {root}:{root} \
         --workdir {root}/deploy {variables} {} docker compose",
        stand_in("compose-v2")
    )
}

/// A container that is removed when dropped, also when the test panics.
pub struct Container(pub String);

impl Container {
    /// Starts one with these options.
    pub fn start(options: &[&str]) -> Self {
        Self(run(docker(["run", "--detach"]).args(options)))
    }

    pub fn logs(&self) -> String {
        said(&output(&mut docker(["logs", &self.0])))
    }

    pub fn exec(&self, argv: &[&str]) -> Output {
        output(docker(["exec", &self.0]).args(argv))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = docker(["rm", "--force", "--volumes", &self.0])
            .stdout(Stdio::null())
            .status();
    }
}
