//! What a JSON string means, however it is escaped.

use std::borrow::Cow;

/// The content of a JSON string token, its quotes included in `token`. UTF-8, but for halves of surrogate pairs, which
/// are encoded as if they were characters, so that different ones stay different.
pub(super) fn content(token: &str) -> Cow<'_, [u8]> {
    let inner = token.as_bytes();
    let inner = inner.get(1..inner.len().saturating_sub(1)).unwrap_or_default();
    let Some(first) = memchr::memchr(b'\\', inner) else { return Cow::Borrowed(inner) };
    let mut out = inner[..first].to_vec();
    let mut rest = &inner[first..];
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte == b'\\' {
            rest = unescape(tail, &mut out);
        } else {
            out.push(*byte);
        }
    }
    Cow::Owned(out)
}

/// Takes one escape whose backslash was taken; what follows it.
fn unescape<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let [kind, tail @ ..] = rest else { return rest };
    let plain = match kind {
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => return unescape_unit(tail, out),
        other => *other,
    };
    out.push(plain);
    tail
}

fn unescape_unit<'a>(rest: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let (high, rest) = hex(rest);
    if let (0xD800..0xDC00, [b'\\', b'u', tail @ ..]) = (high, rest)
        && let (low @ 0xDC00..0xE000, tail) = hex(tail)
    {
        push(0x10000 + (high - 0xD800) * 0x400 + (low - 0xDC00), out);
        return tail;
    }
    push(high, out);
    rest
}

fn hex(rest: &[u8]) -> (u32, &[u8]) {
    let (digits, rest) = rest.split_at(rest.len().min(4));
    let value = |digit: &u8| char::from(*digit).to_digit(16).unwrap_or_default();
    (digits.iter().fold(0, |unit, digit| unit * 16 + value(digit)), rest)
}

fn push(code: u32, out: &mut Vec<u8>) {
    match char::from_u32(code) {
        Some(character) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        // Half of a surrogate pair: three bytes, as UTF-8 would have it if it allowed it.
        None => out.extend([0xE0 | code >> 12, 0x80 | code >> 6 & 0x3F, 0x80 | code & 0x3F].map(low_byte)),
    }
}

fn low_byte(bits: u32) -> u8 {
    bits.to_le_bytes()[0]
}
