//! What is left of budgets when the store is lost.

use std::fs;

use super::agent::{Hook, Place, wait};

#[test]
fn lost_store_leaves_no_budget_to_the_agent_after_the_next_either() {
    let mut place = Place::new();
    place.configure(&place.service("shop", ""));
    place.begin("shop");
    fs::create_dir(place.path("state")).unwrap();
    fs::write(place.path("state/sentinel.db"), "garbage ".repeat(2000)).unwrap();
    place.start();
    place.wait_for_state("shop", "healthy");
    place.kill_agent();

    place.start();
    place.kill("shop");
    place.wait_for_state("shop", "gave_up");
    assert!(!place.runs("shop"));
}

#[test]
fn receivers_hear_of_a_store_that_was_damaged_once() {
    let hook = Hook::start();
    let mut place = Place::new();
    place.configure(&format!(
        "[alerts]\nnotify_after = \"0s\"\ngroup_wait = \"0s\"\n{}{}",
        hook.receiver("team"),
        place.service("shop", "")
    ));
    place.begin("shop");
    fs::create_dir(place.path("state")).unwrap();
    fs::write(place.path("state/sentinel.db"), "garbage ".repeat(2000)).unwrap();
    let damage = || -> Vec<String> {
        let summaries = hook.bodies().into_iter();
        summaries
            .map(|body| body["data"]["summary"].as_str().unwrap_or_default().to_owned())
            .filter(|said| said.contains("store was damaged"))
            .collect()
    };
    place.start();
    let said = wait("it is told", || damage().pop());
    assert!(
        said.starts_with("place: the agent's store was damaged and is kept as ")
            && said.contains("sentinel.db.corrupt-"),
        "{said}"
    );
    place.wait_for_state("shop", "healthy");
    place.kill_agent();
    place.start();
    place.wait_for_state("shop", "healthy");
    place.kill("shop");
    // What comes later has come: nothing was reported again meanwhile.
    wait("the next message", || {
        hook.messages().contains(&"shop fired".to_owned()).then_some(())
    });
    assert_eq!(damage().len(), 1);
}
