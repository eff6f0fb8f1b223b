//! Silences: alerts that nobody is told of for a while.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{MatchOp, Matchers, invalid};
use crate::domain::{InvalidConfig, LabelSet, text::is_longer};

const LONGEST_TEXT: usize = 1024;

/// Whether a silence holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SilenceState {
    /// Not yet.
    Pending,
    /// It does.
    Active,
    /// No longer.
    Expired,
}

impl SilenceState {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Expired => "expired",
        }
    }
}

/// Alerts with these labels are told to nobody from one instant until another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Silence {
    /// A UUID.
    pub id: String,
    /// Which alerts.
    pub matchers: Matchers,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when, exclusively.
    pub ends_at: Timestamp,
    /// Who wanted it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A silence that somebody wants.
#[derive(Clone, Debug, PartialEq)]
pub struct SilenceDraft {
    /// Which alerts.
    pub matchers: Matchers,
    /// From when; from now if it is past.
    pub starts_at: Timestamp,
    /// Until when.
    pub ends_at: Timestamp,
    /// Who wants it.
    pub created_by: String,
    /// Why.
    pub comment: String,
}

impl SilenceDraft {
    /// The silence, if there can be such a one. What begins in the past begins now.
    pub fn checked(self, id: String, now: Timestamp) -> Result<Silence, InvalidConfig> {
        if self.matchers.is_empty() {
            return invalid("matchers", "must be at least one matcher");
        }
        if self.matchers.match_nothing() {
            return invalid("matchers", "must have at least one that does not match an empty value");
        }
        for (field, text) in [("created_by", &self.created_by), ("comment", &self.comment)] {
            if is_longer(text, LONGEST_TEXT) {
                return invalid(field, format!("must be at most {LONGEST_TEXT} characters long"));
            }
        }
        let starts_at = self.starts_at.max(now);
        if self.ends_at <= starts_at {
            return invalid("ends_at", "must lie in the future, and after starts_at");
        }
        let Self { matchers, ends_at, created_by, comment, .. } = self;
        Ok(Silence { id, matchers, starts_at, ends_at, created_by, comment, updated_at: now })
    }
}

impl Silence {
    /// Whether it holds at an instant.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> SilenceState {
        if now < self.starts_at {
            SilenceState::Pending
        } else if now < self.ends_at {
            SilenceState::Active
        } else {
            SilenceState::Expired
        }
    }

    /// Whether alerts with these labels are silenced at an instant.
    #[must_use]
    pub fn covers(&self, labels: &LabelSet, now: Timestamp) -> bool {
        self.state(now) == SilenceState::Active && self.matchers.matches(labels)
    }

    /// Whether it is about what the filter names: each matcher of the filter is one of its own, or matches the values that it
    /// names itself.
    #[must_use]
    pub fn is_about(&self, filter: &Matchers) -> bool {
        let named = self.matchers.iter().filter(|own| own.op() == MatchOp::Equal);
        let named = named.map(|own| (own.name(), own.value())).collect();
        let labels = LabelSet::from_pairs(named).unwrap_or_default();
        filter.iter().all(|wanted| self.matchers.iter().any(|own| own == wanted) || wanted.matches(&labels))
    }

    /// Ended now, unless it has already.
    #[must_use]
    pub fn expired(mut self, now: Timestamp) -> Self {
        if self.state(now) != SilenceState::Expired {
            self.starts_at = self.starts_at.min(now);
            self.ends_at = now;
            self.updated_at = now;
        }
        self
    }

    /// The silence as the draft wants it, if it stays the same one: what it covers does not change, nor what has already
    /// been (Alertmanager's `silence.canUpdate`). Else a new one must take its place.
    #[must_use]
    pub fn updated(&self, draft: &SilenceDraft, now: Timestamp) -> Option<Self> {
        if self.matchers != draft.matchers || draft.ends_at <= now {
            return None;
        }
        let starts_at = match self.state(now) {
            // Clients may know it to the millisecond only.
            SilenceState::Active if draft.starts_at.as_second() == self.starts_at.as_second() => {
                self.starts_at
            }
            SilenceState::Pending if draft.starts_at >= now => draft.starts_at,
            SilenceState::Pending | SilenceState::Active | SilenceState::Expired => return None,
        };
        let SilenceDraft { matchers, ends_at, created_by, comment, .. } = draft.clone();
        let id = self.id.clone();
        Some(Self { id, matchers, starts_at, ends_at, created_by, comment, updated_at: now })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn draft(from: i64, until: i64) -> SilenceDraft {
        SilenceDraft {
            matchers: Matchers::parse(&["job=node"]).unwrap(),
            starts_at: at(from),
            ends_at: at(until),
            created_by: "ops".to_owned(),
            comment: String::new(),
        }
    }

    #[test]
    fn it_holds_from_its_start_until_its_end() {
        let silence = draft(10, 20).checked("a".to_owned(), at(0)).unwrap();
        let labels = LabelSet::from_pairs(vec![("job", "node")]).unwrap();
        for (second, state) in
            [(9, SilenceState::Pending), (10, SilenceState::Active), (20, SilenceState::Expired)]
        {
            assert_eq!(silence.state(at(second)), state);
            assert_eq!(silence.covers(&labels, at(second)), state == SilenceState::Active);
        }
        assert!(!silence.covers(&LabelSet::default(), at(15)));
        assert_eq!(silence.clone().expired(at(12)).state(at(12)), SilenceState::Expired);
        assert_eq!(silence.clone().expired(at(5)).state(at(15)), SilenceState::Expired, "before it began");
        assert_eq!(silence.clone().expired(at(30)), silence);
    }

    #[test]
    fn it_is_about_its_own_matchers_and_the_values_that_it_names() {
        let of = |texts: &[&str]| Matchers::parse(texts).unwrap();
        let matchers = of(&["job=node", "disk=~sd.*"]);
        let silence = SilenceDraft { matchers, ..draft(0, 20) }.checked("a".to_owned(), at(0)).unwrap();
        for (filter, is_about) in [
            (of(&["job=node"]), true),
            (of(&["job=~n.*"]), true),
            (of(&["disk=~sd.*"]), true),
            (of(&["job=node", "disk=~sd.*"]), true),
            (of(&["disk=sda"]), false),
            (of(&["job=other"]), false),
            (of(&["job!=node"]), false),
            (of(&["cluster!=x"]), true),
        ] {
            assert_eq!(silence.is_about(&filter), is_about, "{filter:?}");
        }
    }

    #[test]
    fn only_what_leaves_the_past_alone_changes_it() {
        let silence = draft(0, 20).checked("a".to_owned(), at(0)).unwrap();
        let longer = silence.updated(&draft(0, 99), at(5)).unwrap();
        assert_eq!((longer.id.as_str(), longer.ends_at), ("a", at(99)));
        assert!(silence.updated(&draft(5, 99), at(5)).is_none(), "another start");
        assert!(silence.updated(&draft(0, 99), at(25)).is_none(), "it is over");
        assert!(silence.updated(&draft(0, 5), at(5)).is_none(), "an end that has come");
        let other = SilenceDraft { matchers: Matchers::parse(&["job=x"]).unwrap(), ..draft(0, 99) };
        assert!(silence.updated(&other, at(5)).is_none(), "another matcher");
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(draft(0, 0).checked(String::new(), at(0)).unwrap_err().field, "ends_at");
        assert_eq!(draft(-50, -1).checked(String::new(), at(0)).unwrap_err().field, "ends_at");
        let empty = SilenceDraft { matchers: Matchers::default(), ..draft(0, 9) };
        assert_eq!(empty.checked(String::new(), at(0)).unwrap_err().field, "matchers");
        let all = SilenceDraft { matchers: Matchers::parse(&["a=~\".*\""]).unwrap(), ..draft(0, 9) };
        assert_eq!(all.checked(String::new(), at(0)).unwrap_err().field, "matchers");
        let long = SilenceDraft { comment: "x".repeat(1025), ..draft(0, 9) };
        assert_eq!(long.checked(String::new(), at(0)).unwrap_err().field, "comment");
    }
}
