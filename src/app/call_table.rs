//! Calls in flight, and what became of the recent ones.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, BuildHasherDefault, Hasher},
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
};

use foldhash::quality::FixedState;
use parking_lot::Mutex;

use super::{breakers::BreakerCell, limiters::LimiterCell};
use crate::domain::Time;

const SHARDS: usize = 16;
/// How many of the latest calls are remembered after their end, to tell a duplicate from an expired one.
const REMEMBERED: usize = 1 << 18;

/// A call that has been admitted and has not reported.
#[derive(Debug)]
pub struct Call {
    /// The breaker that it entered, with the generation of its permit.
    pub breaker: Option<(Arc<BreakerCell>, u64)>,
    /// When the permit runs out.
    pub deadline: Time,
    /// Who calls.
    pub client: u64,
    /// Limiters of kind `concurrency` whose permits it holds.
    pub holds: Option<Box<[Arc<LimiterCell>]>>,
}

/// What the table knows of a call that is not in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// It has reported before.
    Duplicate,
    /// Its permit ran out.
    Expired,
    /// It was never issued, or by another board.
    Unknown,
}

/// The table of calls. Ids are sequence numbers; their text carries a keyed tag, so that they cannot be guessed.
#[derive(Debug)]
pub struct CallTable {
    shards: [Mutex<Shard>; SHARDS],
    next: AtomicU64,
    live: AtomicUsize,
    ended: Box<[AtomicU8]>,
    key: FixedState,
    seed: u64,
}

type Shard = HashMap<u64, Call, BuildHasherDefault<InSequence>>;

/// Hashes sequence numbers so that calls that began together lie together: with a million calls in flight, a
/// scattering hash would cost a cache miss for each.
#[derive(Clone, Copy, Debug, Default)]
struct InSequence(u64);

impl Hasher for InSequence {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        debug_assert!(false, "only for sequence numbers");
    }

    fn write_u64(&mut self, id: u64) {
        let n = id / SHARDS as u64;
        // The table takes the position from the low bits and a tag from the seven highest.
        self.0 = n ^ n << 57;
    }
}

const OPEN: u8 = 0;
const REPORTED: u8 = 1;
const EXPIRED: u8 = 2;

/// The text of a call id: 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CallId([u8; 32]);

impl CallId {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for CallId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl CallTable {
    /// An empty table whose ids are tagged under `key` and start at `next`.
    #[must_use]
    pub fn new(key: u64, next: u64) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::new(HashMap::default())),
            next: AtomicU64::new(next.max(1)),
            live: AtomicUsize::new(0),
            ended: (0..REMEMBERED).map(|_| AtomicU8::new(OPEN)).collect(),
            key: FixedState::with_seed(key),
            seed: key,
        }
    }

    /// The key of the tags.
    #[must_use]
    pub fn key(&self) -> u64 {
        self.seed
    }

    /// The next id to be given out.
    #[must_use]
    pub fn next_id(&self) -> u64 {
        self.next.load(Ordering::SeqCst)
    }

    /// A new id.
    #[must_use]
    pub fn fresh_id(&self) -> u64 {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        self.ended[slot(id)].store(OPEN, Ordering::Relaxed);
        id
    }

    /// Calls in flight.
    #[must_use]
    pub fn len(&self) -> usize {
        self.live.load(Ordering::Relaxed)
    }

    /// Whether no call is in flight.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an admitted call.
    pub fn insert(&self, id: u64, call: Call) {
        self.live.fetch_add(1, Ordering::Relaxed);
        self.shard(id).lock().insert(id, call);
    }

    /// Takes out a call that reports. Only one of several concurrent reports gets it.
    pub fn take(&self, id: u64) -> Result<Call, Absent> {
        let mut shard = self.shard(id).lock();
        if let Some(call) = shard.remove(&id) {
            self.ended[slot(id)].store(REPORTED, Ordering::Relaxed);
            self.live.fetch_sub(1, Ordering::Relaxed);
            return Ok(call);
        }
        drop(shard);
        let next = self.next.load(Ordering::Relaxed);
        if id >= next {
            return Err(Absent::Unknown);
        }
        let remembered = next - id <= REMEMBERED as u64;
        match self.ended[slot(id)].load(Ordering::Relaxed) {
            REPORTED if remembered => Err(Absent::Duplicate),
            _ => Err(Absent::Expired),
        }
    }

    /// Takes out the calls whose permits have run out.
    #[must_use]
    pub fn sweep(&self, now: Time) -> Vec<(u64, Call)> {
        let mut gone = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock();
            gone.extend(shard.extract_if(|_, call| call.deadline <= now));
        }
        for (id, _) in &gone {
            self.ended[slot(*id)].store(EXPIRED, Ordering::Relaxed);
        }
        self.live.fetch_sub(gone.len(), Ordering::Relaxed);
        gone
    }

    /// Reads every call in flight, for a clean stop.
    pub fn for_each(&self, mut read: impl FnMut(u64, &Call)) {
        for shard in &self.shards {
            for (id, call) in shard.lock().iter() {
                read(*id, call);
            }
        }
    }

    /// The text of an id.
    #[must_use]
    pub fn encode(&self, id: u64) -> CallId {
        let mut text = [0; 32];
        hex(id, &mut text[..16]);
        hex(self.key.hash_one(id), &mut text[16..]);
        CallId(text)
    }

    /// The id behind a text that [`CallTable::encode`] made.
    #[must_use]
    pub fn decode(&self, text: &str) -> Option<u64> {
        let bytes = text.as_bytes();
        if bytes.len() != 32 {
            return None;
        }
        let id = unhex(&bytes[..16])?;
        (unhex(&bytes[16..])? == self.key.hash_one(id)).then_some(id)
    }

    #[expect(clippy::cast_possible_truncation, reason = "only the low bits choose the shard")]
    fn shard(&self, id: u64) -> &Mutex<Shard> {
        &self.shards[id as usize % SHARDS]
    }
}

#[expect(clippy::cast_possible_truncation, reason = "only the low bits choose the slot")]
fn slot(id: u64) -> usize {
    id as usize % REMEMBERED
}

fn hex(value: u64, out: &mut [u8]) {
    for (digits, byte) in out.chunks_exact_mut(2).zip(value.to_be_bytes()) {
        digits[0] = b"0123456789abcdef"[usize::from(byte >> 4)];
        digits[1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
}

fn unhex(digits: &[u8]) -> Option<u64> {
    let (mut value, mut wrong) = (0, 0);
    for digit in digits {
        let nibble = NIBBLES[usize::from(*digit)];
        wrong |= nibble;
        value = value << 4 | u64::from(nibble & 15);
    }
    (wrong < 16).then_some(value)
}

/// The value of each lower-case hexadecimal digit; 255 for what is none.
const NIBBLES: [u8; 256] = {
    let mut table = [255; 256];
    let mut i = 0;
    while i < 16 {
        table[b"0123456789abcdef"[i as usize] as usize] = i;
        i += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    fn call(deadline: i64) -> Call {
        Call { breaker: None, deadline: Time::from_nanos(deadline), client: 0, holds: None }
    }

    #[test]
    fn each_end_is_told_apart() {
        let table = CallTable::new(1, 1);
        let (reported, expired, live) = (table.fresh_id(), table.fresh_id(), table.fresh_id());
        table.insert(reported, call(10));
        table.insert(expired, call(5));
        table.insert(live, call(10));
        assert!(table.take(reported).is_ok());
        assert_eq!(table.take(reported).unwrap_err(), Absent::Duplicate);
        assert_eq!(table.sweep(Time::from_nanos(5)).len(), 1);
        assert_eq!(table.take(expired).unwrap_err(), Absent::Expired);
        assert_eq!(table.take(99).unwrap_err(), Absent::Unknown);
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn a_guessed_or_damaged_id_is_no_id() {
        let table = CallTable::new(1, 1);
        let text = table.encode(5).to_string();
        assert_eq!(table.decode(&text), Some(5));
        assert_eq!(CallTable::new(2, 1).decode(&text), None);
        for bad in ["", "5", &text[1..], &text.to_uppercase(), &text.replace('5', "6")] {
            assert_eq!(table.decode(bad), None, "{bad}");
        }
    }
}
