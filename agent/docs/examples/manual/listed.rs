//! The table of keys in the order in which it is described: by the manual page, and by `agent/docs/configuration.md`.

use sentinel_config::{Key, Kind, ROOT, Section};

/// A part of the description.
pub(crate) enum Part {
    /// A section begins.
    Section(&'static Section),
    /// Keys of it that were not described yet.
    Keys(&'static [Key]),
    /// Keys of it that it shares with a section before it.
    Shared {
        /// The path of that section.
        with: &'static str,
        /// The keys.
        keys: &'static [Key],
    },
}

/// All of it. What sections share is described once.
pub(crate) fn parts() -> Vec<Part> {
    let mut listed = Listed::default();
    listed.add(&ROOT);
    listed.parts
}

/// What was listed, and which groups of keys were described in which section.
#[derive(Default)]
struct Listed {
    parts: Vec<Part>,
    groups: Vec<(*const Key, &'static str)>,
    sections: Vec<*const Section>,
}

impl Listed {
    /// Adds a section, and the sections of its keys.
    fn add(&mut self, section: &'static Section) {
        if self.sections.contains(&std::ptr::from_ref(section)) {
            return;
        }
        self.sections.push(section);
        if !section.path.is_empty() {
            self.parts.push(Part::Section(section));
            for group in section.keys {
                self.group(section, group);
            }
        }
        for below in section.all().filter_map(|key| below(&key.kind)) {
            self.add(below);
        }
    }

    fn group(&mut self, section: &Section, keys: &'static [Key]) {
        if let Some((_, with)) = self.groups.iter().find(|(known, _)| *known == keys.as_ptr()) {
            self.parts.push(Part::Shared { with, keys });
        } else {
            self.groups.push((keys.as_ptr(), section.path));
            self.parts.push(Part::Keys(keys));
        }
    }
}

/// The section that a value of this kind holds.
fn below(kind: &'static Kind) -> Option<&'static Section> {
    match kind {
        Kind::Table { section, .. } | Kind::Tables { section, .. } | Kind::Named { section, .. } => Some(section),
        _ => None,
    }
}
