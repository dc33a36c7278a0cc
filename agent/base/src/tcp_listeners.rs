//! Which TCP sockets of this network namespace listen, by `/proc/net/tcp` and `/proc/net/tcp6`.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The most of one of these files that is read. A line has 150 bytes; the kernel lists the sockets that listen first, and
/// no host has a hundred thousand of them.
const FILE_MAX: u64 = 16 << 20;

/// `TCP_LISTEN` in the kernel's `include/net/tcp_states.h`.
const LISTENING: &str = "0A";

/// A socket that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListeningSocket {
    /// Where it is bound to: unspecified for all of the host.
    pub address: SocketAddr,
    /// Its inode, by which the processes that have it are found.
    pub inode: u64,
    /// Connections that its process has not accepted yet.
    pub waiting: u32,
}

/// All of them.
///
/// # Errors
///
/// When they cannot be read.
pub fn listening_sockets() -> io::Result<Vec<ListeningSocket>> {
    let mut sockets = Vec::new();
    for path in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let file = match File::open(path) {
            Ok(file) => file,
            // A kernel without IPv6.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        // The first line names the columns.
        for line in BufReader::new(file.take(FILE_MAX)).lines().skip(1) {
            let Some(socket) = socket(&line?) else { break };
            sockets.push(socket);
        }
    }
    Ok(sockets)
}

/// What a line says of a socket that listens: its second field is the local address, the fourth the state, the second half
/// of the fifth how many wait, the tenth the inode.
fn socket(line: &str) -> Option<ListeningSocket> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    if *fields.get(3)? != LISTENING {
        return None;
    }
    let (address, port) = fields.get(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let (_, waiting) = fields.get(4)?.split_once(':')?;
    Some(ListeningSocket {
        address: SocketAddr::new(ip(address)?, port),
        inode: fields.get(9)?.parse().ok()?,
        waiting: u32::from_str_radix(waiting, 16).ok()?,
    })
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
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_of_the_kernel_are_read() {
        let rest = "00000000:0000001F 00:00000000 00000000  1000        0 40557 1 0000000000000000 100 0 0 10 0";
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
            ("0: 0100007F:1F90 00000000:0000 0A 0 0 0 0 0 40557".to_owned(), None),
            (format!("0: ä100007F:1F90 00000000:0000 0A {rest}"), None),
            (String::new(), None),
        ] {
            let read = read.map(|address| ListeningSocket {
                address: address.parse().unwrap(),
                inode: 40557,
                waiting: 31,
            });
            assert_eq!(socket(&text), read, "{text}");
        }
    }

    #[test]
    fn what_waits_at_a_socket_is_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let waiting = || {
            let sockets = listening_sockets().unwrap();
            let socket = sockets.iter().find(|socket| socket.address == address);
            socket.map(|socket| socket.waiting)
        };
        assert_eq!(waiting(), Some(0));
        let client = TcpStream::connect(address).unwrap();
        assert_eq!(waiting(), Some(1));
        // Whoever hangs up has not been accepted for all that.
        drop(client);
        assert_eq!(waiting(), Some(1));
        drop(listener);
        assert_eq!(waiting(), None);
    }
}
