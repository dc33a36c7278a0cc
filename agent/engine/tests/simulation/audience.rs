//! Who is notified in a life: one receiver of everything, or several with routes, escalations and repeats.

use sentinel_engine::alerting::Rules;

/// Everything to one receiver, nothing repeated: what the engine says is what arrives.
pub fn plain() -> Rules {
    Rules {
        receivers: ["chat".to_owned()].into(),
        default: vec!["chat".to_owned()],
        ..Rules::nobody()
    }
}
