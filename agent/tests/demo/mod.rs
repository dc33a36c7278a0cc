//! `sentinel demo` as its users start it: the built binary, a real agent, a real service, real faults.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Once;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Far longer than the demo takes on a busy machine; only a failure waits for it.
const BOUND: Duration = Duration::from_secs(120);

const SENTINEL: &str = env!("CARGO_BIN_EXE_sentinel");

/// Builds `demo-service` beside `sentinel`, where it is not there: cargo builds the binaries of other packages only
/// together with the whole workspace.
fn build_demo_service() {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let beside = Path::new(SENTINEL).with_file_name("demo-service");
        if beside.exists() {
            return;
        }
        let target = beside.ancestors().nth(2).unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--locked", "--package", "demo-service", "--target-dir"]);
        cargo.arg(target);
        if !cfg!(debug_assertions) {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success());
        assert!(beside.exists(), "{}", beside.display());
    });
}

/// A demo under way, in a directory of its own.
struct Demo {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    temporary: tempfile::TempDir,
}

impl Demo {
    /// Starts it in surroundings that would lead a careless one astray.
    fn start(arguments: &[&str]) -> Self {
        build_demo_service();
        Self::start_as(Path::new(SENTINEL), arguments)
    }

    fn start_as(program: &Path, arguments: &[&str]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let mut child = Command::new(program)
            .arg("demo")
            .args(arguments)
            .env("TMPDIR", temporary.path())
            .env("RUST_LOG", "error")
            .env("SENTINEL_LOG", "off")
            .env("SENTINEL__AGENT__LOG", "logfmt")
            .env("SENTINEL__AGENT__CONTROL_SOCKET", "/nonexistent/control.sock")
            .env("HTTP_PROXY", "http://127.0.0.1:1")
            .env("http_proxy", "http://127.0.0.1:1")
            .env("DEMO_LISTEN", "127.0.0.1:1")
            .env("DEMO_NAME", "somebody-else")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        // On a thread, as reading a pipe has no deadline.
        let (sender, lines) = sync_channel(1024);
        thread::spawn(move || {
            let lines = stdout.lines().map_while(Result::ok);
            for line in lines {
                // Whoever no longer looks is a test that has failed.
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            lines,
            seen: Vec::new(),
            temporary,
        }
    }

    /// Waits for a line that contains `text`, and answers it.
    fn line(&mut self, text: &str) -> String {
        let deadline = Instant::now() + BOUND;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("no line with `{text}` in {:#?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end. Nothing may be left: no process, no file.
    fn ended(mut self) -> Ended {
        let status = wait_for("the demo to end", || self.child.try_wait().unwrap());
        self.seen.extend(self.lines.iter());
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(processes_of(self.temporary.path()), [], "{stderr}");
        assert_eq!(files_in(self.temporary.path()), [] as [PathBuf; 0], "{stderr}");
        Ended {
            status,
            lines: std::mem::take(&mut self.seen),
            stderr,
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Asked and not killed, as it then ends what it has started.
        if let Ok(None) = self.child.try_wait() {
            self.signal(Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

struct Ended {
    status: ExitStatus,
    lines: Vec<String>,
    stderr: String,
}

impl Ended {
    /// The line that begins with `start`; its columns.
    fn row(&self, start: &str) -> Vec<&str> {
        let line = self.lines.iter().find(|line| line.starts_with(start));
        let line = line.unwrap_or_else(|| panic!("no row `{start}` in {:#?}", self.lines));
        line.split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .collect()
    }
}

/// The processes that name `directory` on their command line, with what it says.
fn processes_of(directory: &Path) -> Vec<(i32, String)> {
    let name = directory.to_str().unwrap();
    let pids = fs::read_dir("/proc").unwrap();
    pids.filter_map(|entry| {
        let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(name).then_some((pid, line))
    })
    .collect()
}

fn files_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn wait_for<T>(what: &str, mut predicate: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = predicate() {
            return value;
        }
        assert!(start.elapsed() < BOUND, "waited {BOUND:?} for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Runs a command that the demo proposes, `... status` for one.
fn run_proposed(line: &str) -> (bool, String) {
    let mut words = line.split_whitespace();
    let output = Command::new(words.next().unwrap())
        .args(words)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.success(), text)
}

/// `curl -X POST 'URL'`, without curl.
fn post_proposed(line: &str) {
    let url = line.trim().strip_prefix("curl -X POST ").unwrap().trim_matches('\'');
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "POST /{path} HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 20"), "{answer}");
}

#[test]
fn every_fault_is_healed_and_every_alert_arrives() {
    let ended = Demo::start(&[]).ended();
    assert_eq!(ended.status.code(), Some(0), "{:#?}\n{}", ended.lines, ended.stderr);
    assert_eq!(ended.stderr, "");

    let cells = |start| ended.row(start);
    for (row, fault, cause) in [
        (cells("crash "), "crash", "exited with code 3"),
        (
            cells("hang "),
            "hang",
            "runs but does not answer: no answer within 500ms",
        ),
        (cells("status 500 "), "status 500", "probe failed: status 500"),
    ] {
        let [name, found, detected, healed, alerts] = row[..] else {
            panic!("{row:?}");
        };
        assert_eq!((name, found, alerts), (fault, cause, "2 of 2: fired, resolved"));
        assert!(detected.ends_with('s') && healed.ends_with('s'), "{row:?}");
    }
    let text = ended.lines.join("\n");
    assert!(
        text.contains("Every fault was healed, and all 6 alerts arrived, rightly signed."),
        "{text}"
    );
    assert!(
        text.contains("interval 1s (10s)"),
        "it says which settings are not the defaults: {text}"
    );
    assert!(!text.contains('\x1b'), "no colours but on a terminal: {text}");
}

#[test]
fn the_timeline_reports_a_crash_in_order() {
    let mut demo = Demo::start(&[]);
    for text in [
        "→ the agent is asked to start demo-service",
        "✓ demo-service is healthy",
        "» fault 1 of 3, crash",
        "✗ demo-service died: exited with code 3",
        "· incident 1 is opened",
        "→ the agent starts demo-service again, attempt 1",
        "· demo-service runs; now it has to prove itself",
        "✓ demo-service is healthy again",
        "✓ incident 1 is closed: healed after",
        "» fault 2 of 3, hang",
    ] {
        demo.line(text);
    }
    let alerts: Vec<_> = demo.seen.iter().filter(|line| line.contains('✉')).collect();
    assert_eq!(alerts.len(), 2, "{alerts:?}");
    assert!(alerts[0].contains("alert, fired: ") && alerts[0].contains("is down: exited with code 3"));
    assert!(
        alerts[1].contains("alert, resolved: ")
            && alerts[1].contains("is healthy again, the agent's restart helped, down ")
    );

    // Interrupted in the middle of the story: nothing is left, and nothing is claimed.
    demo.signal(Signal::INT);
    let ended = demo.ended();
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(ended.stderr, "sentinel: the demo was interrupted\n");
    assert!(!ended.lines.iter().any(|line| line.contains("Every fault was healed")));
}

#[test]
fn kept_up_it_answers_the_commands_it_proposes() {
    let mut demo = Demo::start(&["--keep"]);
    demo.line("Everything stays up");
    let status = demo.line(" status");
    let list = demo.line(" incidents");
    demo.line(" incidents 1");
    let crash = demo.line("/chaos/crash?code=7");
    demo.line("Ctrl-C ends");

    let (well, text) = run_proposed(&status);
    assert!(well && text.contains("1 service watched, all healthy"), "{text}");
    let (well, text) = run_proposed(&list);
    assert!(well && text.matches("healed").count() == 3, "{text}");

    post_proposed(&crash);
    demo.line("✗ demo-service died: exited with code 7");
    demo.line("✓ incident 4 is closed: healed after");
    demo.line("✉ alert, resolved: ");

    demo.signal(Signal::INT);
    let ended = demo.ended();
    assert_eq!((ended.status.code(), ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn agent_that_dies_is_reported_and_leaves_nothing_behind() {
    let mut demo = Demo::start(&[]);
    demo.line("✓ demo-service is healthy");
    let processes = processes_of(demo.temporary.path());
    let (agent, _) = processes
        .iter()
        .find(|(_, line)| line.contains(" run --config "))
        .unwrap();
    kill_process(Pid::from_raw(*agent).unwrap(), Signal::KILL).unwrap();

    let ended = demo.ended();
    assert_eq!(ended.status.code(), Some(1));
    let (first, tail) = ended.stderr.split_once('\n').unwrap();
    assert_eq!(first, "sentinel: the agent ended by itself: it was killed by signal 9");
    assert!(tail.starts_with("The agent's last lines:\n"), "{tail}");
    assert!(tail.contains("\"event\":\"healthy\""), "{tail}");
}

/// `sentinel` in a directory of its own, without anything beside it.
fn alone(directory: &Path) -> PathBuf {
    let alone = directory.join("sentinel");
    if fs::hard_link(SENTINEL, &alone).is_err() {
        fs::copy(SENTINEL, &alone).unwrap();
    }
    alone
}

/// The same, with a `demo-service` beside it that does what `script` says at its first start, or else at every later
/// one, and is the real one otherwise.
fn beside_a_script(directory: &Path, first: bool, script: &str) -> PathBuf {
    build_demo_service();
    let started = directory.join("started");
    let service = directory.join("demo-service");
    let text = format!(
        "#!/bin/sh\n\
         if [ -e '{started}' ]; then first=false; else first=true; : > '{started}'; fi\n\
         if [ $first = {first} ]; then\n{script}\nfi\n\
         exec '{real}' \"$@\"\n",
        started = started.display(),
        real = Path::new(SENTINEL).with_file_name("demo-service").display(),
    );
    fs::write(&service, text).unwrap();
    fs::set_permissions(&service, PermissionsExt::from_mode(0o755)).unwrap();
    alone(directory)
}

#[test]
fn service_that_cannot_be_healed_fails_the_demo() {
    let directory = tempfile::tempdir().unwrap();
    let program = beside_a_script(directory.path(), false, "echo its disk is gone >&2; exit 9");
    let ended = Demo::start_as(&program, &[]).ended();
    assert_eq!(ended.status.code(), Some(1), "{:#?}", ended.lines);
    let text = ended.lines.join("\n");
    assert!(text.contains("`start` exited with code 9: its disk is gone"), "{text}");
    assert!(
        text.contains("the agent gave up on demo-service after 5 attempts"),
        "{text}"
    );
    assert!(text.contains("Healed: 0 of 3 faults."), "{text}");
    assert!(
        ended
            .stderr
            .starts_with("sentinel: the agent gave up on `demo-service`\n"),
        "{}",
        ended.stderr
    );
    let crash = ended.row("crash ");
    assert_eq!((crash[3], crash[4]), ("never", "2 of 2: fired, gave_up"));
    assert_eq!(ended.row("hang ")[1], "not tried");
}

#[test]
fn service_that_does_not_start_is_reported() {
    let directory = tempfile::tempdir().unwrap();
    let program = beside_a_script(directory.path(), true, "echo no such library >&2; exit 4");
    let ended = Demo::start_as(&program, &[]).ended();
    assert_eq!(ended.status.code(), Some(1));
    let expected = "sentinel: the agent could not start `demo-service`: \
                    did not come up: `start` exited with code 4: no such library\n";
    assert!(ended.stderr.starts_with(expected), "{}", ended.stderr);
}

#[test]
fn port_that_another_process_took_is_exchanged_for_another() {
    let directory = tempfile::tempdir().unwrap();
    let script = "echo 'cannot listen: Address already in use (os error 98)' >&2; exit 1";
    let program = beside_a_script(directory.path(), true, script);
    let mut demo = Demo::start_as(&program, &[]);
    let first = demo.line("demo-service  http://");
    let second = demo.line("demo-service  http://");
    assert_ne!(first, second);
    demo.line("✓ demo-service is healthy");
    demo.signal(Signal::TERM);
    assert_eq!(demo.ended().status.code(), Some(1));
}

#[test]
fn service_that_is_not_there_comes_with_advice() {
    let directory = tempfile::tempdir().unwrap();
    let alone = alone(directory.path());
    let output = Command::new(&alone)
        .arg("demo")
        .env("PATH", "/nonexistent")
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("cargo build -p sentinel -p demo-service"), "{stderr}");
}
