//! A mail server that does as it is asked, and keeps what it heard.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What it does when it is its turn.
#[derive(Clone, Copy)]
pub(crate) enum Say {
    /// These lines.
    Line(&'static str),
    /// Nothing, until the other side hangs up.
    Silence,
    /// Nothing, and hangs up.
    HangUp,
    /// A line of a MiB that is not over then, and waits for the other side to hang up.
    Endless,
}

/// How it behaves.
#[derive(Clone)]
pub(crate) struct Script {
    /// Encrypted from the first byte.
    pub(crate) implicit: bool,
    /// Whether STARTTLS is offered.
    pub(crate) starttls: bool,
    /// Sent in the clear right behind the answer to STARTTLS, as somebody on the way would.
    pub(crate) injected: &'static str,
    /// The name in its certificate.
    pub(crate) name: &'static str,
    /// Presents a certificate of its own making that is marked as an authority's.
    pub(crate) authoritys_own: bool,
    pub(crate) greeting: Say,
    /// Offered besides; empty for nothing.
    pub(crate) auth_offer: &'static str,
    pub(crate) auth: Say,
    pub(crate) mail: Say,
    /// By recipient.
    pub(crate) rcpt: fn(&str) -> Say,
    pub(crate) data: Say,
    pub(crate) dot: Say,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            implicit: false,
            starttls: true,
            injected: "",
            name: "localhost",
            authoritys_own: false,
            greeting: Say::Line("220 localhost ESMTP"),
            auth_offer: "AUTH PLAIN LOGIN",
            auth: Say::Line("235 welcome"),
            mail: Say::Line("250 ok"),
            rcpt: |_| Say::Line("250 ok"),
            data: Say::Line("354 go on"),
            dot: Say::Line("250 queued"),
        }
    }
}

/// What it heard on one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    /// Commands, with `*` before those that came encrypted.
    pub(crate) commands: Vec<String>,
    /// The mail, without the dots that were doubled.
    pub(crate) mail: Option<String>,
    /// It was the server's turn, and it says nothing.
    pub(crate) is_silent: bool,
}

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// The certificate that vouches for its own (PEM).
    pub(crate) ca: String,
    sessions: Arc<Mutex<Vec<Session>>>,
}

impl Server {
    pub(crate) fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (ca, config) = certificates(&script);
        let sessions = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&sessions);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let index = {
                    let mut sessions = kept.lock().unwrap();
                    sessions.push(Session::default());
                    sessions.len() - 1
                };
                let (script, config, kept) = (script.clone(), Arc::clone(&config), Arc::clone(&kept));
                std::thread::spawn(move || {
                    let talk = Talk {
                        script: &script,
                        config,
                        note: &|change: &dyn Fn(&mut Session)| change(&mut kept.lock().unwrap()[index]),
                    };
                    // Whoever hangs up ends it.
                    let _ = talk.begin(stream);
                });
            }
        });
        Self { address, ca, sessions }
    }

    pub(crate) fn sessions(&self) -> Vec<Session> {
        self.sessions.lock().unwrap().clone()
    }

    /// The mails it took or was sent.
    pub(crate) fn mails(&self) -> Vec<String> {
        self.sessions().into_iter().filter_map(|session| session.mail).collect()
    }
}

/// A CA, and a server's certificate from it.
fn certificates(script: &Script) -> (String, Arc<ServerConfig>) {
    let names = if script.authoritys_own {
        vec![script.name.to_owned()]
    } else {
        Vec::new()
    };
    let mut parameters = rcgen::CertificateParams::new(names).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let key_of_ca = ca_key.serialize_der();
    let ca = rcgen::CertifiedIssuer::self_signed(parameters, ca_key).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let parameters = rcgen::CertificateParams::new(vec![script.name.to_owned()]).unwrap();
    let certificate = parameters.signed_by(&key, &ca).unwrap();
    let (presented, key) = if script.authoritys_own {
        (ca.der().clone(), key_of_ca)
    } else {
        (certificate.der().clone(), key.serialize_der())
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![presented], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key)))
        .unwrap();
    (ca.pem(), Arc::new(config))
}

type Note<'a> = &'a dyn Fn(&dyn Fn(&mut Session));

/// One connection.
struct Talk<'a> {
    script: &'a Script,
    config: Arc<ServerConfig>,
    note: Note<'a>,
}

impl Talk<'_> {
    fn begin(&self, mut stream: TcpStream) -> std::io::Result<()> {
        if self.script.implicit {
            let mut stream = self.encrypt(stream);
            self.say(&mut stream, self.script.greeting)?;
            return self.serve(&mut stream, true).map(drop);
        }
        self.say(&mut stream, self.script.greeting)?;
        if self.serve(&mut stream, false)? {
            write!(stream, "220 go ahead\r\n{}", self.script.injected)?;
            let mut stream = self.encrypt(stream);
            self.serve(&mut stream, true)?;
        }
        Ok(())
    }

    fn encrypt(&self, stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
        StreamOwned::new(ServerConnection::new(Arc::clone(&self.config)).unwrap(), stream)
    }

    /// Answers commands to the end; answers whether STARTTLS was the last one.
    fn serve(&self, stream: &mut (impl Read + Write), is_encrypted: bool) -> std::io::Result<bool> {
        loop {
            let line = read_line(stream)?;
            let shown = format!("{}{line}", if is_encrypted { "*" } else { "" });
            (self.note)(&|session| session.commands.push(shown.clone()));
            let verb = line.split(' ').next().unwrap_or_default().to_uppercase();
            match verb.as_str() {
                "EHLO" => {
                    let mut offer = vec!["localhost"];
                    if self.script.starttls && !is_encrypted {
                        offer.push("STARTTLS");
                    }
                    if !self.script.auth_offer.is_empty() {
                        offer.push(self.script.auth_offer);
                    }
                    let last = offer.len() - 1;
                    for (index, word) in offer.iter().enumerate() {
                        write!(stream, "250{}{word}\r\n", if index == last { " " } else { "-" })?;
                    }
                    stream.flush()?;
                }
                "STARTTLS" => return Ok(true),
                // A server may repeat what it was sent.
                "AUTH" if matches!(self.script.auth, Say::Line("535")) => {
                    write!(stream, "535 5.7.8 not you: {line}\r\n")?;
                    stream.flush()?;
                }
                "AUTH" => self.say(stream, self.script.auth)?,
                "MAIL" => self.say(stream, self.script.mail)?,
                "RCPT" => self.say(stream, (self.script.rcpt)(&line))?,
                "DATA" => {
                    self.say(stream, self.script.data)?;
                    if matches!(self.script.data, Say::Line(text) if text.starts_with('3')) {
                        self.take_mail(stream)?;
                    }
                }
                "QUIT" => {
                    self.say(stream, Say::Line("221 bye"))?;
                    return Ok(false);
                }
                _ => self.say(stream, Say::Line("500 what?"))?,
            }
        }
    }

    fn take_mail(&self, stream: &mut (impl Read + Write)) -> std::io::Result<()> {
        let mut mail = String::new();
        loop {
            let line = read_line(stream)?;
            if line == "." {
                break;
            }
            mail.push_str(line.strip_prefix('.').unwrap_or(&line));
            mail.push_str("\r\n");
        }
        (self.note)(&|session| session.mail = Some(mail.clone()));
        self.say(stream, self.script.dot)
    }

    fn say(&self, stream: &mut (impl Read + Write), what: Say) -> std::io::Result<()> {
        match what {
            Say::Line(text) => {
                write!(stream, "{text}\r\n")?;
                stream.flush()
            }
            Say::Silence => {
                (self.note)(&|session| session.is_silent = true);
                let mut buffer = [0; 64];
                while stream.read(&mut buffer)? > 0 {}
                Err(std::io::ErrorKind::UnexpectedEof.into())
            }
            Say::Endless => {
                // Whoever has heard enough hangs up before all of it was written.
                stream.write_all(b"250-")?;
                for _ in 0..1024 {
                    stream.write_all(&[b'x'; 1024])?;
                }
                stream.flush()?;
                let mut buffer = [0; 64];
                while stream.read(&mut buffer)? > 0 {}
                Err(std::io::ErrorKind::UnexpectedEof.into())
            }
            Say::HangUp => Err(std::io::ErrorKind::ConnectionAborted.into()),
        }
    }
}

/// One line, without its end.
fn read_line(stream: &mut impl Read) -> std::io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        line.push(byte[0]);
    }
    line.truncate(line.len() - 2);
    Ok(String::from_utf8_lossy(&line).into_owned())
}
