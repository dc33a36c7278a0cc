//! Starting and restarting.

use sentinel_engine::{ActionKind, ActionResult, Cause, Intent};

use super::harness::{AMPLE, Foreign, SHORT, Scene, has_ended, pid_of, signal, until, write};

const FOREGROUND: &str = "echo $$ >$F; exec sleep 600";
const DAEMON: &str = "sleep 600 >/dev/null 2>&1 & echo $! >$F";
const DEAF_TO_TERM: &str = "trap '' TERM; echo $$ >$F; exec sleep 600";

#[tokio::test]
async fn foreground_and_daemon_starts_come_up_and_are_reported_before_the_answer() {
    for script in [FOREGROUND, DAEMON] {
        let mut scene = Scene::new(script);
        assert_eq!(scene.restart(ActionKind::Start, None).await, ActionResult::Done);
        // Already there: nobody watches in this test.
        let run = scene.running().await;
        assert!(!has_ended(pid_of(&run)));
        scene.nothing_more();
    }
}

#[tokio::test]
async fn crash_is_followed_by_a_new_run() {
    let mut scene = Scene::new(FOREGROUND);
    let first = scene.started().await;
    signal(pid_of(&first), "KILL");
    assert_eq!(scene.down().await.0, Intent::Crash);
    assert_eq!(scene.restart(ActionKind::Start, Some(&first)).await, ActionResult::Done);
    let second = scene.running().await;
    assert_ne!(first, second);
    // The new run is watched like the first.
    signal(pid_of(&second), "KILL");
    assert_eq!(scene.down().await.0, Intent::Crash);
}

#[tokio::test]
async fn failed_start_reports_its_last_words_and_is_a_crash() {
    // It tidies up the pid file, which must not make it look stopped on purpose.
    let mut scene = Scene::new("rm -f $F; echo starting; echo 'cannot bind port 80' >&2; exit 3");
    write(&scene.pid_file(), "4194303");
    let result = scene.restart(ActionKind::Start, None).await;
    assert_eq!(
        result,
        ActionResult::Failed("`start` exited with code 3: cannot bind port 80".into())
    );
    assert_eq!(scene.down().await, (Intent::Crash, Cause::Exited { code: 3 }));
    scene.watch();
    assert_eq!(scene.restart(ActionKind::Start, None).await, result);
    scene.nothing_more();
}

#[tokio::test]
async fn start_that_hangs_is_killed_with_its_children() {
    let mut scene = Scene::with("sleep 600 & echo $! $$ >$F.pids; echo stuck >&2; wait", None, SHORT);
    let ActionResult::Failed(reason) = scene.restart(ActionKind::Start, None).await else {
        panic!("a start without pid file cannot succeed");
    };
    assert!(
        reason.starts_with("no living process in `") && reason.ends_with("within 1s: stuck"),
        "{reason}"
    );
    assert_eq!(scene.down().await, (Intent::Crash, Cause::Timeout));
    let pids = std::fs::read_to_string(scene.path("run/pid.pids")).unwrap();
    for pid in pids.split_whitespace() {
        until(|| has_ended(pid.parse().unwrap())).await;
    }
}

#[tokio::test]
async fn daemon_that_leaves_no_pid_file_has_not_come_up() {
    let scene = Scene::with("exit 0", None, SHORT);
    let result = scene.restart(ActionKind::Start, None).await;
    assert!(matches!(result, ActionResult::Failed(_)), "{result:?}");
}

#[tokio::test]
async fn program_that_cannot_be_run_is_refused() {
    let scene = Scene::new("exec /nonexistent/daemon");
    let result = scene.restart(ActionKind::Start, None).await;
    assert!(
        matches!(&result, ActionResult::Failed(why) if why.contains("127")),
        "{result:?}"
    );
    let (sender, _events) = tokio::sync::mpsc::channel(4);
    let target = sentinel_config::ProcessTarget {
        pid_file: scene.pid_file(),
        start: vec!["/nonexistent/daemon".into()],
        stop: None,
        timeout: SHORT,
    };
    let process = sentinel_process::Process::new("shop".into(), target, sender);
    let result = process
        .restart(ActionKind::Start, None, tokio::sync::oneshot::channel().0)
        .await;
    assert!(
        matches!(&result, ActionResult::Refused(why) if why.starts_with("cannot run `/nonexistent/daemon`: ")),
        "{result:?}"
    );
}

#[tokio::test]
async fn restart_ends_the_old_run_and_starts_a_new_one() {
    for script in [FOREGROUND, DAEMON] {
        let mut scene = Scene::new(script);
        let first = scene.started().await;
        assert_eq!(
            scene.restart(ActionKind::Restart, Some(&first)).await,
            ActionResult::Done
        );
        // What the agent does itself is not reported as a crash in between.
        let second = scene.running().await;
        assert_ne!(first, second);
        assert!(has_ended(pid_of(&first)));
        scene.nothing_more();
    }
}

#[tokio::test]
async fn a_start_is_reported_when_it_begins_and_not_before_the_old_run_has_ended() {
    let gate = "while test -e $F.gate; do sleep 0.02; done; ";
    let mut scene = Scene::new(&format!("{gate}{FOREGROUND}"));
    let first = scene.started().await;
    let gate = scene.pid_file().with_extension("gate");
    std::fs::write(&gate, "").unwrap();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let restart = scene.process.restart(ActionKind::Restart, Some(&first), begun);
    let opened = async {
        has_begun.await.expect("it begins");
        assert!(has_ended(pid_of(&first)));
        std::fs::remove_file(&gate).unwrap();
    };
    let (result, ()) = tokio::join!(restart, opened);
    assert_eq!(result, ActionResult::Done);
    assert_ne!(scene.running().await, first);
}

#[tokio::test]
async fn process_deaf_to_sigterm_is_killed() {
    let mut scene = Scene::with(DEAF_TO_TERM, None, SHORT);
    let first = scene.started().await;
    assert_eq!(
        scene.restart(ActionKind::Restart, Some(&first)).await,
        ActionResult::Done
    );
    assert_ne!(scene.running().await, first);
    assert!(has_ended(pid_of(&first)));
}

#[tokio::test]
async fn stop_command_is_used_and_need_not_succeed() {
    let table = [
        ("touch $F.stopped; kill -KILL $(cat $F); rm $F", DEAF_TO_TERM, AMPLE),
        ("touch $F.stopped; exit 1", FOREGROUND, AMPLE),
        ("touch $F.stopped", DEAF_TO_TERM, SHORT),
        ("touch $F.stopped; sleep 600", FOREGROUND, SHORT),
    ];
    for (stop, start, timeout) in table {
        let mut scene = Scene::with(start, Some(stop), timeout);
        let first = scene.started().await;
        assert_eq!(
            scene.restart(ActionKind::Restart, Some(&first)).await,
            ActionResult::Done,
            "{stop}"
        );
        assert_ne!(scene.running().await, first, "{stop}");
        assert!(scene.path("run/pid.stopped").exists(), "{stop}");
    }
}

#[tokio::test]
async fn outdated_decisions_are_not_carried_out() {
    let mut scene = Scene::new("touch $F.started; exit 1");
    let marker = scene.path("run/pid.started");
    let foreign = Foreign::start();
    let outdated = |result: ActionResult| assert!(matches!(result, ActionResult::Outdated(_)), "{result:?}");
    // Restart only what runs.
    outdated(scene.restart(ActionKind::Restart, None).await);
    scene.down().await;
    write(&scene.pid_file(), foreign.pid());
    // Start only what does not.
    outdated(scene.restart(ActionKind::Start, None).await);
    let run = scene.running().await;
    // Restart only the run that was judged.
    outdated(scene.restart(ActionKind::Restart, Some(&"7:7".into())).await);
    // Start only after the run that was judged.
    signal(foreign.pid(), "KILL");
    until(|| has_ended(foreign.pid())).await;
    outdated(scene.restart(ActionKind::Start, Some(&"7:7".into())).await);
    assert!(!marker.exists());
    let result = scene.restart(ActionKind::Start, Some(&run)).await;
    assert!(matches!(result, ActionResult::Failed(_)), "{result:?}");
    assert!(marker.exists());
}

#[tokio::test]
async fn nothing_is_started_on_a_pid_file_that_cannot_be_believed() {
    let scene = Scene::new("touch $F.started; exit 1");
    write(&scene.pid_file(), "1");
    let result = scene.restart(ActionKind::Start, None).await;
    assert!(matches!(result, ActionResult::Refused(_)), "{result:?}");
    assert!(!scene.path("run/pid.started").exists());
}

/// The agent reads stderr only until the process is up. More than a pipe holds is written after that.
#[tokio::test]
async fn stderr_neither_blocks_nor_breaks_a_process_that_is_up() {
    let script = "echo $$ >$F; read go <$F.go; head -c 1000000 /dev/zero >&2 && touch $F.written; exec sleep 600";
    let mut scene = Scene::new(script);
    let go = scene.path("run/pid.go");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&go)
            .status()
            .unwrap()
            .success()
    );
    let run = scene.started().await;
    let written = scene.path("run/pid.written");
    tokio::task::spawn_blocking(move || std::fs::write(go, "go\n"))
        .await
        .unwrap()
        .unwrap();
    until(|| written.exists()).await;
    assert!(!has_ended(pid_of(&run)));
}
