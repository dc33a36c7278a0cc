//! Where messages go, and their delivery from the outbox.
