//! What a configuration names and this host has not: units that do not exist, ports at which nothing listens. None of it is
//! an error, as a host is often configured before its services are installed.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sentinel_base::tcp_listeners::{ListeningSocket, listening_sockets};
use sentinel_config::{OriginKind, Place, ProbeSettings, Problem, ServiceSettings, Settings, Target, nearest};
use sentinel_systemd::{BusAddress, Units};
use url::Host;

/// Instances of an umbrella that are named.
const INSTANCES_SHOWN: usize = 8;

/// What was looked at.
#[derive(Debug, Default)]
pub(super) struct HostFacts {
    /// Units; `None` where there is no systemd to ask.
    units: Option<Units>,
    /// Sockets that listen; `None` where the kernel does not tell.
    sockets: Option<Vec<ListeningSocket>>,
}

/// What is worth saying about a configuration on this host.
#[derive(Debug, Default)]
pub(super) struct HostNotes {
    /// What is probably not meant.
    pub(super) warnings: Vec<Problem>,
    /// What may change by itself.
    pub(super) notes: Vec<Problem>,
}

/// Looks at what the files name. Nothing is looked at where there is no systemd: such a place is seldom the one that the
/// configuration is for.
pub(super) async fn look(settings: &Settings) -> HostFacts {
    let named: BTreeSet<String> = settings.services.iter().filter_map(unit).map(str::to_owned).collect();
    let Ok(units) = sentinel_systemd::look_for_units(&BusAddress::System, &named).await else {
        return HostFacts::default();
    };
    HostFacts {
        units: Some(units),
        sockets: listening_sockets().ok(),
    }
}

/// What follows from that.
pub(super) fn judge(settings: &Settings, facts: &HostFacts) -> HostNotes {
    let mut notes = HostNotes::default();
    for service in &settings.services {
        let name = &service.service.name;
        if let (Some(unit), Some(units)) = (unit(service), &facts.units)
            && let Some((_, state)) = units.unusable.iter().find(|(unusable, _)| unusable == unit)
        {
            notes.warnings.push(unusable(name.as_str(), unit, state, units));
        }
        if let (Some(unit), Some(units)) = (unit(service), &facts.units)
            && let Some((_, parts)) = units.umbrellas.iter().find(|(umbrella, _)| umbrella == unit)
        {
            notes.warnings.push(umbrella(name.as_str(), unit, parts));
        }
        let Some(sockets) = &facts.sockets else { continue };
        // Behind the port of a container may be no socket of this host at all.
        if matches!(service.target, Some(Target::Container(_))) {
            continue;
        }
        for probe in &service.probes {
            if let Some((kind, host, port)) = asked(probe)
                && let Some(addresses) = addresses(&host)
                && !sockets.iter().any(|socket| listens(socket, &addresses, port))
            {
                notes.notes.push(said(
                    format!("services.{name}.{kind}"),
                    format!("nothing listens on port {port} of {host} now, so this probe would fail"),
                    None,
                ));
            }
        }
    }
    notes
}

/// The unit that the files name for a service. What was found on the host exists.
fn unit(service: &ServiceSettings) -> Option<&str> {
    match &service.target {
        Some(Target::Unit(unit)) if service.origin.kind == OriginKind::File => Some(unit),
        _ => None,
    }
}

fn unusable(service: &str, unit: &str, state: &str, units: &Units) -> Problem {
    let key = format!("services.{service}.unit");
    match state {
        "not-found" => {
            // What all of them end in says nothing of how near they are.
            let stems = units.known.iter().map(|known| stem(known));
            let meant = nearest(stem(unit), stems).map(|meant| format!("{meant}.service"));
            said(key, format!("this host has no unit `{unit}`"), meant)
        }
        "masked" => said(
            key,
            format!("`{unit}` is masked; `systemctl unmask {unit}` changes that"),
            None,
        ),
        state => said(
            key,
            format!("systemd cannot load `{unit}` ({state}); `systemctl status {unit}` says why"),
            None,
        ),
    }
}

/// A unit that runs nothing itself is up as long as nobody stops it, whatever becomes of its instances.
fn umbrella(service: &str, unit: &str, parts: &[String]) -> Problem {
    let shown: Vec<String> = parts
        .iter()
        .take(INSTANCES_SHOWN)
        .map(|part| format!("unit = \"{part}\""))
        .collect();
    let more = match parts.len().saturating_sub(INSTANCES_SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    said(
        format!("services.{service}.unit"),
        format!(
            "`{unit}` runs nothing itself, so it stays up when its instances fail; watch these, each as a service of its own: \
             {}{more}",
            shown.join(", ")
        ),
        None,
    )
}

fn stem(unit: &str) -> &str {
    unit.strip_suffix(".service").unwrap_or(unit)
}

fn said(key: String, message: String, suggestion: Option<String>) -> Problem {
    Problem {
        suggestion,
        ..Problem::new(Place::named("this host"), key, message)
    }
}

/// The key of a probe, and the host and port that it connects to.
fn asked(probe: &ProbeSettings) -> Option<(&'static str, String, u16)> {
    match probe {
        ProbeSettings::Http(http) => {
            let port = http.url.port_or_known_default()?;
            Some(("http", http.url.host_str()?.to_owned(), port))
        }
        ProbeSettings::Tcp(tcp) => {
            let (host, port) = tcp.address.rsplit_once(':')?;
            Some(("tcp", host.to_owned(), port.parse().ok()?))
        }
        ProbeSettings::Command(_) => None,
    }
}

/// The addresses of this host that `host` names; `None` for every other host, of whose sockets nothing is known here.
fn addresses(host: &str) -> Option<Vec<IpAddr>> {
    match Host::parse(host).ok()? {
        Host::Ipv4(address) if address.is_loopback() => Some(vec![address.into()]),
        Host::Ipv6(address) if address.is_loopback() => Some(vec![address.into()]),
        Host::Domain(name) if name == "localhost" => Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]),
        _ => None,
    }
}

/// Whether a connection to one of `addresses` gets to `socket`. One that is bound to all addresses of IPv6 takes those of
/// IPv4 too, unless it was told not to, which is not seen here.
fn listens(socket: &ListeningSocket, addresses: &[IpAddr], port: u16) -> bool {
    let ip = socket.address.ip();
    let takes = |address: &IpAddr| ip == *address || ip.is_unspecified() && (ip.is_ipv6() || address.is_ipv4());
    socket.address.port() == port && addresses.iter().any(takes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("sentinel.toml");
        std::fs::write(&file, text).unwrap();
        sentinel_config::load(&file, []).unwrap().settings
    }

    fn facts(unusable: &[(&str, &str)], known: &[&str], sockets: &[&str]) -> HostFacts {
        let socket = |address: &&str| ListeningSocket {
            address: address.parse().unwrap(),
            inode: 1,
            waiting: 0,
        };
        let pair = |(unit, state): &(&str, &str)| ((*unit).to_owned(), (*state).to_owned());
        HostFacts {
            units: Some(Units {
                unusable: unusable.iter().map(pair).collect(),
                known: known.iter().map(|&unit| unit.to_owned()).collect(),
                umbrellas: Vec::new(),
            }),
            sockets: Some(sockets.iter().map(socket).collect()),
        }
    }

    #[test]
    fn units_that_do_not_exist_are_warned_of_with_the_nearest() {
        let settings = settings(
            "[services.web]\nunit = \"ngnix\"\n[services.old]\nunit = \"old\"\n[services.far]\nunit = \"quux\"\n",
        );
        let unusable = [
            ("ngnix.service", "not-found"),
            ("old.service", "masked"),
            ("quux.service", "not-found"),
        ];
        let notes = judge(
            &settings,
            &facts(&unusable, &["nginx.service", "postgresql.service"], &[]),
        );
        let said: Vec<String> = notes.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                "this host: services.far.unit: this host has no unit `quux.service`",
                "this host: services.old.unit: `old.service` is masked; `systemctl unmask old.service` changes that",
                "this host: services.web.unit: this host has no unit `ngnix.service`; did you mean `nginx.service`?",
            ]
        );
        assert!(judge(&settings, &facts(&[], &[], &[])).warnings.is_empty());
        assert!(judge(&settings, &HostFacts::default()).warnings.is_empty());
    }

    #[test]
    fn probes_of_ports_at_which_nothing_listens_are_noted() {
        let noted = |probe: &str, sockets: &[&str]| {
            let text = format!("[services.web]\nunit = \"nginx\"\n{probe}\n");
            let notes = judge(&settings(&text), &facts(&[], &[], sockets)).notes;
            notes.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let alone =
            "this host: services.web.http: nothing listens on port 8080 of 127.0.0.1 now, so this probe would fail";
        let http = "http = \"http://127.0.0.1:8080/health\"";
        assert_eq!(noted(http, &["127.0.0.1:8081", "192.0.2.1:8080"]), [alone]);
        for listening in ["127.0.0.1:8080", "0.0.0.0:8080", "[::]:8080"] {
            assert_eq!(noted(http, &[listening]), Vec::<String>::new(), "{listening}");
        }
        assert_eq!(noted("tcp = \"localhost:5432\"", &["[::1]:5432"]), Vec::<String>::new());
        assert_eq!(noted("tcp = \"[::1]:5432\"", &["0.0.0.0:5432"]).len(), 1);
        // Of other hosts nothing is known, and a container's port may be no socket of this one.
        assert_eq!(noted("http = \"http://192.0.2.1:8080/\"", &[]), Vec::<String>::new());
        let container = settings("[services.web]\ncontainer = \"web\"\nhttp = \"http://127.0.0.1:8080/\"\n");
        assert!(judge(&container, &facts(&[], &[], &[])).notes.is_empty());
    }
}
