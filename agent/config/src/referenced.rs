//! The files that a configuration names, each read once: all that is made of a configuration has one answer of each.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::problem::Fault;
use super::reading::read_limited;
use super::rules;
use super::secret::{self, Secret, Source};

/// A bundle of every public authority has some 230 KiB.
const MAX_CA_FILE: u64 = 4 << 20;

/// More is read than a template may have, so that the message says so.
const MAX_TEMPLATE_FILE: u64 = 64 << 10;

/// What the files hold, by their paths as they are written; or a sentence that says why they cannot be used.
#[derive(Clone, Debug, Default)]
pub(super) struct ReferencedFiles {
    secrets: HashMap<PathBuf, Result<SecretFile, Fault>>,
    certificates: HashMap<PathBuf, Result<(), Fault>>,
    templates: HashMap<PathBuf, Result<String, Fault>>,
}

/// What `*_file` means.
#[derive(Clone, Debug)]
pub(super) enum SecretFile {
    /// A file that was read.
    Read {
        /// What stands in it.
        secret: Secret,
        /// Who may read it besides the agent.
        readable_by: ReadableBy,
    },
    /// The credential of this name, which this process is not shown.
    Elsewhere(String),
}

/// Who may read a file with a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadableBy {
    /// The agent alone, as far as is known.
    Agent,
    /// The group whose members may control the agent.
    ControlGroup,
    /// Every user of the host.
    World,
}

impl ReferencedFiles {
    /// The secret in `file`, a path or `credential:NAME`.
    pub(super) fn secret(&mut self, file: &Path) -> Result<SecretFile, Fault> {
        once(&mut self.secrets, file, read_secret)
    }

    /// Whether `file` holds certificates, and nothing that only looks like one.
    pub(super) fn certificates(&mut self, file: &Path) -> Result<(), Fault> {
        once(&mut self.certificates, file, check_certificates)
    }

    /// The template in `file`.
    pub(super) fn template(&mut self, file: &Path) -> Result<String, Fault> {
        once(&mut self.templates, file, read_template)
    }
}

fn once<T: Clone>(
    known: &mut HashMap<PathBuf, Result<T, Fault>>,
    file: &Path,
    read: impl FnOnce(&Path) -> Result<T, Fault>,
) -> Result<T, Fault> {
    if let Some(known) = known.get(file) {
        return known.clone();
    }
    let answer = read(file);
    known.insert(file.to_owned(), answer.clone());
    answer
}

fn read_secret(file: &Path) -> Result<SecretFile, Fault> {
    let path = match secret::resolve(file)? {
        Source::File(path) => path,
        Source::Elsewhere(name) => return Ok(SecretFile::Elsewhere(name)),
    };
    let secret = secret::read(&path)?;
    let readable_by = if secret::is_world_readable(&path) {
        ReadableBy::World
    } else if secret::is_control_group_readable(&path) {
        ReadableBy::ControlGroup
    } else {
        ReadableBy::Agent
    };
    Ok(SecretFile::Read { secret, readable_by })
}

fn check_certificates(file: &Path) -> Result<(), Fault> {
    let pem = read_limited(file, MAX_CA_FILE).map_err(|error| Fault::of_file(&error, file, error.words()))?;
    let mut count = 0;
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        certificate.map_err(|_| "is not valid PEM")?;
        count += 1;
    }
    if count == 0 {
        Err("holds no certificate in PEM form".into())
    } else {
        Ok(())
    }
}

fn read_template(file: &Path) -> Result<String, Fault> {
    let bytes = read_limited(file, MAX_TEMPLATE_FILE).map_err(|error| Fault::of_file(&error, file, error.words()))?;
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8 text")?;
    rules::template(&text)?;
    Ok(text)
}
