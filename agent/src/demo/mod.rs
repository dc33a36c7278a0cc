//! `sentinel demo`: the whole story on this machine, with nothing installed.
use crate::cli::{DemoArgs, Exit};

/// Runs the demo.
pub async fn run(_args: &DemoArgs) -> Exit {
    Exit::No
}
