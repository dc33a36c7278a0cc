//! A thousand services on one agent, some of which hang: the others keep their period.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::Value;

use crate::harness::Lab;

const SERVICES: usize = 1000;
const HANGING: usize = 20;
/// Rounds that every service that answers must have had before they are compared.
const ROUNDS: u64 = 6;

/// Counts the requests of each path below `/s/`, and never answers those below `/hang/`. Run inside the host.
#[test]
#[ignore = "run inside a test host by the other tests"]
fn serve_counts() {
    type Counts = Arc<Mutex<BTreeMap<String, u64>>>;
    async fn count(State(counts): State<Counts>, Path(name): Path<String>) -> &'static str {
        *counts.lock().expect("nobody panics").entry(name).or_default() += 1;
        "ok"
    }
    async fn counted(State(counts): State<Counts>) -> Json<BTreeMap<String, u64>> {
        Json(counts.lock().expect("nobody panics").clone())
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:9200")
            .await
            .expect("the address is free");
        let router = Router::new()
            .route("/s/{name}", get(count))
            .route("/hang/{name}", get(std::future::pending::<()>))
            .route("/counts", get(counted))
            .with_state(Counts::default());
        axum::serve(listener, router).await.expect("it serves");
    });
}

#[test]
fn twenty_hanging_services_of_a_thousand_do_not_change_the_period_of_the_others() {
    let mut config = String::from("[alerts]\nreceivers = []\n");
    for number in 0..SERVICES {
        let kind = if number % (SERVICES / HANGING) == 0 {
            "hang"
        } else {
            "s"
        };
        write!(
            config,
            "[services.s{number}]\ninterval = \"2s\"\ntimeout = \"2s\"\nhttp = \"http://127.0.0.1:9200/{kind}/{number}\"\n"
        )
        .expect("a string takes it");
    }
    let lab = Lab::new(&[], &config);
    let mut server = lab.run_inside("many::serve_counts");
    let counts = || -> BTreeMap<String, u64> {
        let output = lab.host.try_sh("curl -s http://127.0.0.1:9200/counts").stdout;
        serde_json::from_slice(&output).unwrap_or_default()
    };
    let mut seen = BTreeMap::new();
    lab.wait("everybody was probed often enough", || {
        seen = counts();
        seen.len() == SERVICES - HANGING && seen.values().all(|count| *count >= ROUNDS)
    });
    // Whoever was asked most and least differ by their place in the period, and by the first, spread-out round.
    let (least, most) = (seen.values().min().expect("some"), seen.values().max().expect("some"));
    assert!(most - least <= 2, "asked between {least} and {most} times");
    let hanging: Value = lab.status("s0");
    assert_eq!(hanging["last_probe"]["ok"], false, "{hanging:#}");
    server.kill().expect("it can be killed");
    server.wait().expect("it can be waited for");
}
