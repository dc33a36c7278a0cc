//! What the agent lacks is not the service's fault.

use rustix::process::{Resource, Rlimit, setrlimit};
use sentinel_config::{CommandProbe, ProbeSettings, TcpProbe};
use sentinel_engine::Verdict;

use super::{AMPLE, assert_passed, http, prober};

/// The limit is the whole process's, so the test runs in a process of its own.
#[test]
fn probes_without_descriptors_are_skipped() {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "probe::shortage::without_descriptors"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test]
#[ignore = "run by probes_without_descriptors_are_skipped"]
async fn without_descriptors() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let prober = prober();
    let settings = [
        ProbeSettings::Http(Box::new(http(&format!("http://{address}/")))),
        ProbeSettings::Http(Box::new(http(&format!("http://localhost:{}/", address.port())))),
        ProbeSettings::Tcp(TcpProbe {
            address: address.to_string(),
            timeout: AMPLE,
        }),
        ProbeSettings::Command(CommandProbe {
            argv: vec!["true".into()],
            timeout: AMPLE,
        }),
    ];
    let probes: Vec<_> = settings
        .iter()
        .map(|settings| prober.prepare(None, std::slice::from_ref(settings)).unwrap())
        .collect();
    // Lets the runtime open whatever it opens at first use.
    assert_passed(&prober.round(&probes[2]).await);
    assert_passed(&prober.round(&probes[3]).await);
    let limit = |current| {
        let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).unwrap();
    };
    limit(Some(0));
    for (settings, probes) in settings.iter().zip(&probes) {
        let outcome = prober.round(probes).await;
        assert!(
            matches!(outcome.verdict, Verdict::Skipped(_)),
            "{settings:?}: {outcome:?}"
        );
    }
    limit(Some(256));
    assert_passed(&prober.round(&probes[2]).await);
}
