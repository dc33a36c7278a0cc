//! What every part of the agent rests on: its clock, child processes, what a peer may send, who listens where, and the words
//! for what TLS refuses.

pub mod clock;
pub mod head_guard;
pub mod subprocess;
pub mod tcp_listeners;
pub mod tls;
pub mod watchdog;
