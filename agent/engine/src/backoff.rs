//! The growing gap between attempts, and deterministic jitter.

use std::time::Duration;

use crate::policy::Policy;

/// The gap before the next attempt when `attempts` have been made: nothing, then `backoff` doubled each time up to
/// `backoff_max`, varied by `jitter` from `seed`.
pub(crate) fn gap(policy: &Policy, attempts: u32, seed: u64) -> Duration {
    let Some(doublings) = attempts.checked_sub(1) else {
        return Duration::ZERO;
    };
    let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
    let gap = policy.backoff.saturating_mul(factor).min(policy.backoff_max);
    gap.mul_f64(1.0 + policy.jitter.clamp(0.0, 1.0) * (2.0 * fraction(seed) - 1.0))
}

/// A seed that differs between services and attempts and is the same on every replay.
pub(crate) fn seed(name: &str, number: u64, ordinal: u64) -> u64 {
    // FNV-1a over the name, so that two hosts with the same services still differ by their names and numbers.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^ number.rotate_left(32) ^ ordinal
}

/// Spreads `seed` evenly over 0..1 (the finaliser of `SplitMix64`).
pub(crate) fn fraction(seed: u64) -> f64 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    // The upper 32 bits fit a double exactly.
    f64::from(u32::try_from(bits >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_double_up_to_the_cap() {
        let policy = Policy {
            jitter: 0.0,
            ..Policy::default()
        };
        let seconds: Vec<u64> = (0..9).map(|attempts| gap(&policy, attempts, 0).as_secs()).collect();
        assert_eq!(seconds, [0, 10, 20, 40, 80, 160, 300, 300, 300]);
        assert_eq!(gap(&policy, u32::MAX, 0).as_secs(), 300);
    }

    #[test]
    fn jitter_stays_within_its_share_and_varies() {
        let policy = Policy::default();
        let gaps: Vec<f64> = (0..200)
            .map(|number| gap(&policy, 1, seed("shop", number, 1)).as_secs_f64())
            .collect();
        assert!(gaps.iter().all(|gap| (8.0..=12.0).contains(gap)), "{gaps:?}");
        let mean = gaps.iter().sum::<f64>() / 200.0;
        assert!((9.5..10.5).contains(&mean), "{mean}");
        assert!(gaps.iter().any(|gap| *gap < 8.5) && gaps.iter().any(|gap| *gap > 11.5));
    }
}
