//! What is taken, what is refused and why.

use super::*;

pub(super) const LIMITS: ScanLimits = ScanLimits { depth: 128, envelope: 1 << 20, documents: 1000, key: 64 };

/// What comes of a body in these frames, and the streamed bytes.
pub(super) fn scan_frames<'a>(
    limits: ScanLimits,
    frames: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(Scanned, Vec<u8>), ScanError> {
    let (mut scanner, mut streamed) = (Scanner::new("data", limits), Vec::new());
    for frame in frames {
        scanner.feed(frame, &mut |bytes| streamed.extend_from_slice(bytes))?;
    }
    scanner.finish().map(|scanned| (scanned, streamed))
}

/// The same in one frame and byte by byte.
fn scan_with(limits: ScanLimits, body: impl AsRef<[u8]>) -> Result<(Scanned, Vec<u8>), ScanError> {
    let body = body.as_ref();
    let whole = scan_frames(limits, [body]);
    assert_eq!(scan_frames(limits, body.chunks(1)), whole, "{}", String::from_utf8_lossy(body));
    whole
}

fn scan(body: impl AsRef<[u8]>) -> Result<(Scanned, Vec<u8>), ScanError> {
    scan_with(LIMITS, body)
}

fn refused(body: impl AsRef<[u8]>) -> ScanError {
    let body = body.as_ref();
    match scan(body) {
        Err(error) => error,
        Ok(_) => panic!("{} is taken", String::from_utf8_lossy(body)),
    }
}

fn bad_json(body: impl AsRef<[u8]>) -> (u64, &'static str) {
    match refused(&body) {
        ScanError::BadJson { offset, message } => (offset, message),
        other => panic!("{}: {other}", String::from_utf8_lossy(body.as_ref())),
    }
}

#[test]
fn the_streamed_value_is_passed_on_as_it_stands() {
    let data = "{ \"b\" : [1, 2.50e+1,\t\"\\u0041é\"] ,\r\n\"a\":18446744073709551616  , \"\\u0063\":{}}";
    let body = format!(" {{\"backup_type\": \"x\" ,\"data\" : {data} , \"labels\":{{}} }}\n");
    let (scanned, streamed) = scan(&body).unwrap();
    assert_eq!(String::from_utf8(streamed).unwrap(), data);
    assert_eq!(scanned.length, data.len() as u64);
    let envelope = "{\"backup_type\": \"x\" ,\"data\" : null , \"labels\":{} }";
    assert_eq!(String::from_utf8(scanned.envelope).unwrap(), envelope);
    let documents: Vec<_> = scanned
        .documents
        .unwrap()
        .into_iter()
        .map(|Document { key, offset, length }| {
            let (from, len) = (usize::try_from(offset).unwrap(), usize::try_from(length).unwrap());
            (key, &data[from..from + len])
        })
        .collect();
    let expected = [("b", "[1, 2.50e+1,\t\"\\u0041é\"]"), ("a", "18446744073709551616"), ("c", "{}")];
    assert_eq!(documents, expected.map(|(key, value)| (key.to_owned(), value)));
}

#[test]
fn fields_stand_in_any_order_and_may_be_missing() {
    for (body, envelope, documents) in [
        ("{}", "{}", None),
        (r#"{"a":1}"#, r#"{"a":1}"#, None),
        (r#"{"data":{}}"#, r#"{"data":null}"#, Some(0)),
        (r#"{"data":{"k":0},"a":[{"data":1}]}"#, r#"{"data":null,"a":[{"data":1}]}"#, Some(1)),
        (r#"{"a":1,"a":2,"d\u0061ta":{"k":0}}"#, r#"{"a":1,"a":2,"d\u0061ta":null}"#, Some(1)),
    ] {
        let (scanned, _) = scan(body).unwrap();
        assert_eq!(String::from_utf8(scanned.envelope).unwrap(), envelope);
        assert_eq!(scanned.documents.map(|documents| documents.len()), documents);
    }
}

#[test]
fn a_frame_is_passed_on_in_one_piece() {
    let (mut scanner, mut pieces) = (Scanner::new("data", LIMITS), Vec::new());
    for frame in [r#"{"data":{"a":[1,2],"b":{"#, r#"},"c":"0123"#, r#"4","#, r#""d":1},"e":1}"#] {
        scanner
            .feed(frame.as_bytes(), &mut |piece| pieces.push(String::from_utf8(piece.to_vec()).unwrap()))
            .unwrap();
    }
    assert_eq!(pieces, [r#"{"a":[1,2],"b":{"#, r#"},"c":"0123"#, r#"4","#, r#""d":1}"#]);
}

#[test]
fn what_is_no_json_is_refused_where_it_stops_being_json() {
    for (body, offset, message) in [
        ("", 0, "the body ends early"),
        (" ", 1, "the body ends early"),
        ("{", 1, "the body ends early"),
        (r#"{"data":{"k":"#, 13, "the body ends early"),
        (r#"{"data":{}"#, 10, "the body ends early"),
        ("\u{feff}{}", 0, "a byte order mark is no JSON"),
        ("}", 0, "expected {"),
        ("{}x", 2, "something follows the end of the body"),
        ("{},", 2, "something follows the end of the body"),
        ("{,}", 1, "expected a key or }"),
        (r#"{"a":1,}"#, 7, "expected a key"),
        (r#"{"a" 1}"#, 5, "expected :"),
        (r#"{"a":}"#, 5, "expected a value"),
        (r#"{"a":1]"#, 6, "expected , or }"),
        (r#"{"a":[1}"#, 7, "expected , or ]"),
        (r#"{"a":[,]}"#, 6, "expected a value or ]"),
        (r#"{"a":[1,]}"#, 8, "expected a value"),
        (r#"{"a":{1:2}}"#, 6, "expected a key or }"),
        (r#"{"a":{"b":1,}}"#, 12, "expected a key"),
        (r#"{"a":{"b":1 "c"}}"#, 12, "expected , or }"),
        (r#"{"a":{"b"}}"#, 9, "expected :"),
        (r#"{"a":01}"#, 6, "expected , or }"),
        (r#"{"a":[01]}"#, 7, "expected , or ]"),
        (r#"{"a":-}"#, 6, "expected a digit"),
        (r#"{"a":1.}"#, 7, "expected a digit"),
        (r#"{"a":1e+}"#, 8, "expected a digit"),
        (r#"{"a":+1}"#, 5, "expected a value"),
        (r#"{"a":.5}"#, 5, "expected a value"),
        (r#"{"a":tru}"#, 8, "expected a value"),
        (r#"{"a":True}"#, 5, "expected a value"),
        (r#"{"a":"\x"}"#, 7, "a wrong escape"),
        (r#"{"a":"\u12g4"}"#, 10, "a wrong escape"),
        ("{\"a\":\"\n\"}", 6, "a control character in a string"),
        ("{\"a\":\"\u{1f}\"}", 6, "a control character in a string"),
        ("{\"a\n\":1}", 3, "a control character in a string"),
        ("{\"a\":\u{b}1}", 5, "expected a value"),
        ("{\u{a0}}", 1, "expected a key or }"),
    ] {
        assert_eq!(bad_json(body), (offset, message), "{body}");
    }
}

#[test]
fn what_is_no_utf8_is_refused() {
    for (body, offset) in [
        (&b"\xff{}"[..], 0),
        (b"{\"a\":\"\xff\"}", 6),
        (b"{\"a\":\"\xc3\"}", 6),
        (b"{\"a\":\"\xc0\x80\"}", 6),
        (b"{\"a\":\"\xed\xa0\x80\"}", 6),
        (b"{\"a\":\"\xf5\x80\x80\x80\"}", 6),
        (b"{\"data\":{\"a\":\"\xf0\x9f\x92", 14),
        (b"{\"data\":{\"a\":\"\xf0\x9f\x92x\"}}", 14),
    ] {
        assert_eq!(bad_json(body), (offset, "the body is not UTF-8"), "{body:?}");
    }
    // What comes first is told first.
    assert_eq!(bad_json(b"{x\xff"), (1, "expected a key or }"));
}

#[test]
fn half_of_a_surrogate_pair_is_text_in_a_value_and_nothing_in_a_key() {
    let data = r#"{"k":["\ud800","\udc00\ud800",{"\udfff":0}]}"#;
    let (_, streamed) = scan(format!(r#"{{"data":{data},"\ud800":"\ud800"}}"#)).unwrap();
    assert_eq!(streamed, data.as_bytes());
    let message = "has half of a surrogate pair in it".to_owned();
    let key = r"\ud800".to_owned();
    assert_eq!(refused(r#"{"data":{"\ud800":1}}"#), ScanError::InvalidKey { key, message });
    let (scanned, _) = scan(r#"{"data":{"\ud83d\ude00":1}}"#).unwrap();
    assert_eq!(scanned.documents.unwrap()[0].key, "😀");
}

#[test]
fn only_objects_are_taken() {
    for body in ["1", "[]", "null", "\"x\"", " true", "-"] {
        assert_eq!(refused(body), ScanError::NotAnObject, "{body}");
    }
    for value in ["1", "[]", "null", "\"x\"", "true"] {
        assert_eq!(refused(format!(r#"{{"data":{value}}}"#)), ScanError::StreamedNotAnObject, "{value}");
    }
    assert_eq!(bad_json(r#"{"data":}"#), (8, "expected a value"));
}

#[test]
fn nothing_is_there_twice() {
    assert_eq!(refused(r#"{"data":{},"data":{}}"#), ScanError::DuplicateField);
    assert_eq!(refused(r#"{"data":{},"dat\u0061":{}}"#), ScanError::DuplicateField);
    let twice = ScanError::DuplicateKey("a".to_owned());
    assert_eq!(refused(r#"{"data":{"a":1,"b":2,"a":3}}"#), twice);
    assert_eq!(refused(r#"{"data":{"a":1,"\u0061":3}}"#), twice);
}

#[test]
fn keys_name_files() {
    let longest = "k".repeat(64);
    for key in ["a", "ä 😀", "a.b", "a..", "~", "CON", r"\u0041\t".trim_end_matches(r"\t"), &longest] {
        scan(format!(r#"{{"data":{{"{key}":1}}}}"#)).unwrap();
    }
    let (too_long, much_too_long) = ("ä".repeat(33), r"\u00e4".repeat(10_000));
    for (key, message) in [
        ("", "is empty"),
        (".a", "begins with a dot"),
        ("..", "begins with a dot"),
        (r"\u002e", "begins with a dot"),
        ("a/b", "has a slash or a backslash in it"),
        (r"a\/b", "has a slash or a backslash in it"),
        (r"a\\b", "has a slash or a backslash in it"),
        (r"a\n", "has a control character in it"),
        (r"a\u0000", "has a control character in it"),
        ("a\u{7f}", "has a control character in it"),
        ("a\u{85}", "has a control character in it"),
        (&too_long, "is longer than 64 bytes"),
        (&much_too_long, "is longer than 64 bytes"),
    ] {
        let ScanError::InvalidKey { key: shown, message: why } =
            refused(format!(r#"{{"data":{{"{key}":1}}}}"#))
        else {
            panic!("{key}");
        };
        assert_eq!(why, message, "{key}");
        assert!(shown.len() <= 64, "{shown}");
    }
    // What is surely too long is refused before it ends.
    let ScanError::InvalidKey { key, .. } = refused(format!(r#"{{"data":{{"{much_too_long}"#)) else {
        panic!()
    };
    assert!(key.starts_with(r"\u00e4"), "{key}");
    // Each byte may be written as an escape.
    scan(format!(r#"{{"data":{{"{}":1}}}}"#, r"\u0041".repeat(64))).unwrap();
    // Inside of documents, keys are whatever they are.
    scan(r#"{"data":{"k":{"":1,"":2,"/":3}}}"#).unwrap();
}

#[test]
fn everything_has_a_limit() {
    let deep =
        |levels: usize| [r#"{"data":{"k":"#, &"[".repeat(levels), "0", &"]".repeat(levels), "}}"].concat();
    let flat = |levels: usize| [r#"{"a":"#, &"[".repeat(levels), "0", &"]".repeat(levels), "}"].concat();
    for limit in [2, 3, 5, 128] {
        let limits = ScanLimits { depth: limit, ..LIMITS };
        scan_with(limits, deep(limit - 2)).unwrap();
        scan_with(limits, flat(limit - 1)).unwrap();
        for body in
            [deep(limit - 1), deep(100_000), flat(limit), "{\"data\":{\"k\":".to_owned() + &"[".repeat(1000)]
        {
            assert_eq!(scan_with(limits, body), Err(ScanError::TooDeep { limit }));
        }
    }
    for (limit, body) in [(0, "{}"), (1, r#"{"data":{}}"#), (1, r#"{"a":{}}"#)] {
        assert_eq!(scan_with(ScanLimits { depth: limit, ..LIMITS }, body), Err(ScanError::TooDeep { limit }));
    }
    let most = ScanLimits { depth: 1000, ..LIMITS };
    assert_eq!(scan_with(most, deep(127)), Err(ScanError::TooDeep { limit: 128 }));

    let limits = ScanLimits { documents: 2, ..LIMITS };
    scan_with(limits, r#"{"data":{"a":1,"b":2},"c":1,"d":2}"#).unwrap();
    let error = scan_with(limits, r#"{"data":{"a":1,"b":2,"c":3}}"#);
    assert_eq!(error, Err(ScanError::TooManyDocuments { limit: 2 }));

    let limits = ScanLimits { envelope: 16, ..LIMITS };
    scan_with(limits, r#" {"data":{"k":"long, long, long"},"a":1}"#).unwrap();
    for body in [
        r#" {"data":{"k":"long"},"a":10}"#,
        "{                ",
        "                 ",
        r#"{"aaaaaaaaaaaaaaaa"#,
    ] {
        assert_eq!(scan_with(limits, body), Err(ScanError::EnvelopeTooLarge { limit: 16 }), "{body}");
    }
}

#[test]
fn bare_words_that_python_writes_are_told_apart() {
    for (body, field, word) in [
        (r#"{"a":NaN}"#, "a", "NaN"),
        (r#"{"a":1,"la\u0062els":{"x":[1,-Infinity]}}"#, "labels", "-Infinity"),
        (r#"{"data":{"k":1,"l":{"x":Infinity}}}"#, "data.l", "Infinity"),
        (r#"{"data":NaN}"#, "data", "NaN"),
    ] {
        assert_eq!(refused(body), ScanError::NotANumber { field: field.to_owned(), word });
    }
    assert_eq!(bad_json(r#"{"a":[NaM]}"#), (8, "expected a value"));
    assert_eq!(bad_json(r#"{"a":[-Inf]}"#), (10, "expected a value"));
}

#[test]
fn a_failed_scanner_stays_failed() {
    let mut scanner = Scanner::new("data", LIMITS);
    let error = scanner.feed(b"{]", &mut |_| {}).unwrap_err();
    assert_eq!(scanner.feed(b"{}", &mut |_| {}), Err(error.clone()));
    assert_eq!(scanner.finish(), Err(error));
}
