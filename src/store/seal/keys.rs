//! The keys that encrypt chunks.

use std::fmt;

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use chacha20poly1305::{AeadInOut, KeyInit, Tag, XChaCha20Poly1305, XNonce};

use crate::store::{StoreError, random};

/// Long enough to be random: after 2^64 chunks under one key two of them have the same with a chance of 2^-65.
const NONCE: usize = 24;
const TAG: usize = 16;

/// Bytes that encryption adds.
pub const OVERHEAD: usize = NONCE + TAG;

/// Which key it is. It says nothing about the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyId([u8; 8]);

impl KeyId {
    /// As it is stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for KeyId {
    type Error = std::array::TryFromSliceError;

    fn try_from(stored: &[u8]) -> Result<Self, Self::Error> {
        stored.try_into().map(Self)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

/// The text is no key. It does not say what the text was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key is 32 bytes, as 64 hexadecimal digits or in base64; `openssl rand -hex 32` makes one")]
pub struct InvalidKey;

/// A key. It cannot be printed.
#[derive(Clone)]
pub struct Key {
    id: KeyId,
    cipher: XChaCha20Poly1305,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id)
    }
}

impl Key {
    /// Reads a key; white space around it does not matter.
    pub fn parse(text: &str) -> Result<Self, InvalidKey> {
        let text = text.trim();
        let bytes = from_hex(text).or_else(|| from_base64(text)).ok_or(InvalidKey)?;
        // An empty or zeroed secret of a deployment is no secret.
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err(InvalidKey);
        }
        let mut id = [0; 8];
        id.copy_from_slice(&blake3::derive_key("fuseboard backup key id 1", &bytes)[..8]);
        let cipher = blake3::derive_key("fuseboard backup chunks 1", &bytes);
        Ok(Self { id: KeyId(id), cipher: XChaCha20Poly1305::new(&cipher.into()) })
    }

    /// Which it is.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// Encrypts in place; what comes out is bound to `context`.
    pub(super) fn lock(&self, context: &[u8], content: &mut Vec<u8>) -> Result<(), StoreError> {
        let nonce = random::<NONCE>()?;
        let tag = self
            .cipher
            .encrypt_inout_detached(&XNonce::from(nonce), context, content.as_mut_slice().into())
            .map_err(|_| StoreError::Other("a chunk is too long to be encrypted".to_owned()))?;
        content.extend_from_slice(&tag);
        content.extend_from_slice(&nonce);
        Ok(())
    }

    /// Decrypts in place. Says whether it was exactly what this key encrypted in this context; else `content` is lost.
    pub(super) fn unlock(&self, context: &[u8], content: &mut Vec<u8>) -> bool {
        let Some(length) = content.len().checked_sub(OVERHEAD) else { return false };
        let end = content.split_off(length);
        let (tag, nonce) = end.split_at(TAG);
        let (Ok(tag), Ok(nonce)) = (Tag::try_from(tag), XNonce::try_from(nonce)) else { return false };
        self.cipher.decrypt_inout_detached(&nonce, context, content.as_mut_slice().into(), &tag).is_ok()
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn from_base64(text: &str) -> Option<[u8; 32]> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&STANDARD, config).decode(text).ok()?.try_into().ok()
}

/// The keys at hand.
#[derive(Clone, Debug, Default)]
pub struct Keyring {
    current: Option<Key>,
    previous: Vec<Key>,
}

impl Keyring {
    /// New chunks get the current key; previous ones are for reading what was stored before.
    #[must_use]
    pub fn new(current: Option<Key>, mut previous: Vec<Key>) -> Self {
        previous.retain(|key| current.as_ref().is_none_or(|current| current.id != key.id));
        Self { current, previous }
    }

    /// The key of new chunks.
    #[must_use]
    pub fn current(&self) -> Option<&Key> {
        self.current.as_ref()
    }

    /// The key with this id.
    #[must_use]
    pub fn get(&self, id: KeyId) -> Option<&Key> {
        self.current.iter().chain(&self.previous).find(|key| key.id == id)
    }

    /// All keys at hand.
    #[must_use]
    pub fn ids(&self) -> Vec<KeyId> {
        self.current.iter().chain(&self.previous).map(Key::id).collect()
    }

    /// What chunks may have been sealed with that have to be sealed anew: previous keys, and no key at all if there is a
    /// current one.
    #[must_use]
    pub fn outdated(&self) -> Vec<Option<KeyId>> {
        let plain = self.current.is_some().then_some(None);
        plain.into_iter().chain(self.previous.iter().map(|key| Some(key.id))).collect()
    }
}
