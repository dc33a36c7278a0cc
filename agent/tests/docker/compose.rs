//! Containers that Compose makes, and makes again: known by their labels, whatever their ids.

use std::fs;
use std::process::Command;

use crate::agent::Place;
use crate::engine::{Names, image, must, text};

/// A project of one service.
struct Project {
    folder: tempfile::TempDir,
    name: String,
}

impl Project {
    fn new(names: &Names) -> Self {
        Self::running(names, "sleep 1000")
    }

    /// Whose service runs `command`, which finds the folder of the project at `/fixed`.
    fn running(names: &Names, command: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = format!(
            "version: \"2.4\"\nservices:\n  web:\n    image: {}\n    command: {command}\n    stop_grace_period: 1s\n    network_mode: none\n    volumes: [\".:/fixed:ro\"]\n",
            image()
        );
        fs::write(folder.path().join("docker-compose.yml"), file).unwrap();
        // Compose takes no more than this for a name.
        let name = names.of("project").replace('-', "");
        Self { folder, name }
    }

    fn compose(&self, arguments: &[&str]) {
        let output = Command::new("docker-compose")
            .args(["--project-name", &self.name])
            .args(arguments)
            .current_dir(self.folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = Command::new("docker-compose")
            .args(["--project-name", &self.name, "down", "--timeout", "1"])
            .current_dir(self.folder.path())
            .output();
    }
}

#[test]
fn what_compose_does_is_never_undone_and_identity_is_kept() {
    let names = Names::new();
    let project = Project::new(&names);
    let mut place = Place::new();
    place.configure(&format!(
        "[services.web]\ncompose = \"{}/web\"\n\
         recovery.min_uptime = \"50ms\"\nrecovery.verify = \"20s\"\nrecovery.backoff = \"1ms\"\n",
        project.name
    ));
    place.start();
    project.compose(&["up", "-d"]);
    place.wait_for_state("web", "healthy");
    project.compose(&["stop"]);
    place.wait_for_state("web", "stopped");
    project.compose(&["start"]);
    place.wait_for_state("web", "healthy");
    project.compose(&["restart"]);
    place.wait_for_state("web", "healthy");
    project.compose(&["up", "-d", "--force-recreate"]);
    place.wait_for_state("web", "healthy");
    project.compose(&["up", "-d", "--scale", "web=3"]);
    project.compose(&["up", "-d", "--scale", "web=1"]);
    place.wait_for_state("web", "healthy");
    project.compose(&["down"]);
    place.wait_for_state("web", "stopped");
    project.compose(&["up", "-d"]);
    place.wait_for_state("web", "healthy");
    let lines = place.lines().join("\n");
    assert!(!lines.contains("event=restart"), "{lines}");

    // It is still the service that is healed.
    let kill = format!(
        "kill -9 $(docker inspect -f '{{{{.State.Pid}}}}' $(docker ps -q --filter label=com.docker.compose.project={}))",
        project.name
    );
    crate::engine::must("", &kill);
    place.line_after(0, &["service=web", "event=verified"]);
}

#[test]
fn what_compose_brings_up_after_a_give_up_is_healed_again() {
    let names = Names::new();
    let command = "sh -c 'test -e /fixed/yes && exec sleep 1000; exit 3'";
    let project = Project::running(&names, command);
    let fixed = project.folder.path().join("yes");
    fs::write(&fixed, "").unwrap();
    project.compose(&["up", "-d"]);
    let mut place = Place::new();
    place.configure(&format!(
        "[services.web]\ncompose = \"{}/web\"\nrecovery.burst = 2\n\
         recovery.reset_after = \"1h\"\nrecovery.min_uptime = \"1s\"\nrecovery.backoff = \"1ms\"\n",
        project.name
    ));
    place.start();
    let container = format!("{}_web_1", project.name);
    let kill = "kill -9 $(docker inspect $C -f '{{.State.Pid}}')";
    for up in [&["up", "-d"][..], &["up", "-d", "--force-recreate"]] {
        place.wait_for_state("web", "healthy");
        fs::remove_file(&fixed).unwrap();
        must(&container, kill);
        place.wait_for_state("web", "gave_up");
        fs::write(&fixed, "").unwrap();
        project.compose(up);
        place.wait_for_state("web", "healthy");
        let seen = place.lines().len();
        must(&container, kill);
        place.line_after(seen, &["service=web", "event=verified"]);
    }
}
