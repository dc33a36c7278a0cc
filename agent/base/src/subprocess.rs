//! What probes and process targets share about the commands they run: how they are started, what is kept of
//! their words, and how a whole group of them is ended.

use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

/// Variables that are meant for the agent alone. With those of systemd a child could feed the agent's watchdog or read its
/// secrets; the last is how the agent's unit keeps its memory small, and would slow down a service of many threads.
const OWN_VARIABLES: [&str; 11] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "CREDENTIALS_DIRECTORY",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "SYSTEMD_EXEC_PID",
    "MALLOC_ARENA_MAX",
];

/// The agent's own configuration in the environment, secrets included.
const OWN_PREFIX: &str = "SENTINEL_";

/// The command of `argv`: no shell, a process group of its own, nothing on stdin, stdout discarded, stderr piped.
///
/// `None` when `argv` is empty.
pub fn command(argv: &[String]) -> Option<Command> {
    let (program, arguments) = argv.split_first()?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0);
    for variable in OWN_VARIABLES {
        command.env_remove(variable);
    }
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(OWN_PREFIX.as_bytes()) {
            command.env_remove(name);
        }
    }
    Some(command)
}

/// The process group of a child that was started by [`command`] and has not been waited for.
///
/// Killed as a whole when dropped, unless released: a cancelled or overdue command must leave nothing behind.
pub struct Group(Option<Pid>);

impl Group {
    /// The group led by `child`; empty when it has been reaped already.
    pub fn of(child: &Child) -> Self {
        Self(
            child
                .id()
                .and_then(|pid| i32::try_from(pid).ok())
                .and_then(Pid::from_raw),
        )
    }

    /// Forgets the group without killing it. Must be called once the child was waited for: its number may then
    /// belong to another party.
    pub fn release(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            // The only possible failure is that all of it has ended.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// The last bytes of a stream.
#[derive(Debug)]
pub struct Tail {
    kept: Vec<u8>,
    limit: usize,
    /// Whether there was more before what was kept.
    cut: bool,
}

impl Tail {
    /// Keeps at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            kept: Vec::new(),
            limit,
            cut: false,
        }
    }

    /// Reads until the end of the stream. May be dropped at any time; what was read so far is kept.
    pub async fn fill(&mut self, mut from: impl AsyncRead + Unpin) {
        let mut chunk = [0; 1024];
        while let Ok(count @ 1..) = from.read(&mut chunk).await {
            self.push(chunk.get(..count).unwrap_or_default());
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
        let surplus = self.kept.len().saturating_sub(self.limit);
        self.cut |= surplus > 0;
        self.kept.drain(..surplus);
    }

    /// Whether there was more before what was kept.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// What was kept, as one printable line.
    ///
    /// When it was cut within a letter, that letter is left out.
    pub fn line(&self) -> String {
        let is_begun = |byte: &u8| self.cut && byte & 0b1100_0000 == 0b1000_0000;
        let begun = self.kept.iter().take_while(|byte| is_begun(byte)).count();
        sentinel_text::one_line(self.kept.get(begun..).unwrap_or_default())
    }
}

/// At most the first `max` bytes of what a child writes. What was read before an error is as good as any.
pub async fn up_to(stream: Option<impl AsyncRead + Unpin>, max: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        let _ = stream.take(max).read_to_end(&mut bytes).await;
    }
    bytes
}

/// How a process ended, for operators: `exited with code 2`, `killed by signal 9`.
pub fn ending(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tail_keeps_the_last_bytes_only() {
        let mut tail = Tail::new(4);
        tail.fill(&b"first\nlast"[..]).await;
        assert_eq!(tail.line(), "last");
        let mut tail = Tail::new(4);
        tail.fill("fünf é".as_bytes()).await;
        assert_eq!(tail.line(), "f é");
        let mut tail = Tail::new(4);
        tail.fill("été".as_bytes()).await;
        assert_eq!(tail.line(), "té", "half an é is none");
    }

    #[tokio::test]
    async fn what_a_child_writes_is_bounded() {
        assert_eq!(up_to(Some(tokio::io::repeat(b'x')), 4096).await.len(), 4096);
        assert_eq!(up_to(Some(&b"few"[..]), 4096).await, b"few");
        assert!(up_to(None::<&[u8]>, 4096).await.is_empty());
    }

    #[test]
    fn what_systemd_reports_the_agent_stays_with_the_agent() {
        let command = command(&["true".to_owned()]).unwrap();
        let removed = |name: &str| {
            command
                .as_std()
                .get_envs()
                .any(|(key, value)| key == name && value.is_none())
        };
        assert!(OWN_VARIABLES.iter().all(|name| removed(name)));
        assert!(!removed("PATH"));
    }

    #[test]
    fn empty_argv_is_no_command() {
        assert!(command(&[]).is_none());
    }
}
