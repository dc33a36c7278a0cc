//! A program that takes messages on: JSON on its stdin, `SENTINEL_*` in its environment, no shell.
//!
//! What its exit says: 0, it took the message. 75 (`EX_TEMPFAIL` of sysexits.h), it did not, and later it may. 64, 65, 77
//! and 78 (wrong use, wrong data, no permission, wrong configuration), it never will. Anything else is tried again, as it
//! may have got it before it failed.

use std::fmt;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use secrecy::ExposeSecret;
use sentinel_base::subprocess::{self, Group, Tail};
use sentinel_config::{CommandSettings, Secret};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Child;
use tokio::time::timeout;

use super::error::{DeliveryError, DeliveryErrorKind};
use super::redact::{Redactor, Secrets};
use super::settings_error::SettingsError;
use super::{Delivered, RenderedMessage};

/// How much of the end of its words is kept, in bytes.
const WORDS_KEPT: usize = 1024;

/// How long to read on after the exit; a background child may hold the other end for ever.
const WORDS_AFTER_EXIT: Duration = Duration::from_millis(50);

/// How long to wait for what was killed.
const REAP_WITHIN: Duration = Duration::from_secs(1);

/// Exit statuses of sysexits.h.
const TEMPORARY: i32 = 75;
const FOR_GOOD: [i32; 4] = [64, 65, 77, 78];

/// A program that takes messages on.
pub struct Command {
    argv: Vec<String>,
    env: Vec<(String, Secret)>,
    timeout: Duration,
    redactor: Redactor,
}

impl Command {
    /// From its settings.
    pub(super) fn new(settings: &CommandSettings) -> Result<Self, SettingsError> {
        if settings.argv.is_empty() {
            return Err(SettingsError::NoProgram);
        }
        Ok(Self {
            argv: settings.argv.clone(),
            env: settings.env.clone().into_iter().collect(),
            timeout: settings.timeout,
            redactor: Secrets::default().tokens(settings.env.values()).redactor(),
        })
    }

    /// Runs it with one message.
    pub(super) async fn deliver(&self, rendered: &RenderedMessage<'_>) -> Result<Delivered, DeliveryError> {
        let mut child = self.start(rendered).map_err(|error| {
            let text = format!("cannot run `{}`: {error}", self.program());
            DeliveryError::new(DeliveryErrorKind::Connect, text)
        })?;
        let group = Group::of(&child);
        let mut words = [Tail::new(WORDS_KEPT), Tail::new(WORDS_KEPT)];
        match timeout(self.timeout, talk(&mut child, &rendered.body(), &mut words)).await {
            Ok(Ok(status)) => {
                group.release();
                self.judge(status, &words)
            }
            Ok(Err(error)) => {
                let text = format!("failed to wait for `{}`: {error}", self.program());
                Err(DeliveryError::new(DeliveryErrorKind::Broken, text))
            }
            Err(_) => {
                drop(group);
                // The wait only reaps; its result is known.
                let _ = timeout(REAP_WITHIN, child.wait()).await;
                let what = format!("`{}` was still running after {:?}", self.program(), self.timeout);
                Err(DeliveryError::new(
                    DeliveryErrorKind::Timeout,
                    self.with_words(&what, &words),
                ))
            }
        }
    }

    fn program(&self) -> &str {
        self.argv.first().map_or("", String::as_str)
    }

    fn start(&self, rendered: &RenderedMessage<'_>) -> io::Result<Child> {
        let mut command = subprocess::command(&self.argv).ok_or_else(|| io::Error::other("its argv is empty"))?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        for (name, value) in &self.env {
            command.env(name, value.expose_secret());
        }
        for (name, value) in environment(rendered) {
            command.env(name, value);
        }
        command.spawn()
    }

    fn judge(&self, status: ExitStatus, words: &[Tail; 2]) -> Result<Delivered, DeliveryError> {
        if status.success() {
            return Ok(Delivered::default());
        }
        let what = format!("`{}` {}", self.program(), subprocess::ending(status));
        let text = self.with_words(&what, words);
        Err(match status.code() {
            Some(TEMPORARY) => DeliveryError::new(DeliveryErrorKind::Unavailable, text),
            Some(code) if FOR_GOOD.contains(&code) => DeliveryError::new(DeliveryErrorKind::Refused, text),
            _ => DeliveryError::new(DeliveryErrorKind::Unavailable, text).ambiguous(),
        })
    }

    /// `what`, and what it said last: on stderr, or else on stdout. What was kept may begin in the middle of a secret.
    fn with_words(&self, what: &str, words: &[Tail; 2]) -> String {
        let said = words.iter().find(|tail| !tail.line().is_empty());
        let said = said.map(|tail| {
            if tail.is_cut() {
                self.redactor.redact_tail(&tail.line())
            } else {
                self.redactor.redact(&tail.line(), false)
            }
        });
        sentinel_text::with_words(what, &said.unwrap_or_default())
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("program", &self.program())
            .finish_non_exhaustive()
    }
}

/// Gives it the message and waits for its exit, reading what it says all the while so that a full pipe holds nothing up.
async fn talk(child: &mut Child, message: &[u8], words: &mut [Tail; 2]) -> io::Result<ExitStatus> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let [from_stderr, from_stdout] = words;
    let report = async {
        if let Some(mut stdin) = stdin {
            // A program need not read it.
            let _ = stdin.write_all(message).await;
        }
    };
    let listen = async {
        let err = async {
            if let Some(stderr) = stderr {
                from_stderr.fill(stderr).await;
            }
        };
        let out = async {
            if let Some(stdout) = stdout {
                from_stdout.fill(stdout).await;
            }
        };
        tokio::join!(err, out, report);
    };
    tokio::pin!(listen);
    let status = tokio::select! {
        status = child.wait() => status?,
        () = &mut listen => return child.wait().await,
    };
    // Running out of time here is the expected end when a background child lives on.
    let _ = timeout(WORDS_AFTER_EXIT, listen).await;
    Ok(status)
}

/// What the program finds in its environment. No variable can hold a NUL.
fn environment(rendered: &RenderedMessage<'_>) -> Vec<(&'static str, String)> {
    let (message, data) = (&rendered.message, &rendered.message.data);
    let resolution = data.resolution.map_or("", |resolution| resolution.as_str());
    let mut variables = vec![
        ("SENTINEL_MESSAGE_ID", rendered.delivery.event.clone()),
        ("SENTINEL_ATTEMPT", rendered.delivery.attempt.to_string()),
        ("SENTINEL_TYPE", message.kind.clone()),
        ("SENTINEL_KIND", data.kind.clone()),
        ("SENTINEL_HOST", data.host.clone()),
        ("SENTINEL_SERVICE", data.service.clone()),
        ("SENTINEL_INCIDENT", data.incident.to_string()),
        ("SENTINEL_SEVERITY", data.severity.as_str().to_owned()),
        ("SENTINEL_CAUSE", data.cause.text.clone()),
        ("SENTINEL_CAUSE_KIND", data.cause.kind.clone()),
        ("SENTINEL_RESOLUTION", resolution.to_owned()),
        ("SENTINEL_URL", data.url.clone().unwrap_or_default()),
        ("SENTINEL_TITLE", rendered.text.title.clone()),
        ("SENTINEL_TEXT", rendered.text.whole()),
    ];
    for (_, value) in &mut variables {
        value.retain(|letter| letter != '\0');
    }
    variables
}
