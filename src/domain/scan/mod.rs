//! JSON bodies that are too large to hold.
//!
//! `{"backup_type": "x", "data": {"key": …}, "labels": {…}}` comes in frames of any size, with its fields in any order. The
//! value of one field is passed on as it comes, byte for byte; all the rest, the *envelope*, is small and kept. What
//! is passed on has been read, but the body has not ended: it is worth nothing before [`Scanner::finish`] says so.
//!
//! The text must be JSON as RFC 8259 has it, in UTF-8 without a byte order mark. As for
//! `serde_json`'s `RawValue`, a `\u` escape in a value may be half of a surrogate pair: the value is kept as text, and
//! Python writes such. A key of the streamed object must name characters, since it becomes a name.
//!
//! Where the frames are cut changes nothing, not even the error.

mod error;
mod key;
mod lanes;
mod number;
mod numbers;
mod object;
mod skim;
mod stream;
mod tokens;
mod utf8;
mod value;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod short;
#[cfg(test)]
mod tests;

use object::{Event, Object};
use stream::{Stop, Stream};
use value::{Fault, MAX_DEPTH};

pub use error::ScanError;

/// How large a body may be where that costs memory.
#[derive(Clone, Copy, Debug)]
pub struct ScanLimits {
    /// Levels of arrays and objects, the body's own object among them; at most 128, a larger number counts as that.
    pub depth: usize,
    /// Bytes of everything but the streamed value, white space among them.
    pub envelope: usize,
    /// Keys in the streamed object.
    pub documents: usize,
    /// Bytes of such a key, its escapes decoded.
    pub key: usize,
}

/// A body of which some frames have been there.
#[derive(Debug)]
pub struct Scanner {
    streamed: &'static str,
    limits: ScanLimits,
    held: utf8::Held,
    /// Bytes that have been looked at.
    offset: u64,
    outer: Object,
    envelope: Vec<u8>,
    /// Whether the value of the streamed field comes next.
    is_next: bool,
    stream: Option<Stream>,
    /// Where it belongs in the envelope.
    hole: usize,
    failed: Option<ScanError>,
}

/// What a whole body was.
#[derive(Debug, PartialEq, Eq)]
pub struct Scanned {
    /// The outer object's text with the streamed value replaced by `null`.
    pub envelope: Vec<u8>,
    /// The documents in the order of the text; none if the field was not there.
    pub documents: Option<Vec<Document>>,
    /// Bytes of the streamed value, from its `{` to its `}`.
    pub length: u64,
}

/// Where the value of a key lies within the streamed bytes, without white space around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The key, its escapes decoded. It can name a file: it is not empty, has no slash, backslash or control character in
    /// it and does not begin with a dot.
    pub key: String,
    /// Bytes before the value.
    pub offset: u64,
    /// Bytes of the value.
    pub length: u64,
}

impl Scanner {
    /// `streamed` is the name of the outer field whose value is passed on.
    #[must_use]
    pub fn new(streamed: &'static str, limits: ScanLimits) -> Self {
        let limits = ScanLimits { depth: limits.depth.min(MAX_DEPTH), ..limits };
        Self {
            streamed,
            limits,
            held: utf8::Held::default(),
            offset: 0,
            outer: Object::new(limits.depth, usize::MAX),
            envelope: Vec::new(),
            is_next: false,
            stream: None,
            hole: 0,
            failed: None,
        }
    }

    /// Takes the next bytes of the body. `sink` gets the bytes of the streamed value in order, in pieces as long as possible;
    /// after an error it has got some of those before it. After an error every call gives that error.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut dyn FnMut(&[u8])) -> Result<(), ScanError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        self.take(bytes, sink).inspect_err(|error| self.failed = Some(error.clone()))
    }

    /// The body has ended.
    pub fn finish(mut self) -> Result<Scanned, ScanError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        if self.held.is_within_character() {
            return Err(self.bad_json(0, NOT_UTF8));
        }
        if !self.outer.is_closed() || self.is_streaming() {
            return Err(self.bad_json(0, "the body ends early"));
        }
        if self.stream.is_some() {
            self.envelope.splice(self.hole..self.hole, *b"null");
        }
        let envelope = self.envelope.trim_ascii().to_vec();
        let (documents, length) = self.stream.map(Stream::into_documents).unzip();
        Ok(Scanned { envelope, documents, length: length.unwrap_or(0) })
    }

    fn take(&mut self, frame: &[u8], sink: &mut dyn FnMut(&[u8])) -> Result<(), ScanError> {
        let cut = self.held.cut(frame);
        self.scan(cut.joined(), sink)?;
        self.scan(cut.whole, sink)?;
        if cut.broken { Err(self.bad_json(0, NOT_UTF8)) } else { Ok(()) }
    }

    /// Takes bytes that are UTF-8.
    fn scan(&mut self, mut bytes: &[u8], sink: &mut dyn FnMut(&[u8])) -> Result<(), ScanError> {
        while !bytes.is_empty() {
            let used = match &mut self.stream {
                Some(stream) if !stream.is_closed() => {
                    let used = stream.feed(bytes).map_err(|stop| match stop {
                        Stop::Fault(at, fault) => self.fault(at, fault),
                        Stop::Refused(error) => error,
                    })?;
                    sink(&bytes[..used]);
                    used
                }
                _ => self.scan_envelope(bytes)?,
            };
            self.offset += used as u64;
            bytes = &bytes[used..];
        }
        Ok(())
    }

    /// Takes bytes of the envelope up to the next event.
    fn scan_envelope(&mut self, bytes: &[u8]) -> Result<usize, ScanError> {
        // Bytes beyond the limit are not looked at, so that the first of them is the error, whatever they are.
        let room = self.limits.envelope - self.envelope.len();
        let bytes = &bytes[..bytes.len().min(room)];
        if bytes.is_empty() {
            return Err(ScanError::EnvelopeTooLarge { limit: self.limits.envelope });
        }
        let (used, event) = match self.outer.feed(bytes) {
            Ok(fed) => fed,
            Err((at, _))
                if self.outer.is_unopened() && value::starts_value(bytes[at]) && bytes[at] != b'{' =>
            {
                return Err(ScanError::NotAnObject);
            }
            Err((at, _)) if self.outer.is_unopened() && bytes[at..].starts_with(BYTE_ORDER_MARK) => {
                return Err(self.bad_json(at, "a byte order mark is no JSON"));
            }
            Err((at, fault)) => return Err(self.fault(at, fault)),
        };
        self.envelope.extend_from_slice(&bytes[..used]);
        match event {
            Event::Name => {
                self.is_next = key::decode(self.outer.name()).is_some_and(|name| name == self.streamed);
                if self.is_next && self.stream.is_some() {
                    return Err(ScanError::DuplicateField);
                }
            }
            Event::Value(b'{') if self.is_next => {
                self.outer.skip_value();
                self.hole = self.envelope.len();
                self.stream = Some(Stream::new(self.limits));
            }
            // The words are no JSON at all; they go on to their own error.
            Event::Value(byte) if self.is_next && !matches!(byte, b'N' | b'I') => {
                return Err(ScanError::StreamedNotAnObject);
            }
            Event::Value(_) | Event::ValueEnd | Event::Nothing | Event::Close => {}
        }
        Ok(used)
    }

    fn is_streaming(&self) -> bool {
        self.stream.as_ref().is_some_and(|stream| !stream.is_closed())
    }

    /// The field that is being read, such as `labels` or `data.key`.
    fn field(&self) -> String {
        match &self.stream {
            Some(stream) if !stream.is_closed() => format!("{}.{}", self.streamed, stream.key()),
            _ => key::decode(self.outer.name()).unwrap_or_default().into_owned(),
        }
    }

    fn fault(&self, at: usize, fault: Fault) -> ScanError {
        match fault {
            Fault::Syntax(message) => self.bad_json(at, message),
            Fault::TooDeep => ScanError::TooDeep { limit: self.limits.depth },
            Fault::NotANumber(word) => ScanError::NotANumber { field: self.field(), word },
            Fault::NameTooLong => self.bad_json(at, "a key is too long"),
        }
    }

    /// `at` counts from the bytes that are being looked at.
    fn bad_json(&self, at: usize, message: &'static str) -> ScanError {
        ScanError::BadJson { offset: self.offset + at as u64, message }
    }
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
const NOT_UTF8: &str = "the body is not UTF-8";
