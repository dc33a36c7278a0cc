//! The life of a message in the outbox.

use super::*;

#[tokio::test]
async fn a_message_is_sent_once_in_order_and_again_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    let messages = vec![message(1, 1, "team"), message(1, 2, "team"), message(1, 1, "boss")];
    store
        .commit(Batch {
            reports: vec![opened(1)],
            messages,
            ..batch()
        })
        .await
        .unwrap();

    let Next::Send(first) = store.next_message("team", now(), wall()).await.unwrap() else {
        panic!()
    };
    assert_eq!((first.sequence, first.attempt, first.ambiguous), (1, 1, false));
    assert_eq!(first.event, store.event_id(IncidentId(1), 1, "team"));
    assert_eq!(first.payload, b"message 1/1");
    // The agent dies here, with the message perhaps sent.
    store.close().await;
    let store = Store::open(dir.path()).await.unwrap().store;
    let Next::Send(again) = store.next_message("team", now(), wall()).await.unwrap() else {
        panic!()
    };
    assert_eq!((&again.event, again.attempt, again.ambiguous), (&first.event, 2, true));

    let later = now() + Duration::from_secs(60);
    store
        .postponed(again.row, "busy".to_owned(), false, later)
        .await
        .unwrap();
    assert_eq!(
        store.next_message("team", now(), wall()).await.unwrap(),
        Next::Wait(later),
        "the second one waits too"
    );
    let Next::Send(third) = store.next_message("team", later, wall()).await.unwrap() else {
        panic!()
    };
    assert_eq!((third.sequence, third.attempt, third.ambiguous), (1, 3, true));
    store.delivered(third.row, None, wall()).await.unwrap();
    let Next::Send(second) = store.next_message("team", later, wall()).await.unwrap() else {
        panic!()
    };
    assert_eq!(second.sequence, 2);
    store.dead(second.row, "gone".to_owned(), wall()).await.unwrap();
    assert_eq!(store.next_message("team", later, wall()).await.unwrap(), Next::Idle);

    let detail = store.incident(IncidentId(1)).await.unwrap().unwrap();
    let states: Vec<_> = detail
        .messages
        .iter()
        .map(|row| (row.receiver.as_str(), row.state.as_str()))
        .collect();
    assert_eq!(states, [("team", "delivered"), ("team", "dead"), ("boss", "pending")]);
    assert_eq!(
        store.keep_receivers(vec!["team".to_owned()], wall()).await.unwrap(),
        1,
        "boss is gone"
    );
    assert_eq!(store.next_message("boss", later, wall()).await.unwrap(), Next::Idle);
}

#[tokio::test]
async fn old_news_expires_but_not_the_end_of_what_was_told() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    let resolved = |incident, sequence| OutgoingMessage {
        kind: "resolved",
        ..message(incident, sequence, "team")
    };
    let messages = vec![
        message(1, 1, "team"),
        resolved(1, 2),
        message(2, 1, "team"),
        resolved(2, 2),
    ];
    store.commit(Batch { messages, ..batch() }).await.unwrap();
    let Next::Send(told) = store.next_message("team", now(), wall()).await.unwrap() else {
        panic!()
    };
    store.delivered(told.row, None, wall()).await.unwrap();

    let hours = |hours: u64| now() + Duration::from_secs(hours * 3600);
    let Next::Send(end) = store.next_message("team", hours(25), wall()).await.unwrap() else {
        panic!()
    };
    assert_eq!(
        (end.incident, end.sequence),
        (IncidentId(1), 2),
        "its beginning was told"
    );
    store.postponed(end.row, "down".to_owned(), false, now()).await.unwrap();
    assert_eq!(
        store.next_message("team", hours(24 * 8), wall()).await.unwrap(),
        Next::Idle,
        "a week is enough"
    );
}

#[tokio::test]
async fn the_same_message_is_recorded_once_and_told_apart_between_hosts() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::open(dir.path()).await.unwrap().store;
    let elsewhere = Store::open(other.path()).await.unwrap().store;
    let messages = vec![message(1, 1, "team"), message(1, 1, "team")];
    store
        .commit(Batch {
            reports: vec![opened(1)],
            messages,
            ..batch()
        })
        .await
        .unwrap();
    assert_eq!(store.incident(IncidentId(1)).await.unwrap().unwrap().messages.len(), 1);

    let id = store.event_id(IncidentId(1), 1, "team");
    assert!(id.len() == 36 && id.starts_with("msg_") && !id.contains('.'), "{id}");
    assert_eq!(id, store.event_id(IncidentId(1), 1, "team"));
    for different in [
        store.event_id(IncidentId(2), 1, "team"),
        store.event_id(IncidentId(1), 2, "team"),
        store.event_id(IncidentId(1), 1, "boss"),
        elsewhere.event_id(IncidentId(1), 1, "team"),
    ] {
        assert_ne!(id, different);
    }
}
