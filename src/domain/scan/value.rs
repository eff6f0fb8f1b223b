//! One JSON value, recognised while its bytes come in.
//!
//! A pushdown automaton: its stack is a bit for each open array or object, so nesting costs neither recursion nor
//! memory. What needs no care goes through [`skim`](super::skim) in steps of 64 bytes.

use super::{number::Part, skim};

/// Levels of nesting that can be told apart.
pub(super) const MAX_DEPTH: usize = 128;

/// Bytes that most keys of documents do not exceed.
const SHORT: usize = 32;

/// Why the bytes are not a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Syntax(&'static str),
    TooDeep,
    NotANumber(&'static str),
    NameTooLong,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Value,
    ValueOrClose,
    Key,
    KeyOrClose,
    Colon,
    /// A comma or the end of the array or object.
    Separator,
    /// Within a string, which may be a key.
    Text {
        key: bool,
    },
    /// Behind the backslash.
    Escape {
        key: bool,
    },
    Hex {
        key: bool,
        left: u8,
    },
    Number(Part),
    /// Within a word, of which `seen` bytes have been there.
    Word {
        word: &'static str,
        seen: usize,
    },
    Done,
}

/// The arrays and objects that are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Nesting {
    /// Whether they are objects; the lowest bit is the innermost.
    objects: u128,
    depth: usize,
    limit: usize,
}

impl Nesting {
    pub(super) fn depth(self) -> usize {
        self.depth
    }

    pub(super) fn in_object(self) -> bool {
        self.objects & 1 == 1
    }

    pub(super) fn is_full(self) -> bool {
        self.depth == self.limit
    }

    /// Opens another one; the caller has looked whether it [is full](Self::is_full).
    pub(super) fn open(&mut self, object: bool) {
        self.objects = self.objects << 1 | u128::from(object);
        self.depth += 1;
    }

    /// Closes the innermost.
    pub(super) fn close(&mut self) {
        self.objects >>= 1;
        self.depth -= 1;
    }
}

/// A value of which some bytes have been there.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) state: State,
    pub(super) nesting: Nesting,
}

impl Value {
    /// Any value, with up to `depth` levels of arrays and objects in it, and at most [`MAX_DEPTH`].
    pub(super) fn any(depth: usize) -> Self {
        let nesting = Nesting { objects: 0, depth: 0, limit: depth.min(MAX_DEPTH) };
        Self { state: State::Value, nesting }
    }

    /// A string whose opening quote has been there.
    pub(super) fn text() -> Self {
        Self { state: State::Text { key: false }, ..Self::any(0) }
    }

    /// Takes bytes up to the end of the value. Gives how many belong to it, and whether it is over: a number is only when
    /// the byte behind it has been seen. A fault comes with the index of its byte.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(usize, bool), (usize, Fault)> {
        let mut at = 0;
        // Bytes before this one are taken one by one: where skimming has found something to look at, and the keys of
        // documents, which are short.
        let mut careful =
            if self.state == (State::Text { key: false }) && self.nesting.depth() == 0 { SHORT } else { 0 };
        while at < bytes.len() {
            if at >= careful && self.may_skim() {
                at += skim::skim(self, &bytes[at..]);
                careful = at + skim::WIDTH;
            }
            if let State::Text { .. } = self.state {
                at += bytes[at..].iter().take_while(|&&byte| is_plain(byte)).count();
            }
            let Some(&byte) = bytes.get(at) else { break };
            if let State::Number(part) = self.state
                && part.may_end()
                && part.next(byte).is_none()
            {
                self.state = self.ended();
            }
            if self.state == State::Done {
                return Ok((at, true));
            }
            self.state = self.next(byte).map_err(|fault| (at, fault))?;
            at += 1;
            if self.state == State::Done {
                return Ok((at, true));
            }
        }
        Ok((at, false))
    }

    /// Whether more than one token or byte of a string may follow.
    fn may_skim(&self) -> bool {
        match self.state {
            State::Text { .. } => true,
            State::Escape { .. }
            | State::Hex { .. }
            | State::Number(_)
            | State::Word { .. }
            | State::Done => false,
            _ => self.nesting.depth() > 0,
        }
    }

    /// The state behind `byte`.
    fn next(&mut self, byte: u8) -> Result<State, Fault> {
        match self.state {
            State::Text { .. } | State::Escape { .. } | State::Hex { .. } => self.text_byte(byte),
            State::Number(part) => number(part, byte),
            State::Word { word, seen } => self.word(word, seen, byte),
            same if is_blank(byte) => Ok(same),
            _ => self.token(byte),
        }
    }

    /// The first byte of a token.
    fn token(&mut self, byte: u8) -> Result<State, Fault> {
        let in_object = self.nesting.in_object();
        Ok(match (self.state, byte) {
            (State::Value | State::ValueOrClose, _) if starts_value(byte) => return self.value(byte),
            (State::ValueOrClose, b']') | (State::KeyOrClose, b'}') => self.close(),
            (State::Separator, b'}') if in_object => self.close(),
            (State::Separator, b']') if !in_object => self.close(),
            (State::Key | State::KeyOrClose, b'"') => State::Text { key: true },
            (State::Separator, b',') if in_object => State::Key,
            (State::Colon, b':') | (State::Separator, b',') => State::Value,
            (State::Value, _) => return Err(Fault::Syntax("expected a value")),
            (State::ValueOrClose, _) => return Err(Fault::Syntax("expected a value or ]")),
            (State::Key, _) => return Err(Fault::Syntax("expected a key")),
            (State::KeyOrClose, _) => return Err(Fault::Syntax("expected a key or }")),
            (State::Colon, _) => return Err(Fault::Syntax("expected :")),
            (_, _) if in_object => return Err(Fault::Syntax("expected , or }")),
            (_, _) => return Err(Fault::Syntax("expected , or ]")),
        })
    }

    /// The first byte of a value.
    fn value(&mut self, byte: u8) -> Result<State, Fault> {
        match byte {
            b'"' => Ok(State::Text { key: false }),
            b'{' | b'[' if self.nesting.is_full() => Err(Fault::TooDeep),
            b'{' | b'[' => {
                self.nesting.open(byte == b'{');
                Ok(if byte == b'{' { State::KeyOrClose } else { State::ValueOrClose })
            }
            _ => match (Part::first(byte), word(byte)) {
                (Some(part), _) => Ok(State::Number(part)),
                (None, Some(word)) => Ok(State::Word { word, seen: 1 }),
                (None, None) => Err(Fault::Syntax("expected a value")),
            },
        }
    }

    /// A byte of a string.
    fn text_byte(&self, byte: u8) -> Result<State, Fault> {
        Ok(match (self.state, byte) {
            (State::Text { key: true }, b'"') => State::Colon,
            (State::Text { .. }, b'"') => self.ended(),
            (State::Text { key }, b'\\') => State::Escape { key },
            (State::Text { .. }, 0..0x20) => return Err(Fault::Syntax("a control character in a string")),
            (State::Escape { key }, b'u') => State::Hex { key, left: 4 },
            (State::Escape { key }, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')
            | (State::Hex { key, left: 1 }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => State::Text { key },
            (State::Hex { key, left }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                State::Hex { key, left: left - 1 }
            }
            (State::Escape { .. } | State::Hex { .. }, _) => return Err(Fault::Syntax("a wrong escape")),
            (same, _) => same,
        })
    }

    fn word(&self, word: &'static str, seen: usize, byte: u8) -> Result<State, Fault> {
        if word.as_bytes().get(seen) != Some(&byte) {
            return Err(Fault::Syntax("expected a value"));
        }
        if seen + 1 < word.len() {
            return Ok(State::Word { word, seen: seen + 1 });
        }
        if word.ends_with(['N', 'y']) { Err(Fault::NotANumber(word)) } else { Ok(self.ended()) }
    }

    fn close(&mut self) -> State {
        self.nesting.close();
        self.ended()
    }

    /// The state behind a value: this one, or one in it.
    fn ended(&self) -> State {
        if self.nesting.depth() == 0 { State::Done } else { State::Separator }
    }
}

/// A byte of a number.
fn number(part: Part, byte: u8) -> Result<State, Fault> {
    match part.next(byte) {
        Some(next) => Ok(State::Number(next)),
        None if part == Part::Minus && byte == b'I' => Ok(State::Word { word: "-Infinity", seen: 2 }),
        None => Err(Fault::Syntax("expected a digit")),
    }
}

/// White space between tokens.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Whether a value begins with this byte; `N` and `I` begin the words that Python writes.
pub(super) fn starts_value(byte: u8) -> bool {
    matches!(byte, b'{' | b'[' | b'"') || Part::first(byte).is_some() || word(byte).is_some()
}

/// A byte of a string that is nothing but itself.
fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

fn word(first: u8) -> Option<&'static str> {
    match first {
        b't' => Some("true"),
        b'f' => Some("false"),
        b'n' => Some("null"),
        b'N' => Some("NaN"),
        b'I' => Some("Infinity"),
        _ => None,
    }
}
