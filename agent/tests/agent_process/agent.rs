//! A running agent in a directory of its own, and what it watches there.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// No test waits longer than this for what it expects.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// Waits until `found` finds something.
pub(crate) fn wait<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < BOUND, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// A directory with a configuration, processes and, once started, an agent.
pub(crate) struct Place {
    directory: tempfile::TempDir,
    agent: Option<Child>,
    log: Arc<Mutex<Vec<String>>>,
    /// Processes that the test started, to be reaped.
    children: Mutex<Vec<Child>>,
    pub(crate) variables: Vec<(String, String)>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            agent: None,
            log: Arc::default(),
            children: Mutex::default(),
            variables: Vec::new(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes the configuration: `[agent]` for this place, limits that no test reaches, and `text`.
    pub(crate) fn configure(&self, text: &str) {
        let place = self.directory.path().display();
        let agent = format!(
            "[agent]\nname = \"place\"\nlog = \"logfmt\"\nstate_dir = \"{place}/state\"\ncontrol_socket = \"{place}/control.sock\"\n\
             labels = false\nunit_files = false\nhost = \"off\"\n\
             [recovery]\ntokens = 1000\nstorm_services = 1000\nboot_grace = \"0s\"\n"
        );
        fs::write(self.path("sentinel.toml"), agent + text).unwrap();
    }

    /// `[services.NAME]` for a process that is quickly proved, and `more`.
    pub(crate) fn service(&self, name: &str, more: &str) -> String {
        let pid_file = self.path(&format!("{name}.pid"));
        let pid_file = pid_file.display();
        format!(
            "[services.{name}]\nprocess.pid_file = \"{pid_file}\"\n\
             process.start = [\"/bin/sh\", \"-c\", \"echo $$ >{pid_file}; exec sleep 1000\"]\n\
             recovery.min_uptime = \"50ms\"\nrecovery.verify = \"20s\"\nrecovery.backoff = \"1ms\"\n{more}\n"
        )
    }

    /// Starts what `name` is to be, as if it had been there all along.
    pub(crate) fn begin(&self, name: &str) {
        let child = Command::new("sleep").arg("1000").spawn().unwrap();
        fs::write(self.path(&format!("{name}.pid")), child.id().to_string()).unwrap();
        self.children.lock().unwrap().push(child);
    }

    pub(crate) fn pid(&self, name: &str) -> Option<u32> {
        let text = fs::read_to_string(self.path(&format!("{name}.pid"))).ok()?;
        text.trim().parse().ok()
    }

    /// Whether the process `name` runs; a zombie does not.
    pub(crate) fn runs(&self, name: &str) -> bool {
        let Some(pid) = self.pid(name) else { return false };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ")
            .next()
            .is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
    }

    pub(crate) fn kill(&self, name: &str) {
        signal(self.pid(name).unwrap(), Signal::KILL);
    }

    /// Kills it and waits until the agent has healed it.
    pub(crate) fn kill_and_see_healed(&self, name: &str) {
        let seen = self.lines().len();
        self.kill(name);
        self.line_after(seen, &[&format!("service={name}"), "event=verified"]);
        assert!(self.runs(name));
    }

    /// Starts the agent, and waits until it is up.
    pub(crate) fn start(&mut self) {
        let seen = self.lines().len();
        let mut command = self.command(&["run"]);
        command.stdout(Stdio::piped()).stderr(Stdio::inherit()).process_group(0);
        let mut agent = command.spawn().unwrap();
        let (output, log) = (agent.stdout.take().unwrap(), Arc::clone(&self.log));
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                log.lock().unwrap().push(line);
            }
        });
        self.agent = Some(agent);
        self.line_after(seen, &["event=started"]);
    }

    pub(crate) fn agent_pid(&self) -> u32 {
        self.agent.as_ref().unwrap().id()
    }

    /// Ends the agent at once.
    pub(crate) fn kill_agent(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            let _ = agent.kill();
            let _ = agent.wait();
        }
    }

    /// `sentinel ARGUMENTS` with this place's configuration.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sentinel"));
        command
            .args(["--config", self.path("sentinel.toml").to_str().unwrap()])
            .args(arguments)
            .env("NO_COLOR", "1")
            // Nothing here is reported in company.
            .env("SENTINEL__ALERTS__GROUP_WAIT", "0s")
            .env_remove("JOURNAL_STREAM")
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn ask(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The status of one service.
    pub(crate) fn status(&self, name: &str) -> Value {
        let output = self.ask(&["status", name, "--json"]);
        let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        status["services"][0].clone()
    }

    pub(crate) fn wait_for_state(&self, name: &str, state: &str) {
        wait(&format!("{name} {state}"), || {
            (self.status(name)["state"] == state).then_some(())
        });
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// The first line after `seen` others that holds all of `parts`.
    pub(crate) fn line_after(&self, seen: usize, parts: &[&str]) -> String {
        let start = Instant::now();
        loop {
            let lines = self.lines();
            let found = lines
                .iter()
                .skip(seen)
                .find(|line| parts.iter().all(|part| line.contains(part)));
            if let Some(line) = found {
                return line.clone();
            }
            assert!(
                start.elapsed() < BOUND,
                "no line with {parts:?} in\n{}",
                lines.join("\n")
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends SIGHUP and waits for what comes of it.
    pub(crate) fn hang_up(&self) -> String {
        let seen = self.lines().len();
        signal(self.agent_pid(), Signal::HUP);
        self.line_after(seen, &["event=reload"])
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.kill_agent();
        for entry in fs::read_dir(self.directory.path()).into_iter().flatten().flatten() {
            let path: PathBuf = entry.path();
            if path.extension().is_some_and(|extension| extension == "pid") {
                end(&path);
            }
        }
        for child in self.children.get_mut().unwrap() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn end(pid_file: &Path) {
    let pid = fs::read_to_string(pid_file)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    if let Some(pid) = pid.and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// A webhook that takes everything.
pub(crate) struct Hook {
    pub(crate) address: SocketAddr,
    received: Arc<Mutex<Vec<Value>>>,
}

impl Hook {
    pub(crate) fn start() -> Self {
        Self::answering("200 OK")
    }

    /// One that answers everything with this status, and headers behind it.
    pub(crate) fn answering(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let bodies = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream);
                let mut length = 0;
                let mut line = String::new();
                while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                if reader.read_exact(&mut body).is_ok() {
                    let body = serde_json::from_slice(&body).unwrap();
                    let mut bodies = bodies.lock().unwrap();
                    // An agent that was killed before it could note the answer sends the same again.
                    if !bodies.contains(&body) {
                        bodies.push(body);
                    }
                }
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let _ = reader.into_inner().write_all(answer.as_bytes());
            }
        });
        Self { address, received }
    }

    pub(crate) fn receiver(&self, name: &str) -> String {
        format!("[receivers.{name}]\nwebhook.url = \"http://{}/\"\n", self.address)
    }

    /// Every message.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.received.lock().unwrap().clone()
    }

    /// `SERVICE KIND` of each message.
    pub(crate) fn messages(&self) -> Vec<String> {
        let received = self.received.lock().unwrap();
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        received
            .iter()
            .map(|body| format!("{} {}", word(&body["data"]["service"]), word(&body["data"]["kind"])))
            .collect()
    }

    pub(crate) fn wait_for(&self, messages: &[&str]) {
        wait(&format!("{messages:?}"), || (self.messages() == messages).then_some(()));
    }
}
