//! What is shipped reads well everywhere.

use std::process::Command;

use crate::docker::{compose_v2, images, output, root, run, said};

/// Every combination that the README names.
const VARIANTS: [&str; 5] = [
    "compose.yaml",
    "compose.yaml:compose.proxy.yaml",
    "compose.yaml:compose.dbus.yaml",
    "compose.yaml:compose.proxy.yaml:compose.alerts.yaml",
    "compose.yaml:compose.dbus.yaml:compose.alerts.yaml",
];

#[test]
fn both_versions_of_compose_take_every_combination_of_files() {
    let v2 = compose_v2();
    let mut words = v2.split_whitespace();
    let program = words.next().expect("a program");
    let words: Vec<&str> = words.collect();
    for files in VARIANTS {
        let mut v1 = Command::new("docker-compose");
        let mut v2 = Command::new(program);
        v2.args(&words);
        for compose in [&mut v1, &mut v2] {
            compose
                .args(["config", "--quiet"])
                .current_dir(root().join("deploy"))
                .env("COMPOSE_FILE", files)
                .env("SENTINEL_UID", "990")
                .env("SENTINEL_GID", "990");
            let output = output(compose);
            // A warning is no success: of a key that a version ignores, for example.
            assert!(output.status.success(), "{compose:?}: {}", said(&output));
            assert_eq!(said(&output), "", "{compose:?}");
        }
    }
}

#[test]
fn socket_of_the_engine_is_given_to_the_proxy_and_to_no_other() {
    for files in VARIANTS {
        let mut compose = Command::new("docker-compose");
        compose
            .arg("config")
            .current_dir(root().join("deploy"))
            .env("COMPOSE_FILE", files)
            .env("SENTINEL_UID", "990")
            .env("SENTINEL_GID", "990");
        let config = run(&mut compose);
        let mut service = "";
        for line in config.lines() {
            if line.starts_with("  ") && !line.starts_with("   ") {
                service = line.trim().trim_end_matches(':');
            }
            assert!(
                !line.contains("docker.sock") || service == "docker-proxy",
                "{files}: {service}: {line}"
            );
        }
        assert_eq!(config.contains("docker.sock"), files.contains("proxy"), "{files}");
    }
}

#[test]
fn configurations_that_are_shipped_are_right() {
    images();
    let folder = root().join("deploy/monitor");
    let volume = format!("{}:/etc/sentinel:ro", folder.display());
    // That the host's Docker has no probe of its own is meant.
    for (file, warnings) in [("sentinel.toml", "0 warnings"), ("dbus.toml", "1 warning\n")] {
        let config = format!("/etc/sentinel/{file}");
        let checked = crate::docker::docker(["run", "--rm", "--read-only", "--volume", &volume])
            .args(["sentinel-monitor:demo", "check", "--config", &config])
            .output()
            .expect("docker can be run");
        let text = said(&checked);
        assert!(checked.status.success() && text.contains(warnings), "{file}: {text}");
    }
}
