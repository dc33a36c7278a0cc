//! At which TCP ports processes listen: the kernel says which sockets do, `/proc/PID/fd` whose they are.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::net::SocketAddr;

use sentinel_base::tcp_listeners::listening_sockets;

/// Sockets that listen, by inode.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    by_inode: HashMap<u64, SocketAddr>,
    unreadable: bool,
}

/// Where some processes listen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ports {
    /// Addresses as the sockets are bound: unspecified for all of the host.
    pub(super) at: BTreeSet<SocketAddr>,
    /// There may be more: not everything could be read.
    pub(super) hidden: bool,
}

impl Listeners {
    /// Those of this network namespace. A service with a network of its own is not reached from here anyway.
    pub(super) fn read() -> Self {
        match listening_sockets() {
            Ok(sockets) => Self {
                by_inode: sockets.iter().map(|socket| (socket.inode, socket.address)).collect(),
                unreadable: false,
            },
            Err(_) => Self {
                unreadable: true,
                ..Self::default()
            },
        }
    }

    /// Where these processes listen.
    pub(super) fn of(&self, pids: &[u32]) -> Ports {
        let mut ports = Ports {
            hidden: self.unreadable,
            ..Ports::default()
        };
        for pid in pids {
            match fs::read_dir(format!("/proc/{pid}/fd")) {
                Ok(fds) => {
                    for fd in fds.flatten() {
                        let link = fs::read_link(fd.path()).ok();
                        let inode = link.as_ref().and_then(|link| inode(link.to_str()?));
                        ports.at.extend(inode.and_then(|inode| self.by_inode.get(&inode)));
                    }
                }
                // It has ended.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => ports.hidden = true,
            }
        }
        ports
    }
}

/// `socket:[12345]`
fn inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn the_listeners_of_this_very_process_are_found() {
        let four = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let kept = TcpListener::bind("127.0.0.1:0").unwrap();
        let ports = Listeners::read().of(&[std::process::id()]);
        assert!(ports.at.contains(&kept.local_addr().unwrap()), "{ports:?}");
        // That one was closed at once.
        assert!(!ports.at.contains(&four), "{ports:?}");
        assert!(!ports.hidden);
        assert_eq!(Listeners::read().of(&[]), Ports::default());
    }
}
