//! `email = { ... }` of a receiver.

use super::login::{LoginInput, password};
use crate::email::{EmailSettings, MailLogin, MailSecurity, MailServer};
use crate::findings::{Findings, join};
use crate::inputs::EmailInput;
use crate::rules;

pub(super) fn settings(path: &str, input: EmailInput, findings: &mut Findings) -> Option<EmailSettings> {
    let required = [
        ("server", input.server.is_some()),
        ("from", input.from.is_some()),
        ("to", input.to.is_some()),
    ];
    let missing: Vec<_> = required.iter().filter(|(_, is_there)| !is_there).collect();
    if !missing.is_empty() && !findings.is_bad(path) {
        let names: Vec<String> = missing.iter().map(|(name, _)| format!("`{name}`")).collect();
        findings.wrong(path, format!("is not complete; add {}", names.join(", ")));
    }
    let to = join(path, "to");
    if input.to.as_ref().is_some_and(Vec::is_empty) && !findings.is_bad(&to) {
        findings.wrong(&to, "is empty: no address would get a mail");
    }
    if let Some(file) = &input.ca_file
        && let Err(reason) = findings.referenced.certificates(file)
    {
        findings.wrong(&join(path, "ca_file"), reason.at(file));
    }
    let login = LoginInput {
        user: input.user,
        password: input.password,
        password_file: input.password_file,
    };
    let login = password(path, login, findings).map(|(user, password)| MailLogin { user, password });
    let server = input
        .server
        .and_then(|text| server(path, &text, input.tls.as_deref(), findings))?;
    if login.is_some() && server.security == MailSecurity::Off && !rules::is_this_host(&server.host) {
        findings.wrong(
            &join(path, "tls"),
            "would send the password over the network for all to read; only a server on this host may have it so",
        );
    }
    Some(EmailSettings {
        server,
        ca_file: input.ca_file,
        login,
        from: rules::mailbox(&input.from?).ok()?,
        to: input.to?.iter().filter_map(|text| rules::mailbox(text).ok()).collect(),
    })
}

fn server(path: &str, text: &str, tls: Option<&str>, findings: &mut Findings) -> Option<MailServer> {
    let (host, port, is_implicit) = rules::mail_server(text).ok()?;
    let security = match (is_implicit, tls) {
        (true, Some("off")) => {
            let message = "`smtps://` is encrypted from the first byte; for a server without, write `smtp://`";
            findings.wrong(&join(path, "tls"), message);
            return None;
        }
        (true, _) => MailSecurity::Tls,
        (false, Some("off")) => MailSecurity::Off,
        (false, _) => MailSecurity::StartTls,
    };
    Some(MailServer { host, port, security })
}
