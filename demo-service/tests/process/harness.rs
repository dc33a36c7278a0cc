//! A running service, and the few bytes of HTTP to speak to it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Far longer than anything here takes; only a failure waits for it.
pub(crate) const BOUND: Duration = Duration::from_secs(30);

/// The binary, with nothing inherited that would change what it does.
pub(crate) fn binary(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo-service"));
    for variable in ["DEMO_LISTEN", "DEMO_NAME", "DEMO_PID_FILE", "DEMO_CHAOS"] {
        command.env_remove(variable);
    }
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    binary(arguments).output().unwrap()
}

/// A service process; killed when dropped.
pub(crate) struct Service {
    child: Child,
    lines: Receiver<String>,
    pub(crate) address: SocketAddr,
}

impl Service {
    /// Starts a service on a free port, and waits until it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut service = Self::launch(arguments, "127.0.0.1:0");
        let line = service.line();
        assert!(line.starts_with("event=listening "), "{line}");
        assert_eq!(field(&line, "pid"), service.child.id().to_string());
        service.address = field(&line, "addr").parse().unwrap();
        service
    }

    /// A service whose faults may be injected.
    pub(crate) fn with_chaos() -> Self {
        Self::start(&["--chaos"])
    }

    /// Starts a receiver of webhooks on a free port, and waits until it listens.
    pub(crate) fn start_receiver() -> Self {
        let mut receiver = Self::launch(&["receive"], "127.0.0.1:0");
        receiver.address = field(&receiver.line(), "addr").parse().unwrap();
        receiver
    }

    /// Starts a service without waiting for anything.
    pub(crate) fn launch(arguments: &[&str], listen: &str) -> Self {
        let mut command = binary(arguments);
        command.env("DEMO_LISTEN", listen).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        // On a thread, as reading a pipe has no deadline.
        let (sender, lines) = sync_channel(1024);
        thread::spawn(move || {
            stdout
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        Self {
            child,
            lines,
            address: "127.0.0.1:0".parse().unwrap(),
        }
    }

    /// The next line on stdout.
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(BOUND).expect("a line on stdout")
    }

    /// Everything still to come on stdout, after the process has ended.
    pub(crate) fn last_lines(&self) -> Vec<String> {
        self.lines.iter().collect()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for the end of the process.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        wait_for("the process to end", || self.child.try_wait().unwrap())
    }

    /// Asserts that the process ended with an exit code, not by a signal.
    pub(crate) fn ended_with(&mut self, code: i32) {
        let status = self.ended();
        assert_eq!((status.code(), status.signal()), (Some(code), None));
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", path).reply()
    }

    pub(crate) fn post(&self, path: &str) -> Reply {
        self.send("POST", path).reply()
    }

    /// Sends a request, and leaves its answer for later.
    pub(crate) fn send(&self, method: &str, path: &str) -> Exchange {
        Exchange::begin(self.connect(), method, path)
    }

    /// Connects, and says nothing yet.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        stream
    }

    /// The names of the threads of the process, as the kernel has them.
    pub(crate) fn threads(&self) -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        tasks
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
            .map(|name| name.trim().to_owned())
            .collect()
    }

    /// The resident memory of the process, in MiB.
    pub(crate) fn resident_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request under way.
pub(crate) struct Exchange(TcpStream);

impl Exchange {
    /// Sends a request over a connection.
    pub(crate) fn begin(mut stream: TcpStream, method: &str, path: &str) -> Self {
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        Self(stream)
    }

    /// Whether not a byte of an answer is here yet.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        let peeked = self.0.peek(&mut [0]);
        self.0.set_nonblocking(false).unwrap();
        matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The whole answer, up to the end of the connection.
    pub(crate) fn reply(mut self) -> Reply {
        let mut text = String::new();
        self.0
            .read_to_string(&mut text)
            .expect("an answer, then the end of the connection");
        let (head, body) = text.split_once("\r\n\r\n").expect("an HTTP answer");
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply {
            status,
            body: body.to_owned(),
        }
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// The value of a field in a logfmt line.
pub(crate) fn field<'a>(line: &'a str, key: &str) -> &'a str {
    line.split(' ')
        .find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
        .expect(key)
}

/// Waits until `predicate` has something to give.
pub(crate) fn wait_for<T>(what: &str, mut predicate: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = predicate() {
            return value;
        }
        assert!(start.elapsed() < BOUND, "waited {BOUND:?} for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until `predicate` holds.
pub(crate) fn wait_until(what: &str, mut predicate: impl FnMut() -> bool) {
    wait_for(what, || predicate().then_some(()));
}

/// An address on which nothing listens. Not 127.0.0.1, where every other test
/// takes free ports and could be given this one.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.2:0").unwrap().local_addr().unwrap()
}
