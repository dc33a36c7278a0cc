//! TCP probes.

use std::fmt::Display;

use sentinel_config::{ProbeSettings, TcpProbe};
use sentinel_engine::{ProbePhase, Verdict};

use super::server::{full_listener, refused_port};
use super::{AMPLE, SHORT, ask, assert_failed, assert_passed};

fn tcp(address: impl Display, timeout: std::time::Duration) -> ProbeSettings {
    ProbeSettings::Tcp(TcpProbe {
        address: format!("{address}"),
        timeout,
    })
}

#[tokio::test]
async fn whoever_accepts_passes() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    assert_passed(&ask(tcp(address, AMPLE)).await);
    assert_passed(&ask(tcp(format!("localhost:{}", address.port()), AMPLE)).await);
}

#[tokio::test]
async fn refused_and_unanswered_connections_are_distinguished() {
    let (_bound, address) = refused_port();
    assert_failed(
        &ask(tcp(address, AMPLE)).await,
        ProbePhase::Connect,
        "connection refused",
    );
    let (listener, _held) = full_listener().await;
    let outcome = ask(tcp(listener.local_addr().unwrap(), SHORT)).await;
    assert_failed(&outcome, ProbePhase::Timeout, "no connection within 300ms");
}

#[tokio::test]
async fn unknown_name_is_a_dns_failure() {
    let outcome = ask(tcp("does-not-exist.invalid:80", AMPLE)).await;
    assert!(
        matches!(&outcome.verdict, Verdict::Failed(failure) if failure.phase == ProbePhase::Dns),
        "{outcome:?}"
    );
}
