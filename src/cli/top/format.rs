//! Numbers and times for people. Pure.

use jiff::Timestamp;
use serde_json::Value;

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;
const DAY: u64 = 86_400;

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within bounds")]
fn whole(seconds: f64) -> u64 {
    if seconds.is_finite() { seconds.round().clamp(0.0, 1e15) as u64 } else { 0 }
}

/// A span in at most two units: `4 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
pub fn span(seconds: f64) -> String {
    let s = whole(seconds);
    let two = |big: u64, unit: &str, small: u64, small_unit: &str| {
        if small == 0 { format!("{big} {unit}") } else { format!("{big} {unit} {small} {small_unit}") }
    };
    match s {
        0..MINUTE => format!("{s} s"),
        MINUTE..HOUR => two(s / MINUTE, "min", s % MINUTE, "s"),
        HOUR..DAY => two(s / HOUR, "h", s % HOUR / MINUTE, "min"),
        _ => two(s / DAY, "d", s % DAY / HOUR, "h"),
    }
}

/// The same in one unit, for narrow places.
pub fn short_span(seconds: f64) -> String {
    let s = whole(seconds);
    match s {
        0..MINUTE => format!("{s} s"),
        MINUTE..HOUR => format!("{} min", s / MINUTE),
        HOUR..DAY => format!("{} h", s / HOUR),
        _ => format!("{} d", s / DAY),
    }
}

pub fn time(at: &Value) -> Option<Timestamp> {
    at.as_str()?.parse().ok()
}

/// Seconds from then until now; negative if it is still to come.
pub fn age(at: &Value, now: Timestamp) -> Option<f64> {
    Some(now.duration_since(time(at)?).as_secs_f64())
}

/// How long it has been so, in one unit.
pub fn since(at: &Value, now: Timestamp) -> String {
    age(at, now).map_or_else(|| "-".to_owned(), |seconds| short_span(seconds.max(0.0)))
}

/// When, in a few words: `in 5 min`, `3 h ago`.
pub fn about(at: &Value, now: Timestamp) -> String {
    match age(at, now) {
        None => "-".to_owned(),
        Some(age) if age <= -0.5 => format!("in {}", short_span(-age)),
        Some(age) if age < 1.0 => "now".to_owned(),
        Some(age) => format!("{} ago", short_span(age)),
    }
}

/// The clock's time, with the day if that is another than today's.
pub fn clock(at: &Value, now: Timestamp) -> String {
    time(at).map_or_else(|| "-".to_owned(), |at| moment(at, now))
}

pub fn moment(at: Timestamp, now: Timestamp) -> String {
    let same = at.strftime("%F").to_string() == now.strftime("%F").to_string();
    at.strftime(if same { "%H:%M:%S" } else { "%b %d %H:%M" }).to_string()
}

pub fn percent(share: f64) -> String {
    let points = share * 100.0;
    if points != 0.0 && points < 10.0 { format!("{points:.1} %") } else { format!("{points:.0} %") }
}

/// A number with as many digits as tell something.
pub fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return format!("{value:.0}");
    }
    match value.abs() {
        size if size >= 1e15 => format!("{value:e}"),
        size if size >= 100.0 => format!("{value:.1}"),
        _ => format!("{value:.3}").trim_end_matches('0').to_owned(),
    }
}

/// A field as a number; 0 if it is none.
pub fn float(value: &Value) -> f64 {
    value.as_f64().unwrap_or_default()
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// `half_open` as people write it.
pub fn words(name: &str) -> String {
    name.replace('_', " ")
}

pub fn plural(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// Labels as they stand in queries.
pub fn labels(labels: &Value) -> String {
    let pairs = labels.as_object().into_iter().flatten();
    pairs.map(|(name, value)| format!("{name}={}", text(value))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn spans_and_times_are_short() {
        for (seconds, long, short) in [
            (-3.0, "0 s", "0 s"),
            (4.4, "4 s", "4 s"),
            (200.0, "3 min 20 s", "3 min"),
            (7200.0, "2 h", "2 h"),
            (273_600.0, "3 d 4 h", "3 d"),
            (f64::INFINITY, "0 s", "0 s"),
        ] {
            assert_eq!((span(seconds), short_span(seconds)), (long.to_owned(), short.to_owned()));
        }
        let now = "2027-01-15T08:10:00Z".parse().unwrap();
        let at = |text: &str| json!(text);
        assert_eq!(about(&at("2027-01-15T08:15:00Z"), now), "in 5 min");
        assert_eq!(about(&at("2027-01-15T05:10:00Z"), now), "3 h ago");
        assert_eq!(since(&at("2027-01-15T08:11:00Z"), now), "0 s", "clocks differ");
        assert_eq!(since(&Value::Null, now), "-");
        assert_eq!(clock(&at("2027-01-15T08:01:02Z"), now), "08:01:02");
        assert_eq!(clock(&at("2027-01-14T08:01:02Z"), now), "Jan 14 08:01");
    }

    #[test]
    fn numbers_have_the_digits_that_tell_something() {
        assert_eq!([percent(0.0), percent(0.034), percent(0.5)], ["0 %", "3.4 %", "50 %"]);
        assert_eq!(
            [number(1200.0), number(0.1), number(1234.56), number(14.25)],
            ["1200", "0.1", "1234.6", "14.25"]
        );
    }
}
