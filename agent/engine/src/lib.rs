//! The pure core of Sentinel: decides what to restart and what to say.
//!
//! Nothing here does IO or reads a clock. The driver feeds [`Engine::handle_event`] and [`Engine::handle_timeout`]
//! with the current [`Time`], then polls [`Engine::poll_command`] until it is empty and sleeps until
//! [`Engine::poll_timeout`]. The same inputs in the same order always give the same commands.
//!
//! ```
//! use std::time::Duration;
//!
//! use sentinel_engine::{
//!     ActionId, Cause, Command, Engine, Event, HostPolicy, IncidentId, Intent, Memory, Observation, Service, TargetState,
//!     Time,
//! };
//!
//! let mut now = Time::from_epoch(Duration::from_secs(1000));
//! let mut engine = Engine::new(HostPolicy::default(), IncidentId(1), ActionId(1));
//! let shop = Service {
//!     has_target: true,
//!     ..Service::unmanaged("shop".into())
//! };
//! engine.add_service(now, shop, Memory::default());
//!
//! // Its watcher saw it run, and then saw that run end.
//! let crash = TargetState::Down {
//!     intent: Intent::Crash,
//!     cause: Cause::Exited { code: 1 },
//! };
//! for state in [TargetState::Running, crash] {
//!     now = now + Duration::from_secs(60);
//!     let observation = Observation::new(state, Some("run-1".into()));
//!     let service = "shop".into();
//!     engine.handle_event(now, Event::TargetObserved { service, observation });
//! }
//!
//! // Nothing restarts it by itself: after the first gap of the backoff the engine asks for that.
//! let restart = loop {
//!     match engine.poll_command() {
//!         Some(Command::RestartTarget(action)) => break action,
//!         // To be recorded, or sent; all of it before the restart is carried out.
//!         Some(_) => {}
//!         None => {
//!             now = engine.poll_timeout().expect("it waits for something");
//!             engine.handle_timeout(now);
//!         }
//!     }
//! };
//! assert_eq!(restart.service, "shop".into());
//! assert_eq!(restart.attempt, 1);
//! ```

pub mod alerting;
mod backoff;
mod blast;
mod budget;
mod cause;
mod command;
mod crash_loop;
mod engine;
mod event;
mod flapping;
mod health;
mod host;
mod ids;
mod labels;
mod memory;
mod notification;
mod observation;
mod outage;
mod pattern;
mod policy;
mod probe;
mod proof;
mod report;
mod restart_on;
mod service;
mod snapshot;
mod state;
mod time;
mod timers;
mod wakes;

pub use blast::BlastRadius;
pub use budget::Budget;
pub use cause::Cause;
pub use command::{Action, ActionKind, Command};
pub use engine::{Changed, Engine, Reload};
pub use event::{ActionResult, Event, OperatorRequest, RequestError, STANDSTILL, Window};
pub use flapping::Flapping;
pub use host::{HOST, HostMemory, HostPolicy};
pub use ids::{ActionId, IncidentId, ProbeRound, Question, RunId, ServiceName};
pub use labels::Labels;
pub use memory::{Answered, Attempt, Deploy, DryRunStats, GivenUp, Incident, Memory, Passed, Pause, PendingDryRun};
pub use notification::{Failing, News, Notification, NotificationKind};
pub use observation::{
    Activity, AskedToStop, Details, FellWith, HealthCheck, Intent, Limits, Observation, StartedBy, Supervisor,
    TargetState, Trigger, TriggerState,
};
pub use outage::{Outage, Starter};
pub use pattern::matches;
pub use policy::{BeforeFirstPass, Mode, OnCleanExit, OnDependencyReturn, Policy, Service, Settle, Severity};
pub use probe::{Answer, FailureKind, ProbeFailure, ProbeOutcome, ProbePhase, Verdict};
pub use report::{Report, ReportKind, Resolution};
pub use restart_on::{RestartOn, RestartWord};
pub use service::DRAIN_MAX;
pub use snapshot::{FlappingSnapshot, Maintenance, ServiceSnapshot};
pub use state::{Hold, State};
pub use time::Time;
