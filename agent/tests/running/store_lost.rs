//! What is left of budgets when the store is lost.

use std::fs;

use crate::agent::Place;

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
