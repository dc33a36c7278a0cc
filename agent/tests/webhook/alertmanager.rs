//! What an Alertmanager refuses of one alert says nothing of the others. Real ones are in `tests/receivers_real`; this one refuses
//! what it is asked to refuse, as those do: the whole request, with 422.

use sentinel_config::AlertmanagerSettings;
use sentinel_notify::Message;
use serde_json::Value;

use super::*;

/// Refuses every request with an alert that has this in its link or as its cause.
const CURSED: &str = "cursed";

fn alerts(request: &Request) -> Vec<Value> {
    serde_json::from_slice(&request.body).unwrap()
}

fn is_cursed(request: &Request) -> bool {
    alerts(request).iter().any(|alert| {
        let link = alert["generatorURL"].as_str().unwrap_or_default();
        link.contains(CURSED) || alert["annotations"]["cause"] == CURSED
    })
}

fn picky(request: &Request) -> Response {
    if is_cursed(request) {
        return (
            StatusCode::UNPROCESSABLE_ENTITY,
            r#"{"code":601,"message":"not like this"}"#,
        )
            .into_response();
    }
    StatusCode::OK.into_response()
}

fn alertmanager(peer: &Peer) -> Receiver {
    alertmanager_with(peer, Duration::from_secs(60))
}

fn alertmanager_with(peer: &Peer, resend: Duration) -> Receiver {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = ReceiverSettings {
        name: "cluster".to_owned(),
        kind: ReceiverKind::Alertmanager(AlertmanagerSettings {
            urls: vec![format!("http://{}/", peer.address).parse().unwrap()],
            resend,
            headers: BTreeMap::new(),
            login: None,
            ca_file: None,
        }),
        zone: TimeZone::UTC,
        template: None,
    };
    Receiver::all(&[settings]).unwrap().remove(0)
}

fn fired(incident: u64, change: impl FnOnce(&mut Message)) -> Message {
    let summary = format!("web1: s{incident} is down: killed by signal KILL");
    let mut message = Message::about_alerts(
        "fired",
        "web1",
        sentinel_base::clock::wall(),
        Severity::Warning,
        &summary,
    );
    "incident.fired".clone_into(&mut message.kind);
    message.data.incident = incident;
    message.data.service = format!("s{incident}");
    message.data.url = Some(format!("https://runbooks.example/{incident}"));
    change(&mut message);
    message
}

/// The services that it was informed of in requests that it took, with whether their alert had its link.
fn heard(peer: &Peer) -> BTreeMap<String, bool> {
    let taken = peer.received().into_iter().filter(|request| !is_cursed(request));
    taken
        .flat_map(|request| alerts(&request))
        .map(|alert| {
            let service = alert["labels"]["service"].as_str().unwrap().to_owned();
            (service, alert["generatorURL"].is_string())
        })
        .collect()
}

#[tokio::test]
async fn one_alert_that_is_refused_keeps_no_other_from_being_heard() {
    const LINK: u64 = 17;
    const ALL_OF_IT: u64 = 90;
    let dir = tempfile::tempdir().unwrap();
    let peer = Peer::start(picky).await;
    let (store, clock) = open(dir.path()).await;
    for incident in 1..=150 {
        let message = fired(incident, |message| match incident {
            LINK => message.data.url = Some(format!("https://runbooks.example/{CURSED}")),
            ALL_OF_IT => message.data.cause.text = CURSED.to_owned(),
            _ => {}
        });
        let outgoing = OutgoingMessage {
            incident: IncidentId(incident),
            sequence: 1,
            receiver: "cluster".to_owned(),
            kind: "fired",
            severity: Severity::Warning,
            payload: message.payload(),
            created: clock.now(),
            created_wall: sentinel_base::clock::wall(),
            not_before: Time::ZERO,
            revises: None,
        };
        send_all(&store, &clock, vec![outgoing]).await;
    }
    start(alertmanager(&peer), &store, &clock);
    until("every message is settled", async || {
        let mut settled = 0;
        for incident in 1..=150 {
            settled += usize::from(matches!(state(&store, incident).await.as_str(), "delivered" | "dead"));
        }
        settled == 150
    })
    .await;
    let heard = heard(&peer);
    assert_eq!(heard.len(), 149, "{heard:?}");
    assert!(!heard["s17"], "without the link, which alone is refused");
    assert!(heard["s16"] && heard["s18"], "{heard:?}");
    assert!(!heard.contains_key("s90"));
    for (incident, expected) in [
        (16, "delivered"),
        (LINK, "delivered"),
        (ALL_OF_IT, "dead"),
        (91, "delivered"),
    ] {
        assert_eq!(state(&store, incident).await, expected, "{incident}");
    }
    let error = detail(&store, ALL_OF_IT).await.messages[0].last_error.clone();
    assert!(error.unwrap_or_default().contains("answered 422: "), "in its words");
}

#[tokio::test]
async fn who_refuses_everything_is_not_asked_of_each_alert_for_ever() {
    let peer = Peer::start(|_| StatusCode::BAD_REQUEST.into_response()).await;
    let delivery = Delivery {
        payload: fired(1, |_| {}).payload(),
        ..delivery("")
    };
    let error = alertmanager(&peer)
        .deliver(&delivery, sentinel_base::clock::wall())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), DeliveryErrorKind::Status(400));
    assert_eq!(peer.received().len(), 2, "as it is, and without its link");
}

#[tokio::test]
async fn what_was_notified_in_one_message_goes_on_firing() {
    let dir = tempfile::tempdir().unwrap();
    let peer = Peer::start(ok).await;
    let (store, clock) = open(dir.path()).await;
    let outgoing = |incident| OutgoingMessage {
        incident: IncidentId(incident),
        sequence: 1,
        receiver: "cluster".to_owned(),
        kind: "fired",
        severity: Severity::Warning,
        payload: fired(incident, |_| {}).payload(),
        created: clock.now(),
        created_wall: sentinel_base::clock::wall(),
        not_before: clock.now() + Duration::from_millis(300),
        revises: None,
    };
    send_all(&store, &clock, vec![outgoing(1), outgoing(2)]).await;
    start(alertmanager_with(&peer, Duration::from_millis(200)), &store, &clock);
    until("both are settled", async || {
        state(&store, 1).await == "delivered" && state(&store, 2).await == "delivered"
    })
    .await;
    let then = peer.received().len();
    until("it is told again", async || peer.received().len() > then + 2).await;
    for request in &peer.received()[then + 1..] {
        let services: Vec<String> = alerts(request)
            .iter()
            .map(|alert| alert["labels"]["service"].to_string())
            .collect();
        assert_eq!(services, ["\"s1\"", "\"s2\""]);
    }
}
