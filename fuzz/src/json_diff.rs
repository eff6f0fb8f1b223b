//! Differences of documents.

use fuseboard::domain::json_diff::diff;
use serde_json::{Value, value::RawValue};

/// Nothing differs from itself, and the patch makes the second document out of the first.
pub fn check(data: &[u8]) {
    let Some(middle) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (from, to) = (document(&data[..middle]), document(&data[middle + 1..]));
    let (Some((from, mut before)), Some((to, after))) = (from, to) else { return };
    assert_eq!(diff(from, from).map(|patch| patch.len()).ok(), Some(0), "{from}");
    let Ok(patch) = diff(from, to) else { return };
    let patch = serde_json::to_string(&patch).expect("a patch can be written");
    let patch: json_patch::Patch = serde_json::from_str(&patch).expect("a patch is one");
    json_patch::patch(&mut before, &patch).expect("a patch fits its document");
    assert_eq!(before, after, "{from} to {to} by {patch}");
}

/// A text and what it says.
fn document(text: &[u8]) -> Option<(&RawValue, Value)> {
    Some((serde_json::from_slice(text).ok()?, serde_json::from_slice(text).ok()?))
}
