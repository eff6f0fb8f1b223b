//! The difference of two JSON texts, as a JSON Patch (RFC 6902) of the operations `add`, `remove` and `replace`.
//!
//! Texts are compared as they are written, because a parsed number has lost digits: `1.10` is another value than `1.1`,
//! and integers of any length are exact. What does not differ: white space, the order of keys, and how a string is
//! escaped. Values in a patch are the text of the document that they come from.
//!
//! - Arrays are aligned by their longest common subsequence, within bounds on the edits and on the work; beyond them
//!   element by element. When the patch of an array is longer than the array, the array is replaced.
//! - An object with a key that comes twice, or that is no Unicode text (half of a surrogate pair), is compared as a whole,
//!   because no path leads to its members.
//! - Below a depth of [`MAX_DEPTH`] values are compared as text, white space included.
//! - With more than [`MAX_OPERATIONS`], or when the patch is much longer than both texts (long keys that stand in many
//!   paths), keys of the document are replaced as a whole, or at last the document.
//!
//! Time and memory are linear in the size of the texts, which the caller bounds.

mod align;
mod text;
mod tree;
mod walk;

#[cfg(test)]
mod tests;

use serde::{Serialize, Serializer, ser::Error};
use serde_json::value::RawValue;

pub use self::tree::TooMany;
use self::{tree::Tree, walk::Walk};

/// How deep arrays and objects are looked into.
pub const MAX_DEPTH: usize = 128;
/// The most operations of a patch.
pub const MAX_OPERATIONS: usize = 10_000;
/// The most values and keys that a document may have, so that small values do not multiply its size in memory.
pub const MAX_VALUES: usize = 4_000_000;

/// One step of a JSON Patch. Each applies to what the steps before it have made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Operation<'a> {
    /// Put a value in: a new key, or an element before the one at that index.
    Add {
        /// Where, a JSON Pointer (RFC 6901).
        path: String,
        /// What.
        value: Fragment<'a>,
    },
    /// Take a value out.
    Remove {
        /// Which.
        path: String,
    },
    /// Put a value in the place of another.
    Replace {
        /// Which; the empty path is the document.
        path: String,
        /// By what.
        value: Fragment<'a>,
    },
}

/// A value, as its document has it: byte for byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a>(&'a str);

impl<'a> Fragment<'a> {
    /// Its text.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        self.0
    }
}

impl Serialize for Fragment<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// The patch that makes `to` out of `from`. Equal documents give an empty one.
pub fn diff<'a>(from: &RawValue, to: &'a RawValue) -> Result<Vec<Operation<'a>>, TooMany> {
    let hasher = foldhash::fast::RandomState::default();
    let (from_tree, to_tree) = (Tree::of(from, &hasher)?, Tree::of(to, &hasher)?);
    Ok(Walk::new(&from_tree, &to_tree).patch())
}
