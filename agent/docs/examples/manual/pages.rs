//! The manual pages of the programs, one for each command.

use std::fs::OpenOptions;
use std::path::Path;

use clap::Command;
use clap_mangen::roff::Roff;

use crate::keys::{marked, paragraph};

/// What stands at the end of a program's own page: titles, and what is said under them.
pub(crate) type Sections = &'static [(&'static str, &'static [&'static str])];

/// Of `sentinel`.
pub(crate) const SENTINEL: Sections = &[
    (
        "FILES",
        &[
            "`/etc/sentinel/sentinel.toml`, `/etc/sentinel/conf.d/*.toml`: the configuration, see sentinel.toml(5).",
            "`/var/lib/sentinel`: incidents, budgets and messages not yet delivered.",
            "`/run/sentinel/control.sock`: how these commands reach the agent. Members of the group `sentinel` may use it.",
            "`/etc/polkit-1/rules.d/60-sentinel.rules`: which units the agent may restart; made from the configuration \
             whenever the agent starts or is reloaded.",
            "`/usr/share/doc/sentinel/docs`: the documentation, case by case.",
        ],
    ),
    (
        "EXAMPLES",
        &[
            "`sentinel discover` proposes a configuration for what runs on this host.",
            "`sentinel check && systemctl reload sentinel` takes on a changed one.",
            "`journalctl -u sentinel SENTINEL_SERVICE=shop` is the story of one service.",
        ],
    ),
    ("SEE ALSO", &["sentinel.toml(5), systemd.service(5), journalctl(1)"]),
];

/// Of `demo-service`.
pub(crate) const DEMO_SERVICE: Sections = &[("SEE ALSO", &["sentinel(1)"])];

/// Writes the pages of `command` and of everything below it into `directory`, and `sections` at the end of the first.
pub(crate) fn write(command: Command, directory: &Path, sections: Sections) -> anyhow::Result<()> {
    let first = directory.join(format!("{}.1", command.get_name()));
    clap_mangen::generate_to(command, directory)?;
    let mut roff = Roff::new();
    for (title, paragraphs) in sections {
        roff.control("SH", [*title]);
        for text in *paragraphs {
            paragraph(&mut roff, marked(text));
        }
    }
    roff.to_writer(&mut OpenOptions::new().append(true).open(first)?)?;
    Ok(())
}
