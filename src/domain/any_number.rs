//! Numbers that are stored as JSON, which has none for the infinite: those are texts there.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::exposition::float_text;

#[derive(Deserialize)]
#[serde(untagged)]
enum Stored {
    Number(f64),
    Text(String),
}

/// For `serialize_with`, and `with`.
pub fn serialize<S: Serializer>(value: &Option<f64>, to: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(number) if !number.is_finite() => float_text(*number).serialize(to),
        other => other.serialize(to),
    }
}

/// For `deserialize_with`, and `with`.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    match Option::deserialize(from)? {
        None => Ok(None),
        Some(Stored::Number(number)) => Ok(Some(number)),
        Some(Stored::Text(text)) => text.parse().map(Some).map_err(serde::de::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row(#[serde(with = "super")] Option<f64>);

    #[test]
    fn comes_back_as_it_was() {
        for value in [None, Some(0.1), Some(-0.0), Some(1e308), Some(f64::INFINITY), Some(f64::NEG_INFINITY)]
        {
            let text = serde_json::to_string(&Row(value)).unwrap();
            assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), Row(value), "{text}");
        }
        assert_eq!(serde_json::from_str::<Row>("5").unwrap(), Row(Some(5.0)));
        assert!(serde_json::from_str::<Row>("\"x\"").is_err());
    }
}
