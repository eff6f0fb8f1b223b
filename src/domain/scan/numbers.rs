//! The numbers and words of a block.
//!
//! All numbers are read at once. A *cursor* is a bit at the byte that a number has been read up to; an addition moves all
//! cursors over a run of digits, because its carry ends behind the run.

use super::{
    lanes::{Block, Lanes},
    tokens::Tokens,
};

/// Whether every scalar of the block is a number, `true`, `false` or `null`.
#[inline]
pub(super) fn are_right(block: &Block, lanes: Lanes, tokens: &Tokens) -> bool {
    if tokens.scalar_starts == 0 {
        return true;
    }
    let digits = lanes.at_most(b'9') & !lanes.at_most(b'/') & tokens.scalar;
    let minus = lanes.equal(b'-');
    let numbers = tokens.scalar_starts & (digits | minus);
    are_words(block, tokens.scalar_starts & !numbers, tokens.scalar)
        && are_numbers(lanes, numbers, minus, digits, tokens.scalar)
}

/// Whether a number begins at each of `starts` and goes on to the end of the run of `scalar` bytes.
#[inline]
fn are_numbers(lanes: Lanes, starts: u64, minus: u64, digits: u64, scalar: u64) -> bool {
    let behind_digits = |cursors: u64| digits.wrapping_add(cursors & digits) & !digits;
    let zero = lanes.equal(b'0');

    let integer = (starts & minus) << 1 | starts & !minus;
    let behind_zero = (integer & zero) << 1;
    let behind_integer = behind_zero | behind_digits(integer & !zero);
    let point = behind_integer & lanes.equal(b'.');
    let fraction = point << 1;
    let mut behind = behind_integer & !point | behind_digits(fraction);
    let mut wrong = integer & !digits | fraction & !digits;

    let exponent = behind & scalar & lanes.folded().equal(b'e');
    if exponent != 0 {
        let sign = exponent << 1 & (minus | lanes.equal(b'+'));
        let power = sign << 1 | exponent << 1 & !sign;
        behind = behind & !exponent | behind_digits(power);
        wrong |= power & !digits;
    }
    wrong | behind & scalar == 0
}

/// Whether at each of `starts` there is a word that is all of a run of `scalar` bytes.
#[inline]
fn are_words(block: &Block, mut starts: u64, scalar: u64) -> bool {
    while starts != 0 {
        let at = starts.trailing_zeros() as usize;
        let length = match block[at..] {
            [b't', b'r', b'u', b'e', ..] | [b'n', b'u', b'l', b'l', ..] => 4,
            [b'f', b'a', b'l', b's', b'e', ..] => 5,
            _ => return false,
        };
        // The last byte of a block is none of a scalar, so there is a byte behind the word.
        if scalar >> (at + length) & 1 == 1 {
            return false;
        }
        starts &= starts - 1;
    }
    true
}
