//! The dead man's switch, seen from the other side.

use axum::http::StatusCode;
use sentinel_base::clock::Clock;
use sentinel_config::HeartbeatSettings;
use sentinel_notify::heartbeat::{self, AgentHealth, Heartbeat};
use sentinel_store::Store;
use tokio::sync::watch;

use super::*;

fn settings(url: &str) -> HeartbeatSettings {
    HeartbeatSettings {
        url: Secret::from(format!("{url}/ping/T0K3N")),
        fail_url: Secret::from(format!("{url}/ping/T0K3N/fail")),
        interval: Duration::from_millis(10),
    }
}

/// The next request for another path than `path`.
async fn next_other(requests: &mut mpsc::Receiver<Request>, path: &str) -> String {
    loop {
        let request = next(requests).await;
        assert_eq!(request.method, axum::http::Method::GET);
        if request.path != path {
            return request.path;
        }
    }
}

#[tokio::test]
async fn it_beats_while_all_is_well_and_says_when_it_is_not() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (url, mut requests) = server(ok).await;
    let dir = tempfile::tempdir().unwrap();
    let opened = Store::open(dir.path()).await.unwrap();
    let (sender, receiver) = watch::channel(None);
    let agent_health = AgentHealth::default();
    let heartbeat = Heartbeat {
        settings: receiver,
        agent_health: agent_health.clone(),
        clock: Clock::start(opened.anchor.as_ref()),
        store: opened.store,
    };
    let task = tokio::spawn(heartbeat.run());
    // A reload brings it.
    sender.send_replace(Some(settings(&url)));
    assert_eq!(next(&mut requests).await.path, "/ping/T0K3N");
    agent_health.turned(true);
    assert_eq!(next_other(&mut requests, "/ping/T0K3N").await, "/ping/T0K3N/fail");
    agent_health.turned(false);
    assert_eq!(next_other(&mut requests, "/ping/T0K3N/fail").await, "/ping/T0K3N");
    // Another address, by another reload.
    let (other, mut others) = server(ok).await;
    sender.send_replace(Some(settings(&other)));
    assert_eq!(next(&mut others).await.path, "/ping/T0K3N");
    drop(sender);
    task.await.unwrap();
}

#[tokio::test]
async fn the_last_beat_is_sent_when_the_agent_ends() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (url, mut requests) = server(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response()).await;
    heartbeat::last(Some(&settings(&url))).await;
    assert_eq!(next(&mut requests).await.path, "/ping/T0K3N");
    heartbeat::last(None).await;
    assert!(requests.try_recv().is_err());
}
