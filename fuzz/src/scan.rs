//! Bodies that are read as they come, with `serde_json` as the model.

use std::collections::HashMap;

use fuseboard::domain::scan::{ScanError, ScanLimits, Scanned, Scanner};
use serde_json::value::RawValue;

const LIMITS: ScanLimits = ScanLimits { depth: 128, envelope: 1 << 20, documents: 1000, key: 128 };

/// Where the body is cut changes nothing. What is taken is what `serde_json` finds, and what is called no JSON is none for it.
pub fn check(data: &[u8]) {
    let [first, body @ ..] = data else { return };
    let whole = scan([body]);
    assert_eq!(scan(body.chunks(1 + usize::from(*first))), whole);
    match whole {
        Ok((scanned, streamed)) => is_what_serde_finds(body, &scanned, &streamed),
        Err(ScanError::BadJson { offset, .. }) => {
            assert!(offset <= body.len() as u64);
            assert!(serde_json::from_slice::<&RawValue>(body).is_err(), "{}", String::from_utf8_lossy(body));
        }
        Err(_) => {}
    }
}

fn scan<'a>(frames: impl IntoIterator<Item = &'a [u8]>) -> Result<(Scanned, Vec<u8>), ScanError> {
    let (mut scanner, mut streamed) = (Scanner::new("data", LIMITS), Vec::new());
    for frame in frames {
        scanner.feed(frame, &mut |bytes| streamed.extend_from_slice(bytes))?;
    }
    scanner.finish().map(|scanned| (scanned, streamed))
}

fn is_what_serde_finds(body: &[u8], scanned: &Scanned, streamed: &[u8]) {
    let text = || String::from_utf8_lossy(body);
    serde_json::from_slice::<&RawValue>(body).unwrap_or_else(|error| panic!("{error}: {}", text()));
    serde_json::from_slice::<&RawValue>(&scanned.envelope)
        .unwrap_or_else(|error| panic!("{error} in the envelope of {}", text()));
    assert_eq!(scanned.length, streamed.len() as u64);
    let Some(documents) = &scanned.documents else { return assert!(streamed.is_empty()) };
    let model: HashMap<String, &RawValue> =
        serde_json::from_slice(streamed).unwrap_or_else(|error| panic!("{error} in {}", text()));
    assert_eq!(documents.len(), model.len(), "{}", text());
    for document in documents {
        let at = usize::try_from(document.offset).expect("an offset in the body");
        let end = at + usize::try_from(document.length).expect("a length in the body");
        assert_eq!(streamed.get(at..end), model.get(&document.key).map(|value| value.get().as_bytes()));
    }
}
