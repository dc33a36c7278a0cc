//! The prober against real servers, sockets and processes.

// A prober and its probes belong together.
#![allow(clippy::similar_names)]

mod command;
mod http;
mod many;
mod server;
mod shortage;
mod tcp;
mod tls;

use std::collections::BTreeMap;
use std::time::Duration;

use sentinel_config::{HttpProbe, ProbeSettings};
use sentinel_engine::{ProbeOutcome, ProbePhase, Verdict};
use sentinel_probe::{Limits, Prober};

/// Long enough for whatever should succeed, on the busiest machine.
const AMPLE: Duration = Duration::from_secs(30);

/// For what can only end by its deadline.
const SHORT: Duration = Duration::from_millis(300);

fn http(url: &str) -> HttpProbe {
    HttpProbe {
        url: url.parse().unwrap(),
        method: "GET".into(),
        headers: BTreeMap::new(),
        status: vec![200..=299],
        body_contains: None,
        json: BTreeMap::new(),
        max_latency: None,
        ca_file: None,
        insecure: false,
        keep_alive: false,
        follow: 0,
        timeout: AMPLE,
    }
}

fn prober() -> Prober {
    Prober::new(&Limits {
        in_flight: 64,
        lookups: 4,
    })
    .unwrap()
}

async fn ask(settings: ProbeSettings) -> ProbeOutcome {
    let prober = prober();
    let probes = prober.prepare(None, &[settings]).unwrap();
    tokio::time::timeout(AMPLE, prober.round(&probes))
        .await
        .expect("the round ends by itself")
}

async fn ask_http(settings: HttpProbe) -> ProbeOutcome {
    ask(ProbeSettings::Http(Box::new(settings))).await
}

#[track_caller]
fn assert_failed(outcome: &ProbeOutcome, phase: ProbePhase, detail: &str) {
    match &outcome.verdict {
        Verdict::Failed(failure) => {
            assert_eq!((failure.phase, failure.detail.as_str()), (phase, detail));
        }
        other => panic!("expected `{detail}`, found {other:?}"),
    }
}

#[track_caller]
fn assert_passed(outcome: &ProbeOutcome) {
    assert_eq!(outcome.verdict, Verdict::Passed);
}
