//! Documents inside documents must be JSON objects.
//!
//! Serde's derive also takes the fields of a struct from an array, in their order: `"window": []` would be a window with
//! every default. Use these with `#[serde(deserialize_with = "…")]`.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};

struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OnlyMaps<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for OnlyMaps<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(OnlyMaps(PhantomData))
    }
}

/// An object, or null for none.
pub fn object_option<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|Object(value)| value))
}

/// A list of objects.
pub fn objects<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Vec::<Object<T>>::deserialize(deserializer)?.into_iter().map(|Object(value)| value).collect())
}

/// Objects by name.
pub fn object_map<'de, D, T>(deserializer: D) -> Result<BTreeMap<String, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let map = BTreeMap::<String, Object<T>>::deserialize(deserializer)?;
    Ok(map.into_iter().map(|(name, Object(value))| (name, value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Inner {
        size: u32,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Outer {
        #[serde(deserialize_with = "object_option")]
        one: Option<Inner>,
        #[serde(deserialize_with = "objects")]
        many: Vec<Inner>,
        #[serde(deserialize_with = "object_map")]
        named: BTreeMap<String, Inner>,
    }

    #[test]
    fn only_objects_are_objects() {
        let text = r#"{"one":{"size":1},"many":[{"size":2}],"named":{"a":{}}}"#;
        let outer: Outer = serde_json::from_str(text).unwrap();
        assert_eq!((outer.one.unwrap().size, outer.many[0].size, outer.named["a"].size), (1, 2, 0));
        assert!(serde_json::from_str::<Outer>(r#"{"one":null}"#).unwrap().one.is_none());
        for bad in
            [r#"{"one":[]}"#, r#"{"one":[1]}"#, r#"{"many":[[1]]}"#, r#"{"named":{"a":[1]}}"#, r#"{"one":1}"#]
        {
            let error = serde_json::from_str::<Outer>(bad).unwrap_err().to_string();
            assert!(error.contains("expected an object"), "{bad}: {error}");
        }
    }
}
