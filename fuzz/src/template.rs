//! Templates of messages.

use fuseboard::domain::template::{Fields, Template};

const FIELDS: [Fields<'static>; 2] = [
    Fields { metric_name: "balance", comparison: ">=", threshold: 1e300, value: -0.0, level: "warning" },
    Fields { metric_name: "\u{1f980}'\"", comparison: "<", threshold: f64::NAN, value: 12.5, level: "" },
];
/// Bytes of the longest text among the fields.
const LONGEST: usize = 7;

/// A template is its text, and a message is never longer than its bound.
pub fn check(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let template = match Template::parse(text) {
        Ok(template) => template,
        Err(error) => return assert!(error.at <= text.chars().count(), "{text:?}: {error}"),
    };
    assert_eq!(template.as_str(), text);
    let bound = Template::MAX_LEN + Template::MAX_FIELDS * (4 * Template::MAX_WIDTH + 4 * LONGEST + 2);
    for fields in &FIELDS {
        let message = template.render(fields);
        assert!(message.len() <= bound, "{text:?}: {} bytes", message.len());
        if !text.contains(['{', '}']) {
            assert_eq!(message, text);
        }
    }
}
