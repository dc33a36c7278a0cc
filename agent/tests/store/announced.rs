//! What receivers are sent once, however often the agent is started.

use super::*;

fn subjects(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn announcement(receivers: &[&str], about: &[&str]) -> Announcement {
    Announcement {
        receivers: receivers.iter().map(|name| (*name).to_owned()).collect(),
        severity: Severity::Warning,
        payload: b"{}".to_vec(),
        now: now(),
        wall: wall(),
        topic: Topic::PreexistingFailure,
        about: subjects(about),
    }
}

#[tokio::test]
async fn what_was_announced_is_known_to_the_next_agent() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    store.announce(announcement(&[], &["a 1"])).await.unwrap();
    assert_eq!(
        store.announced(Topic::PreexistingFailure).await.unwrap(),
        subjects(&[]),
        "nobody was told"
    );
    store
        .announce(announcement(&["team", "boss"], &["a 1", "b 1"]))
        .await
        .unwrap();
    store.close().await;

    let store = Store::open(dir.path()).await.unwrap().store;
    for receiver in ["team", "boss"] {
        let next = store.next_message(receiver, now(), wall()).await.unwrap();
        assert!(matches!(next, Next::Send(_)), "{receiver}: {next:?}");
    }
    assert_eq!(
        store.announced(Topic::PreexistingFailure).await.unwrap(),
        subjects(&["a 1", "b 1"])
    );
    assert_eq!(
        store.announced(Topic::Rejected).await.unwrap(),
        subjects(&[]),
        "topics are apart"
    );
    store
        .keep_announced(Topic::PreexistingFailure, subjects(&["b 1"]))
        .await
        .unwrap();
    assert_eq!(
        store.announced(Topic::PreexistingFailure).await.unwrap(),
        subjects(&["b 1"])
    );
}
