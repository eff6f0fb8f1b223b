//! A JSON text as a flat list of its values, each before its members.

use std::{
    borrow::Cow,
    fmt,
    hash::{BuildHasher, Hash, Hasher},
};

use foldhash::fast::RandomState;
use serde_json::value::RawValue;

use super::{MAX_DEPTH, MAX_VALUES, text};

/// A document has more than [`MAX_VALUES`] values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a document to compare may have at most {MAX_VALUES} values and keys")
    }
}

impl std::error::Error for TooMany {}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its members are keys and values by turns.
    Object,
    Array,
    /// A string.
    Text,
    /// A number, a truth value, null; or an array or object that is too deep to look into.
    Token,
}

#[derive(Clone, Copy)]
struct Node {
    /// Equal values have equal ones; different values may too.
    hash: u64,
    start: u32,
    end: u32,
    /// The first node that is not in it.
    next: u32,
    kind: Kind,
}

/// A value of a [`Tree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Index(u32);

/// A JSON text, taken apart.
pub(super) struct Tree<'a> {
    text: &'a str,
    nodes: Vec<Node>,
}

/// The members of an object by their key.
pub(super) type Members<'a> = Vec<(Cow<'a, str>, Index)>;

impl Index {
    /// The document.
    pub(super) const ROOT: Self = Self(0);
}

impl<'a> Tree<'a> {
    /// Takes a text apart. That it is JSON is what its type proves.
    pub(super) fn of(raw: &'a RawValue, hasher: &RandomState) -> Result<Self, TooMany> {
        let text = raw.get();
        // A longer text has no offsets of 32 bits; the caller's bound is far below.
        u32::try_from(text.len()).map_err(|_| TooMany)?;
        let mut reader =
            Reader { bytes: text.as_bytes(), at: 0, nodes: Vec::new(), open: Vec::new(), hasher };
        reader.read()?;
        Ok(Self { text, nodes: reader.nodes })
    }

    fn node(&self, index: Index) -> Node {
        self.nodes[index.0 as usize]
    }

    pub(super) fn kind(&self, index: Index) -> Kind {
        self.node(index).kind
    }

    pub(super) fn hash(&self, index: Index) -> u64 {
        self.node(index).hash
    }

    /// The text of a value.
    pub(super) fn text(&self, index: Index) -> &'a str {
        let node = self.node(index);
        &self.text[node.start as usize..node.end as usize]
    }

    /// What an array holds, or keys and values of an object by turns.
    pub(super) fn children(&self, index: Index) -> impl Iterator<Item = Index> + use<'_, 'a> {
        let end = self.node(index).next;
        let first = Some(index.0 + 1).filter(|first| *first < end);
        let next = move |at: &u32| Some(self.nodes[*at as usize].next).filter(|next| *next < end);
        std::iter::successors(first, next).map(Index)
    }

    /// Keys and values of an object in their order.
    pub(super) fn pairs(&self, index: Index) -> impl Iterator<Item = (Index, Index)> + use<'_, 'a> {
        let mut children = self.children(index);
        std::iter::from_fn(move || Some((children.next()?, children.next()?)))
    }

    /// The members of an object in the order of their keys; None if a key comes twice or is no text.
    pub(super) fn members(&self, index: Index) -> Option<Members<'a>> {
        let key = |key| match text::content(self.text(key)) {
            Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
        };
        let members: Option<Members<'a>> =
            self.pairs(index).map(|(name, value)| Some((key(name)?, value))).collect();
        let mut members = members?;
        members.sort_by(|one, other| one.0.cmp(&other.0));
        let twice = members.windows(2).any(|pair| pair[0].0 == pair[1].0);
        Some(members).filter(|_| !twice)
    }
}

struct Reader<'a, 'h> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    /// Indices of the arrays and objects around.
    open: Vec<usize>,
    hasher: &'h RandomState,
}

impl Reader<'_, '_> {
    fn read(&mut self) -> Result<(), TooMany> {
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' | b',' | b':' => self.at += 1,
                b'{' | b'[' if self.open.len() < MAX_DEPTH => {
                    let kind = if *byte == b'{' { Kind::Object } else { Kind::Array };
                    self.open.push(self.nodes.len());
                    self.push(kind, self.at, 0)?;
                    self.at += 1;
                }
                b'}' | b']' => self.close(),
                b'"' => {
                    let start = self.at;
                    self.skip_text();
                    let hash = self.hash_text(start);
                    self.push(Kind::Text, start, hash)?;
                }
                _ => {
                    let start = self.at;
                    if matches!(byte, b'{' | b'[') {
                        self.skip_deep();
                    } else {
                        self.skip_token();
                    }
                    let hash = self.hasher.hash_one(&self.bytes[start..self.at]);
                    self.push(Kind::Token, start, hash)?;
                }
            }
        }
        Ok(())
    }

    /// A value from `start` until here. Of an array or object, end and hash follow when it is closed.
    fn push(&mut self, kind: Kind, start: usize, hash: u64) -> Result<(), TooMany> {
        if self.nodes.len() >= MAX_VALUES {
            return Err(TooMany);
        }
        let next = small(self.nodes.len() + 1);
        self.nodes.push(Node { hash, start: small(start), end: small(self.at), next, kind });
        Ok(())
    }

    fn close(&mut self) {
        self.at += 1;
        let Some(index) = self.open.pop() else { return };
        let next = small(self.nodes.len());
        let hash = self.hash_members(index);
        let end = small(self.at);
        self.nodes[index] = Node { hash, end, next, ..self.nodes[index] };
    }

    /// Of an object it does not depend on the order of keys.
    fn hash_members(&self, index: usize) -> u64 {
        let nodes = &self.nodes;
        let first = Some(index + 1).filter(|first| *first < nodes.len());
        let next = |at: &usize| Some(nodes[*at].next as usize).filter(|next| *next < nodes.len());
        let mut hashes = std::iter::successors(first, next).map(|at| nodes[at].hash);
        let mut hasher = self.hasher.build_hasher();
        if nodes[index].kind == Kind::Object {
            let mut members = 0_u64;
            while let (Some(key), Some(value)) = (hashes.next(), hashes.next()) {
                members = members.wrapping_add(self.hasher.hash_one((key, value)));
            }
            ("object", members).hash(&mut hasher);
        } else {
            "array".hash(&mut hasher);
            hashes.for_each(|hash| hasher.write_u64(hash));
        }
        hasher.finish()
    }

    fn hash_text(&self, start: usize) -> u64 {
        let token = std::str::from_utf8(&self.bytes[start..self.at]).unwrap_or_default();
        self.hasher.hash_one((true, text::content(token)))
    }

    /// To the end of the string that begins here.
    fn skip_text(&mut self) {
        self.at += 1;
        while let Some(found) = self.bytes.get(self.at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest))
        {
            self.at += found;
            if self.bytes[self.at] == b'"' {
                self.at += 1;
                return;
            }
            self.at += 2;
        }
        self.at = self.bytes.len();
    }

    fn skip_token(&mut self) {
        let ends = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b',' | b':' | b'}' | b']');
        let rest = &self.bytes[self.at..];
        self.at += rest.iter().position(ends).unwrap_or(rest.len());
    }

    /// To the end of the array or object that begins here.
    fn skip_deep(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'"' => {
                    self.skip_text();
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return;
            }
        }
    }
}

/// Offsets and counts fit: the length of the text was checked.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn different_values_have_different_hashes() {
        let mut texts: Vec<String> = (0..2_000).map(|n| format!("[{n}]")).collect();
        texts.extend((0..2_000).map(|n| format!("{{\"k\":{n}}}")));
        texts.extend((0..2_000).map(|n| format!("{{\"k{n}\":1}}")));
        texts.extend((0..2_000).map(|n| format!("{{\"k\":{{\"a\":{n},\"b\":\"{n}\"}}}}")));
        texts.extend((0..2_000).map(|n| format!("[[{n},1],[1,{n}]]")));
        texts.extend(
            ["[]", "{}", "[[]]", "[{}]", "\"\"", "\"a\"", "{\"a\":[]}", "1", "\"1\""].map(str::to_owned),
        );
        let hasher = RandomState::default();
        let hash = |text: &String| {
            let tree = Tree::of(serde_json::from_str(text).unwrap(), &hasher).unwrap();
            tree.hash(Index::ROOT)
        };
        assert_eq!(texts.iter().map(hash).collect::<HashSet<_>>().len(), texts.len());
    }
}
