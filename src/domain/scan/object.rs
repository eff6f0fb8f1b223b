//! One level of an object whose members matter one by one.

use super::value::{Fault, Value, is_blank, starts_value};

/// What has just been there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Nothing,
    /// A name, which [`Object::name`] has now.
    Name,
    /// The place where a value begins with this byte, which is still to come.
    Value(u8),
    /// The last byte of a value.
    ValueEnd,
    /// The object's closing brace.
    Close,
}

#[derive(Clone, Debug)]
enum At {
    Open,
    NameOrClose,
    Name,
    InName(Value),
    Colon,
    Value,
    InValue(Value),
    Separator,
    Closed,
}

/// An object of which some bytes have been there.
#[derive(Debug)]
pub(super) struct Object {
    at: At,
    /// The last name as it stands in the text, with its closing quote.
    name: Vec<u8>,
    /// Bytes that a name in the text may have without its quotes.
    longest_name: usize,
    /// Levels of nesting that are left, the object's own one included.
    depth: usize,
}

impl Object {
    pub(super) fn new(depth: usize, longest_name: usize) -> Self {
        Self { at: At::Open, name: Vec::new(), longest_name, depth }
    }

    /// The last name as it stands in the text, without its quotes.
    pub(super) fn name(&self) -> &[u8] {
        self.name.strip_suffix(b"\"").unwrap_or(&self.name)
    }

    pub(super) fn is_unopened(&self) -> bool {
        matches!(self.at, At::Open)
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.at, At::Closed)
    }

    /// Takes over the value that was to begin: somebody else reads it.
    pub(super) fn skip_value(&mut self) {
        self.at = At::Separator;
    }

    /// Takes bytes up to the next event. Gives how many it took; that can be none, where something ends only because of
    /// what follows. A fault comes with the index of its byte.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(usize, Event), (usize, Fault)> {
        match &mut self.at {
            At::InName(text) => {
                let room = self.longest_name.saturating_add(1).saturating_sub(self.name.len());
                let bytes = &bytes[..bytes.len().min(room)];
                if bytes.is_empty() {
                    return Err((0, Fault::NameTooLong));
                }
                let (used, ended) = text.feed(bytes)?;
                self.name.extend_from_slice(&bytes[..used]);
                if ended {
                    self.at = At::Colon;
                }
                Ok((used, if ended { Event::Name } else { Event::Nothing }))
            }
            At::InValue(value) => {
                let (used, ended) = value.feed(bytes)?;
                if ended {
                    self.at = At::Separator;
                }
                Ok((used, if ended { Event::ValueEnd } else { Event::Nothing }))
            }
            _ => self.token(bytes),
        }
    }

    /// White space, and the byte behind it.
    fn token(&mut self, bytes: &[u8]) -> Result<(usize, Event), (usize, Fault)> {
        let blank = bytes.iter().take_while(|&&byte| is_blank(byte)).count();
        let Some(&byte) = bytes.get(blank) else { return Ok((blank, Event::Nothing)) };
        let mut event = Event::Nothing;
        self.at = match (&self.at, byte) {
            (At::Open, b'{') if self.depth == 0 => return Err((blank, Fault::TooDeep)),
            (At::Open, b'{') => At::NameOrClose,
            (At::NameOrClose | At::Name, b'"') => {
                self.name.clear();
                At::InName(Value::text())
            }
            (At::NameOrClose | At::Separator, b'}') => {
                event = Event::Close;
                At::Closed
            }
            (At::Colon, b':') => At::Value,
            (At::Value, _) if starts_value(byte) => {
                self.at = At::InValue(Value::any(self.depth - 1));
                return Ok((blank, Event::Value(byte)));
            }
            (At::Separator, b',') => At::Name,
            (at, _) => return Err((blank, Fault::Syntax(expected(at)))),
        };
        Ok((blank + 1, event))
    }
}

fn expected(at: &At) -> &'static str {
    match at {
        At::Open => "expected {",
        At::NameOrClose => "expected a key or }",
        At::Name | At::InName(_) => "expected a key",
        At::Colon => "expected :",
        At::Value | At::InValue(_) => "expected a value",
        At::Separator => "expected , or }",
        At::Closed => "something follows the end of the body",
    }
}
