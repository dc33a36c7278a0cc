//! The life of a message in the outbox.

use super::*;

/// A failure that may pass.
fn postponed(gap: Duration) -> Outcome {
    Outcome::Postponed {
        error: "busy".to_owned(),
        ambiguous: false,
        gap,
        wish: None,
    }
}

/// Of which it is unknown whether it arrived.
fn doubtful(gap: Duration) -> Outcome {
    Outcome::Postponed {
        error: "the agent ended while it was sending this".to_owned(),
        ambiguous: true,
        gap,
        wish: None,
    }
}

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
    let Next::CutOff(failed) = store.next_message("team", now(), wall()).await.unwrap() else {
        panic!("an attempt that was cut off is one that failed")
    };
    assert_eq!((&failed.event, failed.attempt), (&first.event, 1));
    store
        .attempted(failed.row, doubtful(Duration::from_secs(30)), now(), wall())
        .await
        .unwrap();
    let later = now() + Duration::from_secs(30);
    assert_eq!(
        store
            .next_message("team", now() + Duration::from_secs(1), wall())
            .await
            .unwrap(),
        Next::Wait(later),
        "it is not sent again at once, nor what comes behind it"
    );
    let Next::Send(again) = store.next_message("team", later, wall()).await.unwrap() else {
        panic!()
    };
    assert_eq!((&again.event, again.attempt, again.ambiguous), (&first.event, 2, true));

    store
        .attempted(again.row, postponed(Duration::from_secs(60)), later, wall())
        .await
        .unwrap();
    let later = later + Duration::from_secs(60);
    assert_eq!(
        store
            .next_message("team", later.back(Duration::from_millis(1)), wall())
            .await
            .unwrap(),
        Next::Wait(later),
        "the second one waits too"
    );
    let Next::Send(third) = store.next_message("team", later, wall()).await.unwrap() else {
        panic!()
    };
    assert_eq!((third.sequence, third.attempt, third.ambiguous), (1, 3, true));
    assert_eq!(third.first, None, "nothing goes before it");
    store
        .attempted(third.row, Outcome::Delivered(Some("17.3".to_owned())), later, wall())
        .await
        .unwrap();
    let Next::Send(second) = store.next_message("team", later, wall()).await.unwrap() else {
        panic!()
    };
    assert_eq!(second.sequence, 2);
    let first = second.first.expect("the conversation that it goes on with");
    assert_eq!(
        (first.event, first.reference.as_deref()),
        (third.event.clone(), Some("17.3"))
    );
    store
        .attempted(second.row, Outcome::Dead("gone".to_owned()), later, wall())
        .await
        .unwrap();
    let Next::Wait(_) = store.next_message("team", later, wall()).await.unwrap() else {
        panic!("a receiver that refuses rests for a moment, and nothing else waits")
    };

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
async fn a_message_says_more_until_it_is_tried_and_then_never() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    let later = now() + Duration::from_secs(10);
    let waits = OutgoingMessage {
        not_before: later,
        ..message(1, 1, "team")
    };
    let says = |text: &str| OutgoingMessage {
        payload: text.as_bytes().to_vec(),
        ..waits.clone()
    };
    let completed = |text: &str| Batch {
        completed: vec![says(text)],
        ..batch()
    };
    let messages = vec![waits.clone()];
    store.commit(Batch { messages, ..batch() }).await.unwrap();
    assert_eq!(
        store.next_message("team", now(), wall()).await.unwrap(),
        Next::Wait(later)
    );
    store.commit(completed("with its log")).await.unwrap();
    // What is not there is not made.
    let stranger = OutgoingMessage {
        receiver: "boss".to_owned(),
        ..says("never sent")
    };
    let strangers = Batch {
        completed: vec![stranger],
        ..batch()
    };
    store.commit(strangers).await.unwrap();
    assert_eq!(store.next_message("boss", later, wall()).await.unwrap(), Next::Idle);

    // It survives the agent, and waits no longer than before.
    store.close().await;
    let store = Store::open(dir.path()).await.unwrap().store;
    let Next::Send(first) = store.next_message("team", later, wall()).await.unwrap() else {
        panic!()
    };
    assert_eq!(first.payload, b"with its log");
    // While it is sent, and when it is sent again, it is the same to the byte.
    store.commit(completed("too late")).await.unwrap();
    store
        .attempted(first.row, postponed(Duration::ZERO), later, wall())
        .await
        .unwrap();
    store.commit(completed("too late")).await.unwrap();
    let much_later = later + Duration::from_secs(60);
    let Next::Send(second) = store.next_message("team", much_later, wall()).await.unwrap() else {
        panic!()
    };
    assert_eq!((second.payload.as_slice(), second.attempt), (&b"with its log"[..], 2));
}

#[tokio::test]
async fn a_message_that_ends_the_agent_each_time_keeps_no_other_from_being_sent() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).await.unwrap().store;
    let messages = vec![message(1, 1, "team"), message(2, 1, "team")];
    store.commit(Batch { messages, ..batch() }).await.unwrap();
    let mut at = now();
    let mut deaths = 0;
    loop {
        match store.next_message("team", at, wall()).await.unwrap() {
            Next::Send(sent) if sent.incident == IncidentId(1) => {
                deaths += 1;
                store.close().await;
                store = Store::open(dir.path()).await.unwrap().store;
                at = at + Duration::from_secs(2);
            }
            Next::CutOff(failed) => {
                let gap = Duration::from_secs(1 << failed.attempt);
                store.attempted(failed.row, doubtful(gap), at, wall()).await.unwrap();
            }
            Next::Wait(until) => at = until,
            Next::Send(sent) => {
                assert_eq!(sent.incident, IncidentId(2));
                break;
            }
            other => panic!("{other:?}"),
        }
        assert!(deaths < 3, "the other one is never sent");
    }
    let (Next::CutOff(_) | Next::Wait(_)) = store.next_message("team", at, wall()).await.unwrap() else {
        panic!("the first still waits")
    };
}

#[tokio::test]
async fn old_news_expires_but_not_the_end_of_what_was_notified() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    let resolved = |incident, sequence| OutgoingMessage {
        kind: "resolved",
        ..message(incident, sequence, "team")
    };
    let messages = vec![message(1, 1, "team"), message(2, 1, "team")];
    store.commit(Batch { messages, ..batch() }).await.unwrap();
    let Next::Send(reported) = store.next_message("team", now(), wall()).await.unwrap() else {
        panic!()
    };
    store
        .attempted(reported.row, Outcome::Delivered(None), now(), wall())
        .await
        .unwrap();
    let messages = vec![resolved(1, 2), resolved(2, 2)];
    store.commit(Batch { messages, ..batch() }).await.unwrap();

    let hours = |hours: u64| now() + Duration::from_secs(hours * 3600);
    let reported = digest(&store, hours(25)).await;
    assert_eq!(reported, [("fired".to_owned(), 1), ("resolved".to_owned(), 1)]);
    let Next::Send(end) = store.next_message("team", hours(25), wall()).await.unwrap() else {
        panic!()
    };
    assert_eq!(
        (end.incident, end.sequence),
        (IncidentId(1), 2),
        "its beginning was told"
    );
    store
        .attempted(end.row, postponed(Duration::ZERO), hours(25), wall())
        .await
        .unwrap();
    let later = hours(24 * 8);
    assert_eq!(
        store.next_message("team", later, wall()).await.unwrap(),
        Next::Idle,
        "a week is enough, and while it fails no digest is tried"
    );
    // Something arrives, and then what was never reported is reported, once.
    let news = OutgoingMessage {
        created: later,
        ..message(3, 1, "team")
    };
    store
        .commit(Batch {
            messages: vec![news],
            ..batch()
        })
        .await
        .unwrap();
    let Next::Send(news) = store.next_message("team", later, wall()).await.unwrap() else {
        panic!()
    };
    store
        .attempted(news.row, Outcome::Delivered(None), later, wall())
        .await
        .unwrap();
    assert_eq!(digest(&store, later).await, [("resolved".to_owned(), 1)]);
    assert_eq!(store.next_message("team", later, wall()).await.unwrap(), Next::Idle);
}

/// The digest whose turn it is, delivered: what it counts, by kind.
async fn digest(store: &Store, now: Time) -> Vec<(String, u64)> {
    let Next::Combine(digest) = store.next_message("team", now, wall()).await.unwrap() else {
        panic!("a digest")
    };
    let counts = digest.undelivered.iter();
    let counts = counts.map(|count| (count.kind.clone(), count.messages)).collect();
    store
        .combine(*digest, b"digest".to_vec(), Severity::Warning, now, wall())
        .await
        .unwrap();
    let Next::Send(digest) = store.next_message("team", now, wall()).await.unwrap() else {
        panic!("the digest is next")
    };
    assert_eq!(
        (digest.kind.as_str(), digest.payload.as_slice()),
        ("digest", &b"digest"[..])
    );
    store
        .attempted(digest.row, Outcome::Delivered(None), now, wall())
        .await
        .unwrap();
    counts
}

#[tokio::test]
async fn the_same_message_is_recorded_once_and_distinguished_between_hosts() {
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

#[tokio::test]
async fn what_began_in_one_message_with_others_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    let later = now() + Duration::from_secs(10);
    let together = |incident| OutgoingMessage {
        not_before: later,
        ..message(incident, 1, "team")
    };
    let messages = vec![together(1), together(2), message(3, 1, "team")];
    store.commit(Batch { messages, ..batch() }).await.unwrap();
    let Next::Send(alone) = store.next_message("team", now(), wall()).await.unwrap() else {
        panic!("it waits for nobody")
    };
    let delivered = |reference: &str| Outcome::Delivered(Some(reference.to_owned()));
    store
        .attempted(alone.row, delivered("alone"), now(), wall())
        .await
        .unwrap();
    let Next::Combine(group) = store.next_message("team", later, wall()).await.unwrap() else {
        panic!("a group")
    };
    let said = b"group".to_vec();
    store
        .combine(*group, said, Severity::Warning, later, wall())
        .await
        .unwrap();
    let Next::Send(group) = store.next_message("team", later, wall()).await.unwrap() else {
        panic!("the group is next")
    };
    store
        .attempted(group.row, delivered("group"), later, wall())
        .await
        .unwrap();
    let resolved = |incident| OutgoingMessage {
        kind: "resolved",
        ..message(incident, 2, "team")
    };
    let messages = vec![resolved(1), resolved(3)];
    store.commit(Batch { messages, ..batch() }).await.unwrap();
    for (event, reference, shared) in [(group.event, "group", true), (alone.event, "alone", false)] {
        let Next::Send(end) = store.next_message("team", later, wall()).await.unwrap() else {
            panic!("an end")
        };
        let first = end.first.unwrap();
        assert_eq!(
            (first.event, first.reference.as_deref(), first.shared),
            (event, Some(reference), shared)
        );
        store
            .attempted(end.row, Outcome::Delivered(None), later, wall())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn who_is_added_while_the_only_receiver_is_stuck_hears_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    store.enroll("team").await.unwrap();
    let messages = vec![message(1, 1, "team")];
    store.commit(Batch { messages, ..batch() }).await.unwrap();
    // Failures, a minute apart: from the eleventh on it is stuck.
    let fail = async |minute: u64| {
        let at = now() + Duration::from_secs(60 * minute);
        let Next::Send(next) = store.next_message("team", at, wall()).await.unwrap() else {
            panic!("minute {minute}")
        };
        let failed = postponed(Duration::ZERO);
        let stuck = store.attempted(next.row, failed, at, wall()).await.unwrap().news.stuck;
        let report = || store.notify_others("team", Notice::Stuck, b"stuck".to_vec(), Severity::Warning, at, wall());
        (stuck, if stuck { report().await.unwrap() } else { 0 })
    };
    for minute in 0..10 {
        assert_eq!(fail(minute).await, (false, 0), "minute {minute}");
    }
    assert_eq!(fail(10).await, (true, 0), "there is nobody else");
    store.enroll("boss").await.unwrap();
    assert_eq!(fail(11).await, (true, 1));
    assert_eq!(fail(12).await, (false, 0), "once");
}
