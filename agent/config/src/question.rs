//! What is asked of a service, as it is remembered from one start of the agent to the next: a probe that has never passed may
//! be the wrong question, and only the same question asked of the same target is known to be right.

use sentinel_engine::Question;
use sha2::{Digest, Sha256};

use crate::{HttpProbe, ProbeSettings, Target};

/// Letters of a hash that stand for it: 64 bits, among the few questions of one service.
const LETTERS: usize = 16;

/// The question that consists of `parts`. Only a hash is kept: passwords and tokens may stand in them.
pub fn question<'a>(parts: impl IntoIterator<Item = &'a str>) -> Question {
    let mut hash = Sha256::new();
    for part in parts {
        // With their lengths, so that no two lists of parts are one text.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let mut text = format!("{:x}", hash.finalize());
    text.truncate(LETTERS);
    text.into()
}

/// What `probe` asks of `target`: all that says whether the answer is good, and nothing of how long or how often it is asked.
pub fn question_of(target: Option<&Target>, probe: &ProbeSettings) -> Question {
    let target = target.map_or_else(String::new, |target| match target {
        Target::Unit(unit) => format!("unit {unit}"),
        Target::Process(process) => format!("process {}", process.pid_file.display()),
        Target::Container(container) => format!("container {container}"),
    });
    let parts = match probe {
        ProbeSettings::Http(http) => http_parts(http),
        ProbeSettings::Tcp(tcp) => vec!["tcp".to_owned(), tcp.address.clone()],
        ProbeSettings::Command(command) => std::iter::once("command".to_owned())
            .chain(command.argv.iter().cloned())
            .collect(),
    };
    question(std::iter::once(target.as_str()).chain(parts.iter().map(String::as_str)))
}

/// Of headers only the names: their values are secrets that change.
fn http_parts(http: &HttpProbe) -> Vec<String> {
    let headers: Vec<String> = http.headers.keys().map(|name| name.to_lowercase()).collect();
    vec![
        "http".to_owned(),
        http.url.to_string(),
        http.method.clone(),
        headers.join(","),
        format!("{:?}", http.status),
        format!("{:?}", http.body_contains),
        format!("{:?}", http.json),
        format!("{:?}", http.max_latency),
        http.follow.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::TcpProbe;

    fn http() -> HttpProbe {
        HttpProbe {
            url: "http://127.0.0.1:8080/health".parse().unwrap(),
            method: "GET".to_owned(),
            headers: BTreeMap::from([("Authorization".to_owned(), "Bearer 1".to_owned())]),
            status: vec![200..=299],
            body_contains: None,
            json: BTreeMap::new(),
            max_latency: None,
            ca_file: None,
            insecure: false,
            keep_alive: false,
            follow: 0,
            timeout: Duration::from_secs(3),
        }
    }

    #[test]
    fn the_question_is_all_that_says_whether_the_answer_is_good() {
        let unit = |name: &str| Target::Unit(name.to_owned());
        let asks = |probe: HttpProbe| question_of(Some(&unit("shop.service")), &ProbeSettings::Http(Box::new(probe)));
        let same = [
            HttpProbe {
                timeout: Duration::from_secs(9),
                ..http()
            },
            HttpProbe {
                headers: BTreeMap::from([("Authorization".to_owned(), "Bearer 2".to_owned())]),
                ..http()
            },
            HttpProbe {
                keep_alive: true,
                ..http()
            },
        ];
        for probe in same {
            assert_eq!(asks(probe.clone()), asks(http()), "{probe:?}");
        }
        let other = [
            HttpProbe {
                url: "http://127.0.0.1:8080/".parse().unwrap(),
                ..http()
            },
            HttpProbe {
                url: "http://127.0.0.1:8081/health".parse().unwrap(),
                ..http()
            },
            HttpProbe {
                method: "HEAD".to_owned(),
                ..http()
            },
            HttpProbe {
                headers: BTreeMap::new(),
                ..http()
            },
            HttpProbe {
                status: vec![200..=299, 401..=401],
                ..http()
            },
            HttpProbe {
                body_contains: Some("ok".to_owned()),
                ..http()
            },
            HttpProbe { follow: 1, ..http() },
        ];
        for probe in other {
            assert_ne!(asks(probe.clone()), asks(http()), "{probe:?}");
        }
        let probe = ProbeSettings::Tcp(TcpProbe {
            address: "127.0.0.1:80".to_owned(),
            timeout: Duration::from_secs(3),
        });
        let (shop, web) = (unit("shop.service"), unit("web.service"));
        assert_ne!(question_of(Some(&shop), &probe), question_of(Some(&web), &probe));
    }

    #[test]
    fn a_question_is_the_same_in_every_version() {
        // What is stored would be worth nothing else.
        let stored = serde_json::to_string(&question(["unit shop.service", "tcp", "127.0.0.1:80"])).unwrap();
        assert_eq!(stored, "\"3159708d31900698\"");
    }
}
