//! Where the tokens of a block lie.

use super::lanes::{Block, Lanes};

/// Masks of a block: bit `i` says something about byte `i`.
#[derive(Clone, Copy)]
pub(super) struct Tokens {
    /// The bytes that these are about.
    pub valid: u64,
    /// Strings, from the opening quote to the byte before the closing one.
    pub text: u64,
    pub opening_quotes: u64,
    pub closing_quotes: u64,
    pub open: u64,
    pub close: u64,
    pub comma: u64,
    pub colon: u64,
    /// White space between tokens.
    pub blank: u64,
    /// All that is left: numbers and words, or what is no JSON.
    pub scalar: u64,
    pub scalar_starts: u64,
    pub scalar_ends: u64,
}

impl Tokens {
    /// The tokens of a block that begins within a string, or where a token may begin. An escape or scalar that the block
    /// may not have all of is left out, and all behind it. None if a string has something wrong in it.
    #[inline]
    pub(super) fn of(block: &Block, lanes: Lanes, in_text: bool) -> Option<Self> {
        let (backslashes, control) = (lanes.equal(b'\\'), lanes.at_most(0x1f));
        let (escaped, end) = if backslashes == 0 { (0, 64) } else { escaped(block, backslashes)? };
        let quotes = lanes.equal(b'"') & !escaped;
        let text = odd(quotes) ^ if in_text { u64::MAX } else { 0 };
        let outside = !(text | quotes);

        let folded = lanes.folded();
        let (open, close) = (folded.equal(b'{') & outside, folded.equal(b'}') & outside);
        let (comma, colon) = (lanes.equal(b',') & outside, lanes.equal(b':') & outside);
        let mut blank = lanes.equal(b' ');
        if control != 0 {
            if control & text & below(end) != 0 {
                return None;
            }
            blank |= lanes.equal(b'\n') | lanes.equal(b'\r') | lanes.equal(b'\t');
        }
        let blank = blank & outside;
        let scalar = outside & !(open | close | comma | colon | blank);
        let tokens = Self {
            valid: u64::MAX,
            text,
            opening_quotes: quotes & text,
            closing_quotes: quotes & !text,
            open,
            close,
            comma,
            colon,
            blank,
            scalar,
            scalar_starts: scalar & !(scalar << 1),
            scalar_ends: scalar & !(scalar >> 1),
        };
        Some(tokens.before(end.min(64 - scalar.leading_ones() as usize)))
    }

    /// Those before `end`, which cuts no escape or scalar in two.
    #[inline]
    pub(super) fn before(mut self, end: usize) -> Self {
        let valid = self.valid & below(end);
        self.valid = valid;
        for mask in [
            &mut self.opening_quotes,
            &mut self.closing_quotes,
            &mut self.open,
            &mut self.close,
            &mut self.comma,
            &mut self.colon,
            &mut self.scalar_starts,
            &mut self.scalar_ends,
        ] {
            *mask &= valid;
        }
        self
    }

    /// How many bytes these are about.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.valid.trailing_ones() as usize
    }

    /// The first byte of the token behind each of `ends`, and behind the beginning of the block if `first` is 1.
    #[inline]
    pub(super) fn behind(&self, ends: u64, first: u64) -> u64 {
        let from = ends << 1 | first;
        ((((from & self.blank).wrapping_add(self.blank)) ^ self.blank) | from) & !self.blank & self.valid
    }

    /// The closing quotes of the strings that begin at `starts`.
    #[inline]
    pub(super) fn ends_of_text(&self, starts: u64) -> u64 {
        (((starts & self.text).wrapping_add(self.text) ^ self.text) | starts) & self.closing_quotes
    }
}

/// The bits before `end`.
#[inline]
fn below(end: usize) -> u64 {
    if end < 64 { (1 << end) - 1 } else { u64::MAX }
}

/// The bits that have an odd number of `bits` up to and with them.
#[inline]
fn odd(bits: u64) -> u64 {
    let mut odd = bits;
    for distance in [1, 2, 4, 8, 16, 32] {
        odd ^= odd << distance;
    }
    odd
}

/// The bytes that a backslash stands before, and where the first escape begins that the block has not all of. None if
/// one is wrong.
fn escaped(block: &Block, mut backslashes: u64) -> Option<(u64, usize)> {
    let mut escaped = 0;
    while backslashes != 0 {
        let at = backslashes.trailing_zeros() as usize;
        match block[at + 1..] {
            [b'u', a, b, c, d, ..] if [a, b, c, d].iter().all(u8::is_ascii_hexdigit) => {}
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => {}
            [] => return Some((escaped, at)),
            [b'u', ..] if block.len() - at < 6 => return Some((escaped, at)),
            _ => return None,
        }
        escaped |= 2 << at;
        backslashes &= !(3 << at);
    }
    Some((escaped, 64))
}
