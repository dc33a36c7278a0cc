//! `sentinel simulate` as operators meet it: a scenario in, a transcript out.
//!
//! `tests/simulate/NAME.txt` is the transcript of the scenario NAME that comes with the agent, and
//! `tests/simulate/bad/NAME.stderr` what is said of a wrong one; `UPDATE_GOLDEN=1 cargo test -p sentinel --test agent
//! simulate::` writes them again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sentinel::simulate::SHIPPED;

/// Runs `sentinel simulate` where the files of these tests are.
fn simulate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sentinel"))
        .arg("simulate")
        .args(arguments)
        .current_dir(files())
        .output()
        .unwrap()
}

fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulate")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Compares with a golden file, or writes it.
fn is_golden(path: &Path, actual: &str) -> Result<(), String> {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, actual).unwrap();
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    if actual == expected {
        return Ok(());
    }
    Err(format!(
        "{}\n--- expected\n{expected}--- actual\n{actual}",
        path.display()
    ))
}

#[test]
fn shipped_scenarios_give_exactly_these_transcripts_and_keep_what_they_expect() {
    let mut different = Vec::new();
    for shipped in SHIPPED {
        let output = simulate(&[shipped.name]);
        assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
        different.extend(is_golden(&files().join(format!("{}.txt", shipped.name)), &stdout(&output)).err());
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn every_transcript_belongs_to_a_scenario() {
    for entry in fs::read_dir(files()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let name = path.file_stem().unwrap().to_str().unwrap();
            assert!(SHIPPED.iter().any(|shipped| shipped.name == name), "{}", path.display());
        }
    }
}

#[test]
fn wrong_scenarios_give_exactly_these_messages() {
    let mut names: Vec<_> = fs::read_dir(files().join("bad"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    names.sort();
    assert!(names.len() >= 6, "only {} wrong scenarios found", names.len());
    let mut different = Vec::new();
    for path in names {
        let relative = path.strip_prefix(files()).unwrap().to_str().unwrap();
        let output = simulate(&[relative]);
        assert_eq!(output.status.code(), Some(2), "{relative}");
        assert_eq!(stdout(&output), "", "{relative}");
        different.extend(is_golden(&path.with_extension("stderr"), &stderr(&output)).err());
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn a_printed_scenario_can_be_played_as_a_file_with_the_same_transcript() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mine.toml");
    fs::write(&path, stdout(&simulate(&["crash", "--print"]))).unwrap();
    let own = simulate(&[path.to_str().unwrap()]);
    assert_eq!(stdout(&own), stdout(&simulate(&["crash"])));
}

#[test]
fn another_policy_gives_another_story_and_a_broken_expectation_is_named() {
    let calm = simulate(&["crash-loop", "--policy", "own/two-attempts.toml"]);
    let text = stdout(&calm);
    assert_eq!(calm.status.code(), Some(0), "{text}{}", stderr(&calm));
    assert!(text.contains("gave up after 2 attempts within 10m"), "{text}");
    assert!(text.contains("restarts = 6: 2\n"), "{text}");

    let strict = simulate(&["own/strict.toml"]);
    let text = stdout(&strict);
    assert_eq!(strict.status.code(), Some(1), "{text}");
    assert!(text.contains("✗ max_restarts = 2: 5, not as expected\n"), "{text}");
    assert!(text.contains("✓ end.shop = \"gave_up\": gave_up\n"), "{text}");
    let strict = simulate(&["own/strict.toml", "--policy", "own/two-attempts.toml"]);
    assert_eq!(strict.status.code(), Some(0), "{}", stdout(&strict));
}

#[test]
fn what_the_configuration_says_of_a_service_wins_over_the_scenario() {
    // The configuration does not know that the shop needs the database, so the agent restarts it in vain.
    let output = simulate(&["dependency", "--policy", "own/no-after.toml"]);
    let text = stdout(&output);
    assert!(text.contains("shop  restart          restart, attempt 1"), "{text}");
    assert_eq!(output.status.code(), Some(1), "{text}");
}

#[test]
fn json_reports_the_same() {
    let output = simulate(&["crash", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["ok"], true);
    assert_eq!(document["restarts"], 1);
    assert_eq!(document["services"][0]["messages"], serde_json::json!(["healed"]));
    let timeline = document["timeline"].as_array().unwrap();
    assert_eq!(timeline[0]["by"], "script");
    assert_eq!(timeline[0]["at"], 120.0);
    let lines = stdout(&simulate(&["crash"]))
        .lines()
        .filter(|line| line.starts_with('+'))
        .count();
    assert_eq!(timeline.len(), lines);
}

/// Routes, a silence, an acknowledgement, repeats, escalations, and what goes together in one message.
#[test]
fn receivers_get_in_a_simulation_what_the_configuration_says() {
    let output = simulate(&["own/alerting.toml", "--policy", "own/receivers.toml"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));
    is_golden(&files().join("own/alerting.golden"), &text).unwrap();

    // `sentinel alerts route` names the same receivers for the same reasons.
    for (service, kind) in [
        ("billing", "fired"),
        ("api", "fired"),
        ("report", "fired"),
        ("report", "gave_up"),
    ] {
        let route = Command::new(env!("CARGO_BIN_EXE_sentinel"))
            .args(["alerts", "route", "--config", "own/receivers.toml", "--json"])
            .args(["--service", service, "--kind", kind])
            .current_dir(files())
            .output()
            .unwrap();
        let route: serde_json::Value = serde_json::from_slice(&route.stdout).unwrap();
        let receivers = route["receivers"].as_object().unwrap();
        let named: Vec<String> = receivers
            .iter()
            .map(|(name, why)| format!("{name} ({})", why["text"].as_str().unwrap()))
            .collect();
        let mut lines = text.lines().filter(|line| {
            line.contains(&format!("  {service} ")) && (line.contains('✉') || line.contains("not_notified"))
        });
        let word = if named.is_empty() {
            format!(" {kind} not sent: ")
        } else {
            format!(" {kind} ")
        };
        let line = lines
            .find(|line| line.contains(&word))
            .unwrap_or_else(|| panic!("{service} {kind}: {text}"));
        let said: Vec<&str> = line
            .split_once(" -> ")
            .map_or(vec![], |(_, names)| names.split(", ").collect());
        assert_eq!(named, said, "{service} {kind}");
    }
}

#[test]
fn without_receivers_a_simulation_notifies_none() {
    let output = simulate(&["crash-loop", "--policy", "own/two-attempts.toml", "--json"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["messages"], 0, "{document:#}");
    let text = stdout(&simulate(&["crash-loop", "--policy", "own/two-attempts.toml"]));
    assert!(text.contains("gave_up not sent: no receivers are configured"), "{text}");
}

#[test]
fn what_there_is_can_be_listed_and_a_slip_is_put_right() {
    let listed = stdout(&simulate(&["--list"]));
    assert_eq!(listed.lines().count(), SHIPPED.len());
    for (arguments, why) in [
        (
            &["crash-lop"][..],
            "there is no scenario `crash-lop`; did you mean `crash-loop`?",
        ),
        (&["mine"], "a file is named with its ending, `mine.toml`"),
        (&["./none.toml"], "./none.toml: does not exist"),
        (&["crash", "--policy", "none.toml"], "none.toml: does not exist"),
        (&["crash", "--policy", "own/wrong-policy.toml"], "wrong-policy.toml:2:9"),
        (&[], "required"),
        (&["crash", "--list"], "cannot be used with"),
    ] {
        let output = simulate(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(why), "{arguments:?}: {}", stderr(&output));
    }
}
