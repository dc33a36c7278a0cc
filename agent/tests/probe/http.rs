//! HTTP probes.

use std::time::Duration;

use sentinel_config::{HttpProbe, ProbeSettings};
use sentinel_engine::{FailureKind, ProbePhase, Verdict};
use sentinel_probe::ProbeError;
use serde_json::json;

use super::server::{Server, full_listener, refused_port};
use super::{SHORT, ask_http, assert_failed, assert_passed, http, prober};

fn short(url: &str) -> HttpProbe {
    HttpProbe {
        timeout: SHORT,
        ..http(url)
    }
}

#[tokio::test]
async fn good_answer_passes_with_its_status() {
    let server = Server::start().await;
    let outcome = ask_http(http(&server.url("/ok"))).await;
    assert_passed(&outcome);
    assert_eq!(outcome.status_code, Some(200));
}

#[tokio::test]
async fn refused_port_is_a_connect_failure() {
    let (_bound, address) = refused_port();
    let outcome = ask_http(http(&format!("http://{address}/"))).await;
    assert_failed(&outcome, ProbePhase::Connect, "connection refused");
    assert_eq!(outcome.status_code, None);
}

#[tokio::test]
async fn unknown_name_is_a_dns_failure() {
    let outcome = ask_http(http("http://does-not-exist.invalid/")).await;
    let Verdict::Failed(failure) = outcome.verdict else {
        panic!("{outcome:?}");
    };
    assert_eq!(failure.phase, ProbePhase::Dns);
    assert_eq!(failure.kind, FailureKind::Dns);
    // Without a name server at all the resolver adds that it failed for now.
    assert!(failure.detail.starts_with("name does not resolve"), "{failure}");
}

#[tokio::test]
async fn name_from_the_hosts_file_is_asked() {
    let server = Server::start().await;
    assert_passed(&ask_http(http(&format!("http://localhost:{}/ok", server.address.port()))).await);
}

#[tokio::test]
async fn silence_names_what_was_waited_for() {
    let server = Server::start().await;
    let (listener, _held) = full_listener().await;
    let unreachable = format!("http://{}/", listener.local_addr().unwrap());
    let table = [
        (unreachable, "no connection within 300ms", None),
        (server.url("/silent"), "no answer within 300ms", None),
        (
            server.url("/hangs-after-head"),
            "answer not complete within 300ms",
            Some(200),
        ),
        (server.url("/drip"), "answer not complete within 300ms", Some(200)),
    ];
    for (url, detail, status_code) in table {
        let outcome = ask_http(short(&url)).await;
        assert_failed(&outcome, ProbePhase::Timeout, detail);
        assert_eq!(outcome.status_code, status_code, "{url}");
    }
}

#[tokio::test]
async fn endless_body_is_cut_and_judged_by_its_beginning() {
    let server = Server::start().await;
    let url = server.url("/endless");
    assert_passed(&ask_http(http(&url)).await);
    let contains = |text: &str| HttpProbe {
        body_contains: Some(text.into()),
        ..http(&url)
    };
    assert_passed(&ask_http(contains("begins well")).await);
    let outcome = ask_http(contains("never")).await;
    assert_failed(
        &outcome,
        ProbePhase::Body,
        "the first 64 KiB of the body lack \"never\"",
    );
    let json = HttpProbe {
        json: [("/status".to_owned(), json!("ok"))].into(),
        ..http(&url)
    };
    let detail = "body is larger than 64 KiB, too large to read as JSON";
    assert_failed(&ask_http(json).await, ProbePhase::Body, detail);
}

#[tokio::test]
async fn a_head_without_an_end_is_not_waited_for() {
    let server = Server::start().await;
    for host in ["127.0.0.1", "localhost"] {
        for path in ["/endless-head", "/endless-interim"] {
            for keep_alive in [false, true] {
                let settings = HttpProbe {
                    keep_alive,
                    ..http(&format!("http://{host}:{}{path}", server.address.port()))
                };
                assert_failed(
                    &ask_http(settings).await,
                    ProbePhase::Body,
                    "the head of the answer does not end within 64 KiB",
                );
            }
        }
    }
    assert_passed(&ask_http(http(&server.url("/interim"))).await);
}

#[tokio::test]
async fn a_user_in_the_url_logs_in() {
    let server = Server::start().await;
    let url = format!("http://me:p%40ss@{}/ok", server.address);
    assert_passed(&ask_http(http(&url)).await);
    let head = server.requests().remove(0);
    assert!(head.contains("authorization: Basic bWU6cEBzcw==\r\n"), "{head}");
}

#[tokio::test]
async fn wrong_status_fails_unless_it_is_accepted() {
    let server = Server::start().await;
    let outcome = ask_http(http(&server.url("/500"))).await;
    assert_failed(&outcome, ProbePhase::Status, "status 500");
    assert_eq!(outcome.status_code, Some(500));
    let accepted = HttpProbe {
        status: vec![200..=200, 500..=500],
        ..http(&server.url("/500"))
    };
    assert_passed(&ask_http(accepted).await);
}

#[tokio::test]
async fn json_must_be_as_wanted() {
    let server = Server::start().await;
    let wants = |value| HttpProbe {
        json: [("/status".to_owned(), json!("ok")), ("/db/up".to_owned(), value)].into(),
        ..http(&server.url("/json"))
    };
    assert_passed(&ask_http(wants(json!(true))).await);
    let outcome = ask_http(wants(json!(false))).await;
    assert_failed(&outcome, ProbePhase::Body, "/db/up is true, not false");
    assert_eq!(outcome.status_code, Some(200));
}

#[tokio::test]
async fn broken_answers_say_how_they_are_broken() {
    let server = Server::start().await;
    let closed = "connection closed without an answer";
    assert_failed(
        &ask_http(http(&server.url("/closes"))).await,
        ProbePhase::Connect,
        closed,
    );
    let outcome = ask_http(http(&server.url("/garbage"))).await;
    let Verdict::Failed(failure) = outcome.verdict else {
        panic!("{outcome:?}");
    };
    assert_eq!(failure.phase, ProbePhase::Body);
    assert!(
        failure.detail.starts_with("the answer is not valid HTTP: "),
        "{failure}"
    );
    let outcome = ask_http(http(&server.url("/short"))).await;
    assert_failed(&outcome, ProbePhase::Body, "answer broken off: connection closed");
    assert_eq!(outcome.status_code, Some(200));
}

#[tokio::test]
async fn an_address_and_a_name_are_reported_the_same() {
    // Probes of a plain address connect by themselves, the others through a client.
    let server = Server::start().await;
    for path in [
        "/ok",
        "/500",
        "/json",
        "/closes",
        "/garbage",
        "/short",
        "/silent",
        "/hangs-after-head",
    ] {
        let by_address = ask_http(short(&server.url(path))).await;
        let port = server.address.port();
        let by_name = ask_http(short(&format!("http://localhost:{port}{path}"))).await;
        assert_eq!(by_address.verdict, by_name.verdict, "{path}");
        assert_eq!(by_address.status_code, by_name.status_code, "{path}");
    }
    let lines = |head: &String| {
        let lines = head.lines().filter(|line| !line.starts_with("host: "));
        let mut lines: Vec<String> = lines.map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let heads = server.requests();
    assert_eq!(lines(&heads[0]), lines(&heads[1]), "the server is asked the same");
}

#[tokio::test]
async fn redirect_is_an_answer_unless_it_is_followed() {
    let server = Server::start().await;
    let follow = |path: &str, follow| HttpProbe {
        follow,
        ..http(&server.url(path))
    };
    let outcome = ask_http(follow("/redirect/0", 0)).await;
    // Where it leads says what to ask instead.
    let leads_to = format!("status 302 to {}", server.url("/ok"));
    assert_failed(&outcome, ProbePhase::Status, &leads_to);
    let accepted = HttpProbe {
        status: vec![302..=302],
        ..follow("/redirect/0", 0)
    };
    assert_passed(&ask_http(accepted).await);
    assert_passed(&ask_http(follow("/redirect/1", 2)).await);
    assert_failed(
        &ask_http(follow("/redirect/2", 2)).await,
        ProbePhase::Status,
        "more than 2 redirects",
    );
    let outcome = ask_http(follow("/redirect/loop", 3)).await;
    assert_failed(&outcome, ProbePhase::Status, "more than 3 redirects");
    assert_eq!(outcome.status_code, Some(302));
    let outcome = ask_http(follow("/to?ftp://localhost/", 3)).await;
    assert_failed(&outcome, ProbePhase::Status, "redirected to something that is not HTTP");
}

#[tokio::test]
async fn configured_headers_stay_with_their_origin() {
    let (first, second) = (Server::start().await, Server::start().await);
    let with_token = |url: &str| HttpProbe {
        headers: [("X-Token".to_owned(), "secret".to_owned())].into(),
        follow: 1,
        ..http(url)
    };
    assert_passed(&ask_http(with_token(&first.url("/token"))).await);
    assert_passed(&ask_http(with_token(&first.url("/to?/token"))).await);
    let elsewhere = ask_http(with_token(&first.url(&format!("/to?{}", second.url("/token"))))).await;
    assert_failed(&elsewhere, ProbePhase::Status, "status 401");
    assert!(second.requests().iter().all(|head| !head.contains("secret")));
}

#[tokio::test]
async fn every_round_is_a_fresh_connection_unless_kept_alive() {
    for (keep_alive, connections) in [(false, 3), (true, 1)] {
        let server = Server::start().await;
        let prober = prober();
        let settings = HttpProbe {
            keep_alive,
            ..http(&server.url("/ok"))
        };
        let probes = prober
            .prepare(None, &[ProbeSettings::Http(Box::new(settings))])
            .unwrap();
        for _ in 0..3 {
            assert_passed(&prober.round(&probes).await);
        }
        assert_eq!(server.connections(), connections, "keep_alive = {keep_alive}");
        for head in server.requests() {
            assert_eq!(head.contains("connection: close\r\n"), !keep_alive, "{head}");
            assert!(
                head.contains(concat!("user-agent: sentinel/", env!("CARGO_PKG_VERSION"), "\r\n")),
                "{head}"
            );
            assert!(!head.contains("accept-encoding") && !head.contains("cookie"), "{head}");
        }
    }
}

#[tokio::test]
async fn head_has_no_body_to_wait_for() {
    let server = Server::start().await;
    let settings = HttpProbe {
        method: "HEAD".into(),
        ..http(&server.url("/head"))
    };
    assert_passed(&ask_http(settings).await);
    assert!(server.requests()[0].starts_with("HEAD /head HTTP/1.1\r\n"));
}

#[tokio::test]
async fn correct_but_slow_answer_fails_by_latency() {
    let server = Server::start().await;
    let settings = HttpProbe {
        max_latency: Some(Duration::from_nanos(1)),
        ..http(&server.url("/ok"))
    };
    let outcome = ask_http(settings).await;
    assert!(
        matches!(&outcome.verdict, Verdict::Failed(failure) if failure.phase == ProbePhase::Latency),
        "{outcome:?}"
    );
    assert_eq!(outcome.status_code, Some(200));
}

#[tokio::test]
async fn unusable_settings_are_refused_without_showing_secrets() {
    let prober = prober();
    let prepare = |settings| {
        prober
            .prepare(None, &[ProbeSettings::Http(Box::new(settings))])
            .unwrap_err()
    };
    let bad_header = HttpProbe {
        headers: [("X-Token".to_owned(), "sec\nret".to_owned())].into(),
        ..http("http://localhost/")
    };
    assert_eq!(
        prepare(bad_header).to_string(),
        "the header `X-Token` has an invalid name or value"
    );
    let bad_method = HttpProbe {
        method: "G E T".into(),
        ..http("http://localhost/")
    };
    assert!(matches!(prepare(bad_method), ProbeError::Method(_)));
    let bad_scheme = prepare(http("ftp://user:secret@localhost/?token=secret"));
    assert_eq!(bad_scheme.to_string(), "`ftp://localhost` is not an http or https URL");
}

#[tokio::test]
async fn server_that_hangs_up_at_once_is_a_connect_failure() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    for host in ["127.0.0.1", "localhost"] {
        for _ in 0..20 {
            let outcome = ask_http(short(&format!("http://{host}:{port}/"))).await;
            // Either end may notice first.
            let Verdict::Failed(failure) = &outcome.verdict else {
                panic!("{outcome:?}");
            };
            assert_eq!(failure.phase, ProbePhase::Connect, "{host}: {failure}");
        }
    }
}
