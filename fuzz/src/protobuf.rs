//! Prometheus' protobuf, delimited.

use fuseboard::domain::exposition::{Format, Limits, parse_protobuf};

use super::exposition::{is_the_same_again, read, written};

/// What was read can be written as text, which holds all of it but blanks that begin a help. Whether it is asked when series
/// began decides nothing else.
pub fn check(data: &[u8]) {
    let plain = parse_protobuf(data, &Limits::default(), false);
    let born = parse_protobuf(data, &Limits::default(), true);
    assert_eq!(plain.is_ok(), born.is_ok());
    for families in [plain, born].into_iter().flatten() {
        is_the_same_again(&read(&written(&families, Format::Text)));
    }
}
