//! All that is known of one resource, as lines. Pure.

use serde_json::Value;

use super::{
    board::Board,
    cell::{Cell, Line, Tone, breaker, state},
    format::{about, clock, float, labels, number, percent, span, text, words},
    kind::Kind,
    list::Item,
    problems::{cause, check_state, schedule_trouble},
    view::{Entry, event_title, failures, rule, seen, timing, tone, used, waits},
};
use crate::cli::text::width;

/// Where more is to be read about it, if there is more.
pub fn more(kind: Kind, name: &str) -> Option<String> {
    match kind {
        Kind::Breaker => Some(format!("/v1/breakers/{name}/transitions?limit=100")),
        Kind::Check => Some(format!("/v1/checks/{name}/results?limit=100")),
        Kind::Alert => Some(format!("/v1/alerts/{name}/events?limit=100")),
        Kind::Schedule => Some(format!("/v1/schedules/{name}/runs?limit=100")),
        Kind::Gate | Kind::Limiter => None,
    }
}

/// Everything to say about it; `items` is what was read besides.
pub fn lines(board: &Board, entry: &Entry, items: Option<&Value>) -> Vec<Line> {
    let Some((kind, name)) = entry.target() else {
        let Entry::Event(id) = entry else { return Vec::new() };
        return board.event(*id).map(event).unwrap_or_default();
    };
    let Some(item) = board.list(kind).get(name) else {
        let gone =
            if kind == Kind::Alert { "It does not fire any more." } else { "It is not there any more." };
        return vec![vec![Cell::toned(gone, Tone::Warn)]];
    };
    let mut lines = match kind {
        Kind::Breaker => of_breaker(board, item),
        Kind::Check => of_check(board, &item.view),
        Kind::Gate => of_gate(&item.view),
        Kind::Alert => of_alert(board, &item.view),
        Kind::Limiter => of_limiter(board, item),
        Kind::Schedule => of_schedule(board, &item.view),
    };
    if let Some(items) = items.and_then(Value::as_array) {
        lines.extend(history(board, kind, items));
    }
    if !item.view["config"].is_null() {
        lines.extend(section("Configuration"));
        lines.extend(configuration(&item.view["config"], ""));
    }
    lines
}

fn fact(name: &str, value: Cell) -> Line {
    let gap = " ".repeat(18_usize.saturating_sub(width(name)));
    vec![Cell::toned(format!("{name}{gap}"), Tone::Faint), value]
}

fn facts<const N: usize>(facts: [(&str, Cell); N]) -> Vec<Line> {
    facts
        .into_iter()
        .filter(|(_, value)| !value.text.is_empty())
        .map(|(name, value)| fact(name, value))
        .collect()
}

fn section(title: &str) -> [Line; 2] {
    [Vec::new(), vec![Cell::toned(title, Tone::Strong)]]
}

fn count(value: &Value) -> Cell {
    Cell::new(value.as_f64().map(number).unwrap_or_default())
}

fn of_breaker(board: &Board, item: &Item) -> Vec<Line> {
    let view = &item.view;
    let metrics = &view["metrics"];
    let failures = failures(view);
    let failing: Vec<_> = view["reporters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| {
            let client = text(&one["client"]);
            let client = if client.is_empty() { "without a name" } else { client };
            format!("{client} ({})", float(&one["failures"]))
        })
        .collect();
    facts([
        ("State", breaker(text(&view["state"]))),
        (
            "Since",
            Cell::new(format!(
                "{}, {}",
                clock(&view["state_changed_at"], board.wall),
                about(&view["state_changed_at"], board.wall)
            )),
        ),
        ("Waits", Cell::new(waits(board, item))),
        ("Failures", Cell::new(failures.text)),
        ("Slow calls", Cell::new(view["slow_call_rate"].as_f64().map(percent).unwrap_or_default())),
        ("Failing clients", Cell::new(failing.join(", "))),
        ("Running now", count(&view["in_flight"])),
        ("Calls", count(&metrics["total_calls"])),
        ("Succeeded", count(&metrics["success_calls"])),
        ("Failed", count(&metrics["failure_calls"])),
        ("Refused", count(&metrics["rejected_calls"])),
    ])
}

fn of_check(board: &Board, view: &Value) -> Vec<Line> {
    let shown = check_state(view);
    let details = &view["details"];
    let has_details = details.as_object().is_some_and(|details| !details.is_empty());
    facts([
        ("Status", state(shown, tone(shown))),
        (
            "Since",
            Cell::new(format!(
                "{}, {}",
                clock(&view["changed_at"], board.wall),
                about(&view["changed_at"], board.wall)
            )),
        ),
        ("Says", Cell::new(text(&view["message"]))),
        ("Error", Cell::toned(text(&view["error"]), Tone::Bad)),
        ("Details", Cell::new(if has_details { details.to_string() } else { String::new() })),
        ("Kind", Cell::new(text(&view["kind"]))),
        ("Critical", Cell::new(if view["critical"] == true { "yes" } else { "no" })),
        ("Last result", Cell::new(about(&view["timestamp"], board.wall))),
        (
            "Next run",
            Cell::new(if view["next_run_at"].is_null() {
                String::new()
            } else {
                about(&view["next_run_at"], board.wall)
            }),
        ),
    ])
}

fn of_gate(view: &Value) -> Vec<Line> {
    let verdict = &view["verdict"];
    let passes = verdict["allowed"] == true;
    let overall = text(&verdict["overall_status"]);
    let mut lines = facts([
        ("State", if passes { state("passes", Tone::Good) } else { state("closed", Tone::Bad) }),
        ("Overall", state(overall, tone(overall))),
        (
            "Asked",
            Cell::new(format!(
                "{} passed, {} refused",
                view["allowed_evaluations"], view["refused_evaluations"]
            )),
        ),
    ]);
    for one in verdict["blocking"].as_array().into_iter().flatten() {
        let status = text(&one["status"]);
        let said = format!("  {} {}: {}", text(&one["kind"]), text(&one["name"]), text(&one["message"]));
        lines.push(vec![state(status, tone(status)), Cell::new(said)]);
    }
    lines
}

fn of_alert(board: &Board, view: &Value) -> Vec<Line> {
    let level = text(&view["level"]);
    let details = &view["details"];
    let rule = details["comparison"]
        .as_str()
        .map(|comparison| format!("{comparison} {}", number(float(&details["threshold"]))));
    let comment = text(&view["acknowledged"]["comment"]);
    let seen = [seen(view), comment.to_owned()];
    let seen: Vec<_> = seen.into_iter().filter(|part| !part.is_empty()).collect();
    facts([
        ("Level", state(level, tone(level))),
        ("Message", Cell::new(text(&view["message"]))),
        (
            "Since",
            Cell::new(format!(
                "{}, {}",
                clock(&view["started_at"], board.wall),
                about(&view["started_at"], board.wall)
            )),
        ),
        ("Value", Cell::new(view["value"].as_f64().map(number).unwrap_or_default())),
        ("Fires", Cell::new(rule.unwrap_or_default())),
        ("Threshold", Cell::new(text(&view["threshold_id"]))),
        ("Labels", Cell::new(labels(&view["labels"]))),
        ("Seen", Cell::new(seen.join(": "))),
    ])
}

fn of_limiter(board: &Board, item: &Item) -> Vec<Line> {
    let view = &item.view;
    let (taken, limit, share) = used(view);
    let blocked = view["blocked_seconds"].as_f64().map(|rest| rest - (board.now - item.heard));
    let blocked = blocked.filter(|rest| *rest > 0.0).map(span).unwrap_or_default();
    facts([
        ("Rule", Cell::new(rule(view))),
        (
            "Used",
            Cell::new(format!(
                "{} of {} ({})",
                number((taken * 10.0).round() / 10.0),
                number(limit),
                percent(share)
            )),
        ),
        ("Blocked for", Cell::toned(blocked, Tone::Bad)),
        ("Waiting", count(&view["waiting"])),
        ("Clients", count(&view["live_clients"])),
        ("Requests", count(&view["total_requests"])),
        (
            "Throttled",
            Cell::new(format!("{} ({})", view["throttled_requests"], percent(float(&view["throttle_rate"])))),
        ),
    ])
}

fn of_schedule(board: &Board, view: &Value) -> Vec<Line> {
    let trouble = schedule_trouble(view, board.wall);
    let running = view["running"].as_array().map_or(0, Vec::len);
    let upcoming: Vec<_> =
        view["upcoming"].as_array().into_iter().flatten().map(|at| clock(at, board.wall)).collect();
    facts([
        ("Trouble", Cell::toned(trouble.unwrap_or_default(), Tone::Warn)),
        ("When", Cell::new(timing(view))),
        ("Next run", Cell::new(about(&view["next_run_at"], board.wall))),
        ("Upcoming", Cell::new(upcoming.join(", "))),
        ("Running", Cell::new(if running == 0 { String::new() } else { running.to_string() })),
    ])
}

/// What was before, newest first.
fn history(board: &Board, kind: Kind, items: &[Value]) -> Vec<Line> {
    let (title, row): (_, fn(&Board, &Value) -> Line) = match kind {
        Kind::Breaker => ("Transitions", transition),
        Kind::Check => ("Results", result),
        Kind::Alert => ("What happened", alert_event),
        Kind::Schedule => ("Runs", run),
        Kind::Gate | Kind::Limiter => return Vec::new(),
    };
    let mut lines: Vec<_> = section(title).into();
    if items.is_empty() {
        lines.push(vec![Cell::toned("none yet", Tone::Faint)]);
    }
    lines.extend(items.iter().map(|item| row(board, item)));
    lines
}

fn at(board: &Board, value: &Value) -> Cell {
    Cell::toned(format!("{:<13}", clock(value, board.wall)), Tone::Faint)
}

fn padded(cell: &Cell, columns: usize) -> Cell {
    let gap = " ".repeat(columns.saturating_sub(width(&cell.text)));
    Cell { text: format!("{}{gap}", cell.text), tone: cell.tone }
}

fn transition(board: &Board, item: &Value) -> Line {
    let clients = item["reporters"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let clients: Vec<_> = clients.filter(|client| !client.is_empty()).collect();
    let actor = item["actor"].as_str().map_or_else(|| clients.join(", "), str::to_owned);
    let by = if actor.is_empty() { String::new() } else { format!("by {actor}") };
    let parts =
        [cause(text(&item["cause"]), item["failure_count"].as_u64()), by, text(&item["reason"]).to_owned()];
    let said: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    vec![at(board, &item["at"]), padded(&breaker(text(&item["to"])), 18), Cell::new(said.join(", "))]
}

fn result(board: &Board, item: &Value) -> Line {
    let status = text(&item["status"]);
    let parts = [text(&item["message"]), text(&item["error"])];
    let said: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    vec![at(board, &item["timestamp"]), padded(&state(status, tone(status)), 10), Cell::new(said.join(": "))]
}

fn alert_event(board: &Board, item: &Value) -> Line {
    let data = &item["data"];
    let said =
        data["acknowledged"]["comment"].as_str().or_else(|| data["message"].as_str()).unwrap_or_default();
    let by = data["acknowledged"]["by"].as_str().map(|by| format!("by {by} ")).unwrap_or_default();
    vec![
        at(board, &item["at"]),
        padded(&Cell::new(words(text(&item["kind"]))), 20),
        Cell::new(format!("{by}{said}")),
    ]
}

fn run(board: &Board, item: &Value) -> Line {
    let status = text(&item["status"]);
    let output = &item["output"];
    let said = output["message"].as_str().or_else(|| output["reason"].as_str()).unwrap_or_default();
    let by = item["actor"].as_str().map(|by| format!("by {by} ")).unwrap_or_default();
    vec![
        at(board, &item["scheduled_for"]),
        padded(&state(status, tone(status)), 12),
        padded(&Cell::toned(text(&item["trigger"]), Tone::Faint), 12),
        Cell::new(format!("{by}{said}")),
    ]
}

/// Every field that says something; those of objects on lines of their own.
fn configuration(config: &Value, lead: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for (field, value) in config.as_object().into_iter().flatten() {
        let name = format!("{lead}{}", words(field));
        match value {
            Value::Null => {}
            Value::Object(object) if object.is_empty() => {}
            Value::Object(_) if lead.is_empty() => lines.extend(configuration(value, &format!("{name} "))),
            Value::Array(array) if array.is_empty() => {}
            Value::Array(array) if array.iter().all(Value::is_string) => {
                let all: Vec<_> = array.iter().map(text).collect();
                lines.push(wide_fact(&name, &all.join(", ")));
            }
            Value::String(said) => lines.push(wide_fact(&name, said)),
            Value::Number(n) => lines.push(wide_fact(&name, &number(n.as_f64().unwrap_or_default()))),
            other => lines.push(wide_fact(&name, &other.to_string())),
        }
    }
    lines
}

fn wide_fact(name: &str, value: &str) -> Line {
    vec![padded(&Cell::toned(name, Tone::Faint), 28), Cell::new(format!(" {value}"))]
}

fn event(event: &Value) -> Vec<Line> {
    let mut lines = facts([
        ("What", Cell::new(words(text(&event["kind"])))),
        ("About", Cell::new(event_title(event))),
        ("At", Cell::new(text(&event["at"]))),
        ("Number", count(&event["id"])),
    ]);
    lines.extend(section("Data"));
    let pretty = serde_json::to_string_pretty(&event["data"]).unwrap_or_default();
    lines.extend(pretty.lines().map(|line| vec![Cell::new(line)]));
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::top::board::tests::{board, breaker, transition as event_of};

    fn written(lines: &[Line]) -> String {
        let line = |line: &Line| line.iter().map(|cell| cell.text.as_str()).collect::<String>();
        lines.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn transitions_say_why_and_who() {
        let board = board(&[(Kind::Breaker, json!([breaker("kraken", "open")]))]);
        let items = json!([
            { "at": "2027-01-15T08:01:00Z", "to": "forced_open", "cause": "manual", "actor": "mira\u{1b}[2J",
              "reason": "maintenance" },
            { "at": "2027-01-14T08:00:00Z", "to": "open", "cause": "failure_threshold", "failure_count": 5,
              "reporters": ["bot-7", ""] }]);
        let entry = Entry::Item(Kind::Breaker, "kraken".to_owned());
        let text = written(&lines(&board, &entry, Some(&items)));
        assert!(
            text.contains("08:01:00     [X] forced open   set by hand, by mira\\u{1b}[2J, maintenance"),
            "{text}"
        );
        assert!(text.contains("Jan 14 08:00 [O] open          5 failures in a row, by bot-7"), "{text}");
        assert!(text.contains("half open max calls          3"), "{text}");
        let gone = lines(&board, &Entry::Item(Kind::Breaker, "other".to_owned()), None);
        assert!(written(&gone).contains("not there any more"));
    }

    #[test]
    fn every_kind_has_something_to_say_of_any_document() {
        for kind in Kind::ALL {
            let views = json!([{ "name": "a", "id": 1 }]);
            let name = if kind == Kind::Alert { "1" } else { "a" };
            let mut views = views;
            if kind == Kind::Alert {
                views[0]["name"] = Value::Null;
            }
            let board = board(&[(kind, views)]);
            let entry = Entry::Item(kind, name.to_owned());
            assert!(!lines(&board, &entry, Some(&json!([{}, null, 7]))).is_empty(), "{kind:?}");
        }
        let mut board = board(&[]);
        board.happens(&event_of(3, "kraken", "open", &json!({})));
        assert!(written(&lines(&board, &Entry::Event(3), None)).contains("\"cause\": \"failure_threshold\""));
    }
}
