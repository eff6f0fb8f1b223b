//! Time zones by their IANA name.

use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::domain::InvalidConfig;

/// A time zone that the tz database knows: the one built in, so that it is the same on every machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

impl Zone {
    /// Coordinated universal time.
    #[must_use]
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), rules: TimeZone::UTC }
    }

    /// The zone of that name, in any case of letters. Errors name the field `timezone` and the nearest known name.
    pub fn parse(raw: &str) -> Result<Self, InvalidConfig> {
        // Leap seconds and names that stand for the machine's own zone are no zones of the database.
        let foreign = raw.starts_with("right/") || matches!(raw, "localtime" | "posixrules" | "Factory");
        let rules = TimeZoneDatabase::bundled().get(raw).ok().filter(|zone| !foreign && !zone.is_unknown());
        match rules.as_ref().and_then(TimeZone::iana_name).map(str::to_owned) {
            Some(name) => Ok(Self { name, rules: rules.unwrap_or(TimeZone::UTC) }),
            None => Err(InvalidConfig { field: "timezone", message: unknown(raw) }),
        }
    }

    /// Its name, such as `Europe/Berlin`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its offsets from universal time.
    #[must_use]
    pub fn rules(&self) -> &TimeZone {
        &self.rules
    }
}

fn unknown(raw: &str) -> String {
    let shown: String = raw.chars().take(64).collect();
    let wanted = shown.to_ascii_lowercase();
    let likeness = |name: &str| {
        let name = name.to_ascii_lowercase();
        // Who leaves out the region still means the city.
        let city = name.rsplit('/').next().unwrap_or(&name);
        strsim::jaro_winkler(&name, &wanted).max(strsim::jaro_winkler(city, &wanted))
    };
    let database = TimeZoneDatabase::bundled();
    let known = database.available().map(|name| name.as_str().to_owned());
    let nearest = known.map(|name| (likeness(&name), name)).max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((likeness, name)) if likeness > 0.8 => {
            format!("`{shown}` is no IANA time zone; did you mean `{name}`?")
        }
        _ => format!("`{shown}` is no IANA time zone, such as Europe/Berlin"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case_and_unknown_ones_get_a_suggestion() {
        assert_eq!(Zone::parse("europe/berlin").unwrap().name(), "Europe/Berlin");
        assert_eq!(Zone::parse("utc").unwrap(), Zone::utc());
        for (raw, nearest) in [
            ("Europe/Berln", "Europe/Berlin"),
            ("Berlin", "Europe/Berlin"),
            ("America/NewYork", "America/New_York"),
        ] {
            let error = Zone::parse(raw).unwrap_err();
            assert_eq!(error.field, "timezone");
            assert!(error.message.contains(nearest), "{error}");
        }
        for raw in
            ["", " ", "Etc/Unknown", "localtime", "right/UTC", "../etc/passwd", "EST5EDT4,M3", "💥", "UTC\0"]
        {
            assert_eq!(Zone::parse(raw).unwrap_err().field, "timezone", "{raw}");
        }
    }
}
