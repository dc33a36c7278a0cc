//! Process targets: what neither systemd nor Docker runs.
