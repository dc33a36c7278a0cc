//! `after`: what must be up before a service is worth restarting.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::findings::{Findings, join};
use crate::inputs::ServiceInput;
use crate::schema::nearest;

/// At most this many circles are looked for: each means a walk over all services.
const MAX_CIRCLES: usize = 20;

/// Reports references to services that do not exist, and circles.
pub(super) fn check(services: &BTreeMap<String, ServiceInput>, findings: &mut Findings) {
    for (name, service) in services {
        findings.about(&[name], |findings| check_names(name, service, services, findings));
    }
    for circle in circles(services) {
        let key = join(&join("services", circle[0]), "after");
        let mut path = circle.clone();
        path.push(circle[0]);
        let message = format!("goes in a circle: {}", path.join(" -> "));
        findings.about(&circle, |findings| findings.wrong(&key, message));
    }
}

fn check_names(name: &str, service: &ServiceInput, services: &BTreeMap<String, ServiceInput>, findings: &mut Findings) {
    for (index, dependency) in service.after.iter().enumerate() {
        let key = format!("{}[{index}]", join(&join("services", name), "after"));
        if dependency == name {
            findings.wrong(&key, "a service cannot come after itself");
        } else if !services.contains_key(dependency) {
            let others = services.keys().map(String::as_str).filter(|other| *other != name);
            let suggestion = nearest(dependency, others).map(str::to_owned);
            let message = format!("there is no [{}]", join("services", dependency));
            findings.wrong_at(findings.place_of(&key), &key, message, suggestion);
        }
    }
}

/// Leaves out what is not watched: nothing would ever say that it is up.
pub(super) fn watched(
    name: &str,
    after: Vec<String>,
    enabled: &HashSet<String>,
    findings: &mut Findings,
) -> Vec<String> {
    let key = join(&join("services", name), "after");
    let mut kept: Vec<String> = Vec::new();
    for dependency in after {
        if kept.contains(&dependency) {
            continue;
        }
        if enabled.contains(&dependency) {
            kept.push(dependency);
        } else if enabled.contains(name) && !findings.is_bad(&key) {
            findings.warn(
                &key,
                format!(
                    "[{}] is not watched, so it is not waited for",
                    join("services", &dependency)
                ),
            );
        }
    }
    kept
}

/// Circles of two or more, each beginning with the name that sorts first.
///
/// Takes one circle after the other apart at its last edge, so that circles that touch are all found.
fn circles(services: &BTreeMap<String, ServiceInput>) -> Vec<Vec<&str>> {
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, service) in services {
        let known = service
            .after
            .iter()
            .filter(|other| *other != name && services.contains_key(*other));
        edges.insert(name, known.map(String::as_str).collect());
    }
    let mut found = Vec::new();
    while found.len() < MAX_CIRCLES {
        let Some(mut circle) = any_circle(&edges) else {
            break;
        };
        if let (Some(first), Some(last)) = (circle.first(), circle.last())
            && let Some(dependencies) = edges.get_mut(last)
        {
            dependencies.remove(first);
        }
        let first = circle
            .iter()
            .enumerate()
            .min_by_key(|(_, name)| **name)
            .map_or(0, |(index, _)| index);
        circle.rotate_left(first);
        found.push(circle);
    }
    found
}

/// Follows dependencies that lead to a circle until one comes up again. Needs no recursion: ten thousand services may
/// stand in one line.
fn any_circle<'a>(edges: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Option<Vec<&'a str>> {
    let next = toward_circles(edges);
    let mut path: Vec<&str> = Vec::new();
    let mut position: HashMap<&str, usize> = HashMap::new();
    let mut name = next.keys().next().copied()?;
    loop {
        if let Some(begin) = position.insert(name, path.len()) {
            return Some(path.split_off(begin));
        }
        path.push(name);
        name = next.get(name).copied()?;
    }
}

/// For each service from which a circle can be reached, a dependency of which the same holds.
///
/// Kahn's algorithm: take away whatever waits for nothing; what stays leads to a circle.
fn toward_circles<'a>(edges: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeMap<&'a str, &'a str> {
    let mut waits_for = edges.clone();
    let mut pending_on: HashMap<&str, Vec<&str>> = HashMap::new();
    for (name, dependencies) in edges {
        for dependency in dependencies {
            pending_on.entry(dependency).or_default().push(name);
        }
    }
    let mut free: Vec<&str> = edges
        .iter()
        .filter(|(_, waits)| waits.is_empty())
        .map(|(name, _)| *name)
        .collect();
    while let Some(name) = free.pop() {
        waits_for.remove(name);
        for waiting in pending_on.remove(name).unwrap_or_default() {
            if let Some(waits) = waits_for.get_mut(waiting) {
                waits.remove(name);
                if waits.is_empty() {
                    free.push(waiting);
                }
            }
        }
    }
    waits_for
        .into_iter()
        .filter_map(|(name, waits)| Some((name, waits.into_iter().next()?)))
        .collect()
}
