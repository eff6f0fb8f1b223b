//! Why a body is refused.

/// The body is not what was asked for. Offsets count the bytes of the body from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// The text is no JSON (RFC 8259), or no UTF-8.
    #[error("{message} at byte {offset}")]
    BadJson {
        /// Where it stops being JSON.
        offset: u64,
        /// What is wrong there.
        message: &'static str,
    },
    /// The body is JSON of another kind than an object.
    #[error("the body must be an object")]
    NotAnObject,
    /// The value of the streamed field is JSON of another kind than an object; null is one, too.
    #[error("must be an object")]
    StreamedNotAnObject,
    /// The streamed field is there twice.
    #[error("the field is there twice")]
    DuplicateField,
    /// The streamed object has this key twice.
    #[error("the key {0:?} is there twice")]
    DuplicateKey(String),
    /// A key of the streamed object cannot name a file.
    #[error("the key {key:?} {message}")]
    InvalidKey {
        /// The key, cut to the allowed length.
        key: String,
        /// What a key must be.
        message: String,
    },
    /// Arrays and objects are nested more deeply than allowed.
    #[error("more than {limit} levels of arrays and objects")]
    TooDeep {
        /// The allowed levels, the body's own object among them.
        limit: usize,
    },
    /// The streamed object has more keys than this.
    #[error("more than {limit} keys")]
    TooManyDocuments {
        /// The allowed number of keys.
        limit: usize,
    },
    /// There are more bytes than this beside the streamed value.
    #[error("more than {limit} bytes beside the streamed field")]
    EnvelopeTooLarge {
        /// The allowed number of bytes.
        limit: usize,
    },
    /// A bare `NaN`, `Infinity` or `-Infinity`, as Python's `json.dumps` writes them.
    #[error("{word} is no JSON number")]
    NotANumber {
        /// The field of the body, or `field.key` in the streamed object.
        field: String,
        /// The word.
        word: &'static str,
    },
}
