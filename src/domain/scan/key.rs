//! Keys of documents. They become names of files.

use std::borrow::Cow;

/// What a string of JSON says, given without its quotes. Its escapes are correct, but may name half of a surrogate pair,
/// which is no character: none.
pub(super) fn decode(text: &[u8]) -> Option<Cow<'_, str>> {
    if !text.contains(&b'\\') {
        return std::str::from_utf8(text).ok().map(Cow::Borrowed);
    }
    let quoted = [b"\"", text, b"\""].concat();
    serde_json::from_slice(&quoted).ok().map(Cow::Owned)
}

/// Bytes that `decoded` ones can take in the text: each may be written as `\u0041`.
pub(super) fn longest_text(decoded: usize) -> usize {
    decoded.saturating_mul(6)
}

/// Why `key` cannot name a file of at most `longest` bytes.
pub(super) fn fault(key: &str, longest: usize) -> Option<String> {
    if key.is_empty() {
        Some("is empty".to_owned())
    } else if key.len() > longest {
        Some(too_long(longest))
    } else if key.starts_with('.') {
        Some("begins with a dot".to_owned())
    } else if key.contains(['/', '\\']) {
        Some("has a slash or a backslash in it".to_owned())
    } else if key.chars().any(char::is_control) {
        Some("has a control character in it".to_owned())
    } else {
        None
    }
}

pub(super) fn too_long(longest: usize) -> String {
    format!("is longer than {longest} bytes")
}

/// What is shown of a key: at most `longest` bytes.
pub(super) fn shown(text: &[u8], longest: usize) -> String {
    let text = String::from_utf8_lossy(text);
    text[..text.floor_char_boundary(longest)].to_owned()
}
