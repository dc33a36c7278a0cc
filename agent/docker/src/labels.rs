//! What the labels of a container say of it as a service: `sentinel.enable=true`, `sentinel.http=:8000/health`.
//!
//! Pure. The keys are those of `[services.NAME]`, checked by the configuration's own table.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use sentinel_config::{LabelProblem, Meaning};

use super::inventory::RunningContainer;

/// What our labels begin with.
pub(super) const PREFIX: &str = "sentinel.";

/// Labels of one container that are read, and the longest name and value. More is a mistake, or worse.
const LABELS_MAX: usize = 64;
const NAME_MAX: usize = 128;
const VALUE_MAX: usize = 1024;

/// A service as labels describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// `sentinel.name`, else that of the Compose service or of the container.
    pub name: Option<String>,
    /// Its keys, and their values as TOML.
    pub keys: BTreeMap<String, String>,
    /// The same as a variable of the environment would have them.
    pub texts: BTreeMap<String, String>,
    /// Labels that begin like ours and mean nothing here.
    pub ignored: Vec<LabelProblem>,
    /// Whether a probe is left out until the container runs, as only then it is known where its port is.
    pub waits_for_port: bool,
}

/// Reads the labels of a container, known to the configuration by `target`; `None` when they ask for nothing.
///
/// # Errors
///
/// Everything that is wrong with them, by name and with the nearest right one.
pub fn read(container: &RunningContainer, target: (&str, &str)) -> Result<Option<Labelled>, Vec<LabelProblem>> {
    let labels = container.labels.iter();
    let (foreign, ours): (BTreeMap<&str, &str>, BTreeMap<&str, &str>) = labels
        .filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?, value.as_str())))
        .partition(|(name, _)| sentinel_config::meaning(name) == Meaning::Foreign);
    match ours.get("enable").copied() {
        Some("true") => {}
        Some("false") => return Ok(None),
        None if ours.is_empty() => return Ok(None),
        None => {
            let message = "is missing, so the other labels count for nothing; set it to `true` or `false`";
            let mut problem = LabelProblem::new("sentinel.enable", message);
            let near = sentinel_config::nearest("enable", ours.keys().copied());
            problem.suggestion = near.map(|near| format!("sentinel.enable` instead of `sentinel.{near}"));
            return Err(vec![problem]);
        }
        Some(_) => return Err(vec![LabelProblem::new("sentinel.enable", "must be `true` or `false`")]),
    }
    let ignored = foreign.keys().take(LABELS_MAX).map(|name| {
        let label = format!("{PREFIX}{}", name.get(..NAME_MAX).unwrap_or(name));
        LabelProblem::new(label, "is no label that is known here, and is ignored")
    });
    let ignored: Vec<LabelProblem> = ignored.collect();
    let mut waits_for_port = false;
    let mut problems = bounds(&ours);
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut name = None;
    let mut keys = BTreeMap::new();
    for (key, value) in ours {
        match key {
            "enable" => {}
            "name" => match sentinel_config::name(value) {
                Ok(()) => name = Some(value.to_owned()),
                Err(reason) => problems.push(LabelProblem::new("sentinel.name", reason)),
            },
            "http" | "http.url" | "tcp" => match address(key, value, container) {
                Ok(Some(address)) => drop(keys.insert(key.to_owned(), address)),
                Ok(None) => waits_for_port = true,
                Err(reason) => problems.push(LabelProblem::new(format!("{PREFIX}{key}"), reason.to_string())),
            },
            _ => drop(keys.insert(key.to_owned(), value.to_owned())),
        }
    }
    // The name decides nothing about the keys.
    let texts = keys;
    match sentinel_config::service_keys("labelled", target, &texts) {
        Ok(keys) if problems.is_empty() => Ok(Some(Labelled {
            name,
            keys,
            texts,
            ignored,
            waits_for_port,
        })),
        Ok(_) => Err(problems),
        Err(more) => {
            problems.extend(more);
            Err(problems)
        }
    }
}

fn bounds(ours: &BTreeMap<&str, &str>) -> Vec<LabelProblem> {
    if ours.len() > LABELS_MAX {
        let message = format!("there are more than {LABELS_MAX} of them");
        return vec![LabelProblem::new(format!("{PREFIX}*"), message)];
    }
    let long = ours.iter().filter_map(|(name, value)| {
        let message = match (name.len() > NAME_MAX, value.len() > VALUE_MAX) {
            (true, _) => format!("the name is longer than {NAME_MAX} bytes"),
            (_, true) => format!("is longer than {VALUE_MAX} bytes"),
            _ => return None,
        };
        Some(LabelProblem::new(format!("{PREFIX}{name}"), message))
    });
    long.collect()
}

/// Why the value of a label is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum AddressError {
    /// What stands after the colon.
    #[error("a colon must be followed by a port from 1 to 65535")]
    NoPort,
    /// The host does not pass this port on.
    #[error(
        "port {0} of the container is not published; publish it, as with `-p 127.0.0.1::{0}`, or say in full where the \
         agent reaches it"
    )]
    NotPublished(u16),
    /// A TCP port has none.
    #[error("takes a port, and no path")]
    Path,
}

/// `:8000` is a port of the container: where the host publishes it. The container's own address is not taken, as it is
/// another after each start. Whatever does not begin with a colon stands as it is.
///
/// `None` where that is decided when the container starts.
fn address(key: &str, value: &str, container: &RunningContainer) -> Result<Option<String>, AddressError> {
    let Some(rest) = value.strip_prefix(':') else {
        return Ok(Some(value.to_owned()));
    };
    let (port, path) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
    let inside = port.parse::<u16>().ok().filter(|port| *port > 0);
    let inside = inside.ok_or(AddressError::NoPort)?;
    let outside = reachable(container, inside);
    if outside.is_none() && container.rests && container.chosen_at_start.contains(&inside) {
        return Ok(None);
    }
    let outside = outside.ok_or(AddressError::NotPublished(inside))?;
    match key {
        "tcp" if path.is_empty() => Ok(Some(outside.to_string())),
        "tcp" => Err(AddressError::Path),
        _ => Ok(Some(format!(
            "http://{outside}{}",
            if path.is_empty() { "/" } else { path }
        ))),
    }
}

fn reachable(container: &RunningContainer, inside: u16) -> Option<SocketAddr> {
    let loopback = |port| SocketAddr::from(([127, 0, 0, 1], port));
    if container.shares_network {
        return Some(loopback(inside));
    }
    let mut ports = container.published.iter().filter(|port| port.inside == inside);
    let port = ports.next()?;
    Some(at_host(port.at, port.outside))
}

/// Where a port of this host is reached from this host.
pub fn at_host(ip: IpAddr, port: u16) -> SocketAddr {
    if ip.is_unspecified() {
        SocketAddr::from(([127, 0, 0, 1], port))
    } else {
        SocketAddr::new(ip, port)
    }
}

#[cfg(test)]
mod tests {
    use super::super::inventory::PublishedPort;
    use super::*;

    fn container(labels: &[(&str, &str)]) -> RunningContainer {
        RunningContainer {
            name: "web".into(),
            published: vec![PublishedPort {
                inside: 8000,
                outside: 32_768,
                at: [0, 0, 0, 0].into(),
            }],
            labels: labels
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            ..RunningContainer::default()
        }
    }

    fn keys(labels: &[(&str, &str)]) -> Result<Option<Vec<String>>, Vec<String>> {
        let read = read(&container(labels), ("container", "web"));
        read.map(|labelled| {
            let keys = |labelled: Labelled| {
                labelled
                    .keys
                    .iter()
                    .map(|(key, value)| format!("{key} = {value}"))
                    .collect()
            };
            labelled.map(keys)
        })
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn ports_of_the_container_are_those_of_the_host() {
        for (labels, said) in [
            (
                ("sentinel.http", ":8000/health"),
                "http.url = \"http://127.0.0.1:32768/health\"",
            ),
            (("sentinel.http", ":8000"), "http.url = \"http://127.0.0.1:32768/\""),
            (
                ("sentinel.http.url", ":8000/?a=b"),
                "http.url = \"http://127.0.0.1:32768/?a=b\"",
            ),
            (("sentinel.tcp", ":8000"), "tcp = \"127.0.0.1:32768\""),
            (("sentinel.http", "http://web:8000/"), "http.url = \"http://web:8000/\""),
            (("sentinel.tcp", "web:5432"), "tcp = \"web:5432\""),
        ] {
            assert_eq!(
                keys(&[("sentinel.enable", "true"), labels]),
                Ok(Some(vec![said.to_owned()]))
            );
        }
        for (labels, said) in [
            (
                ("sentinel.http", ":9000/"),
                "port 9000 of the container is not published",
            ),
            (("sentinel.http", ":x/"), "a colon must be followed by a port"),
            (("sentinel.tcp", ":0"), "a colon must be followed by a port"),
            (("sentinel.tcp", ":8000/health"), "takes a port, and no path"),
            (("sentinel.tcp", "web"), "the port is missing"),
        ] {
            let wrong = keys(&[("sentinel.enable", "true"), labels]).unwrap_err();
            assert!(wrong.len() == 1 && wrong[0].contains(said), "{labels:?} {wrong:?}");
        }
    }

    #[test]
    fn container_that_does_not_run_has_the_ports_that_it_will_have() {
        let mut resting = container(&[("sentinel.enable", "true"), ("sentinel.http", ":9000/")]);
        resting.rests = true;
        let wrong = read(&resting, ("container", "web")).unwrap_err();
        assert!(
            wrong[0]
                .to_string()
                .contains("port 9000 of the container is not published"),
            "{wrong:?}"
        );
        resting.chosen_at_start.insert(9000);
        let labelled = read(&resting, ("container", "web")).unwrap().unwrap();
        assert!(labelled.waits_for_port && labelled.keys.is_empty(), "{labelled:?}");
        resting.rests = false;
        assert!(read(&resting, ("container", "web")).is_err());
    }

    #[test]
    fn only_what_is_enabled_counts_and_what_is_wrong_is_said() {
        assert_eq!(keys(&[("other.label", "x")]), Ok(None));
        assert_eq!(
            keys(&[("sentinel.enable", "false"), ("sentinel.nonsense", "x")]),
            Ok(None)
        );
        assert_eq!(keys(&[("sentinel.enable", "true")]), Ok(Some(Vec::new())));
        let said = |labels: &[(&str, &str)]| keys(labels).unwrap_err().join("\n");
        assert!(said(&[("sentinel.http", ":8000/")]).contains("`sentinel.enable`: is missing"));
        // Words of another party's are no mistake of ours; with ours beside them that is said.
        assert_eq!(keys(&[("sentinel.team", "x"), ("sentinel.zone.name", "y")]), Ok(None));
        let labels = [
            ("sentinel.enable", "true"),
            ("sentinel.team", "x"),
            ("sentinel.fall", "2"),
        ];
        let read = read(&container(&labels), ("container", "web")).unwrap().unwrap();
        assert_eq!(read.keys.len(), 1, "{read:?}");
        let ignored: Vec<String> = read.ignored.iter().map(ToString::to_string).collect();
        assert_eq!(
            ignored,
            ["label `sentinel.team`: is no label that is known here, and is ignored"]
        );
        assert!(
            said(&[("sentinel.enabel", "true")])
                .ends_with("did you mean `sentinel.enable` instead of `sentinel.enabel`?")
        );
        assert!(said(&[("sentinel.enable", "yes")]).contains("must be `true` or `false`"));
        let both = said(&[
            ("sentinel.enable", "true"),
            ("sentinel.name", "Big Name"),
            ("sentinel.intervall", "5s"),
        ]);
        assert!(both.contains("`Big Name` is not a name") && both.contains("did you mean `sentinel.interval`?"));
        let long = "x".repeat(2000);
        assert!(said(&[("sentinel.enable", "true"), ("sentinel.http", &long)]).contains("longer than 1024 bytes"));
        let many: Vec<String> = (0..100).map(|index| format!("sentinel.labels.a{index}")).collect();
        let many = many
            .iter()
            .map(|name| (name.as_str(), "x"))
            .chain([("sentinel.enable", "true")]);
        assert!(said(&many.collect::<Vec<_>>()).contains("more than 64"));
    }
}
