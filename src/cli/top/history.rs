//! Why breakers are as they are, out of events. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

/// For each breaker so many changes are remembered.
const MOST: usize = 50;
/// What time does by itself, which is nobody's report.
const BY_ITSELF: [&str; 3] = ["timeout_elapsed", "half_open_timeout", "ttl_elapsed"];

/// Transitions of breakers, by name and then by the event's id.
#[derive(Debug, Default)]
pub struct History(BTreeMap<String, BTreeMap<i64, Value>>);

impl History {
    /// Notes an event; what is no transition is nothing to it. The order of calls says nothing.
    pub fn note(&mut self, event: &Value) {
        let (Some(name), Some(id)) = (event["name"].as_str(), event["id"].as_i64()) else { return };
        match event["kind"].as_str() {
            Some("breaker.transition") => {
                let changes = self.0.entry(name.to_owned()).or_default();
                changes.insert(id, event.clone());
                if changes.len() > MOST {
                    changes.pop_first();
                }
            }
            Some("breaker.deleted") => drop(self.0.remove(name)),
            _ => {}
        }
    }

    /// The last change that somebody or something caused: an event's data.
    pub fn opening(&self, name: &str) -> Option<&Value> {
        let changes = self.0.get(name)?;
        let is_caused =
            |event: &&Value| event["data"]["cause"].as_str().is_none_or(|cause| !BY_ITSELF.contains(&cause));
        let caused = changes.values().rev().find(is_caused);
        caused.or_else(|| changes.values().next_back()).map(|event| &event["data"])
    }

    /// When it was last closed, through all its states since; if that is known.
    pub fn broken_since(&self, name: &str) -> Option<&str> {
        let changes = self.0.get(name)?;
        if changes.values().next_back()?["data"]["to"] == "closed" {
            return None;
        }
        let left = changes.values().rev().find(|event| event["data"]["from"] == "closed")?;
        left["at"].as_str()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(id: i64, from: &str, to: &str, cause: &str) -> Value {
        json!({ "id": id, "kind": "breaker.transition", "name": "a", "at": format!("t{id}"),
            "data": { "from": from, "to": to, "cause": cause } })
    }

    #[test]
    fn what_opened_it_counts_and_not_what_time_did_since() {
        let mut history = History::default();
        assert!(history.opening("a").is_none() && history.broken_since("a").is_none());
        history.note(&change(4, "half_open", "open", "half_open_failure"));
        history.note(&change(2, "closed", "open", "failure_threshold"));
        history.note(&change(3, "open", "half_open", "timeout_elapsed"));
        assert_eq!(history.opening("a").unwrap()["cause"], "half_open_failure");
        history.note(&change(5, "open", "half_open", "timeout_elapsed"));
        assert_eq!(history.opening("a").unwrap()["cause"], "half_open_failure");
        assert_eq!(history.broken_since("a"), Some("t2"), "through all its states");
        history.note(&change(6, "half_open", "closed", "half_open_success"));
        assert_eq!(history.broken_since("a"), None);
        for id in 7..200 {
            history.note(&change(id, "open", "half_open", "timeout_elapsed"));
        }
        assert_eq!(history.opening("a").unwrap()["cause"], "timeout_elapsed", "nothing better is known");
        history.note(&json!({ "id": 200, "kind": "breaker.deleted", "name": "a" }));
        assert!(history.opening("a").is_none());
    }
}
