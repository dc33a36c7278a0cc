//! Patterns for names of services.

pub use sentinel_engine::matches;
