//! How long a failed step waits for its next attempt.

use std::time::Duration;

use tasker_template::RetryPolicy;

/// The largest part of the plain delay that is added to it, so that the retries of many tasks spread out.
const JITTER: f64 = 0.1;

/// The delay before the next attempt, when `attempts` have been made: the policy's own (the plain delay),
/// with jitter by `random`, which is from 0 up to 1, times `scale`. The jitter never shortens the plain
/// delay, and never exceeds the policy's cap.
pub(crate) fn delay(policy: &RetryPolicy, attempts: u32, scale: f64, random: f64) -> Duration {
    let plain = policy.delay(attempts);
    let jittered = plain + plain.mul_f64(JITTER * random);
    let capped = jittered.min(policy.cap()).max(plain);
    Duration::try_from_secs_f64(capped.as_secs_f64() * scale).unwrap_or(capped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_neither_shortens_the_delay_nor_passes_the_cap() {
        let policy = RetryPolicy { backoff_base_ms: 2_000, max_backoff_ms: 8_100, ..RetryPolicy::default() };
        for random in [0.0, 0.5, 0.999] {
            let delays = [1, 2, 3, 4].map(|attempts| delay(&policy, attempts, 1.0, random));
            for (delay, plain) in delays.into_iter().zip([2_000, 4_000, 8_000, 8_100]) {
                let plain = Duration::from_millis(plain);
                assert!(
                    delay >= plain && delay <= plain.mul_f64(1.1).min(policy.cap()),
                    "{delay:?} for {plain:?}"
                );
            }
        }
    }

    #[test]
    fn a_scale_shrinks_the_delay() {
        let policy = RetryPolicy::default();
        assert_eq!(delay(&policy, 1, 0.01, 0.0), Duration::from_millis(10));
        assert_eq!(delay(&policy, 1, 0.0, 0.0), Duration::ZERO);
    }
}
