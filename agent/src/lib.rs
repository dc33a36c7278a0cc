//! Sentinel, the self-healing host agent: everything around the pure core in `sentinel-engine`.
//!
//! `agent/docs/architecture.md` shows the way through.

pub mod app;
pub mod cli;
pub mod components;
pub mod demo;
pub mod doctor;
pub mod polkit;
pub mod reload;
pub mod root_guard;
pub mod server;
pub mod shown;
pub mod simulate;
pub mod status_line;
pub mod suggest;
pub mod telemetry;
pub mod version;
