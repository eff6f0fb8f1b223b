//! Values read 64 bytes at a time.
//!
//! A block is turned into masks, in which bit `i` says something about byte `i`; what is right is then decided for all
//! tokens at once. Nothing here finds errors or ends: a block is taken as far as it is surely right and within the
//! value, and [`Value`] reads on from there byte by byte. So this may give up anywhere, and must never be wrong.

use super::{
    lanes::{Block, Lanes},
    numbers,
    tokens::Tokens,
    value::{Nesting, State, Value},
};

/// Bytes that are looked at together.
pub(super) const WIDTH: usize = size_of::<Block>();

/// Takes blocks while they are right. Gives how many bytes that were.
pub(super) fn skim(value: &mut Value, bytes: &[u8]) -> usize {
    let mut at = 0;
    let mut place = Place::of(value);
    while let Some(block) = bytes[at..].first_chunk::<WIDTH>() {
        let Some((used, next)) = place.behind(block) else { break };
        place = next;
        at += used;
        // Brackets and quotes that a block was cut before are not for here.
        if used < WIDTH && matches!(block[used], b'"' | b'{' | b'}' | b'[' | b']') {
            break;
        }
    }
    if at > 0 {
        value.state = place.state();
        value.nesting = place.nesting;
    }
    at
}

/// For each kind of token that has to come next, where that is.
#[derive(Clone, Copy)]
struct Due {
    colon: u64,
    separator: u64,
    value: u64,
    value_or_close: u64,
    key: u64,
    key_or_close: u64,
}

impl Due {
    /// Whether everywhere there is what is due. That brackets match is seen elsewhere.
    #[inline]
    fn is_met(&self, tokens: &Tokens) -> bool {
        let value = tokens.opening_quotes | tokens.scalar_starts | tokens.open;
        let missing = self.colon & !tokens.colon
            | self.separator & !(tokens.comma | tokens.close)
            | self.value & !value
            | self.value_or_close & !(value | tokens.close)
            | self.key & !tokens.opening_quotes
            | self.key_or_close & !(tokens.opening_quotes | tokens.close);
        missing == 0
    }
}

/// Where reading has got to.
#[derive(Clone, Copy)]
struct Place {
    nesting: Nesting,
    /// Within a string, which may be a key.
    in_text: bool,
    in_key: bool,
    /// What is due at the next byte that is not white space: 1 for one of them, for none within a string.
    due: Due,
}

impl Place {
    fn of(value: &Value) -> Self {
        let is = |state| u64::from(value.state == state);
        Self {
            nesting: value.nesting,
            in_text: matches!(value.state, State::Text { .. }),
            in_key: value.state == State::Text { key: true },
            due: Due {
                colon: is(State::Colon),
                separator: is(State::Separator),
                value: is(State::Value),
                value_or_close: is(State::ValueOrClose),
                key: is(State::Key),
                key_or_close: is(State::KeyOrClose),
            },
        }
    }

    fn state(&self) -> State {
        match self.due {
            _ if self.in_text => State::Text { key: self.in_key },
            Due { colon: 1, .. } => State::Colon,
            Due { separator: 1, .. } => State::Separator,
            Due { value: 1, .. } => State::Value,
            Due { value_or_close: 1, .. } => State::ValueOrClose,
            Due { key: 1, .. } => State::Key,
            _ => State::KeyOrClose,
        }
    }

    /// How many bytes of the block are right, and the place behind them. None if that is not known.
    #[inline]
    fn behind(&self, block: &Block) -> Option<(usize, Self)> {
        let lanes = Lanes::new(block);
        if self.in_text && lanes.equal(b'"') | lanes.equal(b'\\') | lanes.at_most(0x1f) == 0 {
            return Some((WIDTH, *self));
        }
        let mut tokens = Tokens::of(block, lanes, self.in_text)?;
        let mut nesting = self.nesting;
        let objects = nest(&mut nesting, block, &mut tokens);
        let used = tokens.len();
        if used == 0 {
            return None;
        }

        let (commas, opened) = (tokens.comma & objects, tokens.open & objects >> 1);
        let key = tokens.behind(commas, self.due.key);
        let key_or_close = tokens.behind(opened, self.due.key_or_close);
        let keys = (key | key_or_close) & tokens.opening_quotes | u64::from(self.in_key);
        let key_ends = tokens.ends_of_text(keys);
        let value_ends = (tokens.closing_quotes | tokens.scalar_ends | tokens.close) & !key_ends;
        let due = Due {
            colon: tokens.behind(key_ends, self.due.colon),
            separator: tokens.behind(value_ends, self.due.separator),
            value: tokens.behind(tokens.comma & !objects | tokens.colon, self.due.value),
            value_or_close: tokens.behind(tokens.open & !(objects >> 1), self.due.value_or_close),
            key,
            key_or_close,
        };
        if !due.is_met(&tokens) || !numbers::are_right(block, lanes, &tokens) {
            return None;
        }
        let in_text = tokens.text >> (used - 1) & 1 == 1;
        let in_key = in_text && keys & highest(tokens.opening_quotes | u64::from(self.in_text)) != 0;
        // What follows the last token; none is whole in a block of white space, or of a string.
        let last = if in_text {
            0
        } else {
            highest(key_ends | value_ends | tokens.comma | tokens.colon | tokens.open)
        };
        let (object, array) = if nesting.in_object() { (last, 0) } else { (0, last) };
        let is = |bits: u64| u64::from(bits != 0);
        let due = Due {
            colon: is(key_ends & last),
            separator: is(value_ends & last),
            value: is(tokens.colon & last | tokens.comma & array),
            value_or_close: is(tokens.open & array),
            key: is(tokens.comma & object),
            key_or_close: is(tokens.open & object),
        };
        let due = if last == 0 && !in_text { self.due } else { due };
        Some((used, Self { nesting, in_text, in_key, due }))
    }
}

/// Opens and closes what the block does, and gives where the innermost is an object. The tokens are cut before a bracket
/// that ends the value, does not match or opens too much.
#[inline]
fn nest(nesting: &mut Nesting, block: &Block, tokens: &mut Tokens) -> u64 {
    if nesting.depth() == 0 {
        // The value is a string.
        *tokens = tokens.before(tokens.closing_quotes.trailing_zeros() as usize);
        return 0;
    }
    let mut objects = if nesting.in_object() { u64::MAX } else { 0 };
    let mut brackets = tokens.open | tokens.close;
    while brackets != 0 {
        let at = brackets.trailing_zeros() as usize;
        let (outer, brace) = (nesting.in_object(), block[at] & 0x20 != 0);
        if tokens.open >> at & 1 == 1 {
            if nesting.is_full() {
                break;
            }
            nesting.open(brace);
        } else {
            if nesting.depth() == 1 || outer != brace {
                break;
            }
            nesting.close();
        }
        if nesting.in_object() != outer {
            objects ^= u64::MAX << at << 1;
        }
        brackets &= brackets - 1;
    }
    if brackets != 0 {
        *tokens = tokens.before(brackets.trailing_zeros() as usize);
    }
    objects
}

/// The highest bit alone.
#[inline]
fn highest(bits: u64) -> u64 {
    if bits == 0 { 0 } else { 1 << bits.ilog2() }
}
