//! Laws over arbitrary documents, and examples.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, value::RawValue};

use super::*;

/// A document whose numbers are texts.
#[derive(Clone, Debug, PartialEq)]
enum Doc {
    Token(String),
    Text(String),
    Array(Vec<Doc>),
    Object(BTreeMap<String, Doc>),
}

/// How to write it down.
#[derive(Clone, Copy, Debug)]
struct Spelling {
    spaces: bool,
    escapes: bool,
    backwards: bool,
}

const PLAIN: Spelling = Spelling { spaces: false, escapes: false, backwards: false };

impl Doc {
    fn write(&self, how: Spelling) -> String {
        let space = if how.spaces { " \n\t" } else { "" };
        let list = |items: Vec<String>| items.join(&format!("{space},{space}"));
        match self {
            Self::Token(text) => text.clone(),
            Self::Text(text) => quoted(text, how),
            Self::Array(items) => {
                format!("[{space}{}]", list(items.iter().map(|item| item.write(how)).collect()))
            }
            Self::Object(members) => {
                let member = |(key, value): (&String, &Self)| {
                    format!("{}{space}:{space}{}", quoted(key, how), value.write(how))
                };
                let mut members: Vec<_> = members.iter().map(member).collect();
                if how.backwards {
                    members.reverse();
                }
                format!("{{{}{space}}}", list(members))
            }
        }
    }

    /// Calls `each` for every array, the outer ones first.
    fn arrays(&mut self, each: &mut dyn FnMut(&mut Vec<Self>)) {
        match self {
            Self::Token(_) | Self::Text(_) => {}
            Self::Object(members) => {
                for member in members.values_mut() {
                    member.arrays(each);
                }
            }
            Self::Array(items) => {
                each(items);
                for item in items {
                    item.arrays(each);
                }
            }
        }
    }

    fn leaves(&mut self) -> Vec<&mut Self> {
        match self {
            Self::Token(_) | Self::Text(_) => vec![self],
            Self::Object(members) => members.values_mut().flat_map(Self::leaves).collect(),
            Self::Array(items) => items.iter_mut().flat_map(Self::leaves).collect(),
        }
    }
}

fn quoted(text: &str, how: Spelling) -> String {
    if !how.escapes {
        return serde_json::to_string(text).unwrap();
    }
    let units = text.encode_utf16().fold(String::new(), |units, unit| format!("{units}\\u{unit:04X}"));
    format!("\"{}\"", units.replace("\\u002F", "\\/"))
}

fn doc() -> impl Strategy<Value = Doc> {
    let tokens = vec![
        "null",
        "true",
        "false",
        "0",
        "1",
        "-1",
        "1.0",
        "1.1",
        "1.10",
        "1e2",
        "100",
        "12345678901234567890",
        "12345678901234567891",
        "0.30000000000000004",
    ];
    let words = vec!["", "a", "b", "~", "/", "~1", "a/b", "0", "-", "\"\\", "é", "💥", "\u{1}\n", "\u{fffd}"];
    let word = prop::sample::select(words).prop_map(str::to_owned);
    let leaf = prop_oneof![
        prop::sample::select(tokens).prop_map(|token| Doc::Token(token.to_owned())),
        word.clone().prop_map(Doc::Text),
    ];
    leaf.prop_recursive(5, 80, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Doc::Array),
            prop::collection::btree_map(word.clone(), inner, 0..6).prop_map(Doc::Object),
        ]
    })
}

fn spelling() -> impl Strategy<Value = Spelling> {
    any::<(bool, bool, bool)>().prop_map(|(spaces, escapes, backwards)| Spelling {
        spaces,
        escapes,
        backwards,
    })
}

fn raw(text: &str) -> &RawValue {
    serde_json::from_str(text).expect("JSON")
}

fn patch(from: &str, to: &str) -> String {
    serde_json::to_string(&diff(raw(from), raw(to)).unwrap()).unwrap()
}

fn applied(from: &str, patch: &str) -> Value {
    let mut value: Value = serde_json::from_str(from).unwrap();
    let patch: json_patch::Patch = serde_json::from_str(patch).unwrap();
    json_patch::patch(&mut value, &patch).unwrap();
    value
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 1_000 } else { 20_000 }))]

    #[test]
    fn the_patch_makes_one_document_of_the_other(
        from in doc(), to in doc(), one in spelling(), other in spelling(),
    ) {
        let (from, to) = (from.write(one), to.write(other));
        prop_assert_eq!(applied(&from, &patch(&from, &to)), serde_json::from_str::<Value>(&to).unwrap());
    }

    #[test]
    fn the_patch_is_empty_if_and_only_if_the_documents_are_equal(
        from in doc(), to in doc(), one in spelling(), other in spelling(),
    ) {
        prop_assert_eq!(patch(&from.write(one), &from.write(other)), "[]");
        prop_assert_eq!(patch(&from.write(one), &to.write(other)) == "[]", from == to);
    }

    #[test]
    fn one_value_that_changed_is_one_operation(from in doc(), at in any::<prop::sample::Index>(), one in spelling()) {
        let mut to = from.clone();
        let mut leaves = to.leaves();
        prop_assume!(!leaves.is_empty());
        let at = at.index(leaves.len());
        *leaves[at] = Doc::Token("7".to_owned());
        prop_assert_eq!(diff(raw(&from.write(one)), raw(&to.write(PLAIN))).unwrap().len(), 1);
    }

    #[test]
    fn one_element_that_is_new_or_gone_is_one_operation(
        from in doc(), at in any::<prop::sample::Index>(), index in any::<prop::sample::Index>(), nested: bool,
    ) {
        let mut to = from.clone();
        let one = Doc::Token("1".to_owned());
        let new = if nested { Doc::Object(BTreeMap::from([("a".to_owned(), one)])) } else { one };
        let mut count = 0_usize;
        to.arrays(&mut |_| count += 1);
        prop_assume!(count > 0);
        let mut wanted = at.index(count).wrapping_add(1);
        to.arrays(&mut |items| {
            wanted = wanted.wrapping_sub(1);
            if wanted == 0 {
                items.insert(index.index(items.len() + 1), new.clone());
            }
        });
        let (less, more) = (from.write(PLAIN), to.write(PLAIN));
        let added = diff(raw(&less), raw(&more)).unwrap();
        prop_assert!(matches!(added[..], [Operation::Add { .. }]), "{added:?}");
        let removed = diff(raw(&more), raw(&less)).unwrap();
        prop_assert!(matches!(removed[..], [Operation::Remove { .. }]), "{removed:?}");
    }
}

#[test]
fn numbers_differ_by_their_text_and_values_are_given_as_they_were_written() {
    for (one, other) in [
        ("1.10", "1.1"),
        ("100", "1e2"),
        ("0", "-0"),
        ("1", "1.0"),
        ("123456789012345678901234567890", "123456789012345678901234567891"),
        ("0.1", "0.1000000000000000055511151231257827"),
        ("1e400", "1e401"),
    ] {
        let (from, to) = (format!(r#"{{"a":{one}}}"#), format!(r#"{{ "a" : {other} }}"#));
        let wanted = format!(r#"[{{"op":"replace","path":"/a","value":{other}}}]"#);
        assert_eq!(patch(&from, &to), wanted);
    }
    assert_eq!(
        patch(r#"{"a":1}"#, r#"{"a":1,"b":{"x": 1.50,  "x2":"\u0041"}}"#),
        r#"[{"op":"add","path":"/b","value":{"x": 1.50,  "x2":"\u0041"}}]"#
    );
}

#[test]
fn a_patch_reads_well() {
    for (from, to, wanted) in [
        ("1", "2", r#"[{"op":"replace","path":"","value":2}]"#),
        ("[]", "{}", r#"[{"op":"replace","path":"","value":{}}]"#),
        (
            r#"{"t":[{"id":1},{"id":2,"p":1.0},{"id":3},{"id":4},{"id":5,"note":"as it was before, and long enough not to be sent again"}]}"#,
            r#"{"t":[{"id":1},{"id":2,"p":1.5},{"id":4},{"id":5,"note":"as it was before, and long enough not to be sent again"}]}"#,
            r#"[{"op":"replace","path":"/t/1/p","value":1.5},{"op":"remove","path":"/t/2"}]"#,
        ),
        (
            r#"{"a":1,"b/~":2,"c":3}"#,
            r#"{"b/~":{},"c":3,"":0}"#,
            r#"[{"op":"add","path":"/","value":0},{"op":"remove","path":"/a"},{"op":"replace","path":"/b~1~0","value":{}}]"#,
        ),
        // Short arrays that have nothing in common.
        ("[1,2,3,4]", "[5,6,7]", r#"[{"op":"replace","path":"","value":[5,6,7]}]"#),
    ] {
        assert_eq!(patch(from, to), wanted);
    }
}

#[test]
fn many_scattered_changes_of_a_long_array_are_one_operation_each() {
    let list = |new: &str| {
        let element = |n| format!("{}{{\"id\":{n}}}", if n % 1_000 == 7 { new } else { "" });
        format!("[{}]", (0..50_000).map(element).collect::<Vec<_>>().join(","))
    };
    let (from, to) = (list(""), list("\"new\","));
    assert_eq!(diff(raw(&from), raw(&to)).unwrap().len(), 50);
    assert_eq!(diff(raw(&to), raw(&from)).unwrap().len(), 50);
}

#[test]
fn what_no_path_leads_to_is_replaced_as_a_whole() {
    for (from, to) in [
        (r#"{"o":{"a":1,"a":2}}"#, r#"{"o":{"a":1,"a":3}}"#),
        (r#"{"o":{"a":1}}"#, r#"{"o":{"a":1,"\u0061":1}}"#),
        (r#"{"o":{"\ud800":1}}"#, r#"{"o":{"\ud801":1}}"#),
    ] {
        let whole = &to[5..to.len() - 1];
        assert_eq!(patch(from, to), format!(r#"[{{"op":"replace","path":"/o","value":{whole}}}]"#));
        assert_eq!(patch(from, &from.replace(':', " : ")), "[]");
    }
    assert_eq!(patch(r#"["\ud83d\udca5","\uDC00"]"#, r#"["💥","\udc00"]"#), "[]");
    assert_eq!(patch(r#"["\ud83d\udca5"]"#, r#"["\udca5\ud83d"]"#).matches("op").count(), 1);
}

#[test]
fn depth_is_no_danger() {
    for deep in [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, 200_000] {
        let nested = |inner: &str| format!("{}{inner}{}", "[".repeat(deep), "]".repeat(deep));
        let (from, to) = (nested("1,{\"a\":\"]\"}"), nested("2,{\"a\":\"]\"}"));
        let operations = diff(raw(&from), raw(&to)).unwrap();
        let [Operation::Replace { path, value }] = &operations[..] else { panic!("{operations:?}") };
        assert_eq!(path.len(), 2 * deep.min(MAX_DEPTH));
        assert_eq!(value.as_str() == "2", deep <= MAX_DEPTH);
        assert_eq!(patch(&from, &from), "[]");
    }
}

#[test]
fn nesting_does_not_multiply_the_work() {
    // Equal, but at each level two keys are the other way round, after the nested value.
    let nested = |members: &str| format!("{}0{}", "{\"a\":".repeat(100), members.repeat(100));
    let (from, to) = (nested(r#","x":1,"y":1}"#), nested(r#","y":1,"x":1}"#));
    assert_eq!(patch(&from, &to), "[]");
}

#[test]
fn too_many_operations_replace_the_key_or_the_document() {
    let object = |count: usize, value: u8| {
        let members: Vec<_> = (0..count).map(|n| format!("\"k{n}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    };
    let most = MAX_OPERATIONS;
    let document = |value| format!(r#"{{"few":{},"many":{}}}"#, object(2, value), object(most, value));
    let operations = diff(raw(&document(1)), raw(&document(2))).map(|found| found.len());
    assert_eq!(operations, Ok(3), "two of `few`, and `many` as a whole");
    assert_eq!(diff(raw(&object(most, 1)), raw(&object(most, 2))).unwrap().len(), most);
    let (from, to) = (object(most + 1, 1), object(most + 1, 2));
    let operations = diff(raw(&from), raw(&to)).unwrap();
    assert!(matches!(&operations[..], [Operation::Replace { path, .. }] if path.is_empty()));
}

#[test]
fn a_long_key_in_many_paths_does_not_multiply_the_size() {
    let document = |value| {
        let members: Vec<_> = (0..5_000).map(|n| format!("\"{n}\":{value}")).collect();
        format!("{{\"{}\":{{{}}}}}", "k".repeat(1_000_000), members.join(","))
    };
    let (from, to) = (document(1), document(2));
    let text = patch(&from, &to);
    assert!(text.len() < 3_000_000, "{}", text.len());
    assert_eq!(applied(&from, &text), serde_json::from_str::<Value>(&to).unwrap());
}

#[test]
fn too_many_values_are_refused() {
    let list = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
    assert!(diff(raw(&list(MAX_VALUES - 1)), raw("[]")).is_ok());
    assert_eq!(diff(raw(&list(MAX_VALUES)), raw("[]")), Err(TooMany));
    assert_eq!(diff(raw("[]"), raw(&list(MAX_VALUES))), Err(TooMany));
}
