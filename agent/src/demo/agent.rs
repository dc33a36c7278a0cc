//! The agent as a child process, and its log.

use std::collections::VecDeque;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sentinel_base::subprocess::{self, ending};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::Child;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::error::DemoError;

/// Log lines that may wait to be shown; the agent waits when it is full.
const QUEUE: usize = 256;

/// Longest line that is read whole, in bytes; twice what the agent writes at most.
const LINE_MAX: u64 = 16 * 1024;

/// Log lines kept to be shown when something fails.
const TAIL: usize = 20;

/// How long the agent may take to stop in good order.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Variables that would change what the agent logs, or have its messages to loopback take a way round.
const FOREIGN: [&str; 7] = [
    "RUST_LOG",
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
];

/// One line of the agent's log, as far as the story needs it. What it lacks is at its default.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(super) struct LogLine {
    pub(super) level: String,
    pub(super) event: String,
    pub(super) msg: String,
    pub(super) service: Option<String>,
    pub(super) incident: Option<u64>,
    pub(super) cause: String,
    pub(super) attempt: Option<u32>,
    pub(super) attempts: u32,
    pub(super) action_kind: String,
    pub(super) by: String,
    pub(super) request: String,
    pub(super) result: String,
    pub(super) reason: String,
    pub(super) error: String,
    pub(super) remaining: Option<f64>,
    pub(super) resolution: String,
    pub(super) duration: f64,
    pub(super) recoveries_total: u64,
}

/// Something the agent wrote.
#[derive(Debug)]
pub(super) struct Written {
    /// When it was read.
    pub(super) at: Instant,
    /// As it was written.
    text: String,
}

/// A running agent.
#[derive(Debug)]
pub(super) struct Agent {
    child: Child,
    written: mpsc::Receiver<Written>,
    tail: VecDeque<String>,
    /// Held for their end.
    _readers: JoinSet<()>,
}

impl Agent {
    /// Starts this very program as the agent.
    pub(super) fn start(program: &Path, config: &Path) -> Result<Self, DemoError> {
        let shown = |path: &Path| path.to_string_lossy().into_owned();
        let argv = [shown(program), "run".into(), "--config".into(), shown(config)];
        let doing = format!("start the agent `{}`", program.display());
        // A process group of its own: Ctrl-C is for the demo, which then ends everything in order.
        let command = subprocess::command(&argv).map(|mut command| {
            for name in FOREIGN {
                command.env_remove(name);
            }
            command.stdout(Stdio::piped()).spawn()
        });
        let mut child = match command {
            Some(spawned) => spawned.map_err(DemoError::doing(doing))?,
            None => return Err(DemoError::NotStarted(doing)),
        };
        let (sender, written) = mpsc::channel(QUEUE);
        let mut readers = JoinSet::new();
        if let Some(stdout) = child.stdout.take() {
            readers.spawn(read(stdout, sender.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.spawn(read(stderr, sender));
        }
        Ok(Self {
            child,
            written,
            tail: VecDeque::with_capacity(TAIL),
            _readers: readers,
        })
    }

    /// The next line; `None` when the agent has ended and everything it wrote was read.
    ///
    /// What is not a line of the log (a panic, say) comes as a line without an event.
    pub(super) async fn next(&mut self) -> Option<(Instant, LogLine)> {
        let Written { at, text } = self.written.recv().await?;
        let line = serde_json::from_str(&text).unwrap_or_else(|_| LogLine {
            level: "error".to_owned(),
            msg: text.clone(),
            ..LogLine::default()
        });
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(text);
        Some((at, line))
    }

    /// The last lines, as they were written.
    pub(super) fn tail(&self) -> impl Iterator<Item = &str> {
        self.tail.iter().map(String::as_str)
    }

    /// How it ended, for operators. To be asked when [`Agent::next`] has nothing more.
    pub(super) async fn ending(&mut self) -> String {
        match timeout(STOP_WITHIN, self.child.wait()).await {
            Ok(Ok(status)) => ending(status),
            _ => "closed its log".to_owned(),
        }
    }

    /// Asks it to stop, and waits a little. Whoever holds the children ends it otherwise.
    pub(super) async fn stop(&mut self) {
        let pid = self.child.id().and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
        // It was not waited for, so the pid is its own.
        let Some(pid) = pid else { return };
        let _ = kill_process(pid, Signal::TERM);
        let ended = async {
            // Its last lines must be read for it to end.
            while self.next().await.is_some() {}
            let _ = self.child.wait().await;
        };
        let _ = timeout(STOP_WITHIN, ended).await;
    }
}

/// Reads lines until the end. One that is longer than [`LINE_MAX`] comes in pieces.
async fn read(from: impl AsyncRead + Unpin, to: mpsc::Sender<Written>) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while let Ok(1..) = (&mut from).take(LINE_MAX).read_until(b'\n', &mut line).await {
        let at = Instant::now();
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        if !text.is_empty() && to.send(Written { at, text }).await.is_err() {
            return;
        }
    }
}
