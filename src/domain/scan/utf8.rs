//! Frames cut into pieces of whole characters.
//!
//! What looks at the pieces sees every character in one of them, so it does not matter where frames were cut.

use std::str;

/// The bytes of a character whose rest comes with the next frame.
#[derive(Debug, Default)]
pub(super) struct Held {
    bytes: [u8; 4],
    len: usize,
}

/// A frame in pieces, in order: `joined`, `whole`, then `broken`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut<'a> {
    joined: [u8; 4],
    joined_len: usize,
    /// What lies in the frame itself.
    pub whole: &'a [u8],
    /// Whether what follows is no UTF-8.
    pub broken: bool,
}

impl Cut<'_> {
    /// The character that the frame completed; empty if there was none.
    pub(super) fn joined(&self) -> &[u8] {
        &self.joined[..self.joined_len]
    }
}

impl Held {
    /// Whether the frames so far end within a character.
    pub(super) fn is_within_character(&self) -> bool {
        self.len > 0
    }

    /// Cuts the next frame, and keeps what it has of a character that it does not complete.
    pub(super) fn cut<'a>(&mut self, frame: &'a [u8]) -> Cut<'a> {
        let mut cut = Cut { joined: [0; 4], joined_len: 0, whole: &[], broken: false };
        let mut rest = frame;
        while self.len > 0 {
            let [byte, after @ ..] = rest else { return cut };
            rest = after;
            self.bytes[self.len] = *byte;
            self.len += 1;
            match str::from_utf8(&self.bytes[..self.len]) {
                Ok(_) => {
                    (cut.joined, cut.joined_len) = (self.bytes, self.len);
                    self.len = 0;
                }
                // Four bytes are complete or wrong, so there is room for the next one.
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Cut { broken: true, ..cut },
            }
        }
        match str::from_utf8(rest) {
            Ok(_) => cut.whole = rest,
            Err(error) => {
                let tail;
                (cut.whole, tail) = rest.split_at(error.valid_up_to());
                if error.error_len().is_some() {
                    cut.broken = true;
                } else {
                    self.len = tail.len();
                    self.bytes[..tail.len()].copy_from_slice(tail);
                }
            }
        }
        cut
    }
}
