//! How a chunk is packed: compressed if that helps, then encrypted if there is a key, and always with a hash of what it
//! held.

mod keys;
#[cfg(test)]
mod tests;

use super::{StoreError, sqlite::blobs::ChunkRow};

pub use keys::{InvalidKey, Key, KeyId, Keyring, OVERHEAD};

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
    /// It does not decrypt with the key that encrypted it.
    #[error("it does not decrypt")]
    Decrypt,
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

/// Why a chunk cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is damaged.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// It may be whole, but its key is not at hand.
    #[error("it is encrypted with the key {0}, which is not configured")]
    KeyMissing(KeyId),
}

/// Packs and unpacks chunks.
#[derive(Clone, Debug)]
pub struct Sealer {
    level: Option<i32>,
    keys: Keyring,
}

impl Sealer {
    /// With zstd at this level, or without compression; encrypting if there is a current key.
    #[must_use]
    pub fn new(level: Option<i32>, keys: Keyring) -> Self {
        Self { level, keys }
    }

    /// Whether it compresses.
    #[must_use]
    pub fn compresses(&self) -> bool {
        self.level.is_some()
    }

    /// The keys at hand.
    #[must_use]
    pub fn keys(&self) -> &Keyring {
        &self.keys
    }

    /// Packs a chunk. Fails if the system has no randomness.
    pub fn seal(&self, chunk: &PlainChunk) -> Result<ChunkRow, StoreError> {
        let packed = self.level.and_then(|level| zstd::bulk::compress(&chunk.content, level).ok());
        let (codec, content) = match packed {
            Some(packed) if packed.len() < chunk.content.len() => (ZSTD, packed),
            _ => (PLAIN, chunk.content.to_vec()),
        };
        let mut row = ChunkRow {
            start: i64::try_from(chunk.start).unwrap_or(i64::MAX),
            hash: chunk.hash.to_vec(),
            size: i64::try_from(chunk.content.len()).unwrap_or(i64::MAX),
            codec,
            key: None,
            stored: 0,
            location: None,
            content: Some(content),
        };
        self.lock(&mut row)?;
        Ok(row)
    }

    /// Unpacks a chunk and compares it with its hash.
    pub fn open(&self, mut row: ChunkRow) -> Result<Vec<u8>, OpenError> {
        let size = usize::try_from(row.size).ok().filter(|size| *size <= MAX_CHUNK).ok_or(Damage::Unpack)?;
        self.unlock(&mut row)?;
        let content = row.content.ok_or(Damage::Gone)?;
        let plain = match row.codec {
            PLAIN => content,
            ZSTD => zstd::bulk::decompress(&content, size).map_err(|_| Damage::Unpack)?,
            _ => return Err(Damage::Codec.into()),
        };
        if plain.len() != size || blake3::hash(&plain).as_bytes()[..] != row.hash[..] {
            return Err(Damage::Hash.into());
        }
        Ok(plain)
    }

    /// Replaces the key of a chunk by the current one, or by none if there is none. A damaged one stays damaged.
    pub fn reseal(&self, mut row: ChunkRow) -> Result<Result<ChunkRow, OpenError>, StoreError> {
        if let Err(error) = self.unlock(&mut row) {
            return Ok(Err(error));
        }
        self.lock(&mut row)?;
        Ok(Ok(row))
    }

    fn lock(&self, row: &mut ChunkRow) -> Result<(), StoreError> {
        let context = context(row);
        if let (Some(key), Some(content)) = (self.keys.current(), &mut row.content) {
            key.lock(&context, content)?;
            row.key = Some(key.id().as_bytes().to_vec());
        }
        row.stored =
            row.content.as_ref().map_or(0, |content| i64::try_from(content.len()).unwrap_or(i64::MAX));
        Ok(())
    }

    fn unlock(&self, row: &mut ChunkRow) -> Result<(), OpenError> {
        let Some(id) = row.key.take() else { return Ok(()) };
        let id = KeyId::try_from(&id[..]).map_err(|_| Damage::Codec)?;
        let key = self.keys.get(id).ok_or(OpenError::KeyMissing(id))?;
        let context = context(row);
        let content = row.content.as_mut().ok_or(Damage::Gone)?;
        if key.unlock(&context, content) { Ok(()) } else { Err(Damage::Decrypt.into()) }
    }
}

/// What an encrypted chunk is bound to: it does not decrypt in another's place.
fn context(row: &ChunkRow) -> Vec<u8> {
    [&row.hash, &row.codec.to_le_bytes()[..], &row.size.to_le_bytes()[..]].concat()
}
