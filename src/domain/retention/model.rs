//! The same rules said one by one, slowly: each backup is compared with all others.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Candidate, RetentionSpec};
use crate::domain::schedule::Zone;

/// Texts of why a backup stays; empty if it goes.
pub(super) fn reasons(
    spec: &RetentionSpec,
    all: &[Candidate],
    own: &Candidate,
    now: Timestamp,
) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    let mut say = |holds: bool, text: String| {
        if holds {
            texts.insert(text);
        }
    };
    let newer = |other: &Candidate| (other.at, other.id) > (own.at, own.id);
    let past: Vec<_> = all.iter().filter(|other| other.at <= now).collect();
    say(own.pinned, "pinned".into());
    say(own.at > now, "in the future".into());
    let counts = [spec.keep_last, spec.keep_hourly, spec.keep_daily, spec.keep_weekly]
        .into_iter()
        .chain([spec.keep_monthly, spec.keep_yearly]);
    let any = spec.retention_days.is_some() || counts.clone().any(|count| count.unwrap_or(0) > 0);
    say(!any, "no policy".into());

    // Who is verified, whole, or just there, in this order of preference.
    let class = |other: &Candidate| match (other.corrupt, other.verified) {
        (false, true) => 2,
        (false, false) => 1,
        (true, _) => 0,
    };
    let best = past.iter().map(|other| class(other)).max();
    let beaten = past.iter().any(|other| Some(class(other)) == best && newer(other));
    if own.at <= now && Some(class(own)) == best && !beaten {
        say(true, if best == Some(2) { "newest verified" } else { "newest" }.into());
    }
    if own.pinned || own.at > now {
        return texts;
    }

    // Who is in the way: nobody pinned or in the future, and nobody damaged unless this one is damaged too.
    let rivals: Vec<_> = past
        .iter()
        .filter(|other| !other.pinned && (own.corrupt || !other.corrupt) && newer(other))
        .collect();
    let of = spec.keep_last.unwrap_or(0) as usize;
    say(rivals.len() < of, format!("last {} of {of}", rivals.len() + 1));
    let formats = ["hourly %Y-%m-%dT%H%:z", "daily %Y-%m-%d", "weekly %G-W%V", "monthly %Y-%m", "yearly %Y"];
    let zone = Zone::parse(spec.timezone.as_deref().unwrap_or("UTC")).unwrap();
    for (format, most) in formats.into_iter().zip(counts.skip(1)) {
        let label = |at: Timestamp| {
            at.to_zoned(zone.rules().clone()).strftime(format).to_string().replace("+00:00", "Z")
        };
        let theirs: BTreeSet<String> = rivals.iter().map(|other| label(other.at)).collect();
        let own = label(own.at);
        say(!theirs.contains(&own) && theirs.len() < most.unwrap_or(0) as usize, own);
    }
    if let Some(days) = spec.retention_days {
        let age = now.as_second() - own.at.as_second();
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let young = (age as f64) < days * 86_400.0;
        say(young, format!("younger than {days} day{}", if days.to_string() == "1" { "" } else { "s" }));
    }
    texts
}
