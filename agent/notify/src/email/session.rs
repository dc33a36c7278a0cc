//! One conversation with a mail server: connect, encrypt, log in, hand over one mail.
//!
//! A connection of its own per mail: alerts are rare, and of a connection that was kept and broke meanwhile nobody knows
//! what became of the mail.

use std::error::Error as _;
use std::future::Future;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, AsyncTokioStream, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use secrecy::ExposeSecret as _;
use sentinel_base::tls;
use sentinel_config::{EmailSettings, MailSecurity};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::encrypted::Encrypted;
use super::lines::Lines;

/// Everything before the mail itself takes no longer: an attempt that fails by then is known not to have arrived.
const PREPARING: Duration = Duration::from_secs(15);

/// Each address of a server has so long to accept a connection, so that one that is dead leaves time for another.
const CONNECTING: Duration = Duration::from_secs(5);

/// The mail itself and the server's last word take no longer. RFC 5321 would wait for ten minutes; others wait behind.
const SENDING: Duration = Duration::from_secs(12);

/// The goodbye may take so long; nothing depends on it.
const QUITTING: Duration = Duration::from_secs(1);

/// A step of the conversation that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// How far it came.
    pub(super) stage: Stage,
    /// Of what kind it is.
    pub(super) kind: FailureKind,
    /// What was being done, and what came of it. May hold secrets.
    pub(super) text: String,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailureKind {
    /// The server answered this code, 4yz or 5yz.
    Code(u16),
    /// No answer in time.
    Silence,
    /// The connection broke, could not be made, or what was said on it makes no sense.
    Broken,
}

/// The stages of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Until the server is known to be the right one.
    Connecting,
    /// From the login to the moment before the mail.
    Preparing,
    /// From the mail's first byte to the server's last word.
    Sending,
}

/// What became of a mail that was handed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Who gets it.
    pub(super) taken: Vec<Address>,
    /// Who does not, and why not.
    pub(super) refused: Vec<Refusal>,
}

/// A recipient that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Who.
    pub(super) to: Address,
    /// 4yz: not now; 5yz: not at all.
    pub(super) code: u16,
    /// In the server's words. May hold secrets.
    pub(super) text: String,
}

/// Hands `mail` over for as many of `recipients` as the server takes. When it takes none, nothing was sent and that is no
/// failure of the conversation.
pub(super) async fn send(settings: &EmailSettings, recipients: &[Address], mail: &[u8]) -> Result<Outcome, Failure> {
    let deadline = Instant::now() + PREPARING;
    let mut connection = connect(settings, deadline).await?;
    let result = converse(&mut connection, settings, recipients, mail, deadline).await;
    // A server that hangs up or stays silent now changes nothing.
    let _ = timeout(QUITTING, connection.abort()).await;
    result
}

/// A connection to the right server, encrypted as configured.
async fn connect(settings: &EmailSettings, deadline: Instant) -> Result<AsyncSmtpConnection, Failure> {
    let server = &settings.server;
    let hello = ClientId::default();
    let at = |doing| Step {
        stage: Stage::Connecting,
        doing,
        deadline,
    };
    let lines = Box::new(Lines::new(dial(&server.host, server.port, deadline).await?));
    let stream: Box<dyn AsyncTokioStream> = if server.security == MailSecurity::Tls {
        let tls = trusted(settings).await?;
        Box::new(at("encrypting").run(Encrypted::over(lines, tls)).await?)
    } else {
        lines
    };
    let greeting = AsyncSmtpConnection::connect_with_transport(stream, &hello);
    let mut connection = at("waiting for its greeting")
        .run(greeting)
        .await
        .map_err(|failure| match failure.kind {
            FailureKind::Silence if server.security != MailSecurity::Tls => {
                failure.with_hint(" (one that is encrypted from the first byte is `smtps://`)")
            }
            _ => failure,
        })?;
    if server.security == MailSecurity::StartTls {
        if !connection.can_starttls() {
            let text = "it does not offer STARTTLS, without which nothing is sent (`tls = \"off\"` would)";
            return Err(Failure::connecting(text));
        }
        let tls = trusted(settings).await?;
        at("encrypting").run(connection.starttls(tls, &hello)).await?;
    }
    Ok(connection)
}

/// A plain connection to the first address that accepts one.
async fn dial(host: &str, port: u16, deadline: Instant) -> Result<TcpStream, Failure> {
    let addresses = timeout_at(deadline, tokio::net::lookup_host((host, port)))
        .await
        .map_err(|_| Failure::connecting("no answer to the question for its address"))?
        .map_err(|error| Failure::connecting(format!("its name cannot be resolved: {error}")))?;
    let mut why = "its name has no address".to_owned();
    for address in addresses {
        let until = deadline.min(Instant::now() + CONNECTING);
        match timeout_at(until, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => why = format!("connecting failed: {error}"),
            Err(_) => "no answer to the connection".clone_into(&mut why),
        }
    }
    Err(Failure::connecting(why))
}

/// Whom to trust, read each time: certificates change, and they take a megabyte that is not needed in between.
async fn trusted(settings: &EmailSettings) -> Result<TlsParameters, Failure> {
    let (host, ca_file) = (settings.server.host.clone(), settings.ca_file.clone());
    let building = tokio::task::spawn_blocking(move || {
        let mut builder = TlsParameters::builder(host);
        if let Some(file) = ca_file {
            let pem = std::fs::read(&file).map_err(|error| format!("`{}` cannot be read: {error}", file.display()))?;
            let trusted =
                Certificate::from_pem(&pem).map_err(|error| format!("`{}` cannot be used: {error}", file.display()))?;
            builder = builder
                .certificate_store(CertificateStore::None)
                .add_root_certificate(trusted);
        }
        builder
            .build()
            .map_err(|error| format!("TLS cannot be set up on this host: {error}"))
    });
    match building.await {
        Ok(built) => built.map_err(Failure::connecting),
        Err(error) => Err(Failure::connecting(format!("TLS was not set up: {error}"))),
    }
}

/// From the login to the server's last word.
async fn converse(
    connection: &mut AsyncSmtpConnection,
    settings: &EmailSettings,
    recipients: &[Address],
    mail: &[u8],
    deadline: Instant,
) -> Result<Outcome, Failure> {
    let at = |doing| Step {
        stage: Stage::Preparing,
        doing,
        deadline,
    };
    if let Some(login) = &settings.login {
        let credentials = Credentials::new(login.user.clone(), login.password.expose_secret().to_owned());
        let login = connection.auth(DEFAULT_MECHANISMS, &credentials);
        at("logging in").run(login).await?;
    }
    let from = Mail::new(Some(settings.from.email.clone()), Vec::new());
    at("naming the sender").run(connection.command(from)).await?;
    let mut outcome = Outcome::default();
    for to in recipients {
        let naming = connection.command(Rcpt::new(to.clone(), Vec::new()));
        match at("naming a recipient").run(naming).await {
            Ok(_) => outcome.taken.push(to.clone()),
            Err(Failure {
                kind: FailureKind::Code(code),
                text,
                ..
            }) => outcome.refused.push(Refusal {
                to: to.clone(),
                code,
                text,
            }),
            Err(failure) => return Err(failure),
        }
    }
    if outcome.taken.is_empty() {
        return Ok(outcome);
    }
    at("announcing the mail").run(connection.command(Data)).await?;
    let sending = Step {
        stage: Stage::Sending,
        doing: "taking the mail",
        deadline: Instant::now() + SENDING,
    };
    sending.run(connection.message(mail)).await?;
    Ok(outcome)
}

/// One thing that is done, and until when it must be.
struct Step {
    stage: Stage,
    doing: &'static str,
    deadline: Instant,
}

impl Step {
    async fn run<T>(&self, doing: impl Future<Output = Result<T, smtp::Error>>) -> Result<T, Failure> {
        let (kind, reason) = match timeout_at(self.deadline, doing).await {
            Ok(Ok(done)) => return Ok(done),
            Ok(Err(error)) => {
                let kind = error
                    .status()
                    .map_or(FailureKind::Broken, |code| FailureKind::Code(code.into()));
                // The error's own words only say what kind it is.
                let source = || error.source().map_or_else(|| error.to_string(), ToString::to_string);
                let reason = tls::find(&error).map_or_else(source, tls::words);
                (kind, reason)
            }
            Err(_) => (FailureKind::Silence, "no answer in time".to_owned()),
        };
        let text = match kind {
            FailureKind::Code(code) => format!("{}: {code} {}", self.doing, reason.trim()),
            FailureKind::Silence | FailureKind::Broken => format!("{}: {}", self.doing, reason.trim()),
        };
        Err(Failure {
            stage: self.stage,
            kind,
            text,
        })
    }
}

impl Failure {
    /// The same, with what an operator can do about it.
    fn with_hint(mut self, hint: &str) -> Self {
        self.text.push_str(hint);
        self
    }

    /// No conversation came about.
    fn connecting(text: impl Into<String>) -> Self {
        Self {
            stage: Stage::Connecting,
            kind: FailureKind::Broken,
            text: text.into(),
        }
    }
}
