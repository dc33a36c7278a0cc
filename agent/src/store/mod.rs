//! What the agent remembers: SQLite in the state directory.
