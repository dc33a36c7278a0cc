//! What is seen of a process, and on whose account it is down.

use sentinel_engine::{Cause, Intent, TargetState};

use super::harness::{Foreign, Scene, pid_of, signal, write};

const UNKNOWN: Cause = Cause::Unknown;

/// Stays in the foreground.
const FOREGROUND: &str = "echo $$ >$F; exec sleep 600";

#[tokio::test]
async fn no_pid_file_when_first_observed_is_left_alone() {
    let mut scene = Scene::new("true");
    scene.watch();
    assert_eq!(scene.down().await, (Intent::OperatorStop, UNKNOWN));
}

#[tokio::test]
async fn stale_pid_file_when_first_observed_is_a_crash() {
    for text in ["", "4194303\n"] {
        let mut scene = Scene::new("true");
        write(&scene.pid_file(), text);
        scene.watch();
        assert_eq!(scene.down().await, (Intent::Crash, UNKNOWN), "{text:?}");
    }
}

#[tokio::test]
async fn pid_file_that_names_no_process_of_its_own_is_unusable() {
    let own = std::process::id().to_string();
    let long = "9".repeat(100_000);
    for text in ["1", "0", "-7", "nginx", &own, &long] {
        let mut scene = Scene::new("true");
        write(&scene.pid_file(), text);
        scene.watch();
        let state = scene.next().await.state;
        assert!(matches!(state, TargetState::Unusable(_)), "{text:?}: {state:?}");
    }
}

#[tokio::test]
async fn running_process_is_known_by_pid_and_start_time() {
    let (mut scene, foreign) = (Scene::new("true"), Foreign::start());
    write(&scene.pid_file(), foreign.pid());
    scene.watch();
    assert_eq!(scene.running().await, foreign.run_id());
}

#[tokio::test]
async fn process_that_comes_up_later_is_seen_even_in_a_new_directory() {
    let (mut scene, foreign) = (Scene::new("true"), Foreign::start());
    std::fs::remove_dir(scene.path("run")).unwrap();
    scene.watch();
    assert_eq!(scene.down().await, (Intent::OperatorStop, UNKNOWN));
    std::fs::create_dir(scene.path("run")).unwrap();
    write(&scene.pid_file(), foreign.pid());
    // Between creating and writing the file is empty; that may be seen, and looks like a crash.
    let mut state = scene.next().await;
    if state.state != TargetState::Running {
        state = scene.next().await;
    }
    assert_eq!(state.run, Some(foreign.run_id()));
}

#[tokio::test]
async fn kill_of_a_foreign_process_is_noticed_as_a_crash() {
    let (mut scene, foreign) = (Scene::new("true"), Foreign::start());
    write(&scene.pid_file(), foreign.pid());
    scene.watch();
    let run = scene.running().await;
    signal(foreign.pid(), "KILL");
    let observation = scene.next().await;
    let crash = TargetState::Down {
        intent: Intent::Crash,
        cause: UNKNOWN,
    };
    assert_eq!((observation.state, observation.run), (crash, Some(run)));
}

#[tokio::test]
async fn pid_file_removed_right_after_the_end_is_a_stop() {
    let (mut scene, foreign) = (Scene::new("true"), Foreign::start());
    write(&scene.pid_file(), foreign.pid());
    scene.watch();
    scene.running().await;
    // As stop scripts do. The clock that measures the grace stands still, while real time lets the watcher notice the end.
    tokio::time::pause();
    let (pid, pid_file) = (foreign.pid(), scene.pid_file());
    let script = move || {
        signal(pid, "TERM");
        std::thread::sleep(std::time::Duration::from_millis(100));
        std::fs::remove_file(pid_file).unwrap();
    };
    tokio::task::spawn_blocking(script).await.unwrap();
    assert_eq!(scene.down().await, (Intent::OperatorStop, UNKNOWN));
}

#[tokio::test]
async fn loss_of_the_pid_file_alone_is_no_news() {
    let (mut scene, foreign) = (Scene::new("true"), Foreign::start());
    write(&scene.pid_file(), foreign.pid());
    scene.watch();
    scene.running().await;
    std::fs::remove_file(scene.pid_file()).unwrap();
    write(&scene.pid_file(), "garbage");
    std::fs::remove_file(scene.pid_file()).unwrap();
    signal(foreign.pid(), "KILL");
    // The very next news is its end.
    assert_eq!(scene.down().await, (Intent::OperatorStop, UNKNOWN));
}

#[tokio::test]
async fn another_process_in_the_pid_file_is_another_run() {
    let (mut scene, first, second) = (Scene::new("true"), Foreign::start(), Foreign::start());
    write(&scene.pid_file(), first.pid());
    scene.watch();
    assert_eq!(scene.running().await, first.run_id());
    let new = scene.path("run/new");
    write(&new, second.pid());
    std::fs::rename(new, scene.pid_file()).unwrap();
    assert_eq!(scene.running().await, second.run_id());
}

#[tokio::test]
async fn own_child_reports_how_it_ended() {
    let killed = |signal| Cause::Killed {
        signal,
        core_dumped: false,
    };
    let table = [
        ("KILL", (Intent::Crash, killed(9))),
        ("TERM", (Intent::CleanExit, killed(15))),
        ("USR1", (Intent::Crash, killed(10))),
    ];
    for (name, expected) in table {
        let mut scene = Scene::new(FOREGROUND);
        let run = scene.started().await;
        signal(pid_of(&run), name);
        assert_eq!(scene.down().await, expected, "{name}");
    }
}

#[tokio::test]
async fn exit_code_outweighs_the_pid_file_when_it_says_failure() {
    // Waits for USR1 to end, so that it is up for certain before it ends.
    let script = |end: &str| format!("trap '{end}' USR1; echo $$ >$F; while :; do sleep 0.02; done");
    let exited = |code| Cause::Exited { code };
    let table = [
        ("exit 3", (Intent::Crash, exited(3))),
        ("rm $F; exit 3", (Intent::Crash, exited(3))),
        ("rm $F; exit 143", (Intent::OperatorStop, exited(143))),
        ("rm $F; exit 0", (Intent::OperatorStop, exited(0))),
        ("exit 0", (Intent::CleanExit, exited(0))),
    ];
    for (end, expected) in table {
        let mut scene = Scene::new(&script(end));
        let run = scene.started().await;
        signal(pid_of(&run), "USR1");
        assert_eq!(scene.down().await, expected, "{end}");
    }
}

#[tokio::test]
async fn watching_ends_with_its_listener() {
    let scene = Scene::new("true");
    let process = scene.process.clone();
    drop(scene);
    tokio::time::timeout(super::harness::AMPLE, process.watch())
        .await
        .expect("nothing listens");
}
