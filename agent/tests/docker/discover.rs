//! `sentinel discover` and real containers: ports, health checks, labels, and a file that is right as it is.

use std::fs;

use serde_json::Value;

use crate::agent::Place;
use crate::engine::{Names, must, text};

/// What is proposed for a container, whose target is named so.
fn proposal(found: &Value, target: &str) -> Value {
    let services = found["services"].as_array().expect("a list");
    let proposed = services.iter().find(|service| service["target"]["name"] == target);
    proposed
        .cloned()
        .unwrap_or_else(|| panic!("`{target}` is not proposed: {found:#}"))
}

#[test]
fn containers_are_proposed_as_their_labels_say() {
    let names = Names::new();
    let (web, wrong, db, composed) = (names.of("web"), names.of("wrong"), names.of("db"), names.of("one"));
    must(
        &web,
        "docker run -d --stop-timeout 1 --name $C -p 127.0.0.1::8000 --restart always --health-cmd true \
         --label sentinel.enable=true --label sentinel.http=:8000/health --label sentinel.interval=5s \
         --label sentinel.mode=heal --label sentinel.recovery.burst=3 $I sleep 1000",
    );
    must(
        &wrong,
        "docker run -d --stop-timeout 1 --name $C -p 127.0.0.1::8000 \
         --label sentinel.enable=true --label sentinel.intervall=5s $I sleep 1000",
    );
    must(
        &db,
        "docker run -d --stop-timeout 1 --name $C --expose 5432 $I sleep 1000",
    );
    let project = names.of("project");
    let labels = format!("--label com.docker.compose.project={project} --label com.docker.compose.service=api");
    must(
        &composed,
        &format!("docker run -d --stop-timeout 1 --name $C {labels} $I sleep 1000"),
    );
    let second = names.of("two");
    must(
        &second,
        &format!("docker run -d --stop-timeout 1 --name $C {labels} $I sleep 1000"),
    );
    let outside = must(&web, "docker port $C 8000/tcp");

    let place = Place::new();
    // By default the agent watches what labels define, and a file would lie above that.
    place.configure(&format!("[services.known]\ncontainer = \"{db}\"\n"));
    fs::create_dir(place.path("conf.d")).expect("it can be made");
    fs::write(place.path("conf.d/labels.toml"), "[agent]\nlabels = true\n").expect("it can be written");
    let watched: Value = serde_json::from_slice(&place.ask(&["discover", "--json"]).stdout).expect("it is JSON");
    assert!(!watched["services"].to_string().contains(&web), "{watched:#}");
    assert!(watched["configured"].to_string().contains(&web), "{watched:#}");
    assert!(watched["services"].to_string().contains(&wrong), "{watched:#}");

    fs::remove_file(place.path("conf.d/labels.toml")).expect("it was there");
    let found: Value = serde_json::from_slice(&place.ask(&["discover", "--json"]).stdout).expect("it is JSON");
    let labelled = proposal(&found, &web);
    let page = format!("\"http://{outside}/health\"");
    assert_eq!(labelled["labels"]["http.url"], page.as_str(), "{labelled:#}");
    assert_eq!(labelled["labels"]["recovery.burst"], "3", "{labelled:#}");
    assert_eq!(labelled["ports"][0], outside.as_str(), "{labelled:#}");
    let notes = labelled["notes"].to_string();
    assert!(
        notes.contains("restart policy always") && notes.contains("unhealthy is down"),
        "{notes}"
    );
    let refused = proposal(&found, &wrong);
    assert!(
        refused["notes"]
            .to_string()
            .contains("did you mean `sentinel.interval`?"),
        "{refused:#}"
    );
    assert_eq!(refused["labels"], serde_json::json!({}), "{refused:#}");
    assert_eq!(proposal(&found, &format!("{project}/api"))["target"]["kind"], "compose");
    let all = found["services"].to_string();
    assert!(!all.contains(&second) && !all.contains(&db), "{all}");
    assert!(found["configured"].to_string().contains(&db), "{found:#}");

    let file = place.ask(&["discover"]);
    assert!(file.status.success());
    fs::write(place.path("conf.d/found.toml"), &file.stdout).expect("it can be written");
    let checked = place.ask(&["check", "--json"]);
    let shown = text(&file.stdout);
    assert!(checked.status.success(), "{}\n{shown}", text(&checked.stdout));
    let checked: Value = serde_json::from_slice(&checked.stdout).expect("it is JSON");
    let services = checked["services"].as_array().expect("a list");
    let service = services
        .iter()
        .find(|service| service["target"]["name"] == web.as_str())
        .expect("it is there");
    assert_eq!(
        (&service["mode"], &service["interval"]),
        (&Value::from("observe"), &Value::from(5.0)),
        "{shown}"
    );
    assert_eq!(
        service["probes"][0],
        format!("http http://{outside}/health").as_str(),
        "{shown}"
    );
}

#[test]
fn without_an_engine_the_rest_is_proposed_and_the_lack_reported() {
    let place = Place::new();
    fs::write(
        place.path("sentinel.toml"),
        "[agent]\ndocker = \"unix:///nowhere/docker.sock\"\n",
    )
    .expect("it can be written");
    let answer = place.ask(&["discover"]);
    assert!(answer.status.success());
    for reported in [&answer.stdout, &answer.stderr] {
        assert!(
            text(reported).contains("containers could not be seen: cannot reach the Docker daemon"),
            "{}",
            text(reported)
        );
    }
}
