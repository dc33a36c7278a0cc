//! `template` and `template_file`.

use std::path::Path;

use crate::findings::{Findings, join};

/// The template's text. Whether it makes sense is tried where receivers are made.
pub(super) fn settings(
    path: &str,
    inline: Option<String>,
    file: Option<&Path>,
    findings: &mut Findings,
) -> Option<String> {
    let file_key = join(path, "template_file");
    let (key, text) = match (inline, file) {
        (inline, None) => (join(path, "template"), inline?),
        (Some(_), Some(_)) => {
            findings.wrong(&file_key, "`template` is set as well; keep one of them");
            return None;
        }
        (None, Some(file)) => match findings.referenced.template(file) {
            Ok(text) => (file_key, text),
            Err(reason) => {
                findings.wrong(&file_key, reason.at(file));
                return None;
            }
        },
    };
    if let Err(reason) = crate::template::check(&text) {
        findings.wrong(&key, reason);
    }
    Some(text)
}
