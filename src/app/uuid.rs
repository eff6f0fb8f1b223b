//! Ids that are unique everywhere.

use jiff::Timestamp;

use crate::store::{StoreError, random};

/// A UUID that ascends with time (RFC 9562, version 7).
pub(super) fn uuid(now: Timestamp) -> Result<String, StoreError> {
    let millis = u64::try_from(now.as_millisecond()).unwrap_or_default() & 0xffff_ffff_ffff;
    let dice = u128::from_le_bytes(random::<16>()?);
    // 48 bits of time, version, 12 bits, variant, 62 bits.
    let bits = u128::from(millis) << 80
        | 0x7 << 76
        | (dice >> 64 & 0xfff) << 64
        | 0b10 << 62
        | dice & ((1 << 62) - 1);
    let digits = format!("{bits:032x}");
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    Ok(parts.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_ascend_with_time_and_have_the_right_form() {
        let at = |second| uuid(Timestamp::from_second(second).unwrap()).unwrap();
        let (a, b) = (at(1_800_000_000), at(1_800_000_001));
        assert!(a < b && a.len() == 36);
        assert_eq!((&a[14..15], &a[8..9]), ("7", "-"));
        assert!("89ab".contains(&a[19..20]), "{a}");
        assert_ne!(at(0), at(0));
    }
}
