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

#[tokio::test]
async fn what_fails_is_said_in_words_that_help() {
    let (url, _requests) = server(|request| match request.path.as_str() {
        "/moved" => (StatusCode::FOUND, [("location", "https://elsewhere.example/")]).into_response(),
        "/services/T0/B0/removed" => (StatusCode::NOT_FOUND, "no_service").into_response(),
        _ => StatusCode::OK.into_response(),
    })
    .await;
    // Nothing listens there any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("sentinel.toml");
    let secure = url.replace("http://", "https://");
    let settings = format!(
        "[receivers.a_gone.webhook]\nurl = \"http://{gone}/\"\n\
         [receivers.b_no_tls.webhook]\nurl = \"{secure}/\"\n\
         [receivers.c_moved.webhook]\nurl = \"{url}/moved\"\n\
         [receivers.d_removed]\nslack = {{ webhook_url = \"{url}/services/T0/B0/removed\" }}\n\
         [receivers.e_half.alertmanager]\nurls = [\"{url}/\", \"http://{gone}/\"]\n"
    );
    std::fs::write(&config, settings).unwrap();
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).unwrap();
    let output = alerts_test(&config, &[], None).await;
    assert_eq!(
        (output.status.code(), text(&output.stderr).as_str()),
        (Some(1), ""),
        "{output:?}"
    );
    let expected = [
        format!("failed: http://{gone} cannot be reached: tcp connect error: Connection refused (os error 111)"),
        format!("failed: {secure} cannot be reached: the answer is not TLS"),
        format!("failed: {url} answered 302 (redirects are not followed)"),
        format!("failed: {url} answered 404: no_service: the webhook's address is wrong, or the webhook was removed"),
        format!(
            "ok, but not for all: http://{gone} cannot be reached: tcp connect error: Connection refused (os error 111)"
        ),
    ];
    let said = text(&output.stdout);
    let said: Vec<&str> = said.lines().map(|line| line.rsplit("  ").next().unwrap()).collect();
    assert_eq!(said, expected);

    let half = alerts_test(&config, &["e_half", "--json"], None).await;
    assert_eq!(half.status.code(), Some(0), "one replica is enough: {half:?}");
    let answer: Value = serde_json::from_slice(&half.stdout).unwrap();
    assert_eq!((&answer[0]["ok"], &answer[0]["error"]), (&true.into(), &Value::Null));
    assert!(
        answer[0]["missed"].as_str().unwrap().contains("cannot be reached"),
        "{answer}"
    );
}
