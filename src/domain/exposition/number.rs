//! Numbers as text.

/// What Go's `strconv.ParseFloat` takes, without hexadecimal and underscores, as expfmt does.
pub(super) fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let value: f64 = text.parse().ok()?;
    let is_number = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    // Go refuses what is too large, and a sign before NaN.
    let holds = if is_number { value.is_finite() } else { !value.is_nan() || unsigned.len() == text.len() };
    holds.then_some(value)
}

/// Appends the shortest text that reads as the same number.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "compared with what it was")]
#[expect(clippy::float_cmp, reason = "exactly a whole number, or not")]
pub(super) fn push_float(out: &mut String, value: f64) {
    let whole = value as i64;
    if whole as f64 == value && whole.unsigned_abs() < 1 << 53 {
        out.push_str(itoa::Buffer::new().format(whole));
    } else if value.is_finite() {
        out.push_str(zmij::Buffer::new().format_finite(value));
    } else if value.is_nan() {
        out.push_str("NaN");
    } else {
        out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    }
}

/// The shortest text that reads as the same number, in Prometheus' words.
#[must_use]
pub fn float_text(value: f64) -> String {
    let mut text = String::new();
    push_float(&mut text, value);
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn takes_what_go_takes() {
        for (text, value) in [
            ("1", 1.0),
            ("+1.", 1.0),
            (".5", 0.5),
            ("-3e3", -3000.0),
            ("1E-2", 0.01),
            ("1e-400", 0.0),
            ("inf", f64::INFINITY),
            ("+Inf", f64::INFINITY),
            ("-iNFinity", f64::NEG_INFINITY),
        ] {
            assert_eq!(parse_float(text), Some(value), "{text}");
        }
        assert!(parse_float("NaN").unwrap().is_nan() && parse_float("nan").unwrap().is_nan());
        for bad in [
            "", "+", ".", "e5", "1e", "1_2", "0x1p-3", "0x1", "0b1", "1e400", "-1e400", "+NaN", "-nan", "1f",
            "١", "1 ", "infi",
        ] {
            assert_eq!(parse_float(bad), None, "{bad}");
        }
    }

    fn text(value: f64) -> String {
        let mut text = String::new();
        push_float(&mut text, value);
        text
    }

    #[test]
    fn is_short() {
        for (value, expected) in
            [(0.0, "0"), (1.0, "1"), (-7.0, "-7"), (0.1, "0.1"), (f64::INFINITY, "+Inf"), (f64::NAN, "NaN")]
        {
            assert_eq!(text(value), expected);
        }
        assert!(text(f64::MAX).len() < 30);
    }

    proptest! {
        #[test]
        fn reads_as_what_was_written(bits in any::<u64>(), small in -1_000_000..1_000_000_i32) {
            let whole = f64::from(small);
            for value in [f64::from_bits(bits), whole, whole / 1000.0, whole * 1e15] {
                let back = parse_float(&text(value)).unwrap();
                let same = (back + 0.0).total_cmp(&(value + 0.0)).is_eq() || back.is_nan() && value.is_nan();
                prop_assert!(same, "{} {}", value, text(value));
            }
        }
    }
}
