//! What is wrong, out of all that is known. The page in `ui/` says the same, by the same rules (`ui/app/problems.js`). Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    board::Board,
    format::{age, float, labels, number, text, words},
    kind::Kind,
    list::Item,
};

/// A schedule that was due so many seconds ago is overdue.
const OVERDUE: f64 = 30.0;

/// How grave it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// Broken.
    Bad,
    /// Wants a look.
    Warn,
    /// As somebody wanted it.
    Note,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub kind: Kind,
    /// By what it is known.
    pub name: String,
    /// As people call it.
    pub title: String,
    pub gravity: Gravity,
    pub state: String,
    /// Since when, if that is known.
    pub since: Value,
    pub text: String,
    /// Who reported it.
    pub reporter: String,
    /// The alert about it.
    pub alert: Option<String>,
    /// Somebody has seen to it that nobody is bothered with it.
    pub quiet: bool,
}

impl Problem {
    /// Whether nobody needs to be woken for it.
    pub fn is_aside(&self) -> bool {
        self.quiet || self.gravity == Gravity::Note
    }
}

/// The board's own metrics, and which label names the resource.
fn own(metric: &str) -> Option<(Kind, &'static str)> {
    match metric {
        "fuseboard_breaker_open" => Some((Kind::Breaker, "breaker")),
        "fuseboard_check_red" => Some((Kind::Check, "check")),
        "fuseboard_schedule_missed" => Some((Kind::Schedule, "schedule")),
        _ => None,
    }
}

/// Alerts about breakers, checks and schedules, by what they are about.
type Own<'a> = BTreeMap<(Kind, &'a str), (&'a str, &'a Value)>;

/// All of it, the gravest first and the newest of these.
pub fn problems(board: &Board) -> Vec<Problem> {
    let mut own_alerts = Own::new();
    let mut found = Vec::new();
    for (id, item) in board.items(Kind::Alert) {
        let view = &item.view;
        let about = own(text(&view["metric_name"]))
            .and_then(|(kind, label)| Some((kind, view["labels"][label].as_str()?)));
        match about {
            Some(about) => drop(own_alerts.insert(about, (id, view))),
            None => found.push(alert(id, view)),
        }
    }
    let each = |kind: Kind| board.items(kind);
    let own = &own_alerts;
    found.extend(each(Kind::Breaker).filter_map(|(name, item)| breaker(board, name, item, own)));
    found.extend(each(Kind::Check).filter_map(|(name, item)| check(name, &item.view, own)));
    found.extend(each(Kind::Gate).filter_map(|(name, item)| gate(board, name, &item.view)));
    found.extend(each(Kind::Limiter).filter_map(|(name, item)| limiter(name, &item.view)));
    found.extend(each(Kind::Schedule).filter_map(|(name, item)| schedule(name, &item.view, board.wall, own)));
    let since = |problem: &Problem| text(&problem.since).to_owned();
    found.sort_by(|a, b| {
        let newest = since(b).cmp(&since(a));
        let graver = (a.is_aside(), a.gravity).cmp(&(b.is_aside(), b.gravity));
        graver.then(newest).then_with(|| a.name.cmp(&b.name))
    });
    found
}

/// The gravest of what is not quiet: `red`, `yellow` or `green`.
pub fn overall(found: &[Problem]) -> &'static str {
    match found.iter().filter(|problem| !problem.quiet).map(|problem| problem.gravity).min() {
        Some(Gravity::Bad) => "red",
        Some(Gravity::Warn) => "yellow",
        Some(Gravity::Note) | None => "green",
    }
}

/// Whether somebody has seen to it that nobody is told of an alert any more.
pub fn is_quiet(alert: &Value) -> bool {
    let any = |field: &str| alert[field].as_array().is_some_and(|list| !list.is_empty());
    alert["acknowledged"].is_object() || any("silenced_by") || any("muted_by")
}

fn alert(id: &str, view: &Value) -> Problem {
    let details = &view["details"];
    let rule = match details["comparison"].as_str() {
        Some(comparison) => format!("threshold {comparison} {}", number(float(&details["threshold"]))),
        None => format!("threshold {}", text(&view["threshold_id"])),
    };
    Problem {
        kind: Kind::Alert,
        name: id.to_owned(),
        title: alert_title(view),
        gravity: match view["level"].as_str() {
            Some("critical" | "error") => Gravity::Bad,
            Some("info") => Gravity::Note,
            _ => Gravity::Warn,
        },
        state: text(&view["level"]).to_owned(),
        since: view["started_at"].clone(),
        text: text(&view["message"]).to_owned(),
        reporter: if view["source"] == "external" { "sent from outside".to_owned() } else { rule },
        alert: Some(id.to_owned()),
        quiet: is_quiet(view),
    }
}

/// An alert's metric and labels.
pub fn alert_title(view: &Value) -> String {
    let labels = labels(&view["labels"]);
    let name = text(&view["metric_name"]);
    if labels.is_empty() { name.to_owned() } else { format!("{name} {labels}") }
}

fn breaker(board: &Board, name: &str, item: &Item, own: &Own<'_>) -> Option<Problem> {
    let view = &item.view;
    let state = text(&view["state"]);
    let gravity = match state {
        "closed" => return None,
        "open" | "forced_open" => Gravity::Bad,
        "half_open" => Gravity::Warn,
        _ => Gravity::Note,
    };
    let since = board.history.broken_since(name).map(Value::from);
    let (text, reporter) = why(board, name, view);
    Some(Problem {
        gravity,
        state: state.to_owned(),
        since: since.unwrap_or_else(|| view["state_changed_at"].clone()),
        text,
        reporter,
        ..resource(Kind::Breaker, name, own)
    })
}

fn resource(kind: Kind, name: &str, own: &Own<'_>) -> Problem {
    let alert = own.get(&(kind, name));
    Problem {
        kind,
        name: name.to_owned(),
        title: name.to_owned(),
        gravity: Gravity::Warn,
        state: String::new(),
        since: Value::Null,
        text: String::new(),
        reporter: String::new(),
        alert: alert.map(|(id, _)| (*id).to_owned()),
        quiet: alert.is_some_and(|(_, view)| is_quiet(view)),
    }
}

/// Why a breaker is not closed, and who reported it.
pub fn why(board: &Board, name: &str, view: &Value) -> (String, String) {
    let opening = board.history.opening(name).unwrap_or(&Value::Null);
    let reason = text(&opening["reason"]);
    let text_of = if reason.is_empty() {
        cause(text(&opening["cause"]), view["failure_count"].as_u64())
    } else {
        reason.to_owned()
    };
    (text_of, reported_by(view, opening))
}

/// What a transition's cause says.
pub fn cause(cause: &str, failures: Option<u64>) -> String {
    let said = match cause {
        "failure_threshold" => {
            return failures
                .map_or_else(|| "failures in a row".to_owned(), |n| format!("{n} failures in a row"));
        }
        "failure_rate" => "failure rate",
        "slow_call_rate" => "slow calls",
        "timeout_elapsed" => "wait is over",
        "half_open_success" => "probes succeeded",
        "half_open_failure" => "a probe failed",
        "half_open_timeout" => "half open for too long",
        "manual" => "set by hand",
        "reset" => "reset by hand",
        "ttl_elapsed" => "override ended",
        other => return words(other),
    };
    said.to_owned()
}

/// Whoever set it by hand, or the clients that failed.
fn reported_by(view: &Value, opening: &Value) -> String {
    let actor = text(&opening["actor"]);
    let by = if actor.is_empty() { String::new() } else { format!("by {actor}") };
    if matches!(opening["cause"].as_str(), Some("manual" | "reset")) {
        return by;
    }
    let failing = view["reporters"].as_array().into_iter().flatten().map(|one| text(&one["client"]));
    let mut names: Vec<_> = failing.filter(|name| !name.is_empty()).collect();
    if names.is_empty() {
        let told = opening["reporters"].as_array().into_iter().flatten();
        names = told.filter_map(Value::as_str).filter(|name| !name.is_empty()).collect();
    }
    match names.len() {
        0 => by,
        1..=3 => format!("by {}", names.join(", ")),
        many => format!("by {} and {} more", names[..3].join(", "), many - 3),
    }
}

fn check(name: &str, view: &Value, own: &Own<'_>) -> Option<Problem> {
    let stale = view["stale"] == true;
    if view["status"] == "green" && !stale {
        return None;
    }
    // What was declared and never had a result is not wrong yet, but wants a look.
    let is_bad = view["status"] == "red" && !stale && view["critical"] == true;
    let error = text(&view["error"]);
    Some(Problem {
        gravity: if is_bad { Gravity::Bad } else { Gravity::Warn },
        state: check_state(view).to_owned(),
        since: view["changed_at"].clone(),
        text: if error.is_empty() { text(&view["message"]) } else { error }.to_owned(),
        reporter: format!("{} check", text(&view["kind"])),
        ..resource(Kind::Check, name, own)
    })
}

/// What a check shows: `stale` or its status.
pub fn check_state(view: &Value) -> &str {
    if view["stale"] == true { "stale" } else { text(&view["status"]) }
}

fn gate(board: &Board, name: &str, view: &Value) -> Option<Problem> {
    let verdict = &view["verdict"];
    if verdict["allowed"] == true {
        return None;
    }
    let blocking = verdict["blocking"].as_array().map(Vec::as_slice).unwrap_or_default();
    let began = blocking.iter().filter_map(|one| {
        let kind = Kind::named(text(&one["kind"]))?;
        let field = if kind == Kind::Breaker { "state_changed_at" } else { "changed_at" };
        board.list(kind).get(text(&one["name"]))?.view[field].as_str()
    });
    // It is closed since the first of what closes it has been so, as far as that is known.
    let since = began.min().map_or(Value::Null, Value::from);
    let worst = blocking.first();
    let more = if blocking.len() > 1 { format!(" and {} more", blocking.len() - 1) } else { String::new() };
    let said = |one: &Value| format!("{}: {}{more}", text(&one["name"]), text(&one["message"]));
    Some(Problem {
        gravity: Gravity::Bad,
        state: "closed".to_owned(),
        since,
        text: worst.map_or_else(|| "closed".to_owned(), said),
        reporter: worst
            .map(|one| format!("by {} {}", text(&one["kind"]), text(&one["name"])))
            .unwrap_or_default(),
        ..resource(Kind::Gate, name, &Own::new())
    })
}

fn limiter(name: &str, view: &Value) -> Option<Problem> {
    let blocked = view["blocked_seconds"].as_f64().filter(|seconds| *seconds > 0.0)?;
    Some(Problem {
        state: "blocked".to_owned(),
        text: format!("the upstream asked everybody to wait, {} more", super::format::span(blocked)),
        ..resource(Kind::Limiter, name, &Own::new())
    })
}

/// How a schedule stands, if that is not as it should be.
pub fn schedule_trouble(view: &Value, now: Timestamp) -> Option<&'static str> {
    let is_running = view["running"].as_array().is_some_and(|runs| !runs.is_empty());
    let late = age(&view["next_run_at"], now).is_some_and(|age| age > OVERDUE);
    match view["last_run"]["status"].as_str() {
        _ if late && !is_running => Some("overdue"),
        Some("missed") => Some("missed"),
        Some("failed") => Some("failed"),
        _ => None,
    }
}

fn schedule(name: &str, view: &Value, now: Timestamp, own: &Own<'_>) -> Option<Problem> {
    let state = schedule_trouble(view, now)?;
    let run = &view["last_run"];
    let (since, said) = match state {
        "overdue" => (&view["next_run_at"], "it should have run by now"),
        "missed" => (&run["scheduled_for"], "it did not run when it was due"),
        _ => (&run["finished_at"], "the last run failed"),
    };
    let actor = text(&run["actor"]);
    Some(Problem {
        state: state.to_owned(),
        since: since.clone(),
        text: said.to_owned(),
        reporter: if state != "overdue" && !actor.is_empty() {
            format!("run by {actor}")
        } else {
            String::new()
        },
        ..resource(Kind::Schedule, name, own)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::top::board::tests::{board, breaker, transition};

    fn names(found: &[Problem]) -> Vec<&str> {
        found.iter().map(|problem| problem.name.as_str()).collect()
    }

    #[test]
    fn the_gravest_comes_first_and_what_somebody_wanted_last() {
        let states = json!([
            breaker("a", "closed"),
            breaker("b", "disabled"),
            breaker("c", "half_open"),
            breaker("d", "open")
        ]);
        let found = problems(&board(&[(Kind::Breaker, states)]));
        assert_eq!(names(&found), ["d", "c", "b"]);
        assert_eq!(overall(&found), "red");
        assert_eq!(overall(&found[1..]), "yellow");
        assert_eq!(overall(&found[2..]), "green");
    }

    #[test]
    fn a_breaker_says_since_when_why_and_who() {
        let mut board = board(&[(Kind::Breaker, json!([breaker("a", "closed")]))]);
        board.happens(&transition(1, "a", "open", &json!({})));
        board.happens(&transition(
            2,
            "a",
            "half_open",
            &json!({ "from": "open", "cause": "timeout_elapsed" }),
        ));
        let found = problems(&board);
        assert_eq!((found[0].state.as_str(), &found[0].since), ("half_open", &json!("2027-01-15T08:09:00Z")));
        assert_eq!((found[0].text.as_str(), found[0].reporter.as_str()), ("5 failures in a row", "by bot-7"));
        let by_hand = json!({ "cause": "manual", "actor": "mira", "reason": "maintenance" });
        board.happens(&transition(3, "a", "forced_open", &by_hand));
        let found = problems(&board);
        assert_eq!((found[0].text.as_str(), found[0].reporter.as_str()), ("maintenance", "by mira"));
    }

    #[test]
    fn alerts_about_breakers_stand_with_them_and_what_is_silenced_is_quiet() {
        let alerts = json!([
            { "id": 7, "metric_name": "fuseboard_breaker_open", "labels": { "breaker": "a" }, "level": "error",
              "acknowledged": null, "silenced_by": ["s"], "message": "a is open", "started_at": "2027-01-15T08:00:00Z" },
            { "id": 8, "metric_name": "drawdown", "labels": { "strategy": "ma" }, "level": "critical",
              "acknowledged": { "by": "mira" }, "message": "too high", "started_at": "2027-01-15T08:00:00Z",
              "details": { "comparison": ">", "threshold": 0.15 } }]);
        let found =
            problems(&board(&[(Kind::Alert, alerts), (Kind::Breaker, json!([breaker("a", "open")]))]));
        assert_eq!(names(&found), ["8", "a"]);
        assert_eq!((found[1].alert.as_deref(), found[1].quiet, found[0].quiet), (Some("7"), true, true));
        assert_eq!(
            (found[0].title.as_str(), found[0].reporter.as_str()),
            ("drawdown strategy=ma", "threshold > 0.15")
        );
        assert_eq!(overall(&found), "green");
    }

    #[test]
    fn checks_gates_limiters_and_schedules_can_be_wrong_too() {
        let checks = json!([
            { "name": "disk", "status": "yellow", "stale": false, "critical": true, "message": "81 % full" },
            { "name": "feed", "status": "red", "stale": false, "critical": true, "message": "m", "error": "no tick",
              "changed_at": "2027-01-15T07:00:00Z" },
            { "name": "new", "status": "red", "stale": true, "critical": true, "message": "no result yet" },
            { "name": "well", "status": "green", "stale": false, "critical": true }]);
        let gates = json!([
            { "name": "live", "verdict": { "allowed": false, "blocking": [
                { "kind": "check", "name": "feed", "status": "red", "message": "no tick" },
                { "kind": "check", "name": "disk", "status": "red", "message": "full" }] } },
            { "name": "open", "verdict": { "allowed": true, "blocking": [] } }]);
        let limiters =
            json!([{ "name": "api", "blocked_seconds": 90.0 }, { "name": "free", "blocked_seconds": null }]);
        let run =
            |status: &str| json!({ "status": status, "finished_at": "2027-01-15T08:00:00Z", "actor": null });
        let schedules = json!([
            { "name": "late", "next_run_at": "2027-01-15T08:00:00Z", "running": [], "last_run": run("succeeded") },
            { "name": "busy", "next_run_at": "2027-01-15T08:00:00Z", "running": [{}], "last_run": null },
            { "name": "hook", "next_run_at": null, "running": [], "last_run": run("failed") },
            { "name": "fine", "next_run_at": "2027-01-15T09:00:00Z", "running": [], "last_run": null }]);
        let found = problems(&board(&[
            (Kind::Check, checks),
            (Kind::Gate, gates),
            (Kind::Limiter, limiters),
            (Kind::Schedule, schedules),
        ]));
        let by_name = |name: &str| found.iter().find(|problem| problem.name == name).unwrap();
        assert_eq!(found.len(), 7, "{:?}", names(&found));
        assert_eq!(names(&found)[..2], ["feed", "live"]);
        assert_eq!(by_name("feed").text, "no tick");
        assert_eq!(by_name("live").text, "feed: no tick and 1 more");
        assert_eq!(by_name("live").since, "2027-01-15T07:00:00Z");
        assert_eq!(
            [&by_name("new").state, &by_name("late").state, &by_name("hook").state],
            ["stale", "overdue", "failed"]
        );
        assert!(by_name("api").text.contains("1 min 30 s"));
    }
}
