//! The value that is passed on: an object with a document under each key.

use foldhash::HashSet;

use super::{
    Document, ScanError, ScanLimits, key,
    object::{Event, Object},
    value::Fault,
};

#[derive(Debug)]
pub(super) struct Stream {
    object: Object,
    limits: ScanLimits,
    keys: HashSet<String>,
    documents: Vec<Document>,
    /// Bytes so far.
    length: u64,
}

/// What stopped the stream, at which index.
pub(super) enum Stop {
    Fault(usize, Fault),
    Refused(ScanError),
}

impl Stream {
    pub(super) fn new(limits: ScanLimits) -> Self {
        let object = Object::new(limits.depth.saturating_sub(1), key::longest_text(limits.key));
        Self { object, limits, keys: HashSet::default(), documents: Vec::new(), length: 0 }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.object.is_closed()
    }

    /// The key whose value is being read.
    pub(super) fn key(&self) -> &str {
        self.documents.last().map_or("", |document| &document.key)
    }

    pub(super) fn into_documents(self) -> (Vec<Document>, u64) {
        (self.documents, self.length)
    }

    /// Takes bytes until they are over or the object is. Gives how many it took.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<usize, Stop> {
        let mut at = 0;
        while at < bytes.len() && !self.is_closed() {
            let (used, event) = match self.object.feed(&bytes[at..]) {
                Ok(fed) => fed,
                Err((_, Fault::NameTooLong)) => return Err(Stop::Refused(self.name_too_long())),
                Err((index, fault)) => return Err(Stop::Fault(at + index, fault)),
            };
            at += used;
            self.length += used as u64;
            match event {
                Event::Name => self.document().map_err(Stop::Refused)?,
                Event::Value(_) => {
                    if let Some(document) = self.documents.last_mut() {
                        document.offset = self.length;
                    }
                }
                Event::ValueEnd => {
                    if let Some(document) = self.documents.last_mut() {
                        document.length = self.length - document.offset;
                    }
                }
                Event::Nothing | Event::Close => {}
            }
        }
        Ok(at)
    }

    /// The next document, known by its key.
    fn document(&mut self) -> Result<(), ScanError> {
        let (text, longest) = (self.object.name(), self.limits.key);
        let Some(decoded) = key::decode(text) else {
            let message = "has half of a surrogate pair in it".to_owned();
            return Err(ScanError::InvalidKey { key: key::shown(text, longest), message });
        };
        if let Some(message) = key::fault(&decoded, longest) {
            return Err(ScanError::InvalidKey { key: key::shown(decoded.as_bytes(), longest), message });
        }
        let key = decoded.into_owned();
        if !self.keys.insert(key.clone()) {
            return Err(ScanError::DuplicateKey(key));
        }
        if self.documents.len() == self.limits.documents {
            return Err(ScanError::TooManyDocuments { limit: self.limits.documents });
        }
        self.documents.push(Document { key, offset: 0, length: 0 });
        Ok(())
    }

    fn name_too_long(&self) -> ScanError {
        let longest = self.limits.key;
        ScanError::InvalidKey {
            key: key::shown(self.object.name(), longest),
            message: key::too_long(longest),
        }
    }
}
