//! Events in rows.

use serde_json::Value;

use super::tone;
use crate::cli::top::{
    board::Board,
    cell::{Cell, Tone},
    format::{clock, span, text, words},
    problems,
};

/// How an event's resource is called.
pub fn event_title(event: &Value) -> String {
    let data = &event["data"];
    let own = match text(&event["resource"]) {
        "backup" => &data["backup_id"],
        "alert" => &data["metric_name"],
        _ => &Value::Null,
    };
    own.as_str().unwrap_or_else(|| text(&event["name"])).to_owned()
}

/// What an event says, in a sentence.
pub fn sentence(event: &Value) -> String {
    let data = &event["data"];
    let by = |actor: &Value| actor.as_str().map(|actor| format!("by {actor}"));
    let said = |value: &Value| value.as_str().map(str::to_owned);
    let parts = match text(&event["kind"]) {
        "breaker.transition" => [
            Some(format!("{} → {}", words(text(&data["from"])), words(text(&data["to"])))),
            Some(problems::cause(text(&data["cause"]), data["failure_count"].as_u64())),
            by(&data["actor"]),
            said(&data["reason"]),
        ],
        "check.changed" => {
            let from = if data["was_stale"] == true { "stale" } else { text(&data["from"]) };
            let to = if data["stale"] == true { "stale" } else { text(&data["to"]) };
            [Some(format!("{from} → {to}")), said(&data["message"]), None, None]
        }
        "limiter.penalized" => [
            data["retry_after_seconds"].as_f64().map(|s| format!("everybody waits {}", span(s))),
            by(&data["actor"]),
            said(&data["reason"]),
            None,
        ],
        "gate.refused" => {
            let first = &data["blocking"][0];
            let message = first["name"].as_str().map(|name| format!("{name}: {}", text(&first["message"])));
            [message, None, None, None]
        }
        _ => [said(&data["message"]), said(&data["reason"]), said(&data["comment"]), by(&data["actor"])],
    };
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// How what an event tells is.
fn event_tone(event: &Value) -> Tone {
    let data = &event["data"];
    match text(&event["kind"]) {
        "check.changed" if data["stale"] == true => Tone::Warn,
        "breaker.transition" | "check.changed" => tone(text(&data["to"])),
        "alert.firing" => tone(text(&data["level"])),
        "alert.resolved" => Tone::Good,
        kind => kind.strip_prefix("schedule.run_").map_or(Tone::Plain, tone),
    }
}

/// A cell for each column.
pub fn event_cells(board: &Board, event: &Value) -> Vec<Cell> {
    vec![
        Cell::toned(clock(&event["at"], board.wall), Tone::Faint),
        Cell::toned(words(text(&event["kind"])), event_tone(event)),
        Cell::new(event_title(event)),
        Cell::new(sentence(event)),
    ]
}
