//! Refuses to be root in a container that has the host's bus.
//!
//! systemd does for uid 0 whatever it is asked over the system bus, without a question to polkit. Root in a container that
//! was given the host's bus socket therefore owns the host, whatever capabilities the container was denied. The agent needs
//! no more there than a user of its own, whom the host's polkit allows the units it may restart.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// Where the bus listens, in the order in which the D-Bus specification and distributions have it.
const DEFAULT_SOCKETS: [&str; 2] = ["/run/dbus/system_bus_socket", "/var/run/dbus/system_bus_socket"];

/// The variable that names another place.
const ADDRESS_VARIABLE: &str = "DBUS_SYSTEM_BUS_ADDRESS";

/// What container engines leave in every container: Docker, and Podman and its relatives.
const MARKERS: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

/// Variables that engines (`container`, by the convention of systemd) and Kubernetes set in theirs.
const MARKING_VARIABLES: [&str; 2] = ["container", "KUBERNETES_SERVICE_HOST"];

/// Why the agent does not run.
#[derive(Debug, thiserror::Error)]
#[error(
    "refused to run as root in a container that has the host's bus (`{}`): whoever gets into this container would own the \
     host; run it as a user whom the host's polkit allows what it may do (see deploy/README.md), or say --root-on-host-bus",
    socket.display()
)]
pub struct HostBusError {
    socket: PathBuf,
}

/// What is known of this process and its surroundings.
#[derive(Clone, Debug)]
struct Place {
    is_root: bool,
    in_container: bool,
    /// The container was booted by a systemd of its own, so that the bus is its own, too.
    has_own_systemd: bool,
    /// A bus that was mounted into this container, and not made in it.
    mounted_bus: Option<PathBuf>,
}

/// Fails when this process is root in a container, with the bus of the host.
pub fn check() -> Result<(), HostBusError> {
    judge(Place::here())
}

fn judge(place: Place) -> Result<(), HostBusError> {
    match place.mounted_bus {
        Some(socket) if place.is_root && place.in_container && !place.has_own_systemd => Err(HostBusError { socket }),
        _ => Ok(()),
    }
}

impl Place {
    fn here() -> Self {
        Self {
            is_root: geteuid().is_root(),
            in_container: MARKERS.iter().any(|marker| Path::new(marker).exists())
                || MARKING_VARIABLES.iter().any(|name| env::var_os(name).is_some()),
            has_own_systemd: has_own_systemd(),
            mounted_bus: sockets(env::var(ADDRESS_VARIABLE).ok().as_deref())
                .into_iter()
                .find(|socket| is_mounted_socket(socket)),
        }
    }
}

/// Whether PID 1 is a systemd that has the same root directory. That of a host whose process ids are shared has another,
/// and does not let a container look.
fn has_own_systemd() -> bool {
    let is_systemd = fs::read_to_string("/proc/1/comm").is_ok_and(|name| name.trim_end() == "systemd");
    let identity = |path: &str| fs::metadata(path).map(|found| (found.dev(), found.ino()));
    is_systemd && matches!((identity("/proc/1/root/"), identity("/")), (Ok(its), Ok(ours)) if its == ours)
}

/// The sockets that `address` names, or the usual ones.
fn sockets(address: Option<&str>) -> Vec<PathBuf> {
    let Some(address) = address else {
        return DEFAULT_SOCKETS.map(PathBuf::from).to_vec();
    };
    // `unix:path=/a,guid=1;unix:path=/b`: alternatives, each with its keys.
    address
        .split(';')
        .filter_map(|alternative| alternative.strip_prefix("unix:"))
        .flat_map(|keys| keys.split(','))
        .filter_map(|key| key.strip_prefix("path="))
        .map(PathBuf::from)
        .collect()
}

/// Whether a socket is there, on another file system than the root. What cannot be looked at counts: better asked once too
/// often.
fn is_mounted_socket(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(found) => {
            let root = fs::metadata("/").map(|root| root.dev());
            found.file_type().is_socket() && root.is_ok_and(|root| root != found.dev())
        }
        Err(error) => error.kind() == ErrorKind::PermissionDenied,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_in_a_container_on_the_bus_of_the_host_is_refused() {
        // root, container, own systemd, mounted bus, refused
        let table = [
            (true, true, false, true, true),
            // A user of its own.
            (false, true, false, true, false),
            // The host itself.
            (true, false, false, true, false),
            // A container that is a machine of its own.
            (true, true, true, true, false),
            // A container with nothing of the host.
            (true, true, false, false, false),
        ];
        for (is_root, in_container, has_own_systemd, has_bus, refused) in table {
            let place = Place {
                is_root,
                in_container,
                has_own_systemd,
                mounted_bus: has_bus.then(|| "/bus".into()),
            };
            assert_eq!(judge(place.clone()).is_err(), refused, "{place:?}");
        }
    }

    #[test]
    fn the_bus_is_looked_for_where_it_will_be_asked() {
        assert_eq!(sockets(None), DEFAULT_SOCKETS.map(PathBuf::from));
        for (address, expected) in [
            ("unix:path=/a", &["/a"][..]),
            ("unix:guid=1,path=/a;tcp:host=b,path=/c;unix:path=/d", &["/a", "/d"]),
            ("unix:abstract=/a", &[]),
        ] {
            let found = sockets(Some(address));
            assert_eq!(
                found,
                expected.iter().map(PathBuf::from).collect::<Vec<_>>(),
                "{address}"
            );
        }
    }
}
