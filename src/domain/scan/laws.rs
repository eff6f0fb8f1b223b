//! What holds for every text, with `serde_json` as the model.

use std::collections::HashMap;

use proptest::{prelude::*, sample::Index};
use serde_json::value::RawValue;

use super::{
    tests::{LIMITS, scan_frames},
    *,
};

fn cases() -> ProptestConfig {
    ProptestConfig::with_cases(if cfg!(debug_assertions) { 256 } else { 20_000 })
}

/// White space around tokens, mostly none.
fn blank() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(String::new()), 1 => "[ \t\r\n]{1,3}", 1 => Just(" ".to_owned())]
}

/// What stands between the quotes of a string.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => "[a-z0-9 ,:{}\\[\\]]{0,8}",
        1 => "\\PC{0,4}".prop_map(|text| text.replace(['"', '\\'], "/")),
        1 => r#"\\["\\/bfnrt]"#,
        1 => "\\\\u[0-9a-fA-F]{4}",
        1 => Just(r"\\".repeat(7)),
        1 => "[a-z]{60,70}",
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

fn number() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,3}|[1-9][0-9]{0,80})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?"
}

/// A value, with white space around it.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        2 => number(),
        1 => prop::sample::select(vec!["true", "false", "null"]).prop_map(str::to_owned),
        2 => text().prop_map(|text| format!("\"{text}\"")),
    ];
    leaf.prop_recursive(6, 96, 8, |inner| {
        let spaced =
            (blank(), inner, blank()).prop_map(|(before, value, after)| before + &value + &after).boxed();
        let member = (blank(), text(), blank(), spaced.clone())
            .prop_map(|(before, key, after, value)| format!("{before}\"{key}\"{after}:{value}"));
        prop_oneof![
            (prop::collection::vec(spaced, 0..8), blank()).prop_map(|(items, blank)| if items.is_empty() {
                format!("[{blank}]")
            } else {
                format!("[{}]", items.join(","))
            }),
            (prop::collection::vec(member, 0..8), blank()).prop_map(|(items, blank)| if items.is_empty() {
                format!("{{{blank}}}")
            } else {
                format!("{{{}}}", items.join(","))
            }),
        ]
    })
}

/// A name as it stands in the text.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-z0-9_]{1,12}", 1 => "[äöü😀 .-]{1,5}".prop_map(|name| format!("x{name}")), 1 => "\\\\u00[46][1-9]"]
}

/// The members of an object, each name once.
fn members(values: impl Strategy<Value = String>, most: usize) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec((blank(), name(), blank(), blank(), values, blank()), 0..most).prop_map(|members| {
        let mut names: Vec<String> = Vec::new();
        let mut texts = Vec::new();
        for (before, name, after, ahead, value, behind) in members {
            let decoded = key::decode(name.as_bytes()).unwrap().into_owned();
            if decoded != "data" && !names.contains(&decoded) {
                names.push(decoded);
                texts.push(format!("{before}\"{name}\"{after}:{ahead}{value}{behind}"));
            }
        }
        texts
    })
}

fn object(members: &[String]) -> String {
    format!("{{{}}}", members.join(","))
}

/// A body that is taken, mostly with streamed data.
fn body() -> impl Strategy<Value = String> {
    let data = prop::option::weighted(0.9, (members(value(), 6), blank(), any::<Index>()));
    (blank(), members(value(), 3), data, blank()).prop_map(|(before, mut outer, data, after)| {
        if let Some((inner, blank, place)) = data {
            let place = place.index(outer.len() + 1);
            outer.insert(place, format!("{blank}\"data\":{blank}{}{blank}", object(&inner)));
        }
        before + &object(&outer) + &after
    })
}

/// A body that was changed here and there, mostly into something that is not JSON.
fn changed() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&str] = &[
        "\"", "\\", "\\u", "{", "}", "[", "]", ",", ":", "0", "1", "-", ".", "e", "E", "+", " ", "\n", "\0",
        "\u{7f}", "ä", "true", "null", "t", "NaN", "Infinity", "-I", "\"k\":", "[]", "{}", ",,", "\"\"",
        "[1,", "]]", "\t",
    ];
    let piece = prop_oneof![
        8 => prop::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..3),
    ];
    let change = (any::<Index>(), 0..3_usize, prop::option::weighted(0.8, piece));
    (body(), prop::collection::vec(change, 1..3)).prop_map(|(body, changes)| {
        let mut body = body.into_bytes();
        for (at, gone, piece) in changes {
            let at = at.index(body.len() + 1);
            let end = body.len().min(at + gone);
            body.splice(at..end, piece.unwrap_or_default());
        }
        body
    })
}

/// Places where a text is cut into frames.
fn cuts() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 0..8)
}

fn cut<'a>(text: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
    places.sort_unstable();
    let mut frames = Vec::new();
    let mut from = 0;
    for place in places.into_iter().chain([text.len()]) {
        frames.push(&text[from..place]);
        from = place;
    }
    frames
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn every_span_is_the_one_that_serde_json_finds(body in body(), cuts in cuts()) {
        let (scanned, streamed) = scan_frames(LIMITS, cut(body.as_bytes(), &cuts)).unwrap();
        let outer: HashMap<String, &RawValue> = serde_json::from_str(&body).unwrap();
        let envelope: HashMap<String, &RawValue> = serde_json::from_slice(&scanned.envelope).unwrap();
        prop_assert_eq!(envelope.len(), outer.len());
        for (name, value) in &envelope {
            let expected = if name == "data" { "null" } else { outer[name].get() };
            prop_assert_eq!(value.get(), expected);
        }
        let data = outer.get("data").map_or("", |data| data.get());
        prop_assert_eq!(&streamed, data.as_bytes());
        prop_assert_eq!(scanned.length, data.len() as u64);
        prop_assert_eq!(scanned.documents.is_some(), outer.contains_key("data"));
        if let Some(documents) = scanned.documents {
            let inner: HashMap<String, &RawValue> = serde_json::from_str(data).unwrap();
            prop_assert_eq!(documents.len(), inner.len());
            for document in documents {
                let from = usize::try_from(document.offset).unwrap();
                let to = from + usize::try_from(document.length).unwrap();
                prop_assert_eq!(&data[from..to], inner[&document.key].get());
            }
        }
    }

    #[test]
    fn what_is_no_json_is_what_serde_json_refuses(body in changed()) {
        let model = serde_json::from_slice::<&RawValue>(&body).is_ok();
        match scan_frames(LIMITS, [&body[..]]) {
            Ok(_) => prop_assert!(model),
            Err(ScanError::BadJson { .. } | ScanError::NotANumber { .. }) => prop_assert!(!model),
            // It is JSON up to there, but not what was asked for.
            Err(_) => {}
        }
    }

    #[test]
    fn it_does_not_matter_where_frames_are_cut(body in changed(), cuts in cuts(), limit in 1..400_usize) {
        for limits in [LIMITS, ScanLimits { depth: 4, envelope: limit, documents: 3, key: 8 }] {
            let whole = scan_frames(limits, [&body[..]]);
            prop_assert_eq!(&scan_frames(limits, cut(&body, &cuts)), &whole);
            prop_assert_eq!(&scan_frames(limits, body.chunks(1)), &whole);
        }
    }

    #[test]
    fn any_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), cuts in cuts()) {
        let _ = scan_frames(LIMITS, cut(&bytes, &cuts));
        let within = [br#"{"data":{"k":["#, &bytes[..], b"]}}"].concat();
        let _ = scan_frames(LIMITS, cut(&within, &cuts));
    }
}
