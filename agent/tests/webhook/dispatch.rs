//! From the outbox to receivers that are down, gone, busy or silent.

use super::*;

#[tokio::test]
async fn messages_wait_for_a_receiver_that_is_down_and_arrive_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = open(dir.path()).await;
    // An address of its own, so that nobody else gets the port while nothing listens.
    let listener = TcpListener::bind("127.0.83.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    start(receiver("team", &format!("http://{address}/hook")), &store, &clock);
    for incident in 1..=5 {
        send(&store, &clock, [(incident, 1, "team"), (incident, 2, "team")]).await;
    }
    until("three attempts", async || {
        detail(&store, 1).await.messages[0].attempts >= 3
    })
    .await;
    let waiting = &detail(&store, 1).await.messages[0];
    assert!(!waiting.ambiguous, "a refused connection is a certain failure");
    let error = waiting.last_error.clone().unwrap();
    assert!(
        error.starts_with(&format!("http://{address} cannot be reached: ")),
        "{error}"
    );
    assert!(error.contains("refused"), "{error}");

    // It comes back, answers 503 for a while, then works.
    let seen = Mutex::new(0);
    let peer = Peer::serve(TcpListener::bind(address).await.unwrap(), move |_| {
        let mut seen = seen.lock().unwrap();
        *seen += 1;
        if *seen <= 3 {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::OK
        }
        .into_response()
    });
    send(&store, &clock, [(6, 1, "team")]).await;
    until("the last message", async || state(&store, 6).await == "delivered").await;
    for incident in 1..=5 {
        until("every message", async || {
            detail(&store, incident)
                .await
                .messages
                .iter()
                .all(|message| message.state == "delivered")
        })
        .await;
    }
    let mut texts: Vec<String> = peer.received().iter().map(Request::text).collect();
    assert_eq!(texts.len(), 11 + 3, "three were answered with 503 and sent again");
    texts.sort();
    texts.dedup();
    assert_eq!(
        texts,
        [
            "1/1", "1/2", "2/1", "2/2", "3/1", "3/2", "4/1", "4/2", "5/1", "5/2", "6/1"
        ]
    );
    for incident in 1..=5 {
        let own: Vec<String> = peer
            .received()
            .iter()
            .map(Request::text)
            .filter(|text| text.starts_with(&format!("{incident}/")))
            .collect();
        assert!(own.is_sorted(), "in the order of its incident: {own:?}");
    }
    for request in peer.received() {
        let text = request.text();
        let (incident, sequence) = text.split_once('/').unwrap();
        let (incident, sequence) = (incident.parse().unwrap(), sequence.parse().unwrap());
        assert_eq!(
            request.header("webhook-id"),
            store.event_id(IncidentId(incident), sequence, "team"),
            "retries keep their key"
        );
    }
    assert!(
        detail(&store, 1).await.messages[0].ambiguous,
        "a 503 may have done half of it"
    );
}

#[tokio::test]
async fn a_receiver_that_is_gone_gets_no_second_try_and_the_next_message_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = open(dir.path()).await;
    let peer = Peer::start(|request| {
        if request.body == "1/1" {
            StatusCode::GONE
        } else {
            StatusCode::OK
        }
        .into_response()
    })
    .await;
    start(receiver("team", &peer.url()), &store, &clock);
    send(&store, &clock, [(1, 1, "team"), (1, 2, "team"), (2, 1, "team")]).await;
    until("the last message", async || state(&store, 2).await == "delivered").await;
    let messages = detail(&store, 1).await.messages;
    assert_eq!((messages[0].state.as_str(), messages[0].attempts), ("dead", 1));
    assert_eq!(
        messages[0].last_error.as_deref(),
        Some(&*format!("http://{} answered 410", peer.address))
    );
    assert_eq!(messages[1].state, "delivered");
    until("a digest that says so", async || peer.received().len() == 4).await;
    let is_digest = |request: &Request| {
        let text = request.text();
        text.contains("alerts.digest") && text.contains("1 alert undeliverable")
    };
    assert_eq!(peer.received().iter().filter(|request| is_digest(request)).count(), 1);
}

#[tokio::test]
async fn the_others_hear_of_a_receiver_that_refuses_or_is_stuck_and_that_it_works_again() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = open(dir.path()).await;
    let answer = Arc::new(Mutex::new(StatusCode::UNAUTHORIZED));
    let answers = Arc::clone(&answer);
    let team = Peer::start(move |_| (*answers.lock().unwrap()).into_response()).await;
    let boss = Peer::start(ok).await;
    let heard = || -> Vec<String> {
        let kind = |request: &Request| {
            let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            let summary = body["data"]["summary"].as_str().unwrap();
            assert!(
                summary.starts_with("web1: ") && summary.contains("the receiver team"),
                "{summary}"
            );
            body["type"].as_str().unwrap().to_owned()
        };
        boss.received().iter().map(kind).collect()
    };
    start(receiver("boss", &boss.url()), &store, &clock);
    until("the other is enrolled", async || {
        store.queue(clock.now(), 1).await.unwrap().receivers.len() == 1
    })
    .await;
    start(receiver("team", &team.url()), &store, &clock);
    send(&store, &clock, [(1, 1, "team"), (2, 1, "team")]).await;
    until("two refusals", async || state(&store, 2).await == "dead").await;
    until("word of it", async || heard().len() == 1).await;
    *answer.lock().unwrap() = StatusCode::INTERNAL_SERVER_ERROR;
    send(&store, &clock, [(3, 1, "team")]).await;
    until("word of more", async || heard().len() == 2).await;
    *answer.lock().unwrap() = StatusCode::OK;
    until("word that it works", async || heard().len() == 3).await;
    assert_eq!(
        heard(),
        ["alerts.stuck", "alerts.stuck", "alerts.works"],
        "one for two refusals within an hour, one for the outage, one for its end"
    );
}

#[tokio::test]
async fn a_receiver_that_asks_for_time_gets_it_for_all_its_messages() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = open(dir.path()).await;
    let peer = Peer::start(|_| (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1800")]).into_response()).await;
    start(receiver("team", &peer.url()), &store, &clock);
    let begin = clock.now();
    send(&store, &clock, [(1, 1, "team"), (2, 1, "team")]).await;
    until("the answer", async || {
        detail(&store, 1).await.messages[0].last_error.is_some()
    })
    .await;
    let Next::Wait(not_before) = store
        .next_message("team", clock.now(), sentinel_base::clock::wall())
        .await
        .unwrap()
    else {
        panic!("the next message must wait as well")
    };
    let asked = Duration::from_secs(1800);
    assert!(
        not_before >= begin + asked && not_before <= clock.now() + asked,
        "{not_before:?}"
    );
    assert_eq!(peer.received().len(), 1);
}

#[tokio::test]
async fn a_receiver_that_stays_silent_delays_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let (store, clock) = open(dir.path()).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let held = Arc::new(Mutex::new(Vec::new()));
    let accepted = held.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = silent.accept().await {
            accepted.lock().unwrap().push(stream);
        }
    });
    let peer = Peer::start(ok).await;
    start(receiver("silent", &format!("http://{address}/")), &store, &clock);
    start(receiver("team", &peer.url()), &store, &clock);

    send(&store, &clock, [(1, 1, "silent")]).await;
    until("the silent one's connection", async || !held.lock().unwrap().is_empty()).await;
    for incident in 2..=50 {
        send(&store, &clock, [(incident, 1, "silent"), (incident, 2, "team")]).await;
    }
    until("every message to the other", async || peer.received().len() == 49).await;
    let message = &detail(&store, 1).await.messages[0];
    assert_eq!(
        (message.state.as_str(), message.attempts),
        ("inflight", 1),
        "the silent one was all the while waited for"
    );
}
