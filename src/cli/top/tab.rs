//! The views of the board, and the columns of each. Pure.

use super::kind::Kind;

/// A view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    Overview,
    Of(Kind),
    Events,
}

/// How wide a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// So many columns of the screen.
    Fixed(u16),
    /// As wide as the names in it, within bounds; all that is left if nothing else takes it.
    Name,
    /// All that is left.
    Rest,
}

/// A column of a view's table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub title: &'static str,
    pub width: Width,
    /// It is there on screens of at least so many columns.
    pub from: u16,
}

const fn fixed(title: &'static str, width: u16, from: u16) -> Column {
    Column { title, width: Width::Fixed(width), from }
}

const fn name(title: &'static str) -> Column {
    Column { title, width: Width::Name, from: 0 }
}

const fn rest(title: &'static str, from: u16) -> Column {
    Column { title, width: Width::Rest, from }
}

impl Tab {
    pub const ALL: [Self; 8] = [
        Self::Overview,
        Self::Of(Kind::Breaker),
        Self::Of(Kind::Check),
        Self::Of(Kind::Gate),
        Self::Of(Kind::Alert),
        Self::Of(Kind::Limiter),
        Self::Of(Kind::Schedule),
        Self::Events,
    ];

    pub const fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Of(Kind::Breaker) => "Breakers",
            Self::Of(Kind::Check) => "Checks",
            Self::Of(Kind::Gate) => "Gates",
            Self::Of(Kind::Alert) => "Alerts",
            Self::Of(Kind::Limiter) => "Limiters",
            Self::Of(Kind::Schedule) => "Schedules",
            Self::Events => "Events",
        }
    }

    /// The kinds of which it shows something that no event tells.
    pub const fn shows(self) -> &'static [Kind] {
        match self {
            Self::Overview | Self::Events => &[],
            Self::Of(Kind::Breaker) => &[Kind::Breaker],
            Self::Of(Kind::Check) => &[Kind::Check],
            Self::Of(Kind::Gate) => &[Kind::Gate],
            Self::Of(Kind::Alert) => &[Kind::Alert],
            Self::Of(Kind::Limiter) => &[Kind::Limiter],
            Self::Of(Kind::Schedule) => &[Kind::Schedule],
        }
    }

    /// The columns of its table; `view::cells` gives a cell for each.
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Self::Overview => {
                const {
                    &[
                        fixed("STATE", 16, 0),
                        fixed("WHAT", 8, 0),
                        name("NAME"),
                        fixed("FOR", 7, 0),
                        fixed("REPORTED", 26, 110),
                        rest("WHY", 0),
                    ]
                }
            }
            Self::Of(Kind::Breaker) => {
                const {
                    &[
                        fixed("STATE", 16, 0),
                        name("BREAKER"),
                        fixed("FAILURES", 17, 0),
                        fixed("WAIT", 13, 0),
                        fixed("FOR", 7, 0),
                        fixed("RUNNING", 7, 130),
                        rest("WHY", 100),
                    ]
                }
            }
            Self::Of(Kind::Check) => {
                const {
                    &[
                        fixed("STATUS", 8, 0),
                        name("CHECK"),
                        fixed("KIND", 9, 90),
                        fixed("FOR", 7, 0),
                        fixed("RESULT", 9, 100),
                        rest("SAYS", 0),
                    ]
                }
            }
            Self::Of(Kind::Gate) => const { &[fixed("STATE", 11, 0), name("GATE"), rest("IN THE WAY", 0)] },
            Self::Of(Kind::Alert) => {
                const {
                    &[
                        fixed("LEVEL", 10, 0),
                        name("ALERT"),
                        fixed("FOR", 7, 0),
                        fixed("SEEN", 14, 90),
                        rest("MESSAGE", 0),
                    ]
                }
            }
            Self::Of(Kind::Limiter) => {
                const {
                    &[
                        fixed("STATE", 17, 0),
                        name("LIMITER"),
                        fixed("USED", 22, 0),
                        fixed("CLIENTS", 7, 0),
                        fixed("THROTTLED", 10, 90),
                        fixed("RULE", 24, 110),
                    ]
                }
            }
            Self::Of(Kind::Schedule) => {
                const {
                    &[
                        fixed("STATE", 12, 0),
                        name("SCHEDULE"),
                        fixed("NEXT RUN", 11, 0),
                        fixed("LAST RUN", 11, 0),
                        rest("WHEN", 0),
                    ]
                }
            }
            Self::Events => {
                const { &[fixed("AT", 12, 0), fixed("WHAT", 22, 0), name("NAME"), rest("SAYS", 0)] }
            }
        }
    }

    /// What to say where there is nothing.
    pub const fn nothing(self) -> &'static str {
        match self {
            Self::Overview => "All is well.",
            Self::Of(Kind::Breaker) => "There is no breaker yet: the first guarded call makes it.",
            Self::Of(Kind::Check) => "There is no check yet: fuseboard check put declares one.",
            Self::Of(Kind::Gate) => "There is no gate yet: fuseboard gate put declares one.",
            Self::Of(Kind::Alert) => "No alert fires.",
            Self::Of(Kind::Limiter) => "There is no limiter yet: fuseboard limiter put declares one.",
            Self::Of(Kind::Schedule) => "There is no schedule yet: fuseboard schedule put declares one.",
            Self::Events => "Nothing has happened yet.",
        }
    }
}

/// Where the columns of a table of this width begin and how wide they are; those that have no room are left out. `names` is the
/// width of the widest name.
pub fn places(columns: &[Column], width: u16, names: u16) -> Vec<(usize, u16, u16)> {
    let there: Vec<_> = columns.iter().enumerate().filter(|(_, column)| column.from <= width).collect();
    let gaps = u16::try_from(there.len().saturating_sub(1)).unwrap_or(u16::MAX);
    let fixed: u16 =
        there.iter().map(|(_, column)| if let Width::Fixed(width) = column.width { width } else { 0 }).sum();
    let left = width.saturating_sub(fixed + gaps);
    let has_rest = there.iter().any(|(_, column)| column.width == Width::Rest);
    // Half of it is for what is said.
    let most = if has_rest { left - left / 2 } else { left };
    let name = if has_rest { names.max(8).min(most) } else { left };
    let mut x = 0;
    let mut places = Vec::new();
    for (index, column) in there {
        let wanted = match column.width {
            Width::Fixed(width) => width,
            Width::Name => name,
            Width::Rest => left.saturating_sub(name),
        };
        let given = wanted.min(width.saturating_sub(x));
        if given > 0 {
            places.push((index, x, given));
        }
        x = x.saturating_add(wanted + 1);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_fill_the_screen_and_never_more() {
        for tab in Tab::ALL {
            for width in 0..300 {
                for names in [0, 12, 300] {
                    let places = places(tab.columns(), width, names);
                    let mut end = 0;
                    for (index, x, given) in &places {
                        assert!(*x >= end && *x + *given <= width, "{tab:?} {width} {index}: {places:?}");
                        end = *x + *given + 1;
                    }
                    if width >= 80 {
                        let there = tab.columns().iter().filter(|column| column.from <= width).count();
                        assert_eq!(places.len(), there, "{tab:?} {width}: {places:?}");
                        let narrow = places.iter().find(|(index, _, given)| {
                            !matches!(tab.columns()[*index].width, Width::Fixed(_)) && *given < 8
                        });
                        assert_eq!(narrow, None, "{tab:?} {width} {names}: {places:?}");
                    }
                }
            }
        }
    }
}
