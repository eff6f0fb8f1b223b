//! Every short text, with `serde_json` as the model. Enough white space follows for it to be skimmed.

use serde_json::value::RawValue;

use super::tests::{LIMITS, scan_frames};

/// Looks at a value in one frame, in frames that are too short for skimming, and with the model.
fn compare(value: &str) {
    let body = format!(r#"{{"data":{{"k":{value}}}}}"#);
    let whole = scan_frames(LIMITS, [body.as_bytes()]);
    let model = serde_json::from_str::<&RawValue>(&body).is_ok();
    assert_eq!(whole.is_ok(), model, "{body}");
    assert_eq!(scan_frames(LIMITS, body.as_bytes().chunks(16)), whole, "{body}");
}

/// Every sequence of `length` pieces.
fn sequences(pieces: &[&str], length: usize) -> Vec<String> {
    (0..length).fold(vec![String::new()], |texts, _| {
        texts.iter().flat_map(|text| pieces.iter().map(move |piece| format!("{text}{piece}"))).collect()
    })
}

const BLANK: &str = "                                                                ";

#[test]
fn tokens_follow_each_other_as_in_the_grammar() {
    let tokens = ["{", "[", "]", "}", ",", ":", "\"a\"", "1", "true"];
    for length in 0..4 {
        for text in sequences(&tokens, length) {
            for close in ["]", "}", "1]", ":1}", "]]"] {
                compare(&format!("[{text}{BLANK}{close}"));
                compare(&format!("{{{text}{BLANK}{close}"));
            }
        }
    }
}

#[test]
fn a_block_goes_on_where_the_one_before_it_ended() {
    let tokens = ["{", "[", "]", "}", ",", ":", "\"a\"", "1"];
    for before in sequences(&tokens, 2) {
        for after in sequences(&tokens, 2) {
            compare(&format!("[{before}{BLANK}{after}{BLANK}]"));
            compare(&format!("[{{\"b\":1{before}{BLANK}{after}{BLANK}}}]"));
        }
    }
}

#[test]
fn numbers_are_those_of_the_grammar() {
    for length in 1..6 {
        for text in sequences(&["0", "1", "-", ".", "e", "+"], length) {
            compare(&format!("[{text},1{BLANK}]"));
        }
    }
}

#[test]
fn words_are_whole() {
    for text in ["true", "false", "null"] {
        for end in 0..text.len() {
            compare(&format!("[{},1{BLANK}]", &text[..end]));
        }
        for more in ["", "e", "1", "x", "\"\"", "true", "{}", "é"] {
            compare(&format!("[{text}{more},1{BLANK}]"));
            compare(&format!("[{more}{text},1{BLANK}]"));
        }
    }
}

#[test]
fn escapes_are_those_of_the_grammar() {
    for text in sequences(&["\\", "\"", "u", "n", "0", "00F", "\n"], 4) {
        for shift in [0, 55, 58, 60, 61, 62] {
            compare(&format!("[\"{}{text}\",1{BLANK}]", &BLANK[..shift]));
        }
    }
}
