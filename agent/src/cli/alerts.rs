//! `sentinel alerts test`: sends a message through each receiver as it is configured, without the agent.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::Timestamp;
use sentinel_config::template::Link;
use sentinel_config::{ReceiverSettings, Settings, nearest};
use sentinel_engine::{IncidentId, Time};
use sentinel_notify::{DeliveryError, Message, Receiver, ReceiverError};
use sentinel_store::Delivery;
use sentinel_text::{Table, Tone, chain};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Cli, Exit, fail, print, refuse};

/// How a test of one receiver went.
struct Tested {
    receiver: String,
    kind: &'static str,
    took: Duration,
    /// Whom of those behind it the message did not reach, and why; or why it failed.
    result: Result<Option<String>, TestError>,
}

/// Why a message did not reach its receiver.
#[derive(Debug, thiserror::Error)]
enum TestError {
    /// The receiver cannot work as it is configured.
    #[error(transparent)]
    Receiver(#[from] ReceiverError),
    /// The other side did not take it.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
}

/// Why nothing is tested.
#[derive(Debug, thiserror::Error)]
enum ChoiceError {
    /// There is nothing to choose from.
    #[error("there are no receivers in the configuration")]
    NoReceivers,
    /// No receiver has this name; one may have been meant.
    #[error("there is no receiver `{name}`{}", .meant.as_ref().map_or_else(String::new, |meant| format!("; did you mean `{meant}`?")))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest there is.
        meant: Option<String>,
    },
}

/// Carries out the command.
pub(super) async fn run(cli: &Cli, receiver: Option<&str>) -> Exit {
    let loaded = match sentinel_config::load(&cli.config, sentinel_config::environment()) {
        Ok(loaded) => loaded,
        Err(errors) => return refuse(&errors.to_string()),
    };
    match chosen(&loaded.settings, receiver) {
        Ok(chosen) => test(&loaded.settings, chosen, cli.json).await,
        Err(error) => fail(Exit::Failure, &error.to_string()),
    }
}

/// The receivers that are asked for.
fn chosen<'a>(settings: &'a Settings, name: Option<&str>) -> Result<Vec<&'a ReceiverSettings>, ChoiceError> {
    let all = &settings.receivers;
    let Some(name) = name else {
        let all: Vec<_> = all.iter().collect();
        return if all.is_empty() {
            Err(ChoiceError::NoReceivers)
        } else {
            Ok(all)
        };
    };
    if let Some(found) = all.iter().find(|receiver| receiver.name == name) {
        return Ok(vec![found]);
    }
    let meant = nearest(name, all.iter().map(|receiver| receiver.name.as_str()));
    Err(ChoiceError::Unknown {
        name: name.to_owned(),
        meant: meant.map(str::to_owned),
    })
}

/// Tests the receivers, all at the same time, and says how each went.
async fn test(settings: &Settings, chosen: Vec<&ReceiverSettings>, json: bool) -> Exit {
    let (host, link) = (&settings.agent.name, settings.alerts.link.as_deref());
    let tested = join_all(chosen.into_iter().map(|settings| try_out(host, link, settings))).await;
    let shown = if json { in_json(&tested) } else { in_words(&tested) };
    match print(&shown) {
        Exit::Ok if tested.iter().any(|tested| tested.result.is_err()) => Exit::Failure,
        exit => exit,
    }
}

async fn try_out(host: &str, link: Option<&Link>, settings: &ReceiverSettings) -> Tested {
    let begin = Instant::now();
    let result = match Receiver::all(std::slice::from_ref(settings)).map(|mut made| made.pop()) {
        Ok(Some(receiver)) => {
            let now = sentinel_base::clock::wall();
            let sent = receiver.deliver(&delivery(host, &settings.name, link, now), now).await;
            sent.map(|delivered| delivered.missed).map_err(Into::into)
        }
        Ok(None) => Ok(None),
        Err(error) => Err(error.into()),
    };
    Tested {
        receiver: settings.name.clone(),
        kind: settings.kind.word(),
        took: begin.elapsed(),
        result,
    }
}

/// A message with a key of its own, which nobody has seen before.
fn delivery(host: &str, receiver: &str, link: Option<&Link>, now: Timestamp) -> Delivery {
    let mut message = Message::test(host, receiver, now);
    // As alerts have it, so that a receiver which refuses the link refuses the test too.
    if let Some(link) = link {
        message.add_link(link);
    }
    let hash = Sha256::new()
        .chain_update(host)
        .chain_update(receiver)
        .chain_update(now.as_nanosecond().to_be_bytes())
        .chain_update(std::process::id().to_be_bytes())
        .finalize();
    Delivery {
        row: 0,
        event: hash[..16]
            .iter()
            .fold("msg_".to_owned(), |id, byte| format!("{id}{byte:02x}")),
        incident: IncidentId(0),
        sequence: 1,
        kind: "test".to_owned(),
        payload: message.payload(),
        created: Time::ZERO,
        attempt: 1,
        ambiguous: false,
        first: None,
    }
}

fn in_words(tested: &[Tested]) -> String {
    let mut table = Table::indented("");
    for one in tested {
        let (tone, result) = match &one.result {
            Ok(None) => (Tone::Good, "ok".to_owned()),
            Ok(Some(missed)) => (Tone::Warn, format!("ok, but not for all: {missed}")),
            Err(error) => (Tone::Bad, format!("failed: {}", chain(error))),
        };
        table.row([
            (Tone::Strong, one.receiver.clone()),
            (Tone::Plain, one.kind.to_owned()),
            (Tone::Plain, sentinel_text::span(one.took)),
            (tone, result),
        ]);
    }
    table.render(super::stdout::paint())
}

fn in_json(tested: &[Tested]) -> String {
    let entries: Vec<_> = tested
        .iter()
        .map(|one| {
            json!({
                "receiver": one.receiver, "kind": one.kind, "ok": one.result.is_ok(),
                "error": one.result.as_ref().err().map(|error| chain(error)), "missed": one.result.as_ref().ok(),
                "seconds": one.took.as_secs_f64(),
            })
        })
        .collect();
    format!("{:#}", serde_json::Value::Array(entries))
}
