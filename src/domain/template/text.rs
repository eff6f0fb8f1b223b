//! Texts under a specification: cut, then padded. Both count characters.

use super::spec::{Align, TextSpec};

/// Appends `raw` as `spec` says.
pub(super) fn format(raw: &str, spec: &TextSpec, out: &mut String) {
    let cut = match spec.precision.and_then(|precision| raw.char_indices().nth(precision)) {
        Some((end, _)) => &raw[..end],
        None => raw,
    };
    let missing = spec.width.saturating_sub(cut.chars().count());
    let (before, after) = spec.align.split(missing);
    pad(spec.fill, before, out);
    out.push_str(cut);
    pad(spec.fill, after, out);
}

/// Appends `fill` that many times.
pub(super) fn pad(fill: char, times: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(fill, times));
}

impl Align {
    /// How much of `missing` goes before and after. An odd one in the middle goes after.
    pub(super) fn split(self, missing: usize) -> (usize, usize) {
        match self {
            Self::Left => (0, missing),
            Self::Right => (missing, 0),
            Self::Center => (missing / 2, missing - missing / 2),
        }
    }
}
