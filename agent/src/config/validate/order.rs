//! `after`: what must be up before a service is worth restarting.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::config::findings::{Findings, join};
use crate::config::inputs::ServiceInput;
use crate::config::schema::nearest;

/// Reports references to services that do not exist, and circles.
pub(super) fn check(services: &BTreeMap<String, ServiceInput>, findings: &mut Findings) {
    for (name, service) in services {
        for (index, dependency) in service.after.iter().enumerate() {
            let key = format!("{}[{index}]", join(&join("services", name), "after"));
            if dependency == name {
                findings.wrong(&key, "a service cannot come after itself");
            } else if !services.contains_key(dependency) {
                let others = services.keys().map(String::as_str).filter(|other| other != name);
                let suggestion = nearest(dependency, others).map(str::to_owned);
                let message = format!("there is no [{}]", join("services", dependency));
                findings.wrong_at(findings.place_of(&key), &key, message, suggestion);
            }
        }
    }
    for circle in circles(services) {
        let key = join(&join("services", circle[0]), "after");
        let mut path = circle.clone();
        path.push(circle[0]);
        findings.wrong(&key, format!("goes in a circle: {}", path.join(" -> ")));
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
                    "[{}] is not enabled, so it is not waited for",
                    join("services", &dependency)
                ),
            );
        }
    }
    kept
}

/// Circles of two or more, each once, beginning with the name that sorts first. At least one of those that touch.
///
/// Walks from each service along one dependency that can still lie on a circle, which needs no recursion: ten thousand
/// services may stand in one line.
fn circles(services: &BTreeMap<String, ServiceInput>) -> Vec<Vec<&str>> {
    let next = on_circles(services);
    let mut done: HashSet<&str> = HashSet::new();
    let mut found = Vec::new();
    for start in services.keys().map(String::as_str) {
        let mut path: Vec<&str> = Vec::new();
        let mut position: HashMap<&str, usize> = HashMap::new();
        let mut at = Some(start);
        while let Some(name) = at.filter(|name| !done.contains(name)) {
            if let Some(&begin) = position.get(name) {
                let mut circle = path[begin..].to_vec();
                let first = circle
                    .iter()
                    .enumerate()
                    .min_by_key(|(_, name)| **name)
                    .map_or(0, |(index, _)| index);
                circle.rotate_left(first);
                found.push(circle);
                break;
            }
            position.insert(name, path.len());
            path.push(name);
            at = next.get(name).copied();
        }
        done.extend(path);
    }
    found
}

/// For each service from which a circle can be reached, a dependency of which the same holds.
///
/// Kahn's algorithm: take away whatever waits for nothing; what stays leads to a circle.
fn on_circles(services: &BTreeMap<String, ServiceInput>) -> HashMap<&str, &str> {
    let mut waits_for: HashMap<&str, HashSet<&str>> = HashMap::new();
    let mut awaited_by: HashMap<&str, Vec<&str>> = HashMap::new();
    for (name, service) in services {
        let known = service
            .after
            .iter()
            .filter(|other| *other != name && services.contains_key(*other));
        let dependencies: HashSet<&str> = known.map(String::as_str).collect();
        for dependency in &dependencies {
            awaited_by.entry(dependency).or_default().push(name);
        }
        waits_for.insert(name, dependencies);
    }
    let mut free: Vec<&str> = waits_for
        .iter()
        .filter(|(_, waits)| waits.is_empty())
        .map(|(name, _)| *name)
        .collect();
    while let Some(name) = free.pop() {
        waits_for.remove(name);
        for waiting in awaited_by.remove(name).unwrap_or_default() {
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
        .filter_map(|(name, waits)| Some((name, waits.into_iter().min()?)))
        .collect()
}
