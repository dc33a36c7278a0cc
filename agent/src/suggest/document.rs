//! Proposals as TOML, for a file in `conf.d`, and as JSON. Pure.
//!
//! Whatever is not certain is a comment. Nothing that is proposed acts: that takes a person who replaces `observe`.

use std::fmt::Write as _;

use sentinel_config::quote;
use sentinel_text::printable;
use serde_json::{Value, json as value};

use super::propose::{Proposal, Proposals};

/// Where lines of comments end, in characters.
const WIDTH: usize = 110;

const HEAD: &str = "Proposed by `sentinel discover` from what runs on this host. Nothing here restarts anything: every service \
                    is only observed. Look each one over, take out what is not worth a message at night, and write `mode = \
                    \"heal\"` where restarting is wanted.";

/// A file for `conf.d`.
pub fn toml(proposals: &Proposals) -> String {
    let mut text = String::new();
    comment(&mut text, HEAD);
    for note in &proposals.notes {
        text.push('\n');
        comment(&mut text, &format!("NOT SEEN: {note}."));
    }
    for proposal in &proposals.services {
        text.push('\n');
        service(&mut text, proposal);
    }
    if proposals.services.is_empty() {
        text.push('\n');
        comment(&mut text, "Nothing more was found that is worth watching.");
    }
    if !proposals.configured.is_empty() {
        let left = proposals.configured.iter();
        let left: Vec<String> = left
            .map(|(target, service)| format!("{target} (`{service}`)"))
            .collect();
        text.push('\n');
        comment(
            &mut text,
            &format!("Left out, as the configuration has them: {}.", left.join(", ")),
        );
    }
    text
}

fn service(text: &mut String, proposal: &Proposal) {
    for note in &proposal.notes {
        comment(text, note);
    }
    // Names are plain enough to stand bare, but for dots.
    let name = if proposal.name.contains('.') {
        quote(&proposal.name)
    } else {
        proposal.name.clone()
    };
    let (key, target) = proposal.runs.key();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "[services.{name}]\n{key} = {}", quote(target));
    for (key, value) in proposal.keys.iter().filter(|(key, _)| *key != "mode") {
        let _ = writeln!(text, "{key} = {value}");
    }
    guesses(text, proposal);
    if !proposal.after.is_empty() && !proposal.keys.contains_key("after") {
        let after: Vec<String> = proposal.after.iter().map(|name| quote(name)).collect();
        let _ = writeln!(text, "# after = [{}]", after.join(", "));
    }
    // Also where a label asks for more: what is pasted must be harmless.
    text.push_str("mode = \"observe\"\n");
    if let Some(mode) = proposal.keys.get("mode") {
        let _ = writeln!(text, "# mode = {mode}");
    }
}

/// The probe: one that was heard, else the first port. The operator may choose another.
fn guesses(text: &mut String, proposal: &Proposal) {
    let is_labelled = |kind: &str| {
        let mut keys = proposal.keys.keys();
        keys.any(|key| key == kind || key.strip_prefix(kind).is_some_and(|rest| rest.starts_with('.')))
    };
    if is_labelled("http") || is_labelled("tcp") {
        return;
    }
    let mut ports = proposal.ports.iter();
    match &proposal.http {
        Some(url) => {
            let _ = writeln!(text, "http = {}", quote(url));
            ports.next();
        }
        None => {
            if let Some(port) = ports.next() {
                let _ = writeln!(text, "tcp = {}", quote(&port.to_string()));
            }
        }
    }
    for port in ports {
        let _ = writeln!(text, "# tcp = {}", quote(&port.to_string()));
    }
}

/// Appends `words` as lines of comments. They may come from anybody, and must not end a comment.
fn comment(text: &mut String, words: &str) {
    let mut line = String::from("#");
    for word in printable(words).split(' ') {
        if line.chars().count() + word.chars().count() >= WIDTH && line.len() > 1 {
            text.push_str(&line);
            text.push('\n');
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    text.push_str(&line);
    text.push('\n');
}

/// The same for programs.
pub fn json(proposals: &Proposals) -> Value {
    let services = proposals.services.iter().map(|proposal| {
        let (kind, name) = proposal.runs.key();
        value!({
            "name": proposal.name,
            "target": { "kind": kind, "name": name },
            "ports": proposal.ports.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "http": proposal.http,
            "after": proposal.after,
            "labels": proposal.keys,
            "notes": proposal.notes,
        })
    });
    let configured = proposals.configured.iter();
    value!({
        "services": services.collect::<Vec<_>>(),
        "configured": configured
            .map(|(target, service)| value!({ "target": target, "service": service }))
            .collect::<Vec<_>>(),
        "notes": proposals.notes,
    })
}
