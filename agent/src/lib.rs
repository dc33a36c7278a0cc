//! Sentinel, the self-healing host agent: everything around the pure core in `sentinel-engine`.
//!
//! `agent/docs/architecture.md` shows the way through.

mod announcer;
pub mod app;
mod children;
pub mod cli;
pub mod clock;
pub mod components;
pub mod config;
pub mod demo;
pub mod discovery;
pub mod docker;
pub mod doctor;
pub mod driver;
mod evidence;
mod head_guard;
pub mod history;
pub mod host_bus;
mod listening;
pub mod maintenance;
pub(crate) mod moment;
pub mod polkit;
pub mod probe;
pub mod process;
mod question;
pub mod receivers;
pub mod reload;
pub mod server;
pub mod simulate;
pub mod status_line;
pub mod store;
pub mod suggest;
pub mod systemd;
pub mod telemetry;
pub(crate) mod template;
pub(crate) mod tls;
pub mod version;
pub mod watchdog;
