//! Paths of pushes: `job/VALUE{/LABEL/VALUE}`, maybe encoded.

use std::fmt::Write;

use fuseboard::domain::GroupingKey;

/// A key has a job, and its labels as a path are the same key.
pub fn check(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let Ok(key) = GroupingKey::parse(text) else { return };
    assert!(!key.job().is_empty(), "{text:?}");
    let mut path = "job".to_owned();
    add(&mut path, &key.job());
    for (name, value) in key.labels().iter().filter(|(name, _)| *name != "job") {
        path.extend(["/", name]);
        add(&mut path, &value);
    }
    assert_eq!(GroupingKey::parse(&path).as_ref(), Ok(&key), "{text:?} as {path:?}");
    let (rest, instance) = key.without_instance();
    assert_eq!(rest.labels().get("instance"), None, "{text:?}");
    assert_ne!(instance.as_deref(), Some(""), "{text:?}");
}

/// Each byte as `%XX`; a path has no empty part, so nothing is `=` in base64.
fn add(path: &mut String, value: &str) {
    path.push_str(if value.is_empty() { "@base64/=" } else { "/" });
    for byte in value.bytes() {
        write!(path, "%{byte:02X}").expect("a text takes what is written");
    }
}
