//! Whether a service still accepts connections: those that it leaves waiting distinguish a process that hangs from one
//! that works and answers wrongly. Pure.

use std::collections::BTreeSet;

use sentinel_base::tcp_listeners::ListeningSocket;

/// Worth reporting from here on: one may have come that very moment.
const WAITING: u32 = 2;

/// The `ports` of this host at which connections wait, a line each; empty when they are all accepted.
pub fn unaccepted(ports: &BTreeSet<u16>, sockets: &[ListeningSocket]) -> Vec<String> {
    let waits = |port: &u16| {
        let reached = sockets.iter().filter(|socket| {
            let ip = socket.address.ip();
            socket.address.port() == *port && (ip.is_loopback() || ip.is_unspecified())
        });
        let waiting: u32 = reached.fold(0, |sum, socket| sum.saturating_add(socket.waiting));
        (waiting >= WAITING).then(|| format!("port {port}: {waiting} connections wait to be accepted"))
    };
    ports.iter().filter_map(waits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_that_wait_are_reported_of_the_ports_that_were_asked() {
        let sockets: Vec<ListeningSocket> = [
            ("127.0.0.1:8080", 4),
            ("[::]:8080", 1),
            ("192.0.2.7:8080", 9),
            ("0.0.0.0:9090", 1),
            ("[::1]:7070", u32::MAX),
            ("127.0.0.1:7070", 3),
        ]
        .into_iter()
        .map(|(address, waiting)| ListeningSocket {
            address: address.parse().unwrap(),
            inode: 1,
            waiting,
        })
        .collect();
        for (ports, reported) in [
            (vec![], vec![]),
            (vec![22, 9090], vec![]),
            (vec![8080], vec!["port 8080: 5 connections wait to be accepted"]),
            (
                vec![9090, 8080, 7070],
                vec![
                    "port 7070: 4294967295 connections wait to be accepted",
                    "port 8080: 5 connections wait to be accepted",
                ],
            ),
        ] {
            let asked = ports.iter().copied().collect();
            assert_eq!(unaccepted(&asked, &sockets), reported, "{ports:?}");
        }
    }
}
