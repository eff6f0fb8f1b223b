//! Ids that are unique everywhere.

use jiff::Timestamp;
use uuid::Builder;

use crate::store::{StoreError, random};

/// A UUID that ascends with time (version 7).
pub(super) fn uuid(now: Timestamp) -> Result<String, StoreError> {
    let millis = u64::try_from(now.as_millisecond()).unwrap_or_default();
    Ok(Builder::from_unix_timestamp_millis(millis, &random()?).into_uuid().to_string())
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
