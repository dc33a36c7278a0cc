//! HTTP probes: the answer is the right one, whole, and in time.

mod answer;
mod clients;
mod connector;
mod direct;
mod reply;

use std::cell::Cell;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Client, Method, Request, Url};
use sentinel_engine::{ProbeOutcome, ProbePhase, Verdict};
use tokio::time::{Instant, timeout_at};

use super::error::ProbeError;
use super::stage::{STAGE, Stage};
use super::{explain, failed};
use crate::config::HttpProbe;
use answer::{Body, Expectation};
pub(super) use clients::Clients;
use clients::Trust;
pub(super) use reply::AskError;
use reply::Reply;

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
            clients
                .client(trust, settings.keep_alive)
                .map_err(|source| ProbeError::Client {
                    url: origin(url),
                    source,
                })
        };
        let plain = client(Trust::Nobody)?;
        let secure = match (https, settings.follow) {
            (true, _) => Some(client(trust)?),
            (false, 0) => None,
            // A redirect may lead to https. Without certificates that, and only that, fails.
            (false, _) => client(trust).ok(),
        };
        Ok(Self {
            request: request(settings, &plain)?,
            plain,
            secure,
            follow: settings.follow,
            keep_alive: settings.keep_alive,
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
        }
    }

    /// Asks, reads the whole answer up to the cap, and judges it.
    async fn exchange(&self, start: Instant) -> Exchange {
        let deadline = start + self.timeout;
        let overdue = |stage| explain::overdue(stage, self.timeout);
        let mut response = match timeout_at(deadline, self.ask()).await {
            Ok(Ok(response)) => response,
            Ok(Err(exchange)) => return exchange,
            Err(_) => return (None, overdue(STAGE.with(Cell::get))),
        };
        let status = response.status();
        if let Some(failure) = self.expectation.status_failure(status) {
            return (Some(status), failure);
        }
        // Also read when nobody wants it: a service that hangs after its headers does not work, and a connection
        // closed on unread data is reset, which services log as an error.
        let body = Body::read(&mut response, self.expectation.needs_body());
        let verdict = match timeout_at(deadline, body).await {
            Ok(Ok(body)) => self.expectation.judge(&body, start.elapsed()),
            Ok(Err(error)) => explain::body_error(&error, self.timeout),
            Err(_) => overdue(Stage::Reading),
        };
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
                .map_err(|error| (None, explain::http_error(&error, self.timeout)))?;
            let Some(next) = redirect(&reply, request.url()).filter(|_| self.follow > 0) else {
                return Ok(reply);
            };
            let refused = |why: String| (Some(reply.status()), failed(ProbePhase::Status, why));
            if hops == self.follow {
                return Err(refused(format!("more than {} redirects", self.follow)));
            }
            let next = next.map_err(|why| refused(why.to_owned()))?;
            hops += 1;
            redirect_to = Some(redirected(copy(request), reply.status(), next));
        }
    }

    /// Sends one request, by the client unless there is no need for one.
    async fn send(&self, request: &Request) -> Result<Result<Reply, AskError>, Exchange> {
        if !self.keep_alive
            && let Some(address) = direct::address(request.url())
        {
            return Ok(direct::send(request, address).await.map(Reply::Direct));
        }
        let client = self.client_for(request.url()).ok_or_else(no_certificates)?;
        Ok(client
            .execute(copy(request))
            .await
            .map(Reply::Pooled)
            .map_err(AskError::from))
    }

    fn client_for(&self, url: &Url) -> Option<&Client> {
        if url.scheme() == "https" {
            self.secure.as_ref()
        } else {
            Some(&self.plain)
        }
    }
}

/// Where the response leads, when it is a redirect.
fn redirect(response: &Reply, from: &Url) -> Option<Result<Url, &'static str>> {
    if !matches!(response.status(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?;
    let next = location.to_str().ok().and_then(|location| from.join(location).ok());
    Some(match next {
        Some(next) if !matches!(next.scheme(), "http" | "https") => Err("redirected to something that is not HTTP"),
        Some(next) if from.scheme() == "https" && next.scheme() == "http" => Err("redirected from https to http"),
        Some(next) => Ok(next),
        None => Err("redirected to an invalid address"),
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
            ProbePhase::Tls,
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

fn request(settings: &HttpProbe, client: &Client) -> Result<Request, ProbeError> {
    let method = Method::from_bytes(settings.method.as_bytes());
    let method = method.map_err(|_| ProbeError::Method(settings.method.clone()))?;
    let mut headers = HeaderMap::with_capacity(settings.headers.len());
    for (name, value) in &settings.headers {
        let invalid = || ProbeError::Header(name.clone());
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| invalid())?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    // The builder turns a user and password in the URL into a header.
    let request = client.request(method, settings.url.clone()).headers(headers).build();
    request.map_err(|source| ProbeError::Client {
        url: origin(&settings.url),
        source: source.without_url(),
    })
}

/// The URL as far as it can be shown: passwords and tokens stand in the rest.
fn origin(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}
