//! The Unix socket: made, served and removed.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::bounded::{Bounded, Limits};

/// The owner and the group may control the agent, nobody else.
const SOCKET_MODE: u32 = 0o660;

/// Mode of the socket's directory, when it has to be made.
const DIRECTORY_MODE: u32 = 0o750;

/// How long a socket found in place may take to answer. A living agent's kernel answers at once, even when it hangs.
const PROBE_DEADLINE: Duration = Duration::from_secs(1);

/// Time that requests under way have to finish at shutdown.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(2);

/// Why the control socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Another agent answers on it.
    #[error("another agent is listening on `{}`", .0.display())]
    InUse(PathBuf),
    /// Something else than a socket is in its place, and is left there.
    #[error("`{}` exists and is not a socket", .0.display())]
    NotASocket(PathBuf),
    /// The system said no.
    #[error("failed to {doing} `{}`", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

/// A control socket in place. Removed when dropped.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    place: Place,
}

impl ControlSocket {
    /// Opens the socket at `path`, with mode 0660 and the group of the process.
    ///
    /// The directory is made when it is missing. A socket on which nothing answers is replaced; two agents that start in
    /// the same instant are distinguished by the lock of their store, not here.
    pub async fn bind(path: &Path) -> Result<Self, ServerError> {
        let failed = |doing, path: &Path| {
            let path = path.to_owned();
            move |source| ServerError::Io { doing, path, source }
        };
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(directory)
            .map_err(failed("make the directory", directory))?;
        refuse_if_taken(path).await?;

        // Made under another name and moved into place, so that nobody ever finds it with another mode, and a stale one
        // is replaced in one step.
        let draft = directory.join(format!(".{}", process::id()));
        let _ = fs::remove_file(&draft);
        let listener = UnixListener::bind(&draft).map_err(failed("open the socket", &draft))?;
        let place = Place::of(&draft).map_err(failed("look at the socket", &draft))?;
        fs::set_permissions(&draft, Permissions::from_mode(SOCKET_MODE)).map_err(failed("set the mode of", &draft))?;
        fs::rename(&draft, path).map_err(failed("move into place the socket", path))?;
        Ok(Self {
            listener,
            place: place.moved_to(path),
        })
    }

    /// Serves `router` until `shutdown`, then gives requests under way two seconds, and removes the socket.
    pub async fn serve(self, router: Router, shutdown: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
        let Self { listener, place } = self;
        let (stopping, stopped) = oneshot::channel();
        let service = router.into_make_service_with_connect_info::<Peer>();
        let serving =
            axum::serve(Bounded::new(listener, Limits::default()), service).with_graceful_shutdown(async move {
                shutdown.await;
                drop(place);
                let _ = stopping.send(());
            });
        let too_late = async {
            let _ = stopped.await;
            sleep(SHUTDOWN_GRACE).await;
        };
        tokio::select! {
            ended = serving => ended,
            () = too_late => Ok(()),
        }
    }
}

/// Fails when something is at `path` that must stay there.
async fn refuse_if_taken(path: &Path) -> Result<(), ServerError> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => return Err(ServerError::NotASocket(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        // What cannot be looked at cannot be replaced either; the attempt says why.
        Ok(_) | Err(_) => {}
    }
    let answer = timeout(PROBE_DEADLINE, UnixStream::connect(path)).await;
    match answer {
        Ok(Err(error)) if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => Ok(()),
        Ok(Err(source)) if source.kind() == io::ErrorKind::PermissionDenied => Err(ServerError::Io {
            doing: "ask who is listening on",
            path: path.to_owned(),
            source,
        }),
        // An answer, a full queue, or silence: somebody is there.
        _ => Err(ServerError::InUse(path.to_owned())),
    }
}

/// A socket's file, recognised again, so that another agent's socket is never removed in its stead.
#[derive(Debug)]
struct Place {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Place {
    fn of(path: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        Ok(Self {
            path: path.to_owned(),
            device: found.dev(),
            inode: found.ino(),
        })
    }

    fn moved_to(mut self, path: &Path) -> Self {
        path.clone_into(&mut self.path);
        self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode)) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The process at the other end, as the kernel vouches for it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peer {
    /// Its user.
    pub(super) uid: Option<u32>,
    /// Its process id when it connected.
    pub(super) pid: Option<i32>,
}

impl Connected<IncomingStream<'_, Bounded>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Self {
        match stream.io().inner().peer_cred() {
            Ok(peer) => Self {
                uid: Some(peer.uid()),
                pid: peer.pid(),
            },
            Err(_) => Self::default(),
        }
    }
}
