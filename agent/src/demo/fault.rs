//! The faults of the story.

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    /// Its name in the table.
    pub(super) name: &'static str,
    /// What is asked of `demo-service` to bring it about.
    pub(super) path: &'static str,
    /// What that means, for the timeline.
    pub(super) request: &'static str,
}

/// In this order: gone, there and silent, there and wrong.
pub(super) const FAULTS: [Fault; 3] = [
    Fault {
        name: "crash",
        path: "/chaos/crash?code=3",
        request: "is asked to exit with code 3",
    },
    Fault {
        name: "hang",
        path: "/chaos/hang",
        request: "is asked to accept connections and never to answer",
    },
    Fault {
        name: "status 500",
        path: "/chaos/status?code=500",
        request: "is asked to answer with status 500",
    },
];
