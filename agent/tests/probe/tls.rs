//! Certificates: trusted, expired, for another name, from nobody.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};
use sentinel_config::HttpProbe;
use sentinel_engine::{FailureKind, ProbePhase, RestartOn, Verdict};

use super::server::Server;
use super::{SHORT, ask_http, assert_failed, assert_passed, http};

/// An authority of our own, and its certificate in a file.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: PathBuf,
    _directory: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        std::fs::write(&file, issuer.pem()).unwrap();
        Self {
            issuer,
            file,
            _directory: directory,
        }
    }

    /// A server on loopback whose certificate, for `name`, this authority has signed.
    fn serve(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> SocketAddr {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        serve(vec![certificate.der().clone()], &key)
    }

    fn trusted(&self, address: SocketAddr) -> HttpProbe {
        HttpProbe {
            ca_file: Some(self.file.clone()),
            ..http(&format!("https://localhost:{}/", address.port()))
        }
    }
}

fn serve(chain: Vec<rustls::pki_types::CertificateDer<'static>>, key: &KeyPair) -> SocketAddr {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut connection = ServerConnection::new(config.clone()).unwrap();
            let mut stream = Stream::new(&mut connection, &mut socket);
            let mut request = [0; 4096];
            // A client that does not trust us ends the handshake: that is the point of most of these tests.
            if let Ok(length) = stream.read(&mut request) {
                let answer: &[u8] = if request[..length].starts_with(b"GET /back ") {
                    b"HTTP/1.1 302 Found\r\nlocation: http://localhost/\r\ncontent-length: 0\r\n\r\n"
                } else {
                    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
                };
                let _ = stream.write_all(answer);
            }
        }
    });
    address
}

#[tokio::test]
async fn certificate_of_the_ca_file_is_trusted() {
    let authority = Authority::new();
    let address = authority.serve("localhost", |_| ());
    assert_passed(&ask_http(authority.trusted(address)).await);
}

#[tokio::test]
async fn expired_certificate_is_named() {
    let authority = Authority::new();
    let address = authority.serve("localhost", |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    let outcome = ask_http(authority.trusted(address)).await;
    assert_failed(&outcome, ProbePhase::Tls, "certificate expired");
}

#[tokio::test]
async fn certificate_that_is_not_valid_yet_is_named() {
    let authority = Authority::new();
    let address = authority.serve("localhost", |params| {
        params.not_before = date_time_ymd(4000, 1, 1);
        params.not_after = date_time_ymd(4001, 1, 1);
    });
    let outcome = ask_http(authority.trusted(address)).await;
    assert_failed(&outcome, ProbePhase::Tls, "certificate not valid yet");
}

#[tokio::test]
async fn certificate_for_another_name_is_named() {
    let authority = Authority::new();
    let address = authority.serve("elsewhere.example", |_| ());
    let outcome = ask_http(authority.trusted(address)).await;
    assert_failed(&outcome, ProbePhase::Tls, "certificate is for another name");
}

#[tokio::test]
async fn semantics_6_row_26_certificates_restart_nothing() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let expired = authority.serve("localhost", |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    let elsewhere = authority.serve("elsewhere.example", |_| ());
    let untrusted = stranger.serve("localhost", |_| ());
    for (what, address) in [
        ("expired", expired),
        ("wrong host", elsewhere),
        ("another authority", untrusted),
    ] {
        let outcome = ask_http(authority.trusted(address)).await;
        let Verdict::Failed(failure) = &outcome.verdict else {
            panic!("{what}: {outcome:?}");
        };
        assert_eq!(failure.kind, FailureKind::Tls, "{what}: {failure}");
        assert!(!RestartOn::default().covers(failure.kind), "{what}");
    }
}

#[tokio::test]
async fn self_signed_certificate_is_not_trusted_unless_insecure() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    // Not the name that rcgen gives by default, to the authority as well.
    params.distinguished_name = DistinguishedName::new();
    let certificate = params.self_signed(&key).unwrap();
    let address = serve(vec![certificate.der().clone()], &key);
    let authority = Authority::new();
    let settings = authority.trusted(address);
    let outcome = ask_http(settings.clone()).await;
    assert_failed(
        &outcome,
        ProbePhase::Tls,
        "certificate not issued by a trusted authority",
    );
    let insecure = HttpProbe {
        insecure: true,
        ca_file: None,
        ..settings
    };
    assert_passed(&ask_http(insecure).await);
}

#[tokio::test]
async fn an_authoritys_own_certificate_is_refused_with_what_to_do() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    let address = serve(vec![certificate.der().clone()], &key);
    // Also where that very certificate is trusted.
    let authority = Authority::new();
    let own = authority.file.with_file_name("own.pem");
    std::fs::write(&own, certificate.pem()).unwrap();
    for file in [authority.file.clone(), own] {
        let settings = HttpProbe {
            ca_file: Some(file),
            ..authority.trusted(address)
        };
        assert_failed(
            &ask_http(settings).await,
            ProbePhase::Tls,
            "certificate is that of an authority (CA:TRUE), which a server must not present: issue one with CA:FALSE, or \
             set `insecure = true`",
        );
    }
}

#[tokio::test]
async fn plain_server_asked_for_https_is_a_tls_failure() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            use tokio::io::AsyncWriteExt;
            let _ = stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
                .await;
            // Closing on unread data would reset the connection.
            let mut sink = tokio::io::sink();
            let _ = tokio::io::copy(&mut stream, &mut sink).await;
        }
    });
    let authority = Authority::new();
    let outcome = ask_http(authority.trusted(address)).await;
    assert_failed(&outcome, ProbePhase::Tls, "the answer is not TLS");
}

#[tokio::test]
async fn server_silent_in_the_handshake_is_reported_as_that() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = Authority::new();
    let settings = HttpProbe {
        timeout: SHORT,
        ..authority.trusted(listener.local_addr().unwrap())
    };
    assert_failed(
        &ask_http(settings).await,
        ProbePhase::Timeout,
        "no TLS handshake within 300ms",
    );
}

#[tokio::test]
async fn redirect_from_http_to_https_is_followed_but_not_back() {
    let authority = Authority::new();
    let secure = authority.serve("localhost", |_| ());
    let plain = Server::start().await;
    let by_way_of = |path: &str| HttpProbe {
        ca_file: Some(authority.file.clone()),
        follow: 3,
        ..http(&plain.url(&format!("/to?https://localhost:{}{path}", secure.port())))
    };
    assert_passed(&ask_http(by_way_of("/")).await);
    let outcome = ask_http(by_way_of("/back")).await;
    assert_failed(&outcome, ProbePhase::Status, "redirected from https to http");
}

#[tokio::test]
async fn unusable_ca_files_are_refused() {
    let authority = Authority::new();
    let prober = super::prober();
    let empty = authority.file.with_file_name("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    for file in [empty, authority.file.with_file_name("missing.pem")] {
        let settings = HttpProbe {
            ca_file: Some(file.clone()),
            ..http("https://localhost/")
        };
        let error = prober
            .prepare(None, &[sentinel_config::ProbeSettings::Http(Box::new(settings))])
            .unwrap_err();
        assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    }
}

/// The process is started again with its CA certificates hidden: which they are is decided once, when a client is made.
#[test]
fn host_without_certificates_still_probes_plain_http() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "probe::tls::without_certificates"])
        .env("SSL_CERT_FILE", "/nonexistent")
        .env("SSL_CERT_DIR", "/nonexistent")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test]
#[ignore = "run by host_without_certificates_still_probes_plain_http"]
async fn without_certificates() {
    let server = Server::start().await;
    let follow = |path: &str| HttpProbe {
        follow: 1,
        ..http(&server.url(path))
    };
    assert_passed(&ask_http(follow("/ok")).await);
    let outcome = ask_http(follow("/to?https://localhost/")).await;
    let Verdict::Failed(failure) = outcome.verdict else {
        panic!("{outcome:?}");
    };
    assert_eq!(failure.phase, ProbePhase::Tls);
    let https = sentinel_config::ProbeSettings::Http(Box::new(http("https://localhost/")));
    let error = super::prober().prepare(None, &[https]).unwrap_err().to_string();
    assert!(error.ends_with("does this host have CA certificates?"), "{error}");
}
