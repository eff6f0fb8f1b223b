//! `[status_page]`: what everybody may see without a token.

use serde::Deserialize;

use super::ConfigError;
use crate::domain::Name;

/// The most checks on the page: it is for people to read.
const MOST_CHECKS: usize = 500;
/// The longest title, in characters.
const LONGEST_TITLE: usize = 120;

/// `[status_page]`: `/status`, for everybody who reaches the server. Read at the start.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StatusPageSection {
    /// Whether there is one. Default false.
    pub enabled: bool,
    /// What it says at the top. Default "Status".
    pub title: Option<String>,
    /// The checks that it shows, in this order; nothing else is shown.
    pub checks: Vec<String>,
}

/// The page that everybody may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusPage {
    /// What it says at the top.
    pub title: String,
    /// What it shows, in this order.
    pub checks: Vec<Name>,
}

impl StatusPageSection {
    /// The page, if there is one. What is wrong is said even if it is off.
    pub(super) fn page(&self) -> Result<Option<StatusPage>, ConfigError> {
        let mut checks: Vec<Name> = Vec::new();
        for raw in &self.checks {
            let name = Name::try_from(raw.as_str())
                .map_err(|error| ConfigError(format!("[status_page] checks: {raw:?}: {error}")))?;
            if checks.contains(&name) {
                return Err(ConfigError(format!("[status_page] checks: {raw:?} comes twice")));
            }
            checks.push(name);
        }
        let title = self.title.clone().unwrap_or_else(|| "Status".to_owned());
        if title.trim().is_empty() || title.chars().count() > LONGEST_TITLE {
            return Err(ConfigError(format!(
                "[status_page] title must have 1 to {LONGEST_TITLE} characters"
            )));
        }
        if checks.len() > MOST_CHECKS {
            return Err(ConfigError(format!("[status_page] checks must be at most {MOST_CHECKS}")));
        }
        if self.enabled && checks.is_empty() {
            return Err(ConfigError("[status_page] checks: name those that everybody may see".to_owned()));
        }
        Ok(self.enabled.then_some(StatusPage { title, checks }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::File;

    fn page(text: &str) -> Result<Option<StatusPage>, String> {
        let file = File::parse(&format!("[status_page]\n{text}\n")).map_err(|error| error.to_string())?;
        file.status_page.page().map_err(|error| error.to_string())
    }

    #[test]
    fn it_is_off_until_somebody_turns_it_on() {
        assert_eq!(page(""), Ok(None));
        assert_eq!(page("checks = ['web']"), Ok(None));
        let on = page("enabled = true\nchecks = ['web', 'api']").unwrap().unwrap();
        let names: Vec<&str> = on.checks.iter().map(Name::as_str).collect();
        assert_eq!((on.title.as_str(), names), ("Status", vec!["web", "api"]));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, wanted) in [
            ("enabled = true", "checks: name those"),
            ("checks = ['a b']", "checks: \"a b\": a name is"),
            ("checks = ['a', 'a']", "\"a\" comes twice"),
            ("title = ' '", "title must have"),
            ("cheks = []", "did you mean `checks`?"),
            ("enabled = 'yes'", "line 2"),
        ] {
            let error = page(text).unwrap_err();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
