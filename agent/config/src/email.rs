//! `email = { ... }` of a receiver.

use std::path::PathBuf;

use lettre::message::Mailbox;

use super::secret::Secret;

/// `email = { server, user, password | password_file, from, to, tls, ca_file }`.
#[derive(Clone, Debug, PartialEq)]
pub struct EmailSettings {
    /// Whom to hand the mail to.
    pub server: MailServer,
    /// Trust the certificates in this file (PEM) instead of the host's.
    pub ca_file: Option<PathBuf>,
    /// Who the agent is to the server; `None` when the server does not want to know.
    pub login: Option<MailLogin>,
    /// Whom mails are from.
    pub from: Mailbox,
    /// Whom they are for; never empty.
    pub to: Vec<Mailbox>,
}

/// A mail server, and how to speak to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailServer {
    /// Its name, which its certificate must have, or its address without brackets.
    pub host: String,
    /// Its port. Default 587, and 465 for implicit TLS.
    pub port: u16,
    /// How the conversation is encrypted.
    pub security: MailSecurity,
}

/// How a conversation with a mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailSecurity {
    /// From the first byte: `smtps://`.
    Tls,
    /// From STARTTLS on, without which nothing is sent: `smtp://`.
    StartTls,
    /// Not at all: `smtp://` with `tls = "off"`.
    Off,
}

/// Who the agent is to a mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailLogin {
    /// The name.
    pub user: String,
    /// The password.
    pub password: Secret,
}
