//! Configuration: what the user wrote, checked and turned into settings.

mod settings;

pub use settings::{
    AgentSettings, AlertSettings, CommandProbe, HttpProbe, LogFormat, ProbeSettings, ProcessTarget, ReceiverKind,
    ReceiverSettings, ServiceSettings, Settings, Target, TcpProbe, WebhookSettings,
};
