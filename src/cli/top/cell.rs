//! Text on the screen, and what its colour says. Pure.

use crate::cli::text::visible;

/// What a colour says. None is told by colour alone: words and shapes say the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    Good,
    Warn,
    Bad,
    /// As somebody wanted it.
    Note,
    /// Beside the point.
    Faint,
    /// A title.
    Strong,
}

/// A piece of text in one tone. It is safe to print: what would move the cursor is shown instead of done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    pub text: String,
    pub tone: Tone,
}

impl Cell {
    pub fn new(text: impl AsRef<str>) -> Self {
        Self { text: visible(text.as_ref()), tone: Tone::Plain }
    }

    pub fn toned(text: impl AsRef<str>, tone: Tone) -> Self {
        Self { tone, ..Self::new(text) }
    }
}

/// Cells that stand beside each other.
pub type Line = Vec<Cell>;

/// A state as a letter in a shape, and a word: none is told by colour alone.
pub fn breaker(state: &str) -> Cell {
    let (sign, word, tone) = match state {
        "closed" => ("(I)", "closed", Tone::Good),
        "open" => ("[O]", "open", Tone::Bad),
        "half_open" => ("<½>", "half open", Tone::Warn),
        "forced_open" => ("[X]", "forced open", Tone::Bad),
        "disabled" => ("{-}", "disabled", Tone::Faint),
        "metrics_only" => ("(M)", "metrics only", Tone::Note),
        other => ("[?]", other, Tone::Warn),
    };
    Cell::toned(format!("{sign} {word}"), tone)
}

/// A word for how something is, with the sign of its tone.
pub fn state(word: &str, tone: Tone) -> Cell {
    let sign = match tone {
        Tone::Good => "✓",
        Tone::Warn => "!",
        Tone::Bad => "✗",
        Tone::Note | Tone::Faint | Tone::Plain | Tone::Strong => "-",
    };
    Cell::toned(format!("{sign} {word}"), tone)
}

/// A bar of so many columns, filled as far as the share says.
pub fn bar(share: f64, columns: u16, tone: Tone) -> Cell {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    // Whatever is not nothing is seen.
    let full = (1..=columns).filter(|step| share * f64::from(columns) > f64::from(*step) - 0.5).count();
    let columns = usize::from(columns);
    let full = full.max(usize::from(share > 0.0)).min(columns);
    Cell::toned(format!("{}{}", "▮".repeat(full), "▯".repeat(columns - full)), tone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_what_is_not_nothing() {
        let text = |share| bar(share, 6, Tone::Good).text;
        assert_eq!((text(0.0), text(0.01), text(0.5)), ("▯▯▯▯▯▯".into(), "▮▯▯▯▯▯".into(), "▮▮▮▯▯▯".into()));
        assert_eq!(
            (text(7.0), text(f64::NAN), text(-1.0)),
            ("▮▮▮▮▮▮".into(), "▯▯▯▯▯▯".into(), "▯▯▯▯▯▯".into())
        );
    }

    #[test]
    fn no_two_states_of_a_breaker_share_a_sign() {
        let states = ["closed", "open", "half_open", "forced_open", "disabled", "metrics_only"];
        let mut signs: Vec<_> =
            states.map(|state| breaker(state).text.chars().take(3).collect::<String>()).into();
        signs.sort();
        signs.dedup();
        assert_eq!(signs.len(), states.len());
    }
}
