//! HTTP probes: the answer is the right one, whole, and in time.

mod answer;
mod ask_error;
mod clients;
mod connection;

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue, LOCATION};
use reqwest::{Method, Request, Url};
use sentinel_config::HttpProbe;
use sentinel_engine::{FailureKind, ProbeOutcome, Verdict};
use tokio::time::{Instant, timeout_at};

use super::error::ProbeError;
use super::stage::{STAGE, Stage};
use super::{error_mapping, failed};
use answer::{Body, Expectation};
pub(super) use ask_error::AskError;
pub(super) use clients::Clients;
use clients::{Client, Trust};
use connection::{Connection, Reply};

/// An HTTP probe, ready to run.
#[derive(Debug)]
pub(super) struct HttpCheck {
    /// What every round begins with.
    request: Request,
    /// For http URLs: needs no certificates, so a host without any can still be probed.
    plain: Client,
    /// For https URLs; `None` when none can come up.
    secure: Option<Client>,
    follow: u8,
    keep_alive: bool,
    /// The connection that was kept, with `keep_alive`.
    kept: Mutex<Option<Connection>>,
    expectation: Expectation,
    timeout: Duration,
}

/// What came back, or what is wrong with it, with the status when there was one.
type Exchange = (Option<u16>, Verdict);

impl HttpCheck {
    pub(super) fn new(settings: &HttpProbe, clients: &Clients) -> Result<Self, ProbeError> {
        let url = &settings.url;
        let https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(ProbeError::Scheme(origin(url))),
        };
        let trust = Trust::of(settings)?;
        let client = |trust| {
            clients.client(trust).map_err(|source| ProbeError::Client {
                url: origin(url),
                source,
            })
        };
        let plain = client(Trust::Nothing)?;
        let secure = match (https, settings.follow) {
            (true, _) => Some(client(trust)?),
            (false, 0) => None,
            // A redirect may lead to https. Without certificates that, and only that, fails.
            (false, _) => client(trust).ok(),
        };
        Ok(Self {
            request: request(settings)?,
            plain,
            secure,
            follow: settings.follow,
            keep_alive: settings.keep_alive,
            kept: Mutex::default(),
            expectation: Expectation::of(settings),
            timeout: settings.timeout,
        })
    }

    /// The host and port that are asked first.
    pub(super) fn asks(&self) -> Option<(&str, u16)> {
        let url = self.request.url();
        Some((url.host_str()?, url.port_or_known_default()?))
    }

    pub(super) async fn run(&self) -> ProbeOutcome {
        let start = Instant::now();
        let (status_code, verdict) = STAGE.scope(Stage::Waiting.into(), self.exchange(start)).await;
        ProbeOutcome {
            verdict,
            status_code,
            latency: start.elapsed(),
            answers: Vec::new(),
        }
    }

    /// Asks, reads the whole answer up to the cap, and judges it.
    async fn exchange(&self, start: Instant) -> Exchange {
        let deadline = start + self.timeout;
        let overdue = |stage| error_mapping::overdue(stage, self.timeout);
        let mut response = match timeout_at(deadline, self.ask()).await {
            Ok(Ok(response)) => response,
            Ok(Err(exchange)) => return exchange,
            Err(_) => return (None, overdue(STAGE.with(Cell::get))),
        };
        let status = response.status();
        let leads_to = redirect(&response, self.request.url()).and_then(Result::ok);
        if let Some(failure) = self.expectation.status_failure(status, leads_to) {
            return (Some(status), failure);
        }
        // Also read when no operator wants it: a service that hangs after its headers does not work, and a connection
        // closed on unread data is reset, which services log as an error.
        let body = Body::read(&mut response, self.expectation.needs_body());
        let verdict = match timeout_at(deadline, body).await {
            Ok(Ok(body)) => self.expectation.judge(&body, start.elapsed()),
            Ok(Err(error)) => error_mapping::body_error(&error, self.timeout),
            Err(_) => overdue(Stage::Reading),
        };
        if self.keep_alive
            && let Some(connection) = response.into_connection()
        {
            *self.kept() = Some(connection);
        }
        (Some(status), verdict)
    }

    /// Sends the request, and follows redirects as far as that is wanted. Done here and not by the client: the count is
    /// per probe, the client is shared.
    async fn ask(&self) -> Result<Reply, Exchange> {
        let mut redirect_to: Option<Request> = None;
        let mut hops = 0;
        loop {
            let request = redirect_to.as_ref().unwrap_or(&self.request);
            let reply = self
                .send(request)
                .await?
                .map_err(|error| (None, error_mapping::http_error(&error, self.timeout)))?;
            let Some(next) = redirect(&reply, request.url()).filter(|_| self.follow > 0) else {
                return Ok(reply);
            };
            let refused = |why: String| (Some(reply.status()), failed(FailureKind::Status(reply.status()), why));
            if hops == self.follow {
                return Err(refused(format!("more than {} redirects", self.follow)));
            }
            let next = next.map_err(|why| refused(why.to_string()))?;
            hops += 1;
            redirect_to = Some(redirected(copy(request), reply.status(), next));
        }
    }

    /// Sends one request, over the connection that was kept if it can be used.
    async fn send(&self, request: &Request) -> Result<Result<Reply, AskError>, Exchange> {
        let client = self.client_for(request.url()).ok_or_else(no_certificates)?;
        let kept = self.kept().take();
        if let Some(mut connection) = kept
            && connection.is_good_for(request.url()).await
        {
            match connection.ask(request, true).await {
                // It was closed in the very moment.
                Err(error) if error.may_have_been_closed() => {}
                reply => return Ok(reply),
            }
        }
        Ok(match Connection::open(request.url(), client).await {
            Ok(connection) => connection.ask(request, self.keep_alive).await,
            Err(error) => Err(error),
        })
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<Connection>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn client_for(&self, url: &Url) -> Option<&Client> {
        if url.scheme() == "https" {
            self.secure.as_ref()
        } else {
            Some(&self.plain)
        }
    }
}

/// Why a redirect is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum RedirectError {
    /// To a mail address, a file, ...
    #[error("redirected to something that is not HTTP")]
    NotHttp,
    /// What was asked for in secret would be asked for in public.
    #[error("redirected from https to http")]
    Insecure,
    /// The header holds no address.
    #[error("redirected to an invalid address")]
    Invalid,
}

/// Where the response leads, when it is a redirect.
fn redirect(response: &Reply, from: &Url) -> Option<Result<Url, RedirectError>> {
    if !matches!(response.status(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?;
    let next = location.to_str().ok().and_then(|location| from.join(location).ok());
    Some(match next {
        Some(next) if !matches!(next.scheme(), "http" | "https") => Err(RedirectError::NotHttp),
        Some(next) if from.scheme() == "https" && next.scheme() == "http" => Err(RedirectError::Insecure),
        Some(next) => Ok(next),
        None => Err(RedirectError::Invalid),
    })
}

/// The next request after a redirect. Configured headers go to another origin never: tokens stand in them.
fn redirected(mut request: Request, status: u16, next: Url) -> Request {
    if request.url().origin() != next.origin() {
        request.headers_mut().clear();
    }
    if status == 303 || (status <= 302 && request.method() == Method::POST) {
        *request.method_mut() = Method::GET;
    }
    *request.url_mut() = next;
    request
}

fn no_certificates() -> Exchange {
    (
        None,
        failed(
            FailureKind::Tls,
            "redirected to https, but this host has no CA certificates",
        ),
    )
}

/// A copy; always possible, as there is never a body.
fn copy(request: &Request) -> Request {
    request.try_clone().unwrap_or_else(|| {
        let mut copy = Request::new(request.method().clone(), request.url().clone());
        *copy.headers_mut() = request.headers().clone();
        copy
    })
}

fn request(settings: &HttpProbe) -> Result<Request, ProbeError> {
    let method = Method::from_bytes(settings.method.as_bytes());
    let method = method.map_err(|_| ProbeError::Method(settings.method.clone()))?;
    let mut url = settings.url.clone();
    let login = login(&url);
    // Both are in a header now. They can always be removed from a URL that names a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let mut request = Request::new(method, url);
    for (name, value) in &settings.headers {
        let invalid = || ProbeError::Header(name.clone());
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| invalid())?;
        value.set_sensitive(true);
        request.headers_mut().append(name, value);
    }
    if let Some(login) = login {
        request.headers_mut().entry(AUTHORIZATION).or_insert(login);
    }
    Ok(request)
}

/// The header for a user and a password in a URL.
fn login(url: &Url) -> Option<HeaderValue> {
    if url.username().is_empty() && url.password().is_none() {
        return None;
    }
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let login = format!(
        "{}:{}",
        decoded(url.username()),
        decoded(url.password().unwrap_or_default())
    );
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(login))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The URL as far as it can be shown: passwords and tokens stand in the rest.
fn origin(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}
