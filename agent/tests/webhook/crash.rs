//! SIGKILL of whoever delivers, at any moment.

use super::*;

/// Delivers until it is killed.
#[tokio::test]
#[ignore = "the child process of `sigkill_at_any_time_loses_and_doubles_no_message`"]
async fn child_that_delivers() {
    let dir = std::env::var_os("SENTINEL_TEST_DIR").expect("started by its parent");
    let url = std::env::var("SENTINEL_TEST_URL").expect("started by its parent");
    let (store, clock) = open(Path::new(&dir)).await;
    sentinel_notify::run(Arc::new(receiver("team", &url)), store, clock, HASTY).await;
}

#[tokio::test]
async fn sigkill_at_any_time_loses_and_doubles_no_message() {
    const INCIDENTS: u64 = 100;
    let dir = tempfile::tempdir().unwrap();
    let peer = Peer::start(ok).await;
    let (store, clock) = open(dir.path()).await;
    let mut expected = Vec::new();
    for incident in 1..=INCIDENTS {
        send(
            &store,
            &clock,
            [(incident, 1, "team"), (incident, 2, "team"), (incident, 3, "team")],
        )
        .await;
        expected.extend((1..=3).map(|sequence| store.event_id(IncidentId(incident), sequence, "team")));
    }
    store.close().await;

    let mut seed = 7_u64;
    let mut kills = 0;
    while peer.received().len() < expected.len() + kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "webhook::crash::child_that_delivers"])
            .env("SENTINEL_TEST_DIR", dir.path())
            .env("SENTINEL_TEST_URL", peer.url())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let goal = peer.received().len() + usize::try_from(seed >> 33).unwrap() % 15;
        let mut gone_idle = 0;
        until("more messages, or the end of them", async || {
            // At the end there is nothing more to come: a while without news ends the round.
            gone_idle = if peer.received().len() < goal { gone_idle + 1 } else { 0 };
            peer.received().len() >= goal || gone_idle > 300
        })
        .await;
        tokio::time::sleep(Duration::from_micros((seed >> 20) % 4000)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        if gone_idle > 300 {
            break;
        }
    }

    let ids: Vec<String> = peer
        .received()
        .iter()
        .map(|request| request.header("webhook-id").to_owned())
        .collect();
    let mut firsts: Vec<&String> = Vec::new();
    for id in &ids {
        if !firsts.contains(&id) {
            firsts.push(id);
        }
    }
    // One that was cut off rests while those of other incidents go on.
    let mut sorted = firsts.clone();
    sorted.sort();
    let mut all: Vec<&String> = expected.iter().collect();
    all.sort();
    assert_eq!(sorted, all, "every message, under its own key");
    for incident in expected.chunks(3) {
        let order: Vec<&String> = firsts.iter().copied().filter(|id| incident.contains(id)).collect();
        assert_eq!(
            order,
            incident.iter().collect::<Vec<_>>(),
            "in the order of its incident"
        );
    }
    assert!(
        ids.len() - expected.len() <= kills,
        "{} copies after {kills} kills",
        ids.len() - expected.len()
    );
    assert!(kills > 15, "only {kills} kills");
    let (store, _) = open(dir.path()).await;
    for incident in 1..=INCIDENTS {
        for message in detail(&store, incident).await.messages {
            let copies = ids.iter().filter(|id| **id == message.event).count();
            assert_eq!(message.state, "delivered");
            assert!(
                copies == 1 || message.ambiguous,
                "{copies} copies of a message that is not known to be doubtful"
            );
        }
    }
}
