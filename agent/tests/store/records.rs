//! What a batch leaves behind, and what is read back.

use super::*;

#[tokio::test]
async fn what_was_committed_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let Opened {
        store,
        anchor: none,
        next_incident,
        next_action,
        ..
    } = Store::open(dir.path()).await.unwrap();
    assert_eq!((none, next_incident, next_action), (None, IncidentId(1), ActionId(1)));
    store.commit(full_batch(4)).await.unwrap();
    store.close().await;

    let again = Store::open(dir.path()).await.unwrap();
    assert_eq!(again.remembered.services, BTreeMap::from([("shop".into(), memory(4))]));
    assert_eq!(again.anchor, Some(anchor()));
    assert_eq!(
        (again.next_incident, again.next_action),
        (IncidentId(5), ActionId(5)),
        "numbers go on"
    );
    assert_eq!(again.quarantined, None);
    assert!(again.remembered.unreadable.is_empty());
}

/// What happens to one that does not come up again.
fn a_sad_story(id: u64) -> Vec<(Report, Timestamp)> {
    let action = ActionId(1);
    let (from, to) = (State::Healthy, State::Down);
    let result = ActionResult::Done;
    let reason = "status 500".to_owned();
    let (attempts, window) = (5, Duration::from_secs(1800));
    let (hold, remaining) = (Hold::Backoff, None);
    vec![
        report(0, ReportKind::StateChanged { from, to }),
        opened(id),
        started(1, id),
        report(id, ReportKind::ActionEnded { action, result }),
        report(id, ReportKind::ActionUnverified { action, reason }),
        report(
            id,
            ReportKind::CauseChanged {
                cause: Cause::OomKilled,
            },
        ),
        report(id, ReportKind::ActionHeld { hold, remaining }),
        report(
            id,
            ReportKind::GaveUp {
                attempts,
                window,
                halved: false,
                cause: sentinel_engine::Cause::Unknown,
            },
        ),
    ]
}

#[tokio::test]
async fn an_incident_is_distinguished_from_its_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    let messages = vec![message(1, 1, "team")];
    let tale = Batch {
        messages,
        ..reported(a_sad_story(1))
    };
    store.commit(tale).await.unwrap();

    let open = store.incident(IncidentId(1)).await.unwrap().unwrap();
    assert_eq!(open.incident.cause_kind, "oom_killed");
    assert_eq!(open.incident.cause, serde_json::json!({"kind": "oom_killed"}));
    assert!(open.incident.gave_up && open.incident.closed.is_none() && open.incident.attempts == 1);
    let words: Vec<&str> = open.timeline.iter().map(|entry| entry.kind.as_str()).collect();
    let expected = "incident_opened restart restart_ended not_verified cause_changed held gave_up";
    assert_eq!(words.join(" "), expected);
    assert_eq!(open.timeline[0].text, "killed by signal KILL");
    assert_eq!(open.actions.len(), 1);
    let attempt = &open.actions[0];
    assert_eq!(
        (attempt.kind.as_str(), attempt.expected.as_deref()),
        ("restart", Some("run-1"))
    );
    assert_eq!(
        (attempt.outcome.as_deref(), attempt.verified),
        (Some("done"), Some(false))
    );
    assert_eq!(attempt.verdict_text.as_deref(), Some("status 500"));
    assert_eq!((open.messages.len(), open.messages[0].state.as_str()), (1, "pending"));
}

#[tokio::test]
async fn evidence_is_kept_from_the_beginning_and_the_newest() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    let known = |numbers: std::ops::Range<u32>| numbers.map(|n| (IncidentId(1), evidence(&n.to_string()))).collect();
    let batch_of = |evidence| Batch {
        evidence,
        ..reported(vec![opened(1)])
    };
    // Of an incident that nobody knows any more nothing is kept, and nothing fails.
    let mut first: Vec<(IncidentId, EvidenceRow)> = known(1..4);
    first.push((IncidentId(7), evidence("stray")));
    store.commit(batch_of(first)).await.unwrap();
    let texts = async || {
        let incident = store.incident(IncidentId(1)).await.unwrap().unwrap();
        incident
            .evidence
            .into_iter()
            .map(|piece| piece.text)
            .collect::<Vec<_>>()
    };
    assert_eq!(texts().await, ["1", "2", "3"]);
    for n in 4..31 {
        store.commit(batch_of(known(n..n + 1))).await.unwrap();
    }
    assert_eq!(
        texts().await,
        ["1", "22", "23", "24", "25", "26", "27", "28", "29", "30"]
    );
    assert!(store.incident(IncidentId(7)).await.unwrap().is_none());
}

#[tokio::test]
async fn history_is_listed_by_service_age_and_whether_it_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    let (resolution, duration) = (Resolution::Recovered, Duration::from_secs(9));
    let outage = Outage {
        down: Some(Duration::from_millis(200)),
        proved: Some(duration),
        started_by: Starter::SameRun,
    };
    let what = ReportKind::IncidentClosed {
        resolution,
        duration,
        outage,
    };
    let closed = report(1, what);
    store
        .commit(reported(vec![opened(1), closed, opened(2)]))
        .await
        .unwrap();

    let all = store.incidents(IncidentFilter::default()).await.unwrap();
    assert_eq!((all[0].id.0, all[1].id.0, all.len()), (2, 1, 2), "newest first");
    assert_eq!(
        (all[1].resolution.as_deref(), all[1].closed),
        (Some("recovered"), Some(wall()))
    );
    assert_eq!(
        (all[1].down, all[1].proved),
        (Some(Duration::from_millis(200)), Some(Duration::from_secs(9)))
    );
    assert_eq!((all[0].down, all[0].proved), (None, None), "it is not over");
    let none = IncidentFilter::default();
    #[rustfmt::skip]
    let table = [
        (IncidentFilter { open_only: true, ..none.clone() }, vec![2]),
        (IncidentFilter { before: Some(IncidentId(2)), ..none.clone() }, vec![1]),
        (IncidentFilter { limit: 1, ..none.clone() }, vec![2]),
        (IncidentFilter { service: Some("shop".into()), ..none.clone() }, vec![2, 1]),
        (IncidentFilter { service: Some("mail".into()), ..none.clone() }, vec![]),
    ];
    for (filter, expected) in table {
        let found = store.incidents(filter.clone()).await.unwrap();
        assert_eq!(
            found.iter().map(|row| row.id.0).collect::<Vec<_>>(),
            expected,
            "{filter:?}"
        );
    }
    assert_eq!(store.incident(IncidentId(3)).await.unwrap(), None);
}

#[tokio::test]
async fn an_action_number_is_never_recorded_twice() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    store.commit(reported(vec![opened(1), started(1, 1)])).await.unwrap();

    let again = Batch {
        reports: vec![started(1, 1)],
        saves: vec![("shop".into(), memory(9))],
        host: None,
        ..batch()
    };
    let error = store.commit(again).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Conflict);
    store.close().await;
    let again = Store::open(dir.path()).await.unwrap();
    assert_eq!(
        again.remembered.services,
        BTreeMap::new(),
        "nothing of the refused batch was kept"
    );
    assert_eq!(
        again
            .store
            .incident(IncidentId(1))
            .await
            .unwrap()
            .unwrap()
            .timeline
            .len(),
        2
    );
}

#[tokio::test]
async fn an_incident_of_another_service_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    store.commit(reported(vec![opened(1)])).await.unwrap();
    let mut foreign = opened(1);
    foreign.0.service = "mail".into();
    let error = store.commit(reported(vec![foreign])).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Conflict);
    assert_eq!(
        error.to_string(),
        "refused to record a batch: incident 1 is another service's than `mail`"
    );
}

#[tokio::test]
async fn a_report_of_an_incident_that_was_lost_makes_it_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    store.commit(reported(vec![started(8, 7)])).await.unwrap();
    let detail = store.incident(IncidentId(7)).await.unwrap().unwrap();
    assert_eq!(
        (detail.incident.cause_kind.as_str(), detail.actions.len()),
        ("unknown", 1)
    );
}

#[tokio::test]
async fn an_operators_restart_belongs_to_no_incident() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap().store;
    store.commit(reported(vec![started(3, 0)])).await.unwrap();
    assert_eq!(store.incidents(IncidentFilter::default()).await.unwrap(), []);
    let error = store.commit(reported(vec![started(3, 0)])).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Conflict);
}

#[tokio::test]
async fn the_clock_goes_on_in_a_reopened_store() {
    let dir = tempfile::tempdir().unwrap();
    let first = Store::open(dir.path()).await.unwrap();
    let clock = Clock::start(first.anchor.as_ref());
    first
        .store
        .commit(Batch {
            anchor: clock.anchor(),
            ..batch()
        })
        .await
        .unwrap();
    let last = clock.now();
    first.store.close().await;
    let again = Store::open(dir.path()).await.unwrap();
    assert!(Clock::start(again.anchor.as_ref()).now() >= last);
}
