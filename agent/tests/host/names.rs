//! Names that hang, beside services that answer.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::UdpSocket;

use crate::harness::Lab;

/// More than may be looked up at once.
const HANGING: usize = 60;
const GOOD: usize = 5;
/// Rounds that every good service must have had before they are compared.
const ROUNDS: u64 = 6;

/// A name server that takes every question and answers none. Run inside the host.
#[test]
#[ignore = "run inside a test host by the other tests"]
fn swallow_questions() {
    let socket = UdpSocket::bind("127.0.0.1:53").expect("the address is free");
    let mut question = [0; 512];
    while socket.recv(&mut question).is_ok() {}
}

#[test]
fn names_that_hang_do_not_change_the_period_of_good_services() {
    let mut config = String::from("[alerts]\nreceivers = []\n");
    let mut service = |name: &str, host: &str| {
        write!(
            config,
            "[services.{name}]\ninterval = \"1s\"\ntimeout = \"1s\"\nhttp = \"http://{host}:9200/s/{name}\"\n"
        )
        .expect("a string takes it");
    };
    for number in 0..HANGING {
        service(&format!("hang{number}"), &format!("hang{number}.test"));
    }
    for number in 0..GOOD {
        service(&format!("good{number}"), &format!("good{number}.test"));
    }
    service("local", "localhost");
    service("literal", "127.0.0.1");
    let lab = Lab::new(&[], "[services.nothing]\ntcp = \"127.0.0.1:9100\"\n");
    // `/etc/hosts` is asked first, as everywhere.
    let hosts: Vec<String> = (0..GOOD).map(|number| format!("127.0.0.1 good{number}.test")).collect();
    lab.host.sh(&format!("printf '{}\\n' >>/etc/hosts", hosts.join("\\n")));
    lab.host.sh("echo nameserver 127.0.0.1 >/etc/resolv.conf");
    let mut name_server = lab.run_inside("names::swallow_questions");
    let mut server = lab.run_inside("many::serve_counts");
    let text = lab.host.sh("cat /etc/sentinel/sentinel.toml");
    lab.host
        .write("/etc/sentinel/sentinel.toml", format!("{text}\n{config}").as_bytes());
    lab.host.sh("systemctl restart sentinel");

    let counts = || -> BTreeMap<String, u64> {
        let output = lab.host.try_sh("curl -s http://127.0.0.1:9200/counts").stdout;
        serde_json::from_slice(&output).unwrap_or_default()
    };
    // The first round of a name waits until those before it have shown themselves slow; from then on all keep pace.
    lab.wait("everyone was probed", || counts().len() == GOOD + 2);
    let first = counts();
    let asked = |counts: &BTreeMap<String, u64>, name: &String| counts[name] - first[name];
    let mut seen = first.clone();
    lab.wait("everyone was probed often enough", || {
        seen = counts();
        first.keys().all(|name| asked(&seen, name) >= ROUNDS)
    });
    let rounds: Vec<u64> = first.keys().map(|name| asked(&seen, name)).collect();
    let (least, most) = (rounds.iter().min().expect("some"), rounds.iter().max().expect("some"));
    assert!(most - least <= 2, "asked between {least} and {most} times");
    for name in first.keys() {
        assert_eq!(lab.state(name), "healthy", "{name}");
    }
    // And those that cannot be probed say so.
    lab.wait("what hangs is not called healthy", || {
        let status = lab.status("hang1");
        status["last_probe"]["ok"] == false || status["not_probed_seconds"].is_f64()
    });
    for child in [&mut server, &mut name_server] {
        child.kill().expect("it can be killed");
        child.wait().expect("it can be waited for");
    }
}
