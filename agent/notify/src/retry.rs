//! What a failed delivery means, and when to try again. Pure.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::error::DeliveryErrorKind;

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It may pass.
    Later,
    /// It will not: the receiver refused this message for good.
    Never,
}

/// When to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Longest gap after the first failure; doubles from there. 1 s.
    pub first: Duration,
    /// Longest gap while the message is young. 5 min.
    pub cap: Duration,
    /// A message older than this is no longer young. 1 h.
    pub young: Duration,
    /// Longest gap after that. 15 min.
    pub late_cap: Duration,
    /// Longest wish of a receiver that is granted; beyond it, messages would expire unsent. 1 h.
    pub wish_cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            cap: Duration::from_secs(5 * 60),
            young: Duration::from_secs(60 * 60),
            late_cap: Duration::from_secs(15 * 60),
            wish_cap: Duration::from_secs(60 * 60),
        }
    }
}

impl RetryPolicy {
    /// The gap before the next attempt of the message `event` of this `age`, after `failures` attempts.
    ///
    /// Jitter is full, so that many hosts do not come back in step to a receiver that was down; it comes from the message's
    /// key, so that the same history gives the same gaps. What the receiver asked for is the least.
    pub fn gap(&self, failures: u32, age: Duration, event: &str, wish: Option<Duration>) -> Duration {
        let cap = if age < self.young { self.cap } else { self.late_cap };
        // 2^31 of any gap worth naming is beyond any cap.
        let doublings = failures.saturating_sub(1).min(31);
        let longest = self.first.saturating_mul(1 << doublings).min(cap);
        let gap = longest.mul_f64(share(event, failures));
        gap.max(wish.unwrap_or_default().min(self.wish_cap))
    }
}

/// What a failure means. 3xx is one (Standard Webhooks: do not follow), but an operator can put the address right, or
/// whoever redirects all traffic for a while comes to an end; then the messages are still there.
pub(super) const fn judge(kind: DeliveryErrorKind) -> Retry {
    match kind {
        DeliveryErrorKind::Status(408 | 425 | 429) => Retry::Later,
        DeliveryErrorKind::Status(400..=499) | DeliveryErrorKind::Refused => Retry::Never,
        DeliveryErrorKind::Status(_)
        | DeliveryErrorKind::Connect
        | DeliveryErrorKind::Unavailable
        | DeliveryErrorKind::Timeout
        | DeliveryErrorKind::Broken => Retry::Later,
    }
}

/// The wish in a `Retry-After` header: seconds, or a date in one of HTTP's three forms. Nonsense is no wish.
pub(super) fn retry_after(header: &str, now: Timestamp) -> Option<Duration> {
    let header = header.trim();
    if header.bytes().all(|byte| byte.is_ascii_digit()) && !header.is_empty() {
        return Some(Duration::from_secs(header.parse().unwrap_or(u64::MAX)));
    }
    let until = Timestamp::try_from(httpdate::parse_http_date(header).ok()?).ok()?;
    Some(Duration::try_from(until.duration_since(now)).unwrap_or_default())
}

/// A share between 0 and 1, as good as random between messages and attempts.
fn share(event: &str, failures: u32) -> f64 {
    let hash = Sha256::new()
        .chain_update(event)
        .chain_update(failures.to_be_bytes())
        .finalize();
    f64::from(u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]])) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn gaps_stay_below_their_doubling_bound() {
        let policy = RetryPolicy::default();
        #[rustfmt::skip]
        let table = [
            // failures, age, longest gap
            (1, secs(0), secs(1)),
            (2, secs(0), secs(2)),
            (3, secs(0), secs(4)),
            (9, secs(0), secs(256)),
            (10, secs(0), secs(300)),
            (10, secs(3599), secs(300)),
            (10, HOUR, secs(512)),
            (20, HOUR, secs(900)),
            (u32::MAX, HOUR * 20, secs(900)),
        ];
        for (failures, age, longest) in table {
            let gaps: Vec<Duration> = (0..200)
                .map(|n| policy.gap(failures, age, &format!("msg_{n}"), None))
                .collect();
            assert!(
                gaps.iter().all(|gap| *gap <= longest),
                "{failures} failures: at most {longest:?}"
            );
            assert!(
                gaps.iter().any(|gap| *gap > longest.mul_f64(0.9)),
                "{failures}: jitter uses the upper end"
            );
            assert!(
                gaps.iter().any(|gap| *gap < longest.mul_f64(0.1)),
                "{failures}: jitter uses the lower end"
            );
        }
    }

    #[test]
    fn the_same_history_gives_the_same_gap() {
        let policy = RetryPolicy::default();
        assert_eq!(
            policy.gap(5, secs(0), "msg_a", None),
            policy.gap(5, secs(0), "msg_a", None)
        );
        assert_ne!(
            policy.gap(5, secs(0), "msg_a", None),
            policy.gap(5, secs(0), "msg_b", None)
        );
    }

    #[test]
    fn a_receivers_wish_is_the_least_and_at_most_an_hour() {
        let policy = RetryPolicy::default();
        let gap = |wish| policy.gap(1, secs(0), "msg_a", Some(wish));
        assert_eq!(gap(secs(120)), secs(120), "longer than the gap would be");
        assert!(gap(secs(0)) <= secs(1), "a wish for at once changes nothing");
        assert_eq!(gap(HOUR * 24), HOUR, "a day is not granted");
        assert_eq!(gap(Duration::MAX), HOUR);
    }

    #[test]
    fn wishes_are_understood_in_every_form() {
        let now: Timestamp = "1994-11-06T08:49:00Z".parse().unwrap();
        #[rustfmt::skip]
        let table = [
            ("120", Some(secs(120))),
            (" 0 ", Some(secs(0))),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(secs(37))),
            ("Sun, 06 Nov 1994 08:48:00 GMT", Some(secs(0))),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(secs(37))),
            ("Sun Nov  6 08:49:37 1994", Some(secs(37))),
            ("99999999999999999999999", Some(secs(u64::MAX))),
            ("", None),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
        ];
        for (header, expected) in table {
            assert_eq!(retry_after(header, now), expected, "`{header}`");
        }
    }

    #[test]
    fn failures_are_judged() {
        use DeliveryErrorKind::{Broken, Connect, Refused, Status, Timeout, Unavailable};
        for kind in [Connect, Timeout, Broken, Unavailable] {
            assert_eq!(judge(kind), Retry::Later, "{kind:?} may pass");
        }
        for status in [301, 302, 307, 308, 408, 425, 429, 500, 502, 503, 504, 599] {
            assert_eq!(judge(Status(status)), Retry::Later, "{status} may pass");
        }
        assert_eq!(judge(Refused), Retry::Never);
        for status in [400, 401, 403, 404, 405, 410, 413, 422, 499] {
            assert_eq!(judge(Status(status)), Retry::Never, "{status} will not pass");
        }
    }
}
