//! What is done needs a reason at times: a form. Pure: keys in, a request out.

use serde_json::{Value, json};

use super::{
    cell::{Cell, Tone},
    format::{text, words},
    kind::Kind,
    problems::alert_title,
};
use crate::cli::silence::span;

/// A request that changes something.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    pub path: String,
    pub body: Value,
    /// What it is about, to be read anew.
    pub about: Option<(Kind, String)>,
    /// What to say when it is done.
    pub said: String,
}

/// A line of text that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub label: &'static str,
    pub value: String,
    pub hint: &'static str,
}

/// What the form is for.
#[derive(Clone, Debug, PartialEq)]
enum Purpose {
    /// A state of a breaker that holds whatever happens.
    Override(String, &'static str),
    Reset(String),
    Acknowledge(String),
    Silence,
    Penalize(String),
}

/// A form.
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    pub title: Cell,
    pub about: Cell,
    pub fields: Vec<Field>,
    pub focus: usize,
    /// Why it was not done.
    pub error: Option<String>,
    /// Whether it is being done.
    pub busy: bool,
    purpose: Purpose,
}

const REASON: Field = Field { label: "Reason", value: String::new(), hint: "for the history" };

fn for_how_long(value: &str, hint: &'static str) -> Field {
    Field { label: "For", value: value.to_owned(), hint }
}

impl Prompt {
    fn new(title: String, about: &str, fields: Vec<Field>, purpose: Purpose) -> Self {
        let title = Cell::toned(title, Tone::Strong);
        Self { title, about: Cell::new(about), fields, focus: 0, error: None, busy: false, purpose }
    }

    /// Opens a breaker by hand, lets everything pass it, or lets it only count.
    pub fn force(name: &str, target: &'static str) -> Self {
        let (verb, about) = match target {
            "forced_open" => ("Trip", "All calls are refused, whatever their outcomes."),
            "disabled" => ("Disable", "All calls pass and nothing is counted: it protects nothing."),
            _ => ("Only count for", "All calls pass; outcomes are counted."),
        };
        let span = for_how_long("15m", "15m, 2h …; empty: until somebody resets it");
        let purpose = Purpose::Override(name.to_owned(), target);
        Self::new(format!("{verb} {name}"), about, vec![REASON, span], purpose)
    }

    pub fn reset(name: &str) -> Self {
        let about = "It is closed; its counts, override and timers are forgotten.";
        Self::new(format!("Reset {name}"), about, vec![REASON], Purpose::Reset(name.to_owned()))
    }

    pub fn acknowledge(id: &str, alert: &Value) -> Self {
        let comment = Field { label: "Comment", value: String::new(), hint: "what is being done" };
        let title = format!("Acknowledge {}", alert_title(alert));
        Self::new(title, text(&alert["message"]), vec![comment], Purpose::Acknowledge(id.to_owned()))
    }

    pub fn penalize(name: &str) -> Self {
        let about = "Everybody waits this long, as after a 429 of the upstream.";
        let fields = vec![for_how_long("60s", "60s, 5m …"), REASON];
        Self::new(format!("Hold back {name}"), about, fields, Purpose::Penalize(name.to_owned()))
    }

    /// Begins with matchers that only what has these labels has.
    pub fn silence(labels: &[(&str, &str)]) -> Self {
        let matchers = labels.iter().map(|(name, value)| format!("{name}={}", quoted(value)));
        let field = |value| Field { label: "Matcher", value, hint: "name=\"value\", also != =~ !~" };
        let mut fields: Vec<_> = matchers.chain([String::new()]).map(field).collect();
        fields.push(for_how_long("1h", "30m, 2h, 1d …"));
        fields.push(Field { label: "Comment", value: String::new(), hint: "why" });
        let about = "Nobody is told of alerts whose labels match all of these.";
        Self::new("Silence".to_owned(), about, fields, Purpose::Silence)
    }

    /// The line that is written in.
    pub fn focused(&mut self) -> &mut String {
        let last = self.fields.len() - 1;
        &mut self.fields[self.focus.min(last)].value
    }

    /// To another line.
    pub const fn go(&mut self, forward: bool) {
        let count = self.fields.len();
        self.focus = if forward { (self.focus + 1) % count } else { (self.focus + count - 1) % count };
    }

    fn values<'a>(&'a self, label: &'a str) -> impl Iterator<Item = &'a str> {
        let fields = self.fields.iter().filter(move |field| field.label == label);
        fields.map(|field| field.value.trim()).filter(|value| !value.is_empty())
    }

    fn value(&self, label: &str) -> Value {
        self.fields
            .iter()
            .find(|field| field.label == label)
            .map(|field| field.value.trim())
            .filter(|value| !value.is_empty())
            .map_or(Value::Null, Value::from)
    }

    /// Seconds; null if the line is empty.
    fn seconds(&self) -> Result<Value, String> {
        match self.values("For").next() {
            Some(value) => span(value).map(|span| json!(span.as_secs())),
            None => Ok(Value::Null),
        }
    }

    /// The request that does it, or what is wrong with the lines.
    pub fn post(&self) -> Result<Post, String> {
        let breaker = |name: &str, tail: &str, body: Value, said: String| Post {
            path: format!("/v1/breakers/{name}/{tail}"),
            body,
            about: Some((Kind::Breaker, name.to_owned())),
            said,
        };
        match &self.purpose {
            Purpose::Override(name, target) => {
                let body = json!({
                    "target": target, "reason": self.value("Reason"), "ttl_seconds": self.seconds()?,
                });
                Ok(breaker(name, "state", body, format!("{name} is {}", words(target))))
            }
            Purpose::Reset(name) => {
                let body = json!({ "reason": self.value("Reason") });
                Ok(breaker(name, "reset", body, format!("{name} is reset")))
            }
            Purpose::Acknowledge(id) => Ok(Post {
                path: format!("/v1/alerts/{id}/acknowledge"),
                body: json!({ "comment": self.value("Comment") }),
                about: Some((Kind::Alert, id.clone())),
                said: "acknowledged".to_owned(),
            }),
            Purpose::Penalize(name) => {
                let seconds = self.seconds()?;
                if seconds.is_null() {
                    return Err("say for how long".to_owned());
                }
                Ok(Post {
                    path: format!("/v1/limiters/{name}/penalize"),
                    body: json!({ "retry_after_seconds": seconds, "reason": self.value("Reason") }),
                    about: Some((Kind::Limiter, name.clone())),
                    said: format!("{name} is held back"),
                })
            }
            Purpose::Silence => self.silencing(),
        }
    }

    fn silencing(&self) -> Result<Post, String> {
        let matchers: Vec<_> = self.values("Matcher").collect();
        let seconds = self.seconds()?;
        if matchers.is_empty() || seconds.is_null() {
            return Err("say which alerts, and for how long".to_owned());
        }
        let comment = self.value("Comment");
        let comment = if comment.is_null() { json!("") } else { comment };
        Ok(Post {
            path: "/v1/silences".to_owned(),
            body: json!({ "matchers": matchers, "duration_seconds": seconds, "comment": comment }),
            about: None,
            said: "silenced".to_owned(),
        })
    }
}

/// A value in a matcher.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(mut prompt: Prompt, values: &[&str]) -> Prompt {
        for (field, value) in prompt.fields.iter_mut().zip(values) {
            (*value).clone_into(&mut field.value);
        }
        prompt
    }

    #[test]
    fn forms_become_requests() {
        let post = filled(Prompt::force("kraken", "forced_open"), &[" maintenance ", "2h"]).post().unwrap();
        assert_eq!(post.path, "/v1/breakers/kraken/state");
        assert_eq!(
            post.body,
            json!({ "target": "forced_open", "reason": "maintenance", "ttl_seconds": 7200 })
        );
        assert_eq!(post.said, "kraken is forced open");
        let post = filled(Prompt::force("kraken", "disabled"), &["", ""]).post().unwrap();
        assert_eq!(post.body, json!({ "target": "disabled", "reason": null, "ttl_seconds": null }));
        let post = Prompt::reset("kraken").post().unwrap();
        assert_eq!((post.path.as_str(), post.body), ("/v1/breakers/kraken/reset", json!({ "reason": null })));
        let post = filled(Prompt::penalize("api"), &["5m", "429"]).post().unwrap();
        assert_eq!(post.body, json!({ "retry_after_seconds": 300, "reason": "429" }));
        let post =
            filled(Prompt::acknowledge("7", &json!({ "metric_name": "disk" })), &["on it"]).post().unwrap();
        assert_eq!(
            (post.path.as_str(), post.body),
            ("/v1/alerts/7/acknowledge", json!({ "comment": "on it" }))
        );
    }

    #[test]
    fn a_silence_matches_what_it_was_asked_for() {
        let prompt = Prompt::silence(&[("alertname", "disk"), ("path", "a\"b\\c\n")]);
        let post = prompt.post().unwrap();
        assert_eq!(
            post.body,
            json!({ "matchers": ["alertname=\"disk\"", "path=\"a\\\"b\\\\c\\n\""], "duration_seconds": 3600, "comment": "" })
        );
        for matcher in post.body["matchers"].as_array().unwrap() {
            fuseboard::domain::notify::Matcher::parse(matcher.as_str().unwrap()).unwrap();
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for prompt in [
            filled(Prompt::force("kraken", "forced_open"), &["", "soon"]),
            filled(Prompt::penalize("api"), &["", ""]),
            filled(Prompt::silence(&[]), &["", "1h"]),
        ] {
            assert!(prompt.post().is_err(), "{prompt:?}");
        }
        let mut prompt = Prompt::force("kraken", "forced_open");
        prompt.focused().push('x');
        prompt.go(false);
        prompt.focused().push('x');
        assert_eq!((prompt.fields[0].value.as_str(), prompt.fields[1].value.as_str()), ("x", "15mx"));
        prompt.go(true);
        assert_eq!(prompt.focus, 0);
    }
}
