//! A window at rest: one character per call, sums worked out again when it is read.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Bucket, Held, Recent, Span, Window, WindowCounts, decode, encode};

/// A [`Window`] as it is stored.
#[derive(PartialEq, Serialize, Deserialize)]
pub(super) struct SavedWindow {
    span: Span,
    /// The held calls, oldest first, as digits: 1 failed, 2 slow, 3 both, 0 neither.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    calls: String,
    #[serde(default)]
    next: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    seconds: Vec<Bucket>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    failing: Vec<(u64, i64)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    slow: Vec<(u64, i64)>,
}

impl From<&Window> for SavedWindow {
    fn from(window: &Window) -> Self {
        let (calls, next, seconds) = match &window.held {
            Held::Calls { ring, oldest, next } => {
                let (newer, older) = ring.split_at(*oldest.min(&ring.len()));
                let digits = older.iter().chain(newer).map(|byte| char::from(b'0' | (byte & 3)));
                (digits.collect(), *next, Vec::new())
            }
            Held::Seconds(buckets) => (String::new(), 0, buckets.iter().copied().collect()),
        };
        let (failing, slow) = (window.failing.to_sorted(), window.slow.to_sorted());
        Self { span: window.span, calls, next, seconds, failing, slow }
    }
}

impl From<Window> for SavedWindow {
    fn from(window: Window) -> Self {
        Self::from(&window)
    }
}

impl From<SavedWindow> for Window {
    fn from(saved: SavedWindow) -> Self {
        let mut counts = WindowCounts::default();
        let held = match saved.span {
            Span::Calls(size) => {
                let surplus = saved.calls.len().saturating_sub(size as usize);
                let ring: Vec<u8> =
                    saved.calls.bytes().skip(surplus).map(|digit| encode(decode(digit))).collect();
                for byte in &ring {
                    counts.add(decode(*byte), 1);
                }
                Held::Calls { ring, oldest: 0, next: saved.next }
            }
            Span::Seconds(_) => {
                for bucket in &saved.seconds {
                    counts.merge(bucket.counts);
                }
                Held::Seconds(VecDeque::from(saved.seconds))
            }
        };
        let (failing, slow) = (Recent::from_saved(saved.failing), Recent::from_saved(saved.slow));
        Self { span: saved.span, held, counts, failing, slow }
    }
}

/// Equal when they hold the same calls, wherever the ring happens to wrap.
impl PartialEq for Window {
    fn eq(&self, other: &Self) -> bool {
        SavedWindow::from(self) == SavedWindow::from(other)
    }
}
