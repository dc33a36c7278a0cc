//! sentinel.toml(5), from the table of keys.

use clap_mangen::roff::{Inline, Roff, bold, italic, roman};
use sentinel_config::{Bounds, Key, Kind};
use sentinel_text::exact_span;

use crate::listed::{Part, parts};

/// What the page begins with.
const DESCRIPTION: &[&str] = &[
    "The configuration of sentinel(1) is TOML: `/etc/sentinel/sentinel.toml`, then `conf.d/*.toml` beside it in the order \
     of their names, then variables of the environment. What comes later wins, key by key.",
    "A variable is named `SENTINEL__`, then the key with two underscores between its parts: `SENTINEL__AGENT__NAME=web-1`.",
    "`sentinel check` shows every mistake with its file, line and key, or what would be watched. A running agent takes a \
     changed configuration on by `systemctl reload sentinel`, as a whole, or refuses it and keeps the old one.",
    "Durations are text such as \"500ms\", \"10s\", \"2h 30m\".",
];

/// What the page says of secrets.
const SECRETS: &[&str] = &[
    "Keys that end in `_file` name a file, such as one in `/etc/sentinel/secrets`, that the user `sentinel` must be able to \
     read. `\"credential:NAME\"` is a credential of systemd instead, which only the agent ever sees: with \
     `LoadCredential=NAME:PATH` below `[Service]` in its unit (`systemctl edit sentinel`), handed over when the agent is \
     restarted.",
    "No secret is read for polkit's rule: which units may be restarted does not depend on receivers.",
];

/// What the page says of services that are defined in unit files.
const UNIT_FILES: &[&str] = &[
    "A unit file, or a drop-in made by `systemctl edit NAME`, can define a service by a section of its own, which systemd \
     passes over:",
];

/// Such a section.
const UNIT_FILE_EXAMPLE: &str = "[X-Sentinel]
http=http://127.0.0.1:8080/health
after=postgresql
recovery.burst=3";

/// The rest of what the page says of them.
const UNIT_FILES_MORE: &[&str] = &[
    "The keys are those of `[services.NAME]`, in the syntax of units: drop-ins override in order, `after=` adds up, an empty \
     value resets. `name=` calls the service other than its unit, `enabled=no` switches it off. It has no other target and no \
     `may_affect`, and counts only when root alone can write the file. `sentinel.toml` wins, and `[agent] unit_files = false` \
     reads none.",
    "It is watched after `systemctl daemon-reload`. The right to restart the unit is given when apt installs the package that \
     ships it, else by `systemctl reload sentinel`, which the log asks for. What is wrong with a section is in the log, `sentinel \
     check` and `sentinel status`, with file, line and key.",
];

/// A service, in full.
const EXAMPLE: &str = r#"[services.shop]
unit = "shop"
http = "http://127.0.0.1:8080/health"
after = ["postgresql"]

[services.postgresql]
unit = "postgresql@15-main"
tcp = "127.0.0.1:5432"

[receivers.team]
slack = { webhook_url_file = "/etc/sentinel/secrets/slack" }"#;

/// What programs that the agent starts may do.
const SANDBOX: &[&str] = &[
    "Under its unit the agent runs as user `sentinel` in a sandbox, and so does what it starts: the commands of probes and \
     receivers, and process targets, which stay in it for as long as they live. They may read most of the host, write \
     nothing but `/var/lib/sentinel` and folders for temporary files that are theirs alone, and gain no privilege. A process \
     target that needs more is best made a unit of its own. Otherwise widen the sandbox by `systemctl edit sentinel`, for the \
     agent too: `/usr/share/doc/sentinel/examples/process-targets.conf` shows how.",
];

/// The whole page.
pub(crate) fn page() -> String {
    let mut roff = Roff::new();
    roff.control(
        "TH",
        [
            "sentinel.toml",
            "5",
            "",
            concat!("sentinel ", env!("CARGO_PKG_VERSION")),
            "Sentinel",
        ],
    );
    roff.control("SH", ["NAME"]);
    roff.text([roman("sentinel.toml - configuration of the Sentinel agent")]);
    section(&mut roff, "DESCRIPTION", DESCRIPTION);
    for part in &parts() {
        describe(&mut roff, part);
    }
    section(&mut roff, "SECRETS", SECRETS);
    section(&mut roff, "UNIT FILES", UNIT_FILES);
    verbatim(&mut roff, UNIT_FILE_EXAMPLE);
    for text in UNIT_FILES_MORE {
        paragraph(&mut roff, marked(text));
    }
    section(&mut roff, "SANDBOX", SANDBOX);
    roff.control("SH", ["EXAMPLES"]);
    verbatim(&mut roff, EXAMPLE);
    section(
        &mut roff,
        "SEE ALSO",
        &["sentinel(1), sentinel-check(1), systemd.exec(5)"],
    );
    roff.to_roff()
}

/// Adds a part of the table of keys.
fn describe(roff: &mut Roff, part: &Part) {
    match part {
        Part::Section(section) => {
            roff.control("SH", [format!("[{}]", section.path).as_str()]);
            paragraph(roff, marked(&format!("{}.", section.doc)));
        }
        Part::Keys(keys) => keys.iter().for_each(|key| describe_key(roff, key)),
        Part::Shared { with, keys } => {
            let names: Vec<&str> = keys.iter().map(|key| key.name).collect();
            let text = format!(
                "Also every key of `[{with}]`, for this one alone: {}.",
                names.join(", ")
            );
            paragraph(roff, marked(&text));
        }
    }
}

fn describe_key(roff: &mut Roff, key: &Key) {
    roff.control("TP", []);
    let mut head = vec![bold(key.name), roman(" = "), italic(plain(&key.kind.to_string()))];
    if !key.default.is_empty() {
        head.push(roman(format!(" (default: {})", plain(key.default))));
    }
    roff.text(head);
    let limits = limits(&key.kind).map(|limits| format!(" {limits}."));
    roff.text(marked(&format!("{}.{}", key.doc, limits.unwrap_or_default())));
}

/// What the kind's own words leave out.
fn limits(kind: &Kind) -> Option<String> {
    let span = |Bounds { min, max }: &Bounds| format!("From {} to {}", exact_span(*min), exact_span(*max));
    match kind {
        Kind::Duration(bounds) | Kind::AutoOrDuration(bounds) | Kind::OffOrDuration(bounds) => Some(span(bounds)),
        Kind::List { max, .. } | Kind::OneOrMore { max, .. } | Kind::Map { max, .. } => Some(format!("At most {max}")),
        _ => None,
    }
}

fn section(roff: &mut Roff, title: &str, paragraphs: &[&str]) {
    roff.control("SH", [title]);
    for text in paragraphs {
        paragraph(roff, marked(text));
    }
}

pub(crate) fn paragraph(roff: &mut Roff, text: Vec<Inline>) {
    roff.control("PP", []);
    roff.text(text);
}

/// Lines as they are.
fn verbatim(roff: &mut Roff, text: &str) {
    roff.control("PP", []).control("RS", ["4"]).control("nf", []);
    for line in text.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []).control("RE", []);
}

/// Text whose parts in backticks are bold.
pub(crate) fn marked(text: &str) -> Vec<Inline> {
    text.split('`')
        .enumerate()
        .filter(|(_, part)| !part.is_empty())
        .map(|(position, part)| if position % 2 == 0 { roman(part) } else { bold(part) })
        .collect()
}

fn plain(text: &str) -> String {
    text.replace('`', "")
}
