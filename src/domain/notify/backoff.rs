//! What becomes of a delivery after an attempt.

use std::time::Duration;

use jiff::Timestamp;

/// The first wait.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(300);
/// The longest wait that a receiver may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// How an attempt went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The receiver has it.
    Accepted,
    /// The receiver will never take it.
    Refused,
    /// Another attempt may go better, but not before so long.
    Failed(Option<Duration>),
}

impl Attempt {
    /// What the status of an answer over HTTP means.
    #[must_use]
    pub fn of_status(status: u16, retry_after: Option<Duration>) -> Self {
        match status {
            200..=299 => Self::Accepted,
            408 | 429 => Self::Failed(retry_after),
            // Redirects are not followed: the body might go to somebody else.
            300..=499 => Self::Refused,
            _ => Self::Failed(retry_after),
        }
    }
}

/// What becomes of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is done.
    Delivered,
    /// It is tried again then.
    Again(Timestamp),
    /// It is given up.
    Dead,
}

/// Until when a delivery is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How often it was tried, the attempt in question included.
    pub attempts: u32,
    /// When it is given up.
    pub until: Timestamp,
}

impl Patience {
    /// What becomes of it. `dice` from 0 to 1 spreads those that failed together.
    #[must_use]
    pub fn verdict(self, now: Timestamp, attempt: &Attempt, dice: f64) -> Verdict {
        let asked = match attempt {
            Attempt::Accepted => return Verdict::Delivered,
            Attempt::Refused => return Verdict::Dead,
            Attempt::Failed(asked) => asked.unwrap_or_default().min(LONGEST_ASKED),
        };
        let doubled = FIRST.saturating_mul(1 << self.attempts.saturating_sub(1).min(16)).min(LONGEST);
        let wait = doubled.mul_f64(0.5 + dice.clamp(0.0, 1.0) / 2.0).max(asked);
        match (now.checked_add(wait), now.checked_add(asked)) {
            // The last attempt comes at the end at the latest.
            (Ok(next), Ok(earliest)) if now < self.until => {
                Verdict::Again(next.min(self.until.max(earliest)))
            }
            _ => Verdict::Dead,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn statuses_say_whether_it_is_worth_another_attempt() {
        for (status, attempt) in [
            (200, Attempt::Accepted),
            (204, Attempt::Accepted),
            (302, Attempt::Refused),
            (400, Attempt::Refused),
            (410, Attempt::Refused),
            (408, Attempt::Failed(None)),
            (429, Attempt::Failed(None)),
            (500, Attempt::Failed(None)),
            (503, Attempt::Failed(None)),
        ] {
            assert_eq!(Attempt::of_status(status, None), attempt, "{status}");
        }
    }

    proptest! {
        #[test]
        fn it_waits_longer_each_time_as_long_as_asked_and_ends(
            retry_after in prop::option::of(0u64..10_000), dice in 0.0..=1.0, bound in 1i64..200_000,
        ) {
            let retry_after = retry_after.map(Duration::from_secs);
            let (mut now, until) = (at(0), at(bound));
            let mut attempts = 0;
            loop {
                attempts += 1;
                prop_assert!(attempts < 10_000);
                let verdict = Patience { attempts, until }.verdict(now, &Attempt::Failed(retry_after), dice);
                let Verdict::Again(next) = verdict else {
                    prop_assert_eq!(verdict, Verdict::Dead);
                    prop_assert!(now >= until);
                    break;
                };
                prop_assert!(next > now);
                let asked = retry_after.unwrap_or_default().min(LONGEST_ASKED);
                prop_assert!(next >= now + asked);
                prop_assert!(next <= now + asked.max(LONGEST));
                now = next;
            }
        }
    }
}
