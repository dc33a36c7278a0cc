//! systemd units over D-Bus: watched, classified, restarted.
