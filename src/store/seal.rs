//! How a chunk is packed: compressed if that helps, and always with a hash of what it held.

use super::sqlite::blobs::ChunkRow;

/// Nothing was done to the content.
const PLAIN: i64 = 0;
/// It is one zstd frame.
const ZSTD: i64 = 1;

/// The largest chunk, in bytes. A packed one that claims to be larger is damaged.
pub const MAX_CHUNK: usize = 256 * 1024;

/// BLAKE3 of a chunk's plain content: its name.
pub type ChunkHash = [u8; 32];

/// A chunk as it came, and where it begins in its blob.
#[derive(Clone, Debug)]
pub struct PlainChunk {
    /// Where its bytes begin.
    pub start: u64,
    /// Its name.
    pub hash: ChunkHash,
    /// Its bytes.
    pub content: bytes::Bytes,
}

/// The stored chunk is not what was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It does not unpack.
    #[error("it does not unpack")]
    Unpack,
    /// It unpacks to something else.
    #[error("its content does not match its hash")]
    Hash,
    /// It was packed in a way that this version does not know.
    #[error("it was packed in an unknown way")]
    Codec,
    /// The object store has no such object.
    #[error("its object is gone")]
    Gone,
}

/// Packs and unpacks chunks.
#[derive(Clone, Debug)]
pub struct Sealer {
    level: Option<i32>,
}

impl Sealer {
    /// With zstd at this level, or without compression.
    #[must_use]
    pub fn new(level: Option<i32>) -> Self {
        Self { level }
    }

    /// Whether it compresses.
    #[must_use]
    pub fn compresses(&self) -> bool {
        self.level.is_some()
    }

    /// Packs a chunk.
    #[must_use]
    pub fn seal(&self, chunk: &PlainChunk) -> ChunkRow {
        let packed = self.level.and_then(|level| zstd::bulk::compress(&chunk.content, level).ok());
        let (codec, content) = match packed {
            Some(packed) if packed.len() < chunk.content.len() => (ZSTD, packed),
            _ => (PLAIN, chunk.content.to_vec()),
        };
        ChunkRow {
            start: i64::try_from(chunk.start).unwrap_or(i64::MAX),
            hash: chunk.hash.to_vec(),
            size: i64::try_from(chunk.content.len()).unwrap_or(i64::MAX),
            codec,
            key: None,
            location: None,
            content: Some(content),
        }
    }

    /// Unpacks a chunk and compares it with its hash.
    pub fn open(&self, row: ChunkRow) -> Result<Vec<u8>, Damage> {
        let size = usize::try_from(row.size).ok().filter(|size| *size <= MAX_CHUNK).ok_or(Damage::Unpack)?;
        let content = row.content.ok_or(Damage::Gone)?;
        let plain = match row.codec {
            PLAIN => content,
            ZSTD => zstd::bulk::decompress(&content, size).map_err(|_| Damage::Unpack)?,
            _ => return Err(Damage::Codec),
        };
        if plain.len() != size || blake3::hash(&plain).as_bytes()[..] != row.hash[..] {
            return Err(Damage::Hash);
        }
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunk(content: Vec<u8>) -> PlainChunk {
        PlainChunk { start: 7, hash: *blake3::hash(&content).as_bytes(), content: content.into() }
    }

    proptest! {
        #[test]
        fn what_was_packed_unpacks_and_any_flipped_bit_is_refused(
            content in prop::collection::vec(prop_oneof![Just(b'a'), any::<u8>()], 1..2000),
            level in prop_oneof![Just(None), Just(Some(1)), Just(Some(9))],
            at in any::<prop::sample::Index>(),
            bit in 0..8_u8,
        ) {
            let sealer = Sealer::new(level);
            let row = sealer.seal(&chunk(content.clone()));
            prop_assert_eq!(sealer.open(row.clone()), Ok(content.clone()));
            let mut broken = row;
            let packed = broken.content.as_mut().unwrap();
            let at = at.index(packed.len());
            packed[at] ^= 1 << bit;
            // Not every bit of a zstd frame has a meaning, so the content may still be what it was; never another.
            match sealer.open(broken) {
                Ok(plain) => prop_assert!(level.is_some() && plain == content),
                Err(damage) => prop_assert!(matches!(damage, Damage::Hash | Damage::Unpack)),
            }
        }
    }
}
