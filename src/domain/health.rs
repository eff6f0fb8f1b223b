//! How something is, and how all of it together is.

use serde::{Deserialize, Serialize};

/// How something is. Ordered: `green` is the least, `red` the most.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Green,
    /// Usable; somebody should look.
    Yellow,
    /// Not usable. What nothing is known about is red, too.
    #[default]
    Red,
}

impl Status {
    /// Every status, from the least to the most.
    pub const ALL: [Self; 3] = [Self::Green, Self::Yellow, Self::Red];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Red => "red",
        }
    }

    /// The word of `application/health+json` (draft-inadarei-api-health-check, section 3.1).
    #[must_use]
    pub const fn as_health_json(self) -> &'static str {
        match self {
            Self::Green => "pass",
            Self::Yellow => "warn",
            Self::Red => "fail",
        }
    }

    /// What it weighs among others: red that is not critical weighs as much as yellow.
    #[must_use]
    pub fn weighed(self, critical: bool) -> Self {
        if critical { self } else { self.min(Self::Yellow) }
    }
}

/// A status and whether it still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Standing {
    /// The status when it was last known.
    pub status: Status,
    /// Too long ago to rely on, or never known.
    pub stale: bool,
}

impl Standing {
    /// Nothing is known: red and stale.
    pub const UNKNOWN: Self = Self { status: Status::Red, stale: true };

    /// A status that holds.
    #[must_use]
    pub const fn fresh(status: Status) -> Self {
        Self { status, stale: false }
    }

    /// What it counts as when people look: a stale status is at least yellow.
    #[must_use]
    pub fn for_people(self) -> Status {
        if self.stale { self.status.max(Status::Yellow) } else { self.status }
    }

    /// What it counts as when somebody asks whether to go: a stale status is red.
    #[must_use]
    pub const fn for_gates(self) -> Status {
        if self.stale { Status::Red } else { self.status }
    }
}

/// The status of all together, each with whether it is critical: red if a critical one is red; else yellow if one is
/// yellow, stale, or red without being critical; else green.
///
/// Of nothing at all it is green: nothing is wrong. A gate, which must not let pass on no grounds, asks otherwise.
pub fn overall(standings: impl IntoIterator<Item = (Standing, bool)>) -> Status {
    standings
        .into_iter()
        .map(|(standing, critical)| standing.for_people().weighed(critical))
        .max()
        .unwrap_or(Status::Green)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn standing() -> impl Strategy<Value = (Standing, bool)> {
        (prop::sample::select(&Status::ALL[..]), any::<bool>(), any::<bool>())
            .prop_map(|(status, stale, critical)| (Standing { status, stale }, critical))
    }

    fn of(status: Status) -> Standing {
        Standing::fresh(status)
    }

    #[test]
    fn follows_the_design() {
        use Status::{Green, Red, Yellow};
        assert_eq!(overall([]), Green);
        assert_eq!(overall([(of(Green), true), (of(Green), false)]), Green);
        assert_eq!(overall([(of(Green), true), (of(Yellow), false)]), Yellow);
        assert_eq!(overall([(of(Green), true), (of(Red), false)]), Yellow);
        assert_eq!(overall([(of(Green), false), (of(Red), true)]), Red);
        assert_eq!(overall([(Standing { status: Green, stale: true }, true)]), Yellow);
        assert_eq!(overall([(Standing::UNKNOWN, true)]), Red);
        assert_eq!(Status::ALL.map(Status::as_health_json), ["pass", "warn", "fail"]);
        assert_eq!(serde_json::to_string(&Status::ALL).unwrap(), r#"["green","yellow","red"]"#);
    }

    proptest! {
        #[test]
        fn no_worsening_looks_like_an_improvement(
            mut all in prop::collection::vec(standing(), 1..12),
            worse in standing(),
            pick in any::<prop::sample::Index>(),
        ) {
            let before = overall(all.iter().copied());
            let mut more = all.clone();
            more.push(worse);
            prop_assert!(overall(more) >= before, "one more");
            let at = pick.index(all.len());
            let one = &mut all[at];
            one.0.status = one.0.status.max(worse.0.status);
            one.0.stale |= worse.0.stale;
            one.1 |= worse.1;
            prop_assert!(overall(all.iter().copied()) >= before, "one worse");
            let there = overall(all.iter().copied());
            all.reverse();
            prop_assert_eq!(overall(all.iter().copied()), there, "order does not matter");
        }

        #[test]
        fn green_means_that_everything_is(all in prop::collection::vec(standing(), 0..12)) {
            let everything = all.iter().all(|(standing, _)| *standing == of(Status::Green));
            prop_assert_eq!(overall(all.iter().copied()) == Status::Green, everything);
            let critical_red = all.iter().any(|(standing, critical)| *critical && standing.status == Status::Red);
            prop_assert_eq!(overall(all.iter().copied()) == Status::Red, critical_red);
        }
    }
}
