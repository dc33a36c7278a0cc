//! From binding to shutdown.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::process;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::chaos::Chaos;
use crate::cli::ServeOptions;
use crate::connection::{Closed, ConnectionListener};
use crate::pid_file::PidFile;
use crate::start_fault::StartFault;
use crate::{chaos_routes, log, pages};

/// How long a stop waits for requests under way. In a hang there is no end to
/// wait for; systemd and Docker kill after 90 and 10 seconds by default.
const DRAIN: Duration = Duration::from_secs(2);

/// What every request can see.
pub(crate) struct App {
    /// What the service calls itself.
    pub(crate) name: String,
    /// When it began to listen.
    pub(crate) started: Instant,
    /// Whether faults may be injected.
    pub(crate) chaos_switched_on: bool,
    /// The faults in effect.
    pub(crate) chaos: Chaos,
}

/// Why the service could not run.
#[derive(Debug, Error)]
pub(crate) enum ServeError {
    /// Signals could not be hooked.
    #[error("cannot listen for signals")]
    Signal(#[source] io::Error),
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}")]
    Bind { address: SocketAddr, source: io::Error },
    /// The pid file could not be written.
    #[error("cannot write the pid file {}", path.display())]
    PidFile { path: PathBuf, source: io::Error },
    /// The server ended by itself.
    #[error("cannot go on serving")]
    Serve(#[source] io::Error),
}

/// Serves until SIGTERM or SIGINT, then for at most [`DRAIN`] longer.
pub(crate) async fn run(options: ServeOptions) -> Result<(), ServeError> {
    let mut stop = StopSignals::new().map_err(ServeError::Signal)?;
    if !refuse(&options, &mut stop).await {
        return Ok(());
    }

    let bind_error = |source| ServeError::Bind {
        address: options.listen,
        source,
    };
    let listener = TcpListener::bind(options.listen).await.map_err(bind_error)?;
    let address = listener.local_addr().map_err(bind_error)?;
    let pid_file = match &options.pid_file {
        Some(path) => Some(PidFile::write(path).map_err(|source| ServeError::PidFile {
            path: path.clone(),
            source,
        })?),
        None => None,
    };
    let app = Arc::new(App {
        name: options.name,
        started: Instant::now(),
        chaos_switched_on: options.chaos,
        chaos: Chaos::default(),
    });
    log::event(
        "listening",
        &[("addr", &address), ("pid", &process::id()), ("service", &app.name)],
    );
    start_faults(&app, &options.faults);

    let drained = serve(listener, app, &mut stop).await?;

    if let Some(Err(error)) = pid_file.map(PidFile::remove) {
        log::event("pid_file_not_removed", &[("error", &error)]);
    }
    log::event("stopped", &[("drained", &drained)]);
    Ok(())
}

/// Serves until asked to stop; answers whether every request was finished by then.
async fn serve(listener: TcpListener, app: Arc<App>, stop: &mut StopSignals) -> Result<bool, ServeError> {
    let router = Router::new()
        .merge(pages::routes(Arc::clone(&app)))
        .merge(chaos_routes::routes(app.chaos_switched_on))
        .fallback((StatusCode::NOT_FOUND, "There is nothing here; try / or /health\n"))
        .with_state(app);
    let service = router.into_make_service_with_connect_info::<Closed>();
    let (begin_drain, draining) = oneshot::channel::<()>();
    let server = axum::serve(ConnectionListener(listener), service)
        .with_graceful_shutdown(async move {
            let _ = draining.await;
        })
        .into_future();
    let mut server = pin!(server);

    tokio::select! {
        ended = &mut server => return ended.map(|()| true).map_err(ServeError::Serve),
        signal = stop.wait() => log::event("stopping", &[("signal", &signal)]),
    }
    drop(begin_drain);
    Ok(timeout(DRAIN, server).await.is_ok())
}

/// Does not listen for as long as `refuse` faults say. False: asked to stop meanwhile.
async fn refuse(options: &ServeOptions, stop: &mut StopSignals) -> bool {
    for fault in &options.faults {
        let StartFault::Refuse(duration) = *fault else {
            continue;
        };
        let shown = humantime::format_duration(duration);
        log::event("refusing", &[("for", &shown), ("pid", &process::id())]);
        tokio::select! {
            () = sleep(duration) => {}
            signal = stop.wait() => {
                log::event("stopping", &[("signal", &signal)]);
                return false;
            }
        }
    }
    true
}

/// Puts the faults given as flags into effect, each at its time.
fn start_faults(app: &Arc<App>, faults: &[StartFault]) {
    for fault in faults {
        match *fault {
            StartFault::Refuse(_) => {}
            StartFault::Inject {
                fault,
                after: Duration::ZERO,
            } => app.chaos.inject(fault),
            StartFault::Inject { fault, after } => {
                let later = Arc::clone(app);
                app.chaos.schedule(async move {
                    sleep(after).await;
                    later.chaos.inject(fault);
                });
            }
        }
    }
}

/// The signals that mean a clean stop.
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for one, and names it.
    pub(crate) async fn wait(&mut self) -> &'static str {
        tokio::select! {
            Some(()) = self.terminate.recv() => "SIGTERM",
            Some(()) = self.interrupt.recv() => "SIGINT",
            else => pending().await,
        }
    }
}
