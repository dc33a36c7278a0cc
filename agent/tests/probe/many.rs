//! Many probes at once: the hanging ones delay nobody.

use std::sync::Arc;
use std::time::Duration;

use sentinel_config::{HttpProbe, ProbeSettings};
use sentinel_engine::{ProbeOutcome, Verdict};
use sentinel_probe::{Limits, Prober};
use tokio::task::JoinSet;

use super::server::Server;
use super::{AMPLE, assert_passed, http};

const SERVICES: usize = 1000;
const HANGING: usize = 20;

/// Proved by outcome: the hanging probes may hang for an hour, and every other one is asked three times meanwhile.
#[tokio::test]
async fn twenty_hanging_of_a_thousand_delay_no_other() {
    let server = Server::start().await;
    let prober = Arc::new(
        Prober::new(&Limits {
            in_flight: 100,
            lookups: 4,
        })
        .unwrap(),
    );
    let prepare = |index: usize| {
        let path = if index < HANGING { "/silent" } else { "/ok" };
        let settings = HttpProbe {
            timeout: Duration::from_secs(3600),
            ..http(&server.url(path))
        };
        Arc::new(
            prober
                .prepare(None, &[ProbeSettings::Http(Box::new(settings))])
                .unwrap(),
        )
    };
    let services: Vec<_> = (0..SERVICES).map(prepare).collect();
    let run = |index: usize| {
        let (prober, probes) = (prober.clone(), services[index].clone());
        async move { prober.round(&probes).await }
    };

    let mut hanging = JoinSet::new();
    for index in 0..HANGING {
        hanging.spawn(run(index));
    }
    for _ in 0..3 {
        let mut others = JoinSet::new();
        for index in HANGING..SERVICES {
            others.spawn(run(index));
        }
        let outcomes = tokio::time::timeout(AMPLE, others.join_all())
            .await
            .expect("nobody waits for the hanging");
        assert_eq!(outcomes.len(), SERVICES - HANGING);
        outcomes.iter().for_each(assert_passed);
    }
    assert_eq!(hanging.len(), HANGING);
    assert!(hanging.try_join_next().is_none(), "the hanging ones still hang");
}

/// With one turn for all, each of these waits for the ones before; the sum is longer than any one's deadline.
#[tokio::test]
async fn waiting_for_a_turn_does_not_use_up_the_deadline() {
    let server = Server::start().await;
    let prober = Arc::new(
        Prober::new(&Limits {
            in_flight: 1,
            lookups: 1,
        })
        .unwrap(),
    );
    let mut rounds = JoinSet::new();
    for _ in 0..5 {
        let settings = HttpProbe {
            timeout: Duration::from_millis(200),
            ..http(&server.url("/silent"))
        };
        let probes = prober
            .prepare(None, &[ProbeSettings::Http(Box::new(settings))])
            .unwrap();
        let prober = prober.clone();
        rounds.spawn(async move { prober.round(&probes).await });
    }
    let outcomes: Vec<ProbeOutcome> = tokio::time::timeout(AMPLE, rounds.join_all()).await.unwrap();
    for outcome in outcomes {
        // One that had spent its time waiting would not have got as far as being connected.
        assert!(
            matches!(&outcome.verdict, Verdict::Failed(failure) if failure.detail == "no answer within 200ms"),
            "{outcome:?}"
        );
    }
    assert_eq!(server.connections(), 5);
}

#[tokio::test]
async fn no_more_run_at_once_than_allowed() {
    let server = Server::start().await;
    let prober = Arc::new(
        Prober::new(&Limits {
            in_flight: 2,
            lookups: 1,
        })
        .unwrap(),
    );
    let silent = HttpProbe {
        timeout: Duration::from_secs(3600),
        ..http(&server.url("/silent"))
    };
    let probes = Arc::new(prober.prepare(None, &[ProbeSettings::Http(Box::new(silent))]).unwrap());
    let mut rounds: Vec<_> = (0..3)
        .map(|_| {
            let (prober, probes) = (prober.clone(), probes.clone());
            tokio::spawn(async move { prober.round(&probes).await })
        })
        .collect();
    let asked = async |count| {
        while server.requests().len() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(AMPLE, asked(2)).await.expect("two are allowed");
    // A third would have been asked along with them.
    assert_eq!(server.connections(), 2);
    rounds.swap_remove(0).abort();
    tokio::time::timeout(AMPLE, asked(3))
        .await
        .expect("an abandoned probe makes room");
    rounds.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn probes_of_one_service_run_at_the_same_time() {
    let server = Server::start().await;
    let prober = super::prober();
    let silent = HttpProbe {
        timeout: Duration::from_secs(1),
        ..http(&server.url("/silent"))
    };
    let settings: Vec<_> = (0..2).map(|_| ProbeSettings::Http(Box::new(silent.clone()))).collect();
    let probes = prober.prepare(None, &settings).unwrap();
    let round = prober.round(&probes);
    let both = async {
        while server.requests().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // Both have been asked before either has ended.
    tokio::select! {
        biased;
        () = both => (),
        outcome = round => panic!("{outcome:?}"),
    }
}
