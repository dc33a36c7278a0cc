//! Where records become lines: a thread behind a bounded queue.
//!
//! Writing can block for as long as the reader likes: a full pipe, a stopped terminal, a journald that hangs (its
//! socket has no timeout of its own). So nobody but this thread writes, and nothing waits for it. When the queue is full
//! the record is lost, counted, and the count is logged as soon as lines flow again.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tracing::{Level, Metadata};

use super::journal::Journal;
use super::record::{Record, Value};
use super::{callsite, json, logfmt};

/// Records that may wait. At most 8 KiB each (`RECORD_MAX`), so never more than 8 MiB; a burst of a thousand lines, as
/// when every service of a large host goes down at once, is not lost.
const QUEUE: usize = 1024;

/// The thread formats and writes, nothing deeper.
const STACK: usize = 256 * 1024;

/// How often a flush looks whether the queue has room again.
const FLUSH_RETRY: Duration = Duration::from_millis(2);

/// The process's sink, for [`super::flush`].
static SINK: OnceLock<Sink> = OnceLock::new();

/// Keeps the sink of the process.
pub(super) fn remember(sink: Sink) {
    // Only reached once: a second global subscriber is refused before.
    let _ = SINK.set(sink);
}

/// The sink of the process, once logging is set up.
pub(super) fn remembered() -> Option<&'static Sink> {
    SINK.get()
}

/// How a line reads.
#[derive(Clone, Copy, Debug)]
pub(super) enum LineStyle {
    /// See [`logfmt`].
    Logfmt { emoji: bool },
    /// See [`json`].
    Json,
}

/// Where records go.
pub(super) enum Output {
    /// One line each.
    Lines {
        style: LineStyle,
        to: Box<dyn Write + Send>,
    },
    /// Native fields.
    Journal(Journal),
}

impl Output {
    /// Lines on the process's stdout.
    ///
    /// Through a descriptor of its own: a write that hangs must not hold the lock of [`io::stdout`].
    pub(super) fn stdout(style: LineStyle) -> Self {
        let to: Box<dyn Write + Send> = match io::stdout().as_fd().try_clone_to_owned() {
            Ok(stdout) => Box::new(File::from(stdout)),
            Err(_) => Box::new(io::stdout()),
        };
        Self::Lines { style, to }
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        let (style, to) = match self {
            Self::Journal(journal) => {
                journal.send(record);
                return Ok(());
            }
            Self::Lines { style, to } => (style, to),
        };
        let mut line = match style {
            LineStyle::Logfmt { emoji } => logfmt::line(record, *emoji),
            LineStyle::Json => json::line(record, sentinel_base::clock::wall()),
        };
        line.push('\n');
        to.write_all(line.as_bytes())?;
        to.flush()
    }
}

/// What the thread is asked for.
enum Job {
    Write(Record),
    /// Answer once everything before is written.
    Flush(SyncSender<()>),
}

/// The near end of the queue.
#[derive(Clone)]
pub(super) struct Sink {
    jobs: SyncSender<Job>,
    lost: Arc<AtomicU64>,
}

impl Sink {
    /// Starts the thread that writes to `output`. It ends with the last clone of the sink.
    pub(super) fn start(output: Output) -> io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&lost);
        thread::Builder::new()
            .name("log".to_owned())
            .stack_size(STACK)
            .spawn(move || drain(&queue, output, &counter))?;
        Ok(Self { jobs, lost })
    }

    /// Queues `record`, or counts it as lost. Never waits.
    pub(super) fn write(&self, record: Record) {
        if self.jobs.try_send(Job::Write(record)).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until everything queued so far is written, at most `deadline`; false when it was not in time.
    pub(super) fn flush(&self, deadline: Duration) -> bool {
        let end = Instant::now() + deadline;
        let (done, answer) = sync_channel(1);
        let mut job = Job::Flush(done);
        loop {
            match self.jobs.try_send(job) {
                Ok(()) => break,
                Err(TrySendError::Full(back)) if Instant::now() < end => job = back,
                Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => return false,
            }
            thread::sleep(FLUSH_RETRY);
        }
        answer
            .recv_timeout(end.saturating_duration_since(Instant::now()))
            .is_ok()
    }
}

/// The thread: writes until every sink is gone.
fn drain(queue: &Receiver<Job>, mut output: Output, lost: &AtomicU64) {
    while let Ok(job) = queue.recv() {
        match job {
            Job::Write(record) => {
                // A log that cannot be written has nowhere to say so: it is counted, and told when it can be.
                if output.write(&record).is_err() {
                    lost.fetch_add(1, Ordering::Relaxed);
                } else {
                    report_lost(&mut output, lost);
                }
            }
            Job::Flush(done) => {
                let _ = done.send(());
            }
        }
    }
}

/// Says how many records were lost since this was last said.
fn report_lost(output: &mut Output, lost: &AtomicU64) {
    let count = lost.swap(0, Ordering::Relaxed);
    if count > 0 && output.write(&lost_record(count)).is_err() {
        lost.fetch_add(count, Ordering::Relaxed);
    }
}

/// The record that stands in for `count` lost ones. Made by hand, as this thread must not wait for its own queue.
fn lost_record(count: u64) -> Record {
    static METADATA: OnceLock<&'static Metadata<'static>> = OnceLock::new();
    let metadata = METADATA.get_or_init(|| {
        callsite::metadata(
            "log lines lost",
            "sentinel::telemetry",
            Level::WARN,
            (None, None),
            &["event", "lines", "message"],
        )
    });
    Record {
        metadata,
        message: Some("log lines were lost, as their reader did not keep up".to_owned()),
        fields: vec![
            ("event", Value::Text("log_lines_lost".to_owned())),
            ("lines", Value::Bare(count.to_string())),
        ],
        unit: None,
        truncated: false,
    }
}
