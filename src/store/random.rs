//! Randomness from the system.

use super::StoreError;

/// Random bytes, good enough for secrets.
pub fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|e| StoreError::Other(format!("no randomness from the system: {e}")))?;
    Ok(bytes)
}
