//! Which elements of two arrays belong together.

/// The most insertions and deletions that an alignment looks for.
const MAX_EDITS: usize = 1024;

/// What became of an element, from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// This one of the first array is, or became, that one of the second.
    Pair(usize, usize),
    /// The next one of the first array is gone.
    Remove,
    /// This one of the second array is new.
    Add(usize),
}

/// Aligns two arrays of hashes: what is the same stays together if few enough edits allow it. What lies between is
/// paired in its order. `work` is how many comparisons may still be made; without it everything is paired in its order.
pub(super) fn align(from: &[u64], to: &[u64], work: &mut usize) -> Vec<Edit> {
    let prefix = from.iter().zip(to).take_while(|(one, other)| one == other).count();
    let (from_rest, to_rest) = (&from[prefix..], &to[prefix..]);
    let same_end = from_rest.iter().rev().zip(to_rest.iter().rev());
    let suffix = same_end.take_while(|(one, other)| one == other).count();
    let from_middle = &from_rest[..from_rest.len() - suffix];
    let to_middle = &to_rest[..to_rest.len() - suffix];

    let mut edits: Vec<Edit> = (0..prefix).map(|index| Edit::Pair(index, index)).collect();
    let mut done = (prefix, prefix);
    let middle = common(from_middle, to_middle, work).unwrap_or_default();
    let middle = middle.into_iter().map(|(one, other)| (prefix + one, prefix + other));
    let ends = (0..suffix).rev().map(|back| (from.len() - 1 - back, to.len() - 1 - back));
    for anchor in middle.chain(ends) {
        gap(done, anchor, &mut edits);
        edits.push(Edit::Pair(anchor.0, anchor.1));
        done = (anchor.0 + 1, anchor.1 + 1);
    }
    gap(done, (from.len(), to.len()), &mut edits);
    edits
}

/// Elements with no counterpart: pairs as far as there are two, then what is gone or new.
fn gap(start: (usize, usize), end: (usize, usize), edits: &mut Vec<Edit>) {
    let (gone, new) = (end.0 - start.0, end.1 - start.1);
    let both = gone.min(new);
    edits.extend((0..both).map(|n| Edit::Pair(start.0 + n, start.1 + n)));
    edits.extend((both..gone).map(|_| Edit::Remove));
    edits.extend((both..new).map(|n| Edit::Add(start.1 + n)));
}

/// A longest common subsequence, as pairs of indices; None if it takes too many edits or too much work.
///
/// Myers, "An O(ND) Difference Algorithm and Its Variations" (1986). `reached[j]` after `d` edits is how far the first
/// array was read on the diagonal where `2j - d` more of it was read than of the second.
fn common(from: &[u64], to: &[u64], work: &mut usize) -> Option<Vec<(usize, usize)>> {
    if from.is_empty() || to.is_empty() {
        return Some(Vec::new());
    }
    let mut history: Vec<Vec<usize>> = Vec::new();
    for edits in 0..=MAX_EDITS.min(from.len() + to.len()) {
        let mut reached = Vec::with_capacity(edits + 1);
        for diagonal in 0..=edits {
            let start = history.last().map_or(0, |before| step(before, diagonal).0);
            let (mut one, mut other) = (start, start + edits - 2 * diagonal);
            while one < from.len() && other < to.len() && from[one] == to[other] {
                (one, other) = (one + 1, other + 1);
            }
            *work = work.checked_sub(1 + one - start)?;
            reached.push(one);
            if (one, other) == (from.len(), to.len()) {
                history.push(reached);
                return Some(trace(&history, diagonal));
            }
        }
        history.push(reached);
    }
    None
}

/// Where the path along a diagonal begins after one more edit, and which diagonal it comes from.
fn step(before: &[usize], diagonal: usize) -> (usize, usize) {
    let right = diagonal.checked_sub(1).and_then(|left| before.get(left)).map(|reached| reached + 1);
    match (right, before.get(diagonal)) {
        (Some(right), down) if down.is_none_or(|down| right > *down) => (right, diagonal - 1),
        (_, down) => (down.copied().unwrap_or_default(), diagonal),
    }
}

/// The pairs on the path that ended on `diagonal`.
fn trace(history: &[Vec<usize>], mut diagonal: usize) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for (edits, reached) in history.iter().enumerate().rev() {
        let end = reached[diagonal];
        let before = edits.checked_sub(1).map(|before| &history[before]);
        let (start, from) = before.map_or((0, 0), |before| step(before, diagonal));
        pairs.extend((start..end).rev().map(|one| (one, one + edits - 2 * diagonal)));
        diagonal = from;
    }
    pairs.reverse();
    pairs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The length of a longest common subsequence, by the table that everybody knows.
    fn longest(from: &[u64], to: &[u64]) -> usize {
        let mut row = vec![0; to.len() + 1];
        for one in from {
            let mut left_above = 0;
            for (n, other) in to.iter().enumerate() {
                let above = row[n + 1];
                row[n + 1] = if one == other { left_above + 1 } else { above.max(row[n]) };
                left_above = above;
            }
        }
        row[to.len()]
    }

    proptest! {
        #[test]
        fn as_much_as_possible_stays_together(
            from in prop::collection::vec(0..4_u64, 0..30), to in prop::collection::vec(0..4_u64, 0..30),
        ) {
            let pairs = common(&from, &to, &mut 1_000_000).unwrap();
            prop_assert!(pairs.iter().all(|(one, other)| from[*one] == to[*other]));
            prop_assert!(pairs.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1));
            prop_assert_eq!(pairs.len(), longest(&from, &to));
        }

        #[test]
        fn every_element_is_there_once_and_in_order(
            from in prop::collection::vec(0..4_u64, 0..30), to in prop::collection::vec(0..4_u64, 0..30),
            work in prop_oneof![Just(0_usize), Just(20), Just(1_000_000)],
        ) {
            let (mut gone, mut new) = (0, 0);
            for edit in align(&from, &to, &mut work.clone()) {
                match edit {
                    Edit::Pair(one, other) => {
                        prop_assert_eq!((one, other), (gone, new));
                        (gone, new) = (gone + 1, new + 1);
                    }
                    Edit::Remove => gone += 1,
                    Edit::Add(other) => {
                        prop_assert_eq!(other, new);
                        new += 1;
                    }
                }
            }
            prop_assert_eq!((gone, new), (from.len(), to.len()));
        }
    }
}
