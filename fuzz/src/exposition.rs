//! Prometheus' text format.

use fuseboard::domain::exposition::{Format, Limits, MetricFamily, Writer, parse};

/// What was read can be written, and that is read as the same; OpenMetrics writes it as well. The error's line is one of the text.
pub fn check(data: &[u8]) {
    let families = match parse(data, &Limits::default()) {
        Ok(families) => families,
        Err(error) => {
            let lines = data.split(|byte| *byte == b'\n').count();
            return assert!((1..=lines).contains(&error.line), "{error}");
        }
    };
    is_the_same_again(&families);
}

/// Written, read and written again: numbers that are none are not equal to themselves, their texts are.
pub(crate) fn is_the_same_again(families: &[MetricFamily]) {
    let text = written(families, Format::Text);
    assert_eq!(written(&read(&text), Format::Text), text);
    let open = written(families, Format::OpenMetrics);
    assert!(open.ends_with("# EOF\n"), "{open}");
}

/// What was written can be read.
pub(crate) fn read(text: &str) -> Vec<MetricFamily> {
    let limits = Limits { line_bytes: usize::MAX, samples: usize::MAX, ..Limits::default() };
    parse(text.as_bytes(), &limits).unwrap_or_else(|error| panic!("{error} in what was written: {text}"))
}

pub(crate) fn written(families: &[MetricFamily], format: Format) -> String {
    let mut text = String::new();
    let mut writer = Writer::new(&mut text, format);
    for family in families {
        writer.family(family);
    }
    writer.finish();
    text
}
