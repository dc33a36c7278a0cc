//! Which containers a service means.

use std::collections::HashMap;

use sentinel_config::ContainerTarget;

pub(super) const PROJECT: &str = "com.docker.compose.project";
pub(super) const SERVICE: &str = "com.docker.compose.service";
const NUMBER: &str = "com.docker.compose.container-number";
pub(super) const ONE_OFF: &str = "com.docker.compose.oneoff";

/// Characters of a container's id.
pub(super) const ID: usize = 64;

/// Whether this is a whole id. Names may look like one, and then mean the container of that id first, as for Docker.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == ID && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Who a container is to others: its name, and the labels Compose gave it. Events carry both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    id: String,
    name: String,
    compose: Option<(String, String, Option<u32>)>,
}

impl Identity {
    /// From a name, with or without the slash under which the API lists it, and labels.
    pub(super) fn of(id: &str, name: &str, labels: &HashMap<String, String>) -> Self {
        let label = |key: &str| labels.get(key).cloned();
        // What `docker-compose run` makes belongs to whoever ran it.
        let one_off = label(ONE_OFF).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let compose = label(PROJECT)
            .zip(label(SERVICE))
            .filter(|_| !one_off)
            .map(|(project, service)| (project, service, label(NUMBER).and_then(|number| number.parse().ok())));
        Self {
            id: id.to_owned(),
            name: name.strip_prefix('/').unwrap_or(name).to_owned(),
            compose,
        }
    }

    /// Whether the configuration means this container.
    pub(super) fn is(&self, target: &ContainerTarget) -> bool {
        match target {
            ContainerTarget::Named(name) if is_id(name) => self.id == *name,
            ContainerTarget::Named(name) => self.name == *name,
            ContainerTarget::Compose {
                project,
                service,
                number,
            } => self
                .compose
                .as_ref()
                .is_some_and(|(in_project, of_service, its_number)| {
                    in_project == project && of_service == service && (number.is_none() || its_number == number)
                }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(number: &str, one_off: &str) -> HashMap<String, String> {
        [
            (PROJECT, "shop"),
            (SERVICE, "web"),
            (NUMBER, number),
            (ONE_OFF, one_off),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
    }

    fn compose(number: Option<u32>) -> ContainerTarget {
        ContainerTarget::Compose {
            project: "shop".into(),
            service: "web".into(),
            number,
        }
    }

    #[test]
    fn a_container_is_known_by_its_name_or_by_its_labels() {
        let named = ContainerTarget::Named("shop_web_1".into());
        let first = Identity::of("id", "/shop_web_1", &labelled("1", "False"));
        assert!(first.is(&named));
        assert!(first.is(&compose(None)));
        assert!(first.is(&compose(Some(1))));
        assert!(!first.is(&compose(Some(2))));
        // Half-way through a recreation Compose renames the old one; its labels stay.
        let renamed = Identity::of("id", "/0123456789ab_shop_web_1", &labelled("1", "False"));
        assert!(!renamed.is(&named));
        assert!(renamed.is(&compose(Some(1))));
        let by_hand = Identity::of("id", "/shop_web_run_1", &labelled("1", "True"));
        assert!(!by_hand.is(&compose(None)));
        let id = "0123456789abcdef".repeat(4);
        assert!(Identity::of(&id, "/any", &HashMap::new()).is(&ContainerTarget::Named(id)));
        assert!(!Identity::of("id", "/other", &HashMap::new()).is(&compose(None)));
    }
}
