//! The dead man's switch: asks a URL now and then while the agent is well, so that somebody notices when it no longer
//! does. Another URL is asked while it is not well; and when its driver stands still, the same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sentinel_base::clock::Clock;
use sentinel_config::HeartbeatSettings;
use sentinel_engine::{Event, ServiceName, TargetState};
use sentinel_store::Store;
use sentinel_text::{chain, exact_span};
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::error::DeliveryError;
use super::http::{Clients, Endpoint};
use super::settings_error::SettingsError;

/// A message that no operator took for this long: whoever should be told is not.
const STUCK: Duration = Duration::from_secs(10 * 60);

/// A driver that did not turn for this long stands still; idle, it turns every 5 s.
const STILL: Duration = Duration::from_secs(60);

/// The last heartbeat may not hold up the end for longer.
const LAST: Duration = Duration::from_secs(3);

/// What the driver reports itself, for whoever watches over it.
#[derive(Clone, Debug)]
pub struct AgentHealth {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

#[derive(Debug)]
struct State {
    turned: Instant,
    store_failing: bool,
    /// With the reasons.
    unseen: BTreeMap<ServiceName, String>,
}

/// What is wrong with the agent itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthProblems {
    /// The store cannot be written.
    pub store_failing: bool,
    /// The targets that cannot be seen, and why.
    pub unseen: BTreeMap<ServiceName, String>,
    /// The receivers that nothing reaches; the driver does not know them.
    pub receivers: Vec<String>,
}

impl Default for AgentHealth {
    fn default() -> Self {
        Self {
            state: Arc::new(Mutex::new(State {
                turned: Instant::now(),
                store_failing: false,
                unseen: BTreeMap::new(),
            })),
            changed: Arc::default(),
        }
    }
}

impl AgentHealth {
    /// The driver finished a turn; `store_failing` when the last commit failed.
    pub fn turned(&self, store_failing: bool) {
        let before = self.with(|state| {
            state.turned = Instant::now();
            std::mem::replace(&mut state.store_failing, store_failing)
        });
        if before != store_failing {
            self.news();
        }
    }

    /// Learns from an event whether a target can be seen.
    pub fn saw(&self, event: &Event) {
        let Event::TargetObserved { service, observation } = event else {
            return;
        };
        let news = self.with(|state| match &observation.state {
            TargetState::Unknown(why) => state.unseen.insert(service.clone(), why.clone()).as_ref() != Some(why),
            _ => state.unseen.remove(service).is_some(),
        });
        if news {
            self.news();
        }
    }

    /// Something changed that people may want to see.
    pub fn news(&self) {
        self.changed.notify_one();
    }

    /// Done when something changed since it was last done. For one who waits.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What the driver knows to be wrong.
    pub fn problems(&self) -> HealthProblems {
        self.with(|state| HealthProblems {
            store_failing: state.store_failing,
            unseen: state.unseen.clone(),
            receivers: Vec::new(),
        })
    }

    /// Forgets services that are no longer watched.
    pub fn keep(&self, known: impl Fn(&ServiceName) -> bool) {
        self.with(|state| state.unseen.retain(|service, _| known(service)));
    }

    /// What is wrong with the agent; `None` when all is well. The words stay the same for as long as the trouble does, since
    /// it is logged when they change.
    fn trouble(&self, oldest_untaken: Option<Duration>) -> Option<String> {
        self.with(|state| {
            if state.turned.elapsed() > STILL {
                return Some(format!("the agent has stood still for more than {}", exact_span(STILL)));
            }
            if state.store_failing {
                return Some("the store cannot be written".to_owned());
            }
            if let Some(service) = state.unseen.keys().next() {
                let others = match state.unseen.len() - 1 {
                    0 => String::new(),
                    1 => ", nor that of one other".to_owned(),
                    others => format!(", nor those of {others} others"),
                };
                return Some(format!("the target of `{service}` cannot be seen{others}"));
            }
            oldest_untaken
                .is_some_and(|age| age > STUCK)
                .then(|| format!("a message has been waiting for more than {}", exact_span(STUCK)))
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Sends heartbeats as the settings say, which may change at any time.
pub struct Heartbeat {
    /// `[heartbeat]`, as it is in force.
    pub settings: watch::Receiver<Option<HeartbeatSettings>>,
    /// How the driver is.
    pub agent_health: AgentHealth,
    /// Where messages wait.
    pub store: Store,
    /// The engine's time.
    pub clock: Clock,
}

impl Heartbeat {
    /// Sends heartbeats until the agent ends.
    pub async fn run(mut self) {
        let mut said = None;
        loop {
            let settings = self.settings.borrow_and_update().clone();
            let Some(settings) = settings else {
                if self.settings.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let mut ticks = interval(settings.interval);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = ticks.tick() => self.beat(&settings, &mut said).await,
                    changed = self.settings.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return,
                    },
                }
            }
        }
    }

    /// Sends one heartbeat. What comes of it is logged when it is another than before, `said`.
    async fn beat(&self, settings: &HeartbeatSettings, said: &mut Option<String>) {
        let oldest = self.store.oldest_untaken().await;
        let trouble = match oldest {
            Ok(oldest) => self.agent_health.trouble(oldest.map(|at| self.clock.now().since(at))),
            Err(_) => Some("the store cannot be read".to_owned()),
        };
        let failed = ask(settings, trouble.is_none()).await.err().map(|error| chain(&error));
        let now = failed.as_ref().or(trouble.as_ref()).cloned();
        if now == *said {
            return;
        }
        match (&failed, &trouble) {
            (Some(error), _) => tracing::warn!(event = "heartbeat_failed", error, "heartbeat not delivered"),
            (None, Some(trouble)) => {
                tracing::warn!(
                    event = "heartbeat_degraded",
                    trouble,
                    "heartbeat delivered; it reports a problem"
                );
            }
            (None, None) => tracing::info!(event = "heartbeat_well", "heartbeat delivered; no problem to report"),
        }
        *said = now;
    }
}

/// The last heartbeat of an agent that ends as it was told to: the other side has its whole patience until the next.
pub async fn last(settings: Option<&HeartbeatSettings>) {
    if let Some(settings) = settings
        && let Ok(Err(error)) = timeout(LAST, ask(settings, true)).await
    {
        tracing::warn!(
            event = "heartbeat_failed",
            error = chain(&error),
            "the last heartbeat was not delivered"
        );
    }
}

/// Why a heartbeat was not delivered. Fit to be shown, as it tells neither address.
#[derive(Debug, thiserror::Error)]
enum BeatError {
    /// Its address cannot be asked.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The other side did not take it.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
}

/// Asks the address for when all `is_well`, or the other. Made again each
/// time: it is rare, and a client that is kept would cost memory.
async fn ask(settings: &HeartbeatSettings, is_well: bool) -> Result<(), BeatError> {
    let (url, other) = if is_well {
        (&settings.url, &settings.fail_url)
    } else {
        (&settings.fail_url, &settings.url)
    };
    let endpoint = Endpoint::new(url, [other], &mut Clients::default())?;
    let response = endpoint.ask().await?;
    if response.status().is_success() {
        return Ok(());
    }
    Err(endpoint.refused(response, sentinel_base::clock::wall()).await.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_trouble_is_reported() {
        let agent_health = AgentHealth::default();
        let trouble = |waits| agent_health.trouble(waits).unwrap_or_default();
        assert_eq!(trouble(None), "");
        assert_eq!(trouble(Some(STUCK)), "", "not yet too long");
        let waiting = "a message has been waiting for more than 10m";
        // The next heartbeat says the same, and so the log does not say it again.
        for seconds in [1, 61] {
            assert_eq!(trouble(Some(STUCK + Duration::from_secs(seconds))), waiting);
        }
        agent_health.turned(true);
        assert_eq!(trouble(None), "the store cannot be written");
        agent_health.turned(false);
        assert_eq!(trouble(None), "");
        for (service, expected) in [
            ("shop", "the target of `shop` cannot be seen"),
            ("site", "the target of `shop` cannot be seen, nor that of one other"),
            ("till", "the target of `shop` cannot be seen, nor those of 2 others"),
        ] {
            agent_health.with(|state| state.unseen.insert(service.into(), "no bus".to_owned()));
            assert_eq!(trouble(None), expected);
        }
        agent_health.keep(|_| false);
        assert_eq!(trouble(None), "");
        agent_health.with(|state| state.turned = Instant::now().checked_sub(STILL + Duration::from_secs(7)).unwrap());
        assert_eq!(trouble(None), "the agent has stood still for more than 1m");
    }
}
