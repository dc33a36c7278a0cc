//! Dependencies that go in a circle: neither the simulated host nor the engine could ever settle them.

use std::collections::BTreeMap;

use sentinel_engine::ServiceName;

/// A service that needs itself, by way of others or not. Names that are not among the services are passed over.
pub fn circle<'a>(services: impl Iterator<Item = (&'a ServiceName, &'a [ServiceName])>) -> Option<ServiceName> {
    let mut waiting: BTreeMap<&ServiceName, &[ServiceName]> = services.collect();
    loop {
        // Whatever waits for nobody can be settled; what is left in the end is in a circle, or waits for one.
        let free = waiting
            .iter()
            .find(|(_, after)| !after.iter().any(|other| waiting.contains_key(other)))
            .map(|(name, _)| *name);
        match free {
            Some(name) => waiting.remove(name),
            None => return waiting.keys().next().map(|name| (*name).clone()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service and what it comes after.
    type Edges<'a> = (&'a str, &'a [&'a str]);

    #[test]
    fn circles_are_found_and_chains_are_none() {
        let table: [(&[Edges<'_>], Option<&str>); 4] = [
            (&[("a", &["b"]), ("b", &["c"]), ("c", &[])], None),
            (&[("a", &["nobody"])], None),
            (&[("a", &["a"])], Some("a")),
            (&[("a", &[]), ("b", &["c"]), ("c", &["b"])], Some("b")),
        ];
        for (edges, expected) in table {
            let edges: Vec<(ServiceName, Vec<ServiceName>)> = edges
                .iter()
                .map(|(name, after)| ((*name).into(), after.iter().map(|name| (*name).into()).collect()))
                .collect();
            let found = circle(edges.iter().map(|(name, after)| (name, after.as_slice())));
            assert_eq!(found, expected.map(ServiceName::from), "{edges:?}");
        }
    }
}
