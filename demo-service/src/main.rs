//! Sentinel.
fn main() {}
