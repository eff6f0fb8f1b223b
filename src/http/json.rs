//! Reading JSON with answers that help: what is not JSON is told apart from what is JSON and cannot be, and the
//! field is named.

use std::borrow::Cow;

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::error::Category;

use super::problem::{Code, Problem};

/// Parses a body.
///
/// Every body is an object: serde would also take a struct's fields from an array, in their order. The fast way comes
/// first; only a body that fails is read again to find out where.
pub fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    if body.trim_ascii_start().first().is_some_and(|first| *first != b'{')
        && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok()
    {
        return Err(Problem::invalid("body", "must be a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let error = match T::deserialize(&mut reader).and_then(|value| reader.end().map(|()| value)) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    Err(explain::<T>(body, &error))
}

/// What `serde_json` says when a word of an enumeration is expected and something else than a text comes.
const NOT_A_WORD: &str = "expected value";

fn explain<'a, T: Deserialize<'a>>(body: &'a [u8], error: &serde_json::Error) -> Problem {
    if body.trim_ascii().is_empty() {
        return Problem::new(Code::BadJson, "the body is empty; a JSON document is needed");
    }
    let text = error.to_string();
    let is_number = text.starts_with("number out of range");
    // What is not one of several words, such as null, is a syntax error to serde_json.
    let is_value = error.classify() == Category::Data || text.starts_with(NOT_A_WORD);
    let is_json = || serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    if is_number || is_value && is_json() {
        return name_field::<T>(body);
    }
    // Python's json.dumps writes bare NaN and Infinity. That is a value out of range more than a typing error.
    if let Cow::Owned(text) = quote_non_numbers(body) {
        let mut reader = serde_json::Deserializer::from_slice(&text);
        let tracked: Result<serde::de::IgnoredAny, _> = serde_path_to_error::deserialize(&mut reader);
        if tracked.is_ok() {
            return non_number_field(&text);
        }
    }
    Problem::new(Code::BadJson, format!("the body is not JSON: {error}"))
}

fn name_field<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Problem {
    let mut reader = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(error) => {
            let message = error.inner().to_string();
            let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
            let message =
                if message == NOT_A_WORD { "must be one of the known words".to_owned() } else { message };
            let path = error.path().to_string();
            let field = match (path.as_str(), quoted(&message)) {
                (".", Some(field)) => field.to_owned(),
                (path, Some(field))
                    if ["missing field", "unknown field", "duplicate field"]
                        .iter()
                        .any(|start| message.starts_with(start)) =>
                {
                    if path.rsplit('.').next() == Some(field) {
                        path.to_owned()
                    } else {
                        format!("{path}.{field}")
                    }
                }
                (".", None) => "body".to_owned(),
                (path, _) => path.to_owned(),
            };
            Problem::invalid(field, with_suggestion(&message))
        }
        // It failed before and does not now: only what follows the document can be wrong.
        Ok(_) => Problem::new(Code::BadJson, "something follows the JSON document"),
    }
}

/// The first word in backticks of a message.
#[must_use]
pub fn quoted(message: &str) -> Option<&str> {
    message.split('`').nth(1)
}

/// Adds the nearest expected word to an "unknown field" or "unknown variant" message.
#[must_use]
pub fn with_suggestion(message: &str) -> String {
    let mut words = message.split('`').skip(1).step_by(2);
    let Some(given) = words.next().filter(|_| message.starts_with("unknown ")) else {
        return message.to_owned();
    };
    let nearest = words
        .map(|known| (strsim::damerau_levenshtein(given, known), known))
        .min()
        .filter(|(distance, known)| *distance <= known.len().div_ceil(3));
    match nearest {
        Some((_, known)) => format!("{message}; did you mean `{known}`?"),
        None => message.to_owned(),
    }
}

const NON_NUMBERS: [&[u8]; 3] = [b"-Infinity", b"Infinity", b"NaN"];

/// Puts bare `NaN` and `Infinity` into quotes with a mark; borrowed if there are none.
fn quote_non_numbers(body: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Vec<u8> = Vec::new();
    let (mut at, mut copied, mut in_string) = (0, 0, false);
    while at < body.len() {
        match body[at] {
            b'\\' if in_string => at += 1,
            b'"' => in_string = !in_string,
            b'N' | b'I' | b'-' if !in_string => {
                if let Some(word) = NON_NUMBERS.iter().find(|word| body[at..].starts_with(word)) {
                    out.extend_from_slice(&body[copied..at]);
                    out.extend_from_slice(b"\"\\u0000");
                    out.extend_from_slice(word);
                    out.push(b'"');
                    at += word.len();
                    copied = at;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    if copied == 0 {
        return Cow::Borrowed(body);
    }
    out.extend_from_slice(&body[copied..]);
    Cow::Owned(out)
}

fn non_number_field(text: &[u8]) -> Problem {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(text) else {
        return Problem::new(Code::BadJson, "the body is not JSON: NaN and Infinity are no JSON numbers");
    };
    let (field, word) =
        find_mark(&value, String::new()).unwrap_or_else(|| ("body".to_owned(), "NaN".to_owned()));
    Problem::invalid(field, format!("{word} is not a number that can be used here"))
}

fn find_mark(value: &serde_json::Value, path: String) -> Option<(String, String)> {
    match value {
        serde_json::Value::String(text) => Some((path, text.strip_prefix('\0')?.to_owned())),
        serde_json::Value::Array(items) => {
            items.iter().enumerate().find_map(|(i, item)| find_mark(item, format!("{path}[{i}]")))
        }
        serde_json::Value::Object(fields) => fields.iter().find_map(|(key, item)| {
            find_mark(item, if path.is_empty() { key.clone() } else { format!("{path}.{key}") })
        }),
        _ => None,
    }
}

/// A JSON answer.
#[derive(Clone, Debug)]
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let mut body = Vec::with_capacity(256);
        match serde_json::to_writer(&mut body, &self.0) {
            Ok(()) => json_response(StatusCode::OK, body.into()),
            Err(error) => {
                Problem::new(Code::InternalError, format!("the answer could not be written: {error}"))
                    .into_response()
            }
        }
    }
}

/// A response with a JSON body that is written already.
#[must_use]
pub fn json_response(status: StatusCode, body: bytes::Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Outer {
        inner: Inner,
        list: Option<Vec<f64>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Inner {
        failure_rate: f64,
        #[serde(default)]
        word: Option<Word>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        Known,
    }

    fn refused(body: &str) -> (Code, String) {
        let response = parse::<Outer>(body.as_bytes()).unwrap_err();
        (response.code(), format!("{response:?}"))
    }

    #[test]
    fn what_is_no_json_is_told_from_what_cannot_be_and_the_field_is_named() {
        let deep = "[".repeat(100_000);
        for body in [
            "",
            " ",
            "{",
            "{\"inner\":",
            "nul",
            "{}x",
            "{'a':1}",
            deep.as_str(),
            "{\"inner\":{\"failure_rate\":1}} x",
        ] {
            assert_eq!(refused(body).0, Code::BadJson, "{body:.40}");
        }
        for (body, field) in [
            ("[]", "body"),
            ("{}", "inner"),
            (r#"{"inner":{}}"#, "inner.failure_rate"),
            (r#"{"inner":{"failure_rate":"x"}}"#, "inner.failure_rate"),
            (r#"{"inner":{"failure_rate":NaN}}"#, "inner.failure_rate"),
            (r#"{"inner":{"failure_rate":-Infinity}}"#, "inner.failure_rate"),
            (r#"{"inner":{"failure_rate":1e999}}"#, "inner.failure_rate"),
            (r#"{"inner":{"failure_rate":1},"list":[1,NaN]}"#, "list[1]"),
            (r#"{"inner":{"failure_rat":1}}"#, "inner.failure_rat"),
            (r#"{"inner":{"failure_rate":1,"failure_rate":2}}"#, "inner.failure_rate"),
            (r#"{"other":1}"#, "other"),
            (r#"{"inner":{"failure_rate":1,"word":true}}"#, "inner.word"),
            (r#"{"inner":{"failure_rate":1,"word":1}}"#, "inner.word"),
            (r#"{"inner":{"failure_rate":1,"word":[]}}"#, "inner.word"),
            (r#"{"inner":{"failure_rate":1,"word":"other"}}"#, "inner.word"),
        ] {
            let (code, text) = refused(body);
            assert_eq!(code, Code::ValidationFailed, "{body} {text}");
            assert!(text.contains(&format!("field: \"{field}\"")), "{body}: {text}");
        }
        assert!(refused(r#"{"inner":{"failure_rat":1}}"#).1.contains("did you mean `failure_rate`?"));
        assert_eq!(refused(r#"{"a":"NaN","b":}"#).0, Code::BadJson);
        assert_eq!(refused(r#"{"inner":{"failure_rate":1,"word":}}"#).0, Code::BadJson);
    }
}
