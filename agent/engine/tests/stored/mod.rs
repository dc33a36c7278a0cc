//! A store keeps text: what the agent goes on from after a crash has been JSON.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses its own part of this")]

use sentinel_simulation::{Store, World};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The agent is killed and started again from what its store gives back.
pub fn crash_agent(world: &mut World) {
    through_json(&mut world.store);
    world.crash_agent();
}

/// What the store gives back of what it was given.
pub fn through_json(store: &mut Store) {
    store.memories.values_mut().for_each(reread);
    reread(&mut store.host);
    store.logs.values_mut().for_each(reread);
    store.silences.values_mut().for_each(reread);
}

fn reread<T: Serialize + DeserializeOwned>(value: &mut T) {
    let json = serde_json::to_string(value).expect("it is plain data");
    *value = serde_json::from_str(&json).expect("it survives the store");
}
