//! The whole demo, from building the images to the last alert.

use std::process::{Command, Output, Stdio};

use crate::docker::{compose_v2, demo, docker, images, output, run, said};

/// What the log of the monitor says, in this order: the words that README.md and every guide to it promise.
const STORY: [&str; 5] = [
    "event=started msg=\"Sentinel monitor started\"",
    "service=demo-service status=down status_code=na event=unreachable",
    "service=demo-service status=up status_code=200 recoveries_total=1 event=healthy",
    // Docker restarted it within a moment.
    "service=demo-service status=down status_code=na event=died cause=\"exited with code 3\"",
    "service=demo-service status=up status_code=200 recoveries_total=2 event=healthy by=docker",
];

fn perform(command: &mut Command) -> String {
    let shown: Output = output(command.arg("run"));
    let shown_text = said(&shown);
    println!("{shown_text}");
    assert!(shown.status.success(), "the demo failed with {}", shown.status);
    let mut rest = shown_text.as_str();
    for words in STORY {
        let at = rest.find(words);
        rest = &rest[at.unwrap_or_else(|| panic!("`{words}` is not told, or not in order"))..];
    }
    shown_text
}

#[test]
fn every_fault_is_healed_and_reported_with_both_versions_of_compose() {
    images();
    let shown = perform(&mut demo());
    for fault in ["crash=3", "abort", "memory=512"] {
        assert!(row(&shown, fault).contains("healed by Docker"), "{fault}");
    }
    for fault in ["hang", "status=500", "slow=5s", "deadlock"] {
        let row = row(&shown, fault);
        assert!(
            row.contains("healed by agent") && row.contains("fired,resolved"),
            "{row}"
        );
    }
    let v2 = compose_v2();
    let shown = perform(demo().env("COMPOSE", v2).env("FAULTS", "crash=3 hang"));
    assert!(row(&shown, "hang").contains("healed by agent"));
    // Nothing is left.
    for what in [["ps", "--all"], ["network", "ls"], ["volume", "ls"]] {
        let ours = "label=com.docker.compose.project=sentinel-compose-demo";
        let left = run(docker(what)
            .args(["--quiet", "--filter", ours])
            .stderr(Stdio::inherit()));
        assert_eq!(left, "", "{what:?}");
    }
}

/// The line of the table about a fault.
fn row<'a>(shown: &'a str, fault: &str) -> &'a str {
    let mut lines = shown.lines().rev();
    lines
        .find(|line| line.starts_with(&format!("{fault} ")))
        .unwrap_or_else(|| panic!("no line of the table is about {fault}"))
}
