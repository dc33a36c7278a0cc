//! Whoever asks the blackbox exporter to probe, as Prometheus would: one request per target and interval, spread over
//! it, over connections that are kept.

use std::time::Duration;

use anyhow::Context as _;
use reqwest::Client;
use tokio::sync::oneshot;
use tokio::time::interval;

/// Asks while it lives, on a thread of its own.
pub struct Driving {
    _stop: oneshot::Sender<()>,
}

impl Driving {
    /// Asks for `count` probes of the targets at `port` every `every`.
    pub fn start(port: u16, count: usize, every: Duration) -> anyhow::Result<Self> {
        let (sender, stop) = oneshot::channel();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().tls_certs_only([]).no_proxy().build()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new()
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        () = drive(&client, port, count, every) => {}
                        _ = stop => {}
                    }
                });
            })
            .context("no thread")?;
        Ok(Self { _stop: sender })
    }
}

async fn drive(client: &Client, port: u16, count: usize, every: Duration) {
    let mut ticks = interval(every / u32::try_from(count).unwrap_or(u32::MAX));
    for nth in (0..count).cycle() {
        ticks.tick().await;
        let url = format!("http://127.0.0.1:9115/probe?module=http_2xx&target=http://127.0.0.1:{port}/{nth}");
        let request = client.get(url);
        tokio::spawn(async move {
            // Before it listens nothing answers.
            if let Ok(answer) = request.send().await {
                let _ = answer.bytes().await;
            }
        });
    }
}
