//! What the story needs: a directory, the agent, the service and a receiver to be notified.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::SERVICE;
use super::agent::{Agent, LogLine};
use super::error::DemoError;
use super::fault::Fault;
use super::receiver::{KEY_BYTES, Post, Receiver};
use super::settings::{self, Names};
use super::subprocesses::Subprocesses;
use crate::cli::Client;

/// How long `demo-service` may take to say that it got the fault.
const INJECT_WITHIN: Duration = Duration::from_secs(10);

/// Bytes of its answer that are read; the status stands in the first line.
const ANSWER_READ: u64 = 1024;

/// Longest path of a directory from which the agent's socket can be reached: what the kernel takes (108 with the closing
/// zero, unix(7)) less the names below.
const DIRECTORY_MAX: usize = 107 - "/sentinel-demo-4194304-99/control.sock".len();

/// Directories tried before giving up on finding a name that is free.
const NAMES_TRIED: u32 = 100;

/// Everything that runs, and what it runs in. Dropping it ends it all.
#[derive(Debug)]
pub(super) struct Stage {
    /// This program.
    pub(super) program: PathBuf,
    /// The agent's configuration.
    pub(super) config: PathBuf,
    /// Where `demo-service` listens.
    pub(super) address: SocketAddr,
    /// Asks the agent.
    pub(super) client: Client,
    /// The agent.
    pub(super) agent: Agent,
    /// Who is notified.
    pub(super) receiver: Receiver,
    /// Keeps the port from others until the agent starts the service.
    reserved: Option<TcpListener>,
    // Dropped in this order: the directory goes when nobody uses it any more.
    subprocesses: Subprocesses,
    directory: WorkDirectory,
}

/// What happens.
#[derive(Debug)]
pub(super) enum DemoEvent {
    /// The agent logged a line.
    Logged(Instant, LogLine),
    /// Something arrived at the receiver.
    Posted(Post),
    /// The agent is gone.
    AgentEnded,
}

impl Stage {
    /// Sets the stage; the agent is up, or about to be, and the service is not.
    pub(super) async fn set(program: PathBuf, service: PathBuf) -> Result<Self, DemoError> {
        let subprocesses = Subprocesses::adopt().map_err(DemoError::doing("become the parent of orphans"))?;
        let directory = WorkDirectory::make()?;
        let key = random()?;
        let receiver = Receiver::open(key).await?;
        let reserving = || DemoError::doing("reserve a port on 127.0.0.1");
        let reserved = TcpListener::bind("127.0.0.1:0").map_err(reserving())?;
        let address = reserved.local_addr().map_err(reserving())?;
        let names = Names {
            program: service,
            address,
            pid_file: directory.0.join("demo-service.pid"),
            state_dir: directory.0.join("state"),
            socket: directory.0.join("control.sock"),
            webhook: receiver.url.clone(),
            secret_file: directory.0.join("secret"),
        };
        write(&names.secret_file, &format!("whsec_{}\n", STANDARD.encode(key)))?;
        let config = directory.0.join("sentinel.toml");
        write(&config, &settings::text(&names))?;
        let client = Client::new(&names.socket).map_err(|source| DemoError::Control {
            what: "anything".to_owned(),
            source,
        })?;
        Ok(Self {
            agent: Agent::start(&program, &config)?,
            program,
            config,
            address,
            client,
            receiver,
            reserved: Some(reserved),
            subprocesses,
            directory,
        })
    }

    /// Where everything is kept.
    pub(super) fn directory(&self) -> &Path {
        &self.directory.0
    }

    /// The next thing that happens. May be dropped at any time.
    pub(super) async fn next(&mut self) -> DemoEvent {
        tokio::select! {
            // What the agent logs comes before what it tells.
            biased;
            line = self.agent.next() => match line {
                Some((at, line)) => DemoEvent::Logged(at, line),
                None => DemoEvent::AgentEnded,
            },
            Some(post) = self.receiver.next() => DemoEvent::Posted(post),
        }
    }

    /// Has the agent start the service, as an operator would: what it started itself it can also tell the exit code of.
    pub(super) async fn start_service(&mut self) -> Result<(), DemoError> {
        self.reserved = None;
        let asked = self.client.post(&["services", SERVICE, "restart"], &()).await;
        asked.map(drop).map_err(|source| DemoError::Control {
            what: format!("to start `{SERVICE}`"),
            source,
        })
    }

    /// Asks `demo-service` for a fault; answers when that was.
    pub(super) async fn inject(&self, fault: Fault) -> Result<Instant, DemoError> {
        let injected = Instant::now();
        match timeout(INJECT_WITHIN, post(self.address, fault.path)).await {
            Ok(done) => done
                .map(|()| injected)
                .map_err(DemoError::doing(format!("POST http://{}{}", self.address, fault.path))),
            Err(_) => Err(DemoError::Late {
                what: format!("`{SERVICE}` to take the fault `{}`", fault.name),
                limit: INJECT_WITHIN,
            }),
        }
    }

    /// Ends everything in order: first the agent, which would undo the rest.
    pub(super) async fn close(mut self) {
        self.agent.stop().await;
        drop(self.subprocesses);
    }
}

/// POSTs nothing to `path`. Without the agent's HTTP client, which may need the host's certificates to exist.
async fn post(address: SocketAddr, path: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_READ).read_to_end(&mut answer).await?;
    let head = String::from_utf8_lossy(&answer);
    let first = head.lines().next().unwrap_or_default();
    match first.split(' ').nth(1) {
        Some(status) if status.starts_with('2') => Ok(()),
        _ => Err(io::Error::other(format!("it answered `{first}`"))),
    }
}

/// The `demo-service` beside `program`, or else in `path`, the value of PATH.
pub(super) fn find_service(program: &Path, path: Option<&std::ffi::OsStr>) -> Result<PathBuf, DemoError> {
    let beside = program.with_file_name(SERVICE);
    let in_path = path
        .into_iter()
        .flat_map(env::split_paths)
        .map(|directory| directory.join(SERVICE));
    std::iter::once(beside)
        .chain(in_path)
        .find(|candidate| candidate.is_file())
        .and_then(|found| std::path::absolute(found).ok())
        .ok_or_else(|| DemoError::NoDemoService(program.to_owned()))
}

/// A directory of one's own, removed when dropped.
#[derive(Debug)]
struct WorkDirectory(PathBuf);

impl WorkDirectory {
    /// In the directory for temporary files, or `/tmp` where a socket in that could not be reached or named.
    fn make() -> Result<Self, DemoError> {
        let temporary = env::temp_dir();
        let fits = temporary.to_str().is_some_and(|path| path.len() <= DIRECTORY_MAX);
        let base = match std::path::absolute(&temporary) {
            Ok(base) if fits => base,
            _ => PathBuf::from("/tmp"),
        };
        let pid = std::process::id();
        let mut attempt = 0;
        loop {
            let path = base.join(match attempt {
                0 => format!("sentinel-demo-{pid}"),
                more => format!("sentinel-demo-{pid}-{more}"),
            });
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                // Left by a demo that was killed, and had the same pid.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < NAMES_TRIED => attempt += 1,
                Err(error) => {
                    return Err(DemoError::doing(format!("make the directory `{}`", path.display()))(
                        error,
                    ));
                }
            }
        }
    }
}

impl Drop for WorkDirectory {
    fn drop(&mut self) {
        // What cannot be removed is in the directory for temporary files, where such things end.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Writes a file that nobody else may read.
fn write(path: &Path, text: &str) -> Result<(), DemoError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(DemoError::doing(format!("write `{}`", path.display())))
}

/// A key that nobody can guess.
fn random() -> Result<[u8; KEY_BYTES], DemoError> {
    let mut key = [0; KEY_BYTES];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut key))
        .map_err(DemoError::doing("read `/dev/urandom`"))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_is_found_beside_the_program_and_then_in_path() {
        let directory = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let place = directory.path().join(name);
            fs::create_dir(&place).unwrap();
            place
        };
        let (beside, first, second) = (make("beside"), make("first"), make("second"));
        let program = beside.join("sentinel");
        let path = env::join_paths([&first, &second]).unwrap();
        assert!(matches!(
            find_service(&program, Some(&path)),
            Err(DemoError::NoDemoService(_))
        ));
        assert!(find_service(&program, None).is_err());

        // Not a file.
        fs::create_dir(first.join(SERVICE)).unwrap();
        fs::write(second.join(SERVICE), "").unwrap();
        assert_eq!(find_service(&program, Some(&path)).unwrap(), second.join(SERVICE));
        fs::write(beside.join(SERVICE), "").unwrap();
        assert_eq!(find_service(&program, Some(&path)).unwrap(), beside.join(SERVICE));
    }

    #[test]
    fn directories_are_private_differ_and_go() {
        use std::os::unix::fs::PermissionsExt as _;
        let (one, other) = (WorkDirectory::make().unwrap(), WorkDirectory::make().unwrap());
        assert_ne!(one.0, other.0);
        assert_eq!(fs::metadata(&one.0).unwrap().permissions().mode() & 0o777, 0o700);
        let path = one.0.clone();
        write(&path.join("file"), "text").unwrap();
        assert!(write(&path.join("file"), "text").is_err(), "nothing is written over");
        drop(one);
        assert!(!path.exists());
    }

    #[test]
    fn the_longest_directory_leaves_room_for_the_socket() {
        let base = "/".to_owned() + &"x".repeat(DIRECTORY_MAX - 1);
        let socket = Path::new(&base).join("sentinel-demo-4194304-99").join("control.sock");
        assert_eq!(socket.as_os_str().len(), 107);
    }
}
