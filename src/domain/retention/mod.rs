//! Retention: which backups of a type stay, and why.
//!
//! [`plan`] looks at all backups of one type. What any rule keeps stays; a policy without a rule keeps everything. The
//! rules that count places are those of restic and borg: the newest backup of each hour, day, ISO week, month or year, in
//! the newest so many of them that have a backup at all. Days without a backup use up no place, and the oldest backup is
//! not kept besides. Some backups stand aside:
//!
//! - **Pinned** ones stay, and use up no place: who protects one does not lose another by it.
//! - Those **in the future** stay, and use up no place: the clock was wrong, and which of them is new nobody knows.
//! - **Damaged** ones use up no place of whole ones. They stay as long as they would if everything was whole, since
//!   what looks damaged may be a key that is missing.
//!
//! The newest verified backup always stays; while none is verified, the newest whole one; while none is whole, the newest.
//! So pruning never takes the last good copy, and never leaves nothing.

mod bucket;
mod config;
mod places;
mod reason;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};

use self::{bucket::Local, places::Places};
pub use self::{
    bucket::{Bucket, Period},
    config::{Days, RetentionPolicy, RetentionSpec},
    reason::Reason,
};

/// A backup, as far as retention looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Tells it apart. Of two with the same time, the one with the higher id is newer.
    pub id: i64,
    /// When it was made.
    pub at: Timestamp,
    /// Whether it was verified.
    pub verified: bool,
    /// Whether it is protected.
    pub pinned: bool,
    /// Whether it is damaged; then it does not count as verified.
    pub corrupt: bool,
}

/// What becomes of a backup.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Of which.
    pub id: i64,
    /// Whether it stays.
    pub keep: bool,
    /// Why; at least one.
    pub reasons: Vec<Reason>,
}

/// What becomes of each backup of a type, newest first. The order of `candidates` does not matter.
#[must_use]
pub fn plan(policy: &RetentionPolicy, candidates: &[Candidate], now: Timestamp) -> Vec<Decision> {
    let mut ordered: Vec<&Candidate> = candidates.iter().collect();
    ordered.sort_unstable_by_key(|candidate| Reverse((candidate.at, candidate.id)));
    let last_resort = last_resort(&ordered, now);
    let (mut whole, mut all) = (Places::new(policy), Places::new(policy));
    let mut decide = |candidate: &Candidate| {
        let mut reasons = aside(candidate, now);
        if reasons.is_empty() {
            let local = Local::at(candidate.at, policy.timezone.rules());
            let as_if_whole = all.claim(&local);
            reasons.extend(if candidate.corrupt { as_if_whole } else { whole.claim(&local) });
            reasons.extend(young(policy, candidate.at, now));
        }
        reasons.extend(last_resort.filter(|(id, _)| *id == candidate.id).map(|(_, reason)| reason));
        if !policy.has_rules() {
            reasons.push(Reason::NoPolicy);
        }
        decision(candidate.id, reasons)
    };
    ordered.into_iter().map(&mut decide).collect()
}

fn decision(id: i64, mut reasons: Vec<Reason>) -> Decision {
    let keep = !reasons.is_empty();
    if !keep {
        reasons.push(Reason::NoRule);
    }
    Decision { id, keep, reasons }
}

/// Why a backup stays whatever the rules are, and uses up none of their places.
fn aside(candidate: &Candidate, now: Timestamp) -> Vec<Reason> {
    let pinned = candidate.pinned.then_some(Reason::Pinned);
    let future = (candidate.at > now).then_some(Reason::InTheFuture);
    pinned.into_iter().chain(future).collect()
}

/// The backup that stays in any case. A pinned one can be it, one in the future cannot.
fn last_resort(newest_first: &[&Candidate], now: Timestamp) -> Option<(i64, Reason)> {
    let newest = |fits: fn(&Candidate) -> bool| {
        newest_first.iter().find(|candidate| candidate.at <= now && fits(candidate)).map(|found| found.id)
    };
    newest(|candidate| candidate.verified && !candidate.corrupt)
        .map(|id| (id, Reason::NewestVerified))
        .or_else(|| newest(|candidate| !candidate.corrupt).map(|id| (id, Reason::NewestOfAll)))
        .or_else(|| newest(|_| true).map(|id| (id, Reason::NewestOfAll)))
}

/// Days are spans of 24 hours here: how old something is does not depend on where one is.
fn young(policy: &RetentionPolicy, at: Timestamp, now: Timestamp) -> Option<Reason> {
    let days = policy.retention_days?;
    let age = now.duration_since(at);
    SignedDuration::try_from_secs_f64(days.get() * 86_400.0)
        .is_ok_and(|most| age < most)
        .then_some(Reason::Young { days })
}
