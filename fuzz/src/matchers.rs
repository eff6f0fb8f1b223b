//! Matchers of routes, silences and filters.

use fuseboard::domain::{LabelSet, notify::Matchers};

/// Written down and read again they are the same, and decide the same.
pub fn check(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(matchers) = Matchers::parse_list(text) else { return };
    let again = Matchers::parse(&matchers.texts());
    assert_eq!(again.as_ref(), Ok(&matchers), "{text:?}");
    let listed = Matchers::parse_list(&matchers.to_string());
    assert_eq!(listed.as_ref(), Ok(&matchers), "{text:?} as {matchers}");
    assert_eq!(matchers.matches(&LabelSet::default()), matchers.match_nothing(), "{text:?}");
}
