//! What the board shows: the kinds of resources that it reads and follows.

/// A kind of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Breaker,
    Check,
    Gate,
    Alert,
    Limiter,
    Schedule,
}

impl Kind {
    /// All of them, in the order in which they are numbered.
    pub const ALL: [Self; 6] =
        [Self::Breaker, Self::Check, Self::Gate, Self::Alert, Self::Limiter, Self::Schedule];

    /// As events call it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Breaker => "breaker",
            Self::Check => "check",
            Self::Gate => "gate",
            Self::Alert => "alert",
            Self::Limiter => "limiter",
            Self::Schedule => "schedule",
        }
    }

    /// The kind that events call so.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Where they are listed.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Breaker => "/v1/breakers",
            Self::Check => "/v1/checks",
            Self::Gate => "/v1/gates",
            Self::Alert => "/v1/alerts",
            Self::Limiter => "/v1/limiters",
            Self::Schedule => "/v1/schedules",
        }
    }

    /// Narrows the list to what is shown: of alerts, those that fire.
    pub const fn filter(self) -> &'static [(&'static str, &'static str)] {
        if matches!(self, Self::Alert) { &[("state", "firing")] } else { &[] }
    }

    /// Whether one of them can be read by the name that events give.
    pub const fn is_single(self) -> bool {
        !matches!(self, Self::Alert)
    }

    /// Whether something that happened to another kind may have changed these.
    pub fn depends_on(self, resource: &str) -> bool {
        match self {
            Self::Gate => matches!(resource, "check" | "breaker" | "alert"),
            Self::Alert => matches!(resource, "silence" | "maintenance_window"),
            _ => false,
        }
    }

    /// Seconds between looks without an event: what no event tells (rates, tokens) is of interest while it is shown.
    pub const fn pace(self, is_shown: bool) -> f64 {
        match (self, is_shown) {
            (Self::Breaker | Self::Limiter, true) => 2.0,
            (Self::Gate, true) => 5.0,
            (_, true) => 10.0,
            (_, false) => 15.0,
        }
    }
}
