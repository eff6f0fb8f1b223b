//! Which format a client of `/metrics` wants.

use axum::http::{HeaderMap, header};

use crate::domain::exposition::Format;

/// How well a range fits a format: the more it says, the better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Anything,
    Type,
    Exact,
}

/// A range of `Accept` that fits a format.
#[derive(Clone, Copy)]
struct Wish {
    fit: Fit,
    quality: u16,
    /// Its place in the header.
    place: usize,
}

/// The format with the greater quality (RFC 9110, 12.5.1); of equal ones that which is named more exactly, then the first
/// one named. Text if neither is wanted: Prometheus' clients ask in many ways, and all of them read it.
pub(super) fn format(headers: &HeaderMap) -> Format {
    let (mut text, mut open) = (None, None);
    let ranges = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for (place, range) in ranges.flat_map(|value| value.split(',')).enumerate() {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut version, mut quality) = (None, 1000);
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name.trim().to_ascii_lowercase().as_str() {
                "version" => version = Some(value.trim().trim_matches('"')),
                "q" => quality = thousandths(value.trim()),
                _ => {}
            }
        }
        let note = |wish: &mut Option<Wish>, fit: Fit| {
            if wish.is_none_or(|before| before.fit < fit) {
                *wish = Some(Wish { fit, quality, place });
            }
        };
        match (kind.as_str(), version) {
            ("application/openmetrics-text", None | Some("1.0.0")) => note(&mut open, Fit::Exact),
            ("application/*", None) => note(&mut open, Fit::Type),
            ("text/plain", None | Some("0.0.4")) => note(&mut text, Fit::Exact),
            ("text/*", None) => note(&mut text, Fit::Type),
            ("*/*", None) => {
                note(&mut open, Fit::Anything);
                note(&mut text, Fit::Anything);
            }
            _ => {}
        }
    }
    match (open.filter(|wish| wish.quality > 0), text) {
        (Some(open), Some(text)) => {
            let order = |wish: Wish| (wish.quality, wish.fit, std::cmp::Reverse(wish.place));
            if order(open) > order(text) { Format::OpenMetrics } else { Format::Text }
        }
        (Some(_), None) => Format::OpenMetrics,
        (None, _) => Format::Text,
    }
}

/// A weight in thousandths; one that is none counts as the greatest.
fn thousandths(weight: &str) -> u16 {
    let weight = weight.parse::<f32>().ok().filter(|weight| (0.0..=1.0).contains(weight));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1000")]
    weight.map_or(1000, |weight| (weight * 1000.0).round() as u16)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(accept: &[&'static str]) -> Format {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(header::ACCEPT, HeaderValue::from_static(value));
        }
        format(&headers)
    }

    #[test]
    fn the_one_that_is_wanted_more_is_sent() {
        for open in [
            "application/openmetrics-text",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "APPLICATION/OpenMetrics-Text;Version=\"1.0.0\" ; Q=0.9, text/plain;q=0.8",
            "application/openmetrics-text, */*",
            "application/openmetrics-text, text/plain",
            "application/openmetrics-text;q=0.2, text/plain;q=0.1",
            "text/plain;q=0, application/*;q=0.001",
            // Prometheus 2.53, and one of the versions before that also reads protobuf.
            "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
             text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
             application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
             text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
        ] {
            assert_eq!(of(&[open]), Format::OpenMetrics, "{open}");
        }
        for text in [
            "",
            "*/*",
            "text/plain",
            "text/plain, application/openmetrics-text",
            "text/plain;q=0.5, application/openmetrics-text;q=0.4",
            "application/openmetrics-text;q=0, */*;q=0.1",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;version=2.0.0, text/plain;q=0.1",
            "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "application/json",
            ";;,,=,q=",
        ] {
            assert_eq!(of(&[text]), Format::Text, "{text}");
        }
        assert_eq!(of(&[]), Format::Text);
        assert_eq!(of(&["text/plain;q=0.5", "application/openmetrics-text"]), Format::OpenMetrics);
    }
}
