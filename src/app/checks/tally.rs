//! What `/metrics` counts of a check since the start of the server.

use jiff::Timestamp;

use crate::domain::{check::CheckResult, health::Status};

/// Upper bounds of the histogram of durations, in seconds.
pub const DURATION_BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Counts of results.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Green, yellow, red.
    pub results: [u64; 3],
    /// Results that took up to each of [`DURATION_BUCKETS`] and more than the bound before, and the slower ones.
    pub durations: [u64; DURATION_BUCKETS.len() + 1],
    /// Sum of the durations, in seconds.
    pub duration_sum: f64,
    /// When the last result came that was not red.
    pub last_success: Option<Timestamp>,
}

impl Tally {
    /// Counts a result.
    pub fn add(&mut self, result: &CheckResult) {
        self.results[result.observation.status() as usize] += 1;
        self.look(result);
        if let Some(span) = result.observation.duration() {
            let seconds = span.as_secs_f64();
            self.durations[DURATION_BUCKETS.partition_point(|bound| *bound < seconds)] += 1;
            self.duration_sum += seconds;
        }
    }

    /// Takes over what a result from before the start says.
    pub fn look(&mut self, result: &CheckResult) {
        if result.observation.status() < Status::Red {
            self.last_success = Some(result.timestamp);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::domain::{Time, check::Observation};

    #[test]
    fn durations_fall_into_their_buckets() {
        let mut tally = Tally::default();
        for (status, millis, second) in
            [(Status::Green, 5, 1), (Status::Yellow, 6, 2), (Status::Red, 60_000, 3)]
        {
            let observation = Observation::new(status, "").took(Duration::from_millis(millis));
            let timestamp = Timestamp::from_second(second).unwrap();
            tally.add(&CheckResult { observation, at: Time::from_nanos(0), timestamp });
        }
        assert_eq!((tally.durations[0], tally.durations[1], tally.durations[11]), (1, 1, 1));
        assert_eq!(tally.results, [1, 1, 1]);
        assert_eq!(tally.last_success, Some(Timestamp::from_second(2).unwrap()));
    }
}
