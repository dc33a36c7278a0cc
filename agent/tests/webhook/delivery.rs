//! One attempt: what arrives, and what an answer means.

use super::*;

#[tokio::test]
async fn a_message_arrives_signed_and_under_its_key() {
    let peer = Peer::start(ok).await;
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let webhook = WebhookSettings {
        secrets: vec![Secret::from(secret)],
        headers: BTreeMap::from([
            ("X-Token".to_owned(), Secret::from("abc")),
            ("webhook-id".to_owned(), Secret::from("forged")),
        ]),
        ..settings("team", &peer.url()).1
    };
    let receiver = receiver_with("team", webhook);
    let wall = Timestamp::from_second(1_700_000_000).unwrap();
    let delivery = delivery("{\"type\":\"incident.fired\"}");
    receiver.deliver(&delivery, wall).await.unwrap();

    let request = &peer.received()[0];
    assert_eq!(request.text(), "{\"type\":\"incident.fired\"}");
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("x-token"), "abc");
    assert_eq!(
        request.header("webhook-id"),
        delivery.event,
        "headers of the configuration cannot replace it"
    );
    assert_eq!(request.header("webhook-timestamp"), "1700000000");
    // What a receiver computes, from what arrived.
    let key = base64::engine::general_purpose::STANDARD
        .decode(&secret["whsec_".len()..])
        .unwrap();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&key).unwrap();
    mac.update(
        format!(
            "{}.{}.",
            request.header("webhook-id"),
            request.header("webhook-timestamp")
        )
        .as_bytes(),
    );
    mac.update(&request.body);
    let expected = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    assert_eq!(request.header("webhook-signature"), format!("v1,{expected}"));
}

#[tokio::test]
async fn without_a_secret_nothing_is_signed() {
    let peer = Peer::start(ok).await;
    receiver("team", &peer.url())
        .deliver(&delivery("{}"), sentinel_base::clock::wall())
        .await
        .unwrap();
    assert_eq!(peer.received()[0].header("webhook-signature"), "");
}

#[tokio::test]
async fn only_2xx_is_a_success() {
    #[rustfmt::skip]
    let table = [
        // status, what it means, whether the receiver may have got it, the word
        (301, Retry::Later, false, "redirect"),
        (400, Retry::Never, false, "refused"),
        (404, Retry::Never, false, "refused"),
        (410, Retry::Never, false, "refused"),
        (413, Retry::Never, false, "refused"),
        (408, Retry::Later, false, "refused"),
        (429, Retry::Later, false, "throttled"),
        (500, Retry::Later, true, "server_error"),
        (503, Retry::Later, true, "server_error"),
    ];
    for (status, retry, ambiguous, word) in table {
        let code = StatusCode::from_u16(status).unwrap();
        let peer = Peer::start(move |_| (code, "no such luck").into_response()).await;
        let error = receiver("team", &peer.url())
            .deliver(&delivery("{}"), sentinel_base::clock::wall())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), DeliveryErrorKind::Status(status));
        assert_eq!(
            (error.retry(), error.is_ambiguous(), error.kind().as_str()),
            (retry, ambiguous, word),
            "{status}"
        );
        let why = if (300..400).contains(&status) {
            " (redirects are not followed)"
        } else {
            ""
        };
        assert_eq!(
            error.to_string(),
            format!("http://{} answered {status}{why}: no such luck", peer.address)
        );
    }
    for status in [200, 201, 202, 204, 299] {
        let code = StatusCode::from_u16(status).unwrap();
        let peer = Peer::start(move |_| code.into_response()).await;
        receiver("team", &peer.url())
            .deliver(&delivery("{}"), sentinel_base::clock::wall())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Peer::start(ok).await;
    let location = elsewhere.url();
    for status in [301, 302, 303, 307, 308] {
        let location = location.clone();
        let code = StatusCode::from_u16(status).unwrap();
        let peer = Peer::start(move |_| (code, [("location", location.clone())]).into_response()).await;
        let error = receiver("team", &peer.url())
            .deliver(&delivery("{}"), sentinel_base::clock::wall())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), DeliveryErrorKind::Status(status));
    }
    assert!(elsewhere.received().is_empty());
}

#[tokio::test]
async fn an_endless_refusal_is_read_only_in_part() {
    let peer = Peer::start(|_| (StatusCode::BAD_REQUEST, "x".repeat(10_000_000)).into_response()).await;
    let error = receiver("team", &peer.url())
        .deliver(&delivery("{}"), sentinel_base::clock::wall())
        .await
        .unwrap_err();
    assert!(error.to_string().len() < 1200, "{} bytes", error.to_string().len());
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_never_answers_is_given_up_after_15_seconds() {
    let address = raw_peer(|stream| {
        read_request(stream);
        // Until the other side hangs up.
        let _ = stream.read(&mut [0; 16]);
    });
    let begin = tokio::time::Instant::now();
    let error = receiver("team", &format!("http://{address}/T0K3N"))
        .deliver(&delivery("{}"), sentinel_base::clock::wall())
        .await
        .unwrap_err();
    assert_eq!(error.retry(), Retry::Later);
    assert!(!error.to_string().contains("T0K3N"), "{error}");
    assert!(begin.elapsed() <= Duration::from_secs(16), "{:?}", begin.elapsed());
}

/// Spoils settings.
type Change = fn(&mut WebhookSettings);

#[test]
fn settings_that_cannot_work_are_refused_without_their_values() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let with = |change: Change| {
        let mut webhook = settings("team", "https://hooks.example/T0K3N").1;
        change(&mut webhook);
        let settings = ReceiverSettings {
            name: "team".to_owned(),
            kind: ReceiverKind::Webhook(webhook),
            zone: TimeZone::UTC,
            template: None,
        };
        sentinel_text::chain(&Receiver::all(&[settings]).unwrap_err())
    };
    #[rustfmt::skip]
    let table: [(&str, Change); 6] = [
        ("receiver `team`: its url cannot be understood: relative URL without a base", |webhook| webhook.url = "T0K3N".into()),
        ("receiver `team`: its url must begin with http:// or https:// and name a host", |webhook| webhook.url = "ftp://T0K3N/".into()),
        ("receiver `team`: what follows `whsec_` in the secret is not base64", |webhook| webhook.secrets = vec!["whsec_T0K3N!".into()]),
        ("receiver `team`: the secret is empty", |webhook| webhook.secrets = vec!["".into()]),
        ("receiver `team`: `a b` is not the name of a header", |webhook| drop(webhook.headers.insert("a b".into(), "T0K3N".into()))),
        ("receiver `team`: the value of header `x` has characters that no header can hold", |webhook| drop(webhook.headers.insert("x".into(), "T0K3N\n".into()))),
    ];
    for (expected, change) in table {
        assert_eq!(with(change), expected);
    }
}
