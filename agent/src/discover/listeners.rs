//! At which TCP ports processes listen: `/proc/net/tcp` and `/proc/net/tcp6` say which sockets do, `/proc/PID/fd` whose
//! they are.

use std::collections::{BTreeSet, HashMap};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The most of one of these files that is read. A line has 150 bytes; a busy host has ten thousands of them.
const FILE_MAX: u64 = 64 << 20;

/// `TCP_LISTEN` in the kernel's `include/net/tcp_states.h`.
const LISTENING: &str = "0A";

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
        let mut listeners = Self::default();
        for path in ["/proc/net/tcp", "/proc/net/tcp6"] {
            match read(path) {
                Ok(text) => listeners.by_inode.extend(text.lines().filter_map(line)),
                // A kernel without IPv6.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => listeners.unreadable = true,
            }
        }
        listeners
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

fn read(path: &str) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// `socket:[12345]`
fn inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// Inode and address of a line about a socket that listens: its second field is the local address, the fourth the state,
/// the tenth the inode.
fn line(line: &str) -> Option<(u64, SocketAddr)> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    if *fields.get(3)? != LISTENING {
        return None;
    }
    let (address, port) = fields.get(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some((fields.get(9)?.parse().ok()?, SocketAddr::new(ip(address)?, port)))
}

/// An address as the kernel prints it: words of 32 bits as the processor reads what stands in memory in network order.
fn ip(text: &str) -> Option<IpAddr> {
    let word = |index: usize| {
        let digits = text.get(index * 8..(index + 1) * 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    match text.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let bytes: Vec<u8> = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            let bytes: [u8; 16] = bytes.try_into().ok()?;
            Some(IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_of_the_kernel_are_read() {
        let rest = "00000000:00000000 00:00000000 00000000  1000        0 40557 1 0000000000000000 100 0 0 10 0";
        for (text, read) in [
            (
                format!("0: 0100007F:1F90 00000000:0000 0A {rest}"),
                Some("127.0.0.1:8080"),
            ),
            (format!("0: 00000000:0016 00000000:0000 0A {rest}"), Some("0.0.0.0:22")),
            (
                format!(
                    "0: 00000000000000000000000001000000:0050 {}:0000 0A {rest}",
                    "0".repeat(32)
                ),
                Some("[::1]:80"),
            ),
            (
                format!(
                    "0: 0000000000000000FFFF00000100007F:0050 {}:0000 0A {rest}",
                    "0".repeat(32)
                ),
                Some("127.0.0.1:80"),
            ),
            (format!("0: 0100007F:1F90 0100007F:9C40 01 {rest}"), None),
            ("  sl  local_address rem_address   st tx_queue".to_owned(), None),
            ("0: 0100007F 00000000:0000 0A".to_owned(), None),
            (format!("0: ä100007F:1F90 00000000:0000 0A {rest}"), None),
            (String::new(), None),
        ] {
            let read = read.map(|address| (40557, address.parse().unwrap()));
            assert_eq!(line(&text), read, "{text}");
        }
    }

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
