//! Active checks of a service: HTTP, TCP, command.
