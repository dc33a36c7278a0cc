//! Logs: logfmt or JSON on stdout, native fields in journald.
