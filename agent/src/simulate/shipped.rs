//! The scenarios that come with the agent.

/// A scenario that comes with the agent.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// What it is asked for by.
    pub name: &'static str,
    /// Its text, to be read, or to begin one's own with.
    pub text: &'static str,
}

macro_rules! shipped {
    ($($name:literal),+ $(,)?) => {
        /// Every scenario that comes with the agent, in the order in which they are listed.
        pub const SHIPPED: &[Shipped] = &[$(Shipped {
            name: $name,
            text: include_str!(concat!("scenarios/", $name, ".toml")),
        }),+];
    };
}

shipped![
    "crash",
    "crash-loop",
    "hang",
    "slow-starter",
    "supervisor",
    "operator-stop",
    "maintenance",
    "dependency",
    "storm",
    "relapse",
    "flapping",
    "reboot",
    "agent-killed",
    "connection-lost",
    "suspend",
];

/// The scenario called `name`.
pub fn find(name: &str) -> Option<&'static Shipped> {
    SHIPPED.iter().find(|shipped| shipped.name == name)
}
