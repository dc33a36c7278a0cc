//! `sentinel alerts test`, as typed.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use super::*;

async fn alerts_test(config: &Path, arguments: &[&str], credentials: Option<&Path>) -> Output {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_sentinel"));
    command
        .args(["--config", config.to_str().unwrap(), "alerts", "test"])
        .args(arguments);
    command.env_clear().kill_on_drop(true);
    if let Some(credentials) = credentials {
        command.env("CREDENTIALS_DIRECTORY", credentials);
    }
    tokio::time::timeout(BOUND, command.output())
        .await
        .expect("it hangs")
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn each_receiver_is_tried_and_what_fails_is_said() {
    let (url, mut requests) = server(|request| {
        let status = if request.path == "/closed" {
            StatusCode::GONE
        } else {
            StatusCode::OK
        };
        status.into_response()
    })
    .await;
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("sentinel.toml");
    // By a credential, as systemd hands it over.
    std::fs::write(dir.path().join("hook"), format!("{url}/open\n")).unwrap();
    std::fs::set_permissions(dir.path().join("hook"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let settings = format!(
        "[agent]\nname = \"web1\"\n\
         [receivers.closed.webhook]\nurl = \"{url}/closed\"\n\
         [receivers.open.webhook]\nurl_file = \"credential:hook\"\n\
         [receivers.page]\ncommand = {{ argv = [\"/bin/true\"] }}\n"
    );
    std::fs::write(&config, settings).unwrap();

    let all = alerts_test(&config, &[], Some(dir.path())).await;
    assert_eq!(
        (all.status.code(), text(&all.stderr).as_str()),
        (Some(1), ""),
        "{all:?}"
    );
    let lines = text(&all.stdout);
    let mut lines = lines.lines();
    let closed = lines.next().unwrap();
    assert!(
        closed.starts_with("closed  webhook") && closed.contains(&format!("failed: {url} answered 410")),
        "{closed}"
    );
    let open = lines.next().unwrap();
    assert!(open.starts_with("open    webhook") && open.ends_with("ok"), "{open}");
    let page = lines.next().unwrap();
    assert!(page.starts_with("page    command") && page.ends_with("ok"), "{page}");
    for _ in 0..2 {
        let request = next(&mut requests).await;
        let message: Message = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(message.kind, "alerts.test");
        assert!(
            message.data.summary.starts_with("web1: a test of the receiver `"),
            "{}",
            message.data.summary
        );
    }

    let one = alerts_test(&config, &["open", "--json"], Some(dir.path())).await;
    assert_eq!(one.status.code(), Some(0), "{one:?}");
    let answer: Value = serde_json::from_slice(&one.stdout).unwrap();
    assert_eq!(
        (&answer[0]["receiver"], &answer[0]["ok"], &answer[0]["error"]),
        (&"open".into(), &true.into(), &Value::Null)
    );

    let unknown = alerts_test(&config, &["opne"], Some(dir.path())).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert_eq!(
        text(&unknown.stderr),
        "sentinel: there is no receiver `opne`; did you mean `open`?\n"
    );

    let without = alerts_test(&config, &[], None).await;
    assert_eq!(without.status.code(), Some(1));
    assert!(
        text(&without.stderr).contains("the credential `hook` is only there while systemd runs the agent"),
        "{without:?}"
    );
}
