//! Spans and amounts: numbers of JSON.

use std::time::Duration;

use fuseboard::domain::{Seconds, Tokens};

/// What is in range is kept to the nanosecond and to the millionth, more than nothing stays so, and what is answered is read as the
/// same.
pub fn check(data: &[u8]) {
    if let Some(bits) = data.first_chunk() {
        number(f64::from_bits(u64::from_le_bytes(*bits)));
    }
    if let Ok(number_of_text) = serde_json::from_slice::<f64>(data) {
        number(number_of_text);
    }
}

fn number(raw: f64) {
    assert_eq!(Seconds::try_from(raw).is_ok(), (0.0..=Seconds::MAX).contains(&raw), "{raw} seconds");
    assert_eq!(Tokens::try_from(raw).is_ok(), (0.0..=Tokens::MAX).contains(&raw), "{raw} tokens");
    if let Ok(span) = Seconds::try_from(raw) {
        assert_eq!(span.is_zero(), raw == 0.0, "{raw}");
        assert!((span.get().as_secs_f64() - raw).abs() <= 1e-9 + raw * f64::EPSILON, "{raw}: {span:?}");
        let shown = serde_json::to_string(&span).expect("a number can be written");
        let again: Seconds = serde_json::from_str(&shown).expect("what is shown is taken");
        assert!(again.get().abs_diff(span.get()) <= Duration::from_nanos(64), "{raw}: {shown}");
    }
    if let Ok(tokens) = Tokens::try_from(raw) {
        assert_eq!(tokens == Tokens::ZERO, raw == 0.0, "{raw}");
        let shown = serde_json::to_string(&tokens).expect("a number can be written");
        assert_eq!(serde_json::from_str::<Tokens>(&shown).ok(), Some(tokens), "{raw}: {shown}");
    }
}
