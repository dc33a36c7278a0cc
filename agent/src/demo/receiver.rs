//! The receivers to be notified: a webhook on loopback that believes only what is signed, as in Standard Webhooks 1.0.
//!
//! The signature is checked here by code of its own, and not by that which makes it in the agent.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use sentinel_notify::{Message, PAYLOAD_MAX};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::error::DemoError;

/// Posts that may wait to be shown. The whole story has six.
const QUEUE: usize = 64;

/// Seconds by which a message's time may be off: what Standard Webhooks suggests against replays.
const TOLERANCE: i64 = 5 * 60;

/// Bytes of the signing key; Standard Webhooks asks for 24 to 64.
pub(super) const KEY_BYTES: usize = 32;

/// What arrived.
#[derive(Debug)]
pub(super) struct Post {
    /// When.
    pub(super) at: Instant,
    /// A message, or why it was not believed.
    pub(super) alert: Result<Alert, Refusal>,
}

/// A message that was signed by the agent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Alert {
    /// Its idempotency key.
    pub(super) id: String,
    /// What it says.
    pub(super) message: Message,
}

/// Why a message was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// A header is missing, or is not what it should be.
    #[error("it lacks the headers of Standard Webhooks")]
    Headers,
    /// It is too old, or from the future.
    #[error("its time is off by more than {TOLERANCE} s")]
    Time,
    /// It was not signed with our key.
    #[error("its signature is wrong")]
    Signature,
    /// It is no message.
    #[error("it is not a message of the agent")]
    Body,
}

/// The webhook, served until dropped.
#[derive(Debug)]
pub(super) struct Receiver {
    /// Where to POST.
    pub(super) url: String,
    posts: mpsc::Receiver<Post>,
    /// Held for its end.
    _server: JoinSet<()>,
}

struct Shared {
    key: [u8; KEY_BYTES],
    posts: mpsc::Sender<Post>,
}

impl Receiver {
    /// Begins to listen on a free port.
    pub(super) async fn open(key: [u8; KEY_BYTES]) -> Result<Self, DemoError> {
        let failed = || DemoError::doing("listen for alerts on 127.0.0.1");
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed())?;
        let url = format!("http://{}/alerts", listener.local_addr().map_err(failed())?);
        let (sender, posts) = mpsc::channel(QUEUE);
        let shared = Shared { key, posts: sender };
        let router = Router::new()
            .route("/alerts", post(take))
            .layer(DefaultBodyLimit::max(PAYLOAD_MAX))
            .with_state(Arc::new(shared));
        let mut server = JoinSet::new();
        server.spawn(async move {
            // Never ends; were it to, the alerts would be missed, and that is noticed.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            url,
            posts,
            _server: server,
        })
    }

    /// The next post.
    pub(super) async fn next(&mut self) -> Option<Post> {
        self.posts.recv().await
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let alert = verify(&shared.key, &headers, &body, sentinel_base::clock::wall());
    let status = match &alert {
        Ok(_) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::UNAUTHORIZED,
    };
    let at = Instant::now();
    // Once nobody looks any more, nothing needs to be shown.
    let _ = shared.posts.send(Post { at, alert }).await;
    status
}

/// The message, if it was signed with `key` and is of this time.
fn verify(key: &[u8], headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<Alert, Refusal> {
    let header = |name| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        value.ok_or(Refusal::Headers)
    };
    let id = header("webhook-id")?;
    let seconds: i64 = header("webhook-timestamp")?.parse().map_err(|_| Refusal::Headers)?;
    if now.as_second().abs_diff(seconds) > TOLERANCE.unsigned_abs() {
        return Err(Refusal::Time);
    }
    let signed = header("webhook-signature")?
        .split(' ')
        .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
        .any(|signature| is_signature(key, &format!("{id}.{seconds}."), body, &signature));
    if !signed {
        return Err(Refusal::Signature);
    }
    let message = serde_json::from_slice(body).map_err(|_| Refusal::Body)?;
    Ok(Alert {
        id: id.to_owned(),
        message,
    })
}

fn is_signature(key: &[u8], prefix: &str, body: &[u8], signature: &[u8]) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return false;
    };
    mac.update(prefix.as_bytes());
    mac.update(body);
    mac.verify_slice(signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SECONDS: i64 = 1_614_265_330;

    /// The example of the specification.
    fn headers() -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        headers
    }

    fn verified(headers: &HeaderMap, body: &[u8], seconds: i64) -> Refusal {
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        verify(&key, headers, body, Timestamp::from_second(seconds).unwrap()).unwrap_err()
    }

    #[test]
    fn only_what_is_signed_is_believed() {
        // It gets past the signature, and is then no message of ours.
        assert_eq!(verified(&headers(), BODY, SECONDS), Refusal::Body);
        assert_eq!(verified(&headers(), b"{}", SECONDS), Refusal::Signature);
        assert_eq!(verified(&headers(), BODY, SECONDS + 299), Refusal::Body);
        assert_eq!(verified(&headers(), BODY, SECONDS + 301), Refusal::Time);
        assert_eq!(verified(&headers(), BODY, SECONDS - 301), Refusal::Time);
        for (name, value, expected) in [
            ("webhook-id", "msg_other", Refusal::Signature),
            ("webhook-timestamp", "1614265331", Refusal::Signature),
            ("webhook-timestamp", "soon", Refusal::Headers),
            ("webhook-signature", "v1,AAAA", Refusal::Signature),
            (
                "webhook-signature",
                "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
                Refusal::Signature,
            ),
        ] {
            let mut headers = headers();
            headers.insert(name, value.parse().unwrap());
            assert_eq!(verified(&headers, BODY, SECONDS), expected, "{name}: {value}");
            headers.remove(name);
            assert_eq!(verified(&headers, BODY, SECONDS), Refusal::Headers, "no {name}");
        }
    }

    #[test]
    fn one_good_signature_among_several_is_enough() {
        let mut headers = headers();
        let several = "v1,AAAA v2,x v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        headers.insert("webhook-signature", several.parse().unwrap());
        assert_eq!(verified(&headers, BODY, SECONDS), Refusal::Body);
    }
}
