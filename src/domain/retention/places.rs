//! The rules that keep a number of backups.

use std::collections::BTreeSet;

use super::{
    bucket::{Bucket, Local, Period},
    config::RetentionPolicy,
    reason::Reason,
};

/// The places of a policy's rules, handed out from the newest backup to the oldest.
pub(super) struct Places {
    last: u32,
    most_last: u32,
    periods: Vec<Stretches>,
}

/// The stretches of one period of which a backup was kept.
struct Stretches {
    period: Period,
    most: usize,
    // A set, not the one before: where clocks go back over midnight, a date comes again after the next one.
    taken: BTreeSet<Bucket>,
}

impl Places {
    pub(super) fn new(policy: &RetentionPolicy) -> Self {
        let stretches = |period| Stretches {
            period,
            most: usize::try_from(policy.places(period)).unwrap_or(usize::MAX),
            taken: BTreeSet::new(),
        };
        let periods = Period::ALL.map(stretches).into_iter().filter(|rule| rule.most > 0).collect();
        Self { last: 0, most_last: policy.keep_last, periods }
    }

    /// The places that the next backup takes. It must not be newer than the ones before.
    pub(super) fn claim(&mut self, local: &Local) -> Vec<Reason> {
        let mut reasons = Vec::new();
        if self.last < self.most_last {
            self.last += 1;
            reasons.push(Reason::Last { place: self.last, of: self.most_last });
        }
        for Stretches { period, most, taken } in &mut self.periods {
            let bucket = period.bucket(local);
            if taken.len() < *most && taken.insert(bucket) {
                reasons.push(Reason::Newest(bucket));
            }
        }
        reasons
    }
}
