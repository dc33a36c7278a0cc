//! Which program speaks the API: Docker, with its runtime or without, or podman.

use super::answers::Version;

/// What speaks the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Docker {
        /// Whether it reaches containerd, which it names among its parts only then.
        runtime: bool,
    },
    /// It does not distinguish a stop from a crash, and its restart policies know no pause.
    Podman,
}

/// What podman calls itself among its components, at the first place.
const PODMAN: &str = "Podman Engine";

/// The first version of the API of which every Engine names containerd among its parts (Docker 19.03).
const NAMES_RUNTIME: u32 = 40;

impl Engine {
    pub(super) fn of(answer: &Version) -> Self {
        let mut names = answer
            .components
            .iter()
            .filter_map(|component| component.name.as_deref());
        let version = answer
            .api_version
            .as_deref()
            .and_then(|version| version.strip_prefix("1."));
        let version: u32 = version.and_then(|minor| minor.parse().ok()).unwrap_or_default();
        if names.clone().next() == Some(PODMAN) {
            Self::Podman
        } else {
            let runtime = version < NAMES_RUNTIME || names.any(|name| name == "containerd");
            Self::Docker { runtime }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(answer: &str) -> Engine {
        Engine::of(&serde_json::from_str(answer).unwrap())
    }

    /// As Docker 20.10.24, with containerd running, killed or stopped, and podman 4.3.1, 5.4.2 and 5.8.6 answer; less what
    /// is not read.
    #[test]
    fn engines_are_known_by_their_components() {
        let docker = |runtime| Engine::Docker { runtime };
        for (answer, expected) in [
            (
                r#"{"Components":[{"Name":"Engine","Version":"20.10.24+dfsg1"},{"Name":"containerd","Version":"1.6.20~ds1"},
                    {"Name":"runc"},{"Name":"docker-init"}],"ApiVersion":"1.41"}"#,
                docker(true),
            ),
            (
                r#"{"Components":[{"Name":"Engine","Version":"20.10.24+dfsg1"},{"Name":"runc"},{"Name":"docker-init"}],
                    "ApiVersion":"1.41"}"#,
                docker(false),
            ),
            (
                r#"{"Components":[{"Name":"Podman Engine","Version":"5.4.2","Details":{"APIVersion":"5.4.2"}},
                    {"Name":"Conmon"},{"Name":"OCI Runtime (crun)"}],"ApiVersion":"1.41"}"#,
                Engine::Podman,
            ),
            // Before Docker 19.03 there were no components, or not this one.
            (r#"{"ApiVersion":"1.37","Version":"18.03.1-ce"}"#, docker(true)),
            ("{}", docker(true)),
        ] {
            assert_eq!(engine(answer), expected, "{answer}");
        }
    }
}
