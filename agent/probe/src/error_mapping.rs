//! From errors to verdicts: which phase, in which words, and whose fault.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::time::Duration;

use rustix::io::Errno;
use sentinel_base::head_guard::Endless;
use sentinel_base::tls::{self, chain};
use sentinel_engine::{FailureKind, ProbeFailure, ProbePhase, Verdict};
use sentinel_text::exact_span;
use sentinel_text::one_line;

use super::failed;
use super::http::AskError;
use super::resolver::LookupError;
use super::stage::Stage;

/// What the agent or its host lacks. It says nothing of the service.
///
/// `EADDRNOTAVAIL` is not among them: it may mean that the ports have run out, but also that the address is wrong, and
/// skipping would hide an outage.
const OWN_SHORTAGES: [Errno; 4] = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS];

/// `std` puts this before what `getaddrinfo` said.
const LOOKUP_PREFIX: &str = "failed to lookup address information: ";

/// What `getaddrinfo` says of a name that does not exist, and of one without an address.
const NO_SUCH_NAME: [&str; 2] = ["Name or service not known", "No address associated with hostname"];

/// The verdict on a request that got no answer.
pub(super) fn http_error(error: &AskError, timeout: Duration) -> Verdict {
    let AskError { connecting, source } = error;
    let mut last: &(dyn Error + 'static) = source.as_ref();
    for cause in chain(source.as_ref()) {
        if let Some(lookup) = cause.downcast_ref::<LookupError>() {
            return lookup_error(lookup);
        }
        if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            return tls_failure(error);
        }
        if let Some(endless) = cause.downcast_ref::<Endless>() {
            return failed(FailureKind::Protocol, endless.to_string());
        }
        if let Some(http) = cause.downcast_ref::<hyper::Error>() {
            // The latter: closed before it had been asked.
            if http.is_incomplete_message() || http.is_canceled() {
                return failed(FailureKind::Closed, "connection closed without an answer");
            }
            if http.is_parse() {
                return failed(FailureKind::Protocol, format!("the answer is not valid HTTP: {http}"));
            }
        }
        // An io error may wrap one of the above: only the innermost speaks for itself.
        if let Some(io) = cause
            .downcast_ref::<io::Error>()
            .filter(|io| io.get_ref().is_none_or(is_leaf))
        {
            let handshake = *connecting && io.raw_os_error().is_none() && io.kind() == ErrorKind::UnexpectedEof;
            return if handshake {
                failed(FailureKind::Tls, "connection closed during the TLS handshake")
            } else {
                io_error(io, timeout)
            };
        }
        last = cause;
    }
    let phase = if *connecting {
        ProbePhase::Connect
    } else {
        ProbePhase::Body
    };
    in_phase(phase, FailureKind::Protocol, one_line(last.to_string().as_bytes()))
}

/// The verdict on an error after the head of the answer: whatever it was, the answer is not whole.
pub(super) fn body_error(error: &AskError, timeout: Duration) -> Verdict {
    match http_error(error, timeout) {
        Verdict::Failed(failure) => in_phase(ProbePhase::Body, failure.kind, format!("answer broken off: {failure}")),
        other => other,
    }
}

/// A failure of a kind that mostly shows in another phase.
pub(super) fn in_phase(phase: ProbePhase, kind: FailureKind, detail: String) -> Verdict {
    Verdict::Failed(ProbeFailure { phase, kind, detail })
}

fn is_leaf(error: &(dyn Error + Send + Sync + 'static)) -> bool {
    error.source().is_none()
        && !error.is::<Endless>()
        && !error.is::<rustls::Error>()
        && !error.is::<hyper::Error>()
        && !error.is::<io::Error>()
}

/// The verdict on a name without address.
pub(super) fn lookup_error(error: &LookupError) -> Verdict {
    if let Some(shortage) = own_shortage(&error.0) {
        return shortage;
    }
    let text = error.0.to_string();
    let words = text.strip_prefix(LOOKUP_PREFIX).unwrap_or(&text);
    if NO_SUCH_NAME.contains(&words) {
        failed(FailureKind::Dns, "name does not resolve")
    } else {
        failed(
            FailureKind::Dns,
            format!("name does not resolve: {}", one_line(words.as_bytes())),
        )
    }
}

/// The verdict on a socket's error.
pub(super) fn io_error(error: &io::Error, timeout: Duration) -> Verdict {
    if let Some(shortage) = own_shortage(error) {
        return shortage;
    }
    let (kind, words) = match error.kind() {
        ErrorKind::ConnectionRefused => (FailureKind::Refused, "connection refused"),
        ErrorKind::ConnectionReset => (FailureKind::Reset, "connection reset"),
        ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof => {
            (FailureKind::Closed, "connection closed")
        }
        ErrorKind::HostUnreachable => (FailureKind::Unreachable, "host unreachable"),
        ErrorKind::NetworkUnreachable => (FailureKind::Unreachable, "network unreachable"),
        ErrorKind::TimedOut => {
            return failed(
                FailureKind::Timeout,
                format!("no connection within {}", exact_span(timeout)),
            );
        }
        // A filter on this host, or a sandbox around the agent.
        ErrorKind::PermissionDenied => return in_phase(ProbePhase::Connect, FailureKind::Agent, os_words(error)),
        _ => return failed(FailureKind::Unreachable, os_words(error)),
    };
    failed(kind, words)
}

/// `Verdict::Skipped` when it is the agent that lacks something.
pub(super) fn own_shortage(error: &io::Error) -> Option<Verdict> {
    let code = error.raw_os_error()?;
    OWN_SHORTAGES
        .iter()
        .any(|errno| errno.raw_os_error() == code)
        .then(|| Verdict::Skipped(format!("the agent could not ask: {}", os_words(error))))
}

/// The system's words without the number that `std` adds.
pub(super) fn os_words(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words);
    one_line(words.as_bytes())
}

/// The verdict on what the deadline cut off.
pub(super) fn overdue(stage: Stage, timeout: Duration) -> Verdict {
    let timeout = exact_span(timeout);
    match stage {
        Stage::LookupQueued => Verdict::Skipped(format!(
            "the agent could not ask: no lookup thread was free within {timeout}"
        )),
        Stage::Resolving => failed(FailureKind::Dns, format!("name not resolved within {timeout}")),
        Stage::Connecting => failed(FailureKind::Timeout, format!("no connection within {timeout}")),
        Stage::Encrypting => failed(FailureKind::Timeout, format!("no TLS handshake within {timeout}")),
        Stage::Waiting => failed(FailureKind::Timeout, format!("no answer within {timeout}")),
        Stage::Reading => failed(FailureKind::Timeout, format!("answer not complete within {timeout}")),
    }
}

/// The verdict on a handshake that failed.
fn tls_failure(error: &rustls::Error) -> Verdict {
    // The one fault for which a probe has a way out that no other client of ours has.
    let way_out = if tls::is_authoritys_own(error) {
        ", or set `insecure = true`"
    } else {
        ""
    };
    failed(FailureKind::Tls, format!("{}{way_out}", tls::words(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: Duration = Duration::from_secs(3);

    #[test]
    fn shortage_of_the_agent_is_skipped_and_never_a_failure() {
        for errno in OWN_SHORTAGES {
            let error = io::Error::from(errno);
            assert!(matches!(io_error(&error, THREE), Verdict::Skipped(_)), "{errno:?}");
            assert!(
                matches!(lookup_error(&LookupError(error)), Verdict::Skipped(_)),
                "{errno:?}"
            );
        }
    }

    #[test]
    fn socket_errors_are_reported_in_words() {
        let table = [
            (Errno::CONNREFUSED, FailureKind::Refused, "connection refused"),
            (Errno::CONNRESET, FailureKind::Reset, "connection reset"),
            (Errno::CONNABORTED, FailureKind::Closed, "connection closed"),
            (Errno::PIPE, FailureKind::Closed, "connection closed"),
            (Errno::HOSTUNREACH, FailureKind::Unreachable, "host unreachable"),
            (Errno::NETUNREACH, FailureKind::Unreachable, "network unreachable"),
            (
                Errno::ADDRNOTAVAIL,
                FailureKind::Unreachable,
                "Cannot assign requested address",
            ),
            (Errno::ACCESS, FailureKind::Agent, "Permission denied"),
            (Errno::PERM, FailureKind::Agent, "Operation not permitted"),
        ];
        for (errno, kind, words) in table {
            let expected = in_phase(ProbePhase::Connect, kind, words.to_owned());
            assert_eq!(io_error(&errno.into(), THREE), expected);
        }
        let expected = failed(FailureKind::Timeout, "no connection within 3s");
        assert_eq!(io_error(&Errno::TIMEDOUT.into(), THREE), expected);
    }

    #[test]
    fn deadline_says_what_it_cut_off() {
        let table = [
            (Stage::Resolving, FailureKind::Dns, "name not resolved within 3s"),
            (Stage::Connecting, FailureKind::Timeout, "no connection within 3s"),
            (Stage::Encrypting, FailureKind::Timeout, "no TLS handshake within 3s"),
            (Stage::Waiting, FailureKind::Timeout, "no answer within 3s"),
            (Stage::Reading, FailureKind::Timeout, "answer not complete within 3s"),
        ];
        for (stage, kind, words) in table {
            assert_eq!(overdue(stage, THREE), failed(kind, words));
        }
        assert!(matches!(overdue(Stage::LookupQueued, THREE), Verdict::Skipped(_)));
    }

    #[test]
    fn io_error_that_wraps_another_is_seen_through() {
        let wrapped = io::Error::other(LookupError(io::Error::other("inner")));
        assert!(chain(&wrapped).any(<dyn Error>::is::<LookupError>));
    }
}
