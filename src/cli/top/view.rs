//! The tables of the views: which rows, in which order, and what stands in them. Pure.

mod event;

use serde_json::Value;

use self::event::event_cells;
pub use self::event::event_title;

use super::{
    board::Board,
    cell::{Cell, Tone, bar, breaker, state},
    format::{about, age, float, labels, number, percent, short_span, since, span, text, words},
    kind::Kind,
    list::Item,
    problems::{self, Gravity, Problem, alert_title, check_state, is_quiet, schedule_trouble},
    tab::Tab,
};

/// A row of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    Problem(Problem),
    Item(Kind, String),
    Event(i64),
}

impl Entry {
    /// The resource that it is about.
    pub fn target(&self) -> Option<(Kind, &str)> {
        match self {
            Self::Problem(problem) => Some((problem.kind, &problem.name)),
            Self::Item(kind, name) => Some((*kind, name)),
            Self::Event(_) => None,
        }
    }

    /// Whether it stands for the same thing as another one did a moment ago.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Event(a), Self::Event(b)) => a == b,
            _ => self.target().is_some() && self.target() == other.target(),
        }
    }
}

/// Whether a filter's text, in lower case, is found in another.
fn matches(name: &str, wanted: &str) -> bool {
    wanted.is_empty() || name.to_lowercase().contains(wanted)
}

/// The rows of a view, what matters most first.
pub fn entries(board: &Board, tab: Tab, filter: &str) -> Vec<Entry> {
    let wanted = filter.to_lowercase();
    match tab {
        Tab::Overview => {
            let found = problems::problems(board).into_iter();
            found.filter(|problem| matches(&problem.title, &wanted)).map(Entry::Problem).collect()
        }
        Tab::Events => {
            let found = board.events().filter(|event| {
                matches(text(&event["name"]), &wanted) || matches(text(&event["kind"]), &wanted)
            });
            found.filter_map(|event| event["id"].as_i64()).map(Entry::Event).collect()
        }
        Tab::Of(kind) => {
            let found =
                board.items(kind).filter(|(name, item)| matches(&title(kind, name, &item.view), &wanted));
            let mut ranked: Vec<_> = found.map(|(name, item)| (rank(board, kind, item), name)).collect();
            ranked.sort_by(|(a, first), (b, second)| {
                a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)).then_with(|| first.cmp(second))
            });
            ranked.into_iter().map(|(_, name)| Entry::Item(kind, name.to_owned())).collect()
        }
    }
}

/// How a resource is called in its row.
fn title(kind: Kind, name: &str, view: &Value) -> String {
    if kind == Kind::Alert { alert_title(view) } else { name.to_owned() }
}

/// How early a resource stands: by class, the lowest first; within it by a figure, the highest first.
fn rank(board: &Board, kind: Kind, item: &Item) -> (usize, f64) {
    let view = &item.view;
    let place = |order: &[&str], word: &str| order.iter().position(|one| *one == word).unwrap_or(order.len());
    match kind {
        Kind::Breaker => {
            let states = ["open", "forced_open", "half_open", "disabled", "metrics_only", "closed"];
            (place(&states, text(&view["state"])), failures(view).near)
        }
        Kind::Check => (place(&["red", "stale", "yellow", "green"], check_state(view)), 0.0),
        Kind::Gate => (usize::from(view["verdict"]["allowed"] == true), 0.0),
        Kind::Alert => {
            let level = place(&["critical", "error", "warning", "info"], text(&view["level"]));
            (level + if is_quiet(view) { 10 } else { 0 }, float(&view["id"]))
        }
        Kind::Limiter => (usize::from(view["blocked_seconds"].is_null()), used(view).2),
        Kind::Schedule => {
            let next = age(&view["next_run_at"], board.wall).unwrap_or(f64::NEG_INFINITY);
            (usize::from(schedule_trouble(view, board.wall).is_none()), next)
        }
    }
}

/// A cell for each column of the view. `None`: what it was about is gone.
pub fn cells(board: &Board, entry: &Entry) -> Option<Vec<Cell>> {
    match entry {
        Entry::Problem(problem) => Some(problem_cells(board, problem)),
        Entry::Event(id) => board.event(*id).map(|event| event_cells(board, event)),
        Entry::Item(kind, name) => {
            let item = board.list(*kind).get(name)?;
            Some(match kind {
                Kind::Breaker => breaker_cells(board, name, item),
                Kind::Check => check_cells(board, name, &item.view),
                Kind::Gate => gate_cells(name, &item.view),
                Kind::Alert => alert_cells(board, &item.view),
                Kind::Limiter => limiter_cells(board, name, item),
                Kind::Schedule => schedule_cells(board, name, &item.view),
            })
        }
    }
}

/// The tone of a word that says how something is.
pub fn tone(word: &str) -> Tone {
    match word {
        "closed" | "green" | "succeeded" | "free" => Tone::Good,
        "open" | "forced_open" | "red" | "critical" | "error" | "failed" => Tone::Bad,
        "info" | "running" | "started" | "metrics_only" => Tone::Note,
        "disabled" | "off" => Tone::Faint,
        _ => Tone::Warn,
    }
}

fn problem_cells(board: &Board, problem: &Problem) -> Vec<Cell> {
    let tone = match problem.gravity {
        _ if problem.quiet => Tone::Faint,
        Gravity::Bad => Tone::Bad,
        Gravity::Warn => Tone::Warn,
        Gravity::Note => Tone::Note,
    };
    let sign = match problem.kind {
        Kind::Breaker => Cell { tone, ..breaker(&problem.state) },
        _ => state(&words(&problem.state), tone),
    };
    let said = if problem.quiet { format!("(seen to) {}", problem.text) } else { problem.text.clone() };
    vec![
        sign,
        Cell::toned(problem.kind.word(), Tone::Faint),
        Cell::toned(&problem.title, if problem.is_aside() { Tone::Faint } else { Tone::Strong }),
        Cell::new(since(&problem.since, board.wall)),
        Cell::new(&problem.reporter),
        Cell::new(said),
    ]
}

/// How near a breaker is to opening by failures.
pub struct Failures {
    pub text: String,
    /// From 0 to 1, where it opens.
    pub near: f64,
}

/// The rate against its threshold where there is a window with enough calls, else failures in a row.
pub fn failures(view: &Value) -> Failures {
    let limit = view["config"]["window"]["failure_rate"].as_f64();
    if let (Some(rate), Some(limit)) = (view["failure_rate"].as_f64(), limit) {
        let text = format!("{:.0}/{:.0} %", rate * 100.0, limit * 100.0);
        return Failures { text, near: if limit > 0.0 { rate / limit } else { 1.0 } };
    }
    let (count, threshold) = (float(&view["failure_count"]), float(&view["threshold"]));
    let near = if threshold > 0.0 { count / threshold } else { 0.0 };
    Failures { text: format!("{count} of {threshold}"), near }
}

const fn nearness(near: f64) -> Tone {
    if near >= 1.0 {
        Tone::Bad
    } else if near >= 0.6 {
        Tone::Warn
    } else {
        Tone::Good
    }
}

/// A bar and what it means.
fn gauge(share: f64, tone: Tone, columns: u16, said: &str) -> Cell {
    let bar = bar(share, columns, tone);
    Cell { text: format!("{} {}", bar.text, Cell::new(said).text), tone }
}

/// When an open breaker lets the first call try: counted down from when that was heard.
pub fn waits(board: &Board, item: &Item) -> String {
    let view = &item.view;
    let word = text(&view["state"]);
    if word == "half_open" {
        let most = float(&view["config"]["half_open_max_calls"]);
        return format!("{} of {most} probes", float(&view["in_flight"]));
    }
    let Some(rest) = view["retry_after_seconds"].as_f64() else { return String::new() };
    match (rest - (board.now - item.heard), word) {
        (left, "open") if left > 0.0 => format!("tries {}", short_span(left)),
        (_, "open") => "next call".to_owned(),
        (left, _) if left > 0.0 => format!("ends {}", short_span(left)),
        _ => "ends now".to_owned(),
    }
}

fn breaker_cells(board: &Board, name: &str, item: &Item) -> Vec<Cell> {
    let view = &item.view;
    let word = text(&view["state"]);
    let failures = failures(view);
    let why = if word == "closed" {
        String::new()
    } else {
        let (text, reporter) = problems::why(board, name, view);
        [text, reporter].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    };
    vec![
        breaker(word),
        Cell::toned(name, if word == "closed" { Tone::Plain } else { Tone::Strong }),
        gauge(failures.near, nearness(failures.near), 6, &failures.text),
        Cell::new(waits(board, item)),
        Cell::new(since(&view["state_changed_at"], board.wall)),
        Cell::new(number(float(&view["in_flight"]))),
        Cell::new(why),
    ]
}

fn check_cells(board: &Board, name: &str, view: &Value) -> Vec<Cell> {
    let shown = check_state(view);
    let error = text(&view["error"]);
    let said = if error.is_empty() { text(&view["message"]) } else { error };
    let note = if view["critical"] == false { " (not critical)" } else { "" };
    vec![
        state(shown, tone(shown)),
        Cell::toned(name, if shown == "green" { Tone::Plain } else { Tone::Strong }),
        Cell::toned(text(&view["kind"]), Tone::Faint),
        Cell::new(since(&view["changed_at"], board.wall)),
        Cell::toned(about(&view["timestamp"], board.wall), Tone::Faint),
        Cell::new(format!("{said}{note}")),
    ]
}

fn gate_cells(name: &str, view: &Value) -> Vec<Cell> {
    let verdict = &view["verdict"];
    let passes = verdict["allowed"] == true;
    let blocking = verdict["blocking"].as_array().into_iter().flatten();
    let said: Vec<_> =
        blocking.map(|one| format!("{}: {}", text(&one["name"]), text(&one["message"]))).collect();
    vec![
        if passes { state("passes", Tone::Good) } else { state("closed", Tone::Bad) },
        Cell::toned(name, if passes { Tone::Plain } else { Tone::Strong }),
        Cell::new(said.join("; ")),
    ]
}

/// Why nobody is bothered with an alert any more.
pub fn seen(view: &Value) -> String {
    let any = |field: &str| view[field].as_array().is_some_and(|list| !list.is_empty());
    if let Some(by) = view["acknowledged"]["by"].as_str() {
        return format!("by {by}");
    }
    if any("silenced_by") {
        "silenced"
    } else if any("muted_by") {
        "maintenance"
    } else {
        ""
    }
    .to_owned()
}

fn alert_cells(board: &Board, view: &Value) -> Vec<Cell> {
    let level = text(&view["level"]);
    let quiet = is_quiet(view);
    vec![
        state(level, if quiet { Tone::Faint } else { tone(level) }),
        Cell::toned(alert_title(view), if quiet { Tone::Faint } else { Tone::Strong }),
        Cell::new(since(&view["started_at"], board.wall)),
        Cell::toned(seen(view), Tone::Faint),
        Cell::new(text(&view["message"])),
    ]
}

/// What is granted now, out of all that can be, and the share that this is.
pub fn used(view: &Value) -> (f64, f64, f64) {
    let (taken, limit) = (float(&view["in_use"]), float(&view["burst_size"]));
    (taken, limit, if limit > 0.0 { taken / limit } else { 0.0 })
}

/// A limiter's limit in words.
pub fn rule(view: &Value) -> String {
    let config = &view["config"];
    let limit = number(float(&config["limit"]));
    match text(&view["algorithm"]) {
        "token_bucket" => format!(
            "{}/s, burst {}",
            number(float(&config["requests_per_second"])),
            number(float(&config["burst_size"]))
        ),
        "concurrency" => format!("{limit} at once"),
        _ => format!("{limit} in {}", span(float(&config["period_seconds"]))),
    }
}

fn limiter_cells(board: &Board, name: &str, item: &Item) -> Vec<Cell> {
    let view = &item.view;
    let (taken, limit, share) = used(view);
    let blocked = view["blocked_seconds"].as_f64().map(|rest| rest - (board.now - item.heard));
    let waiting = float(&view["waiting"]);
    let sign = match blocked {
        Some(rest) if rest > 0.0 => state(&format!("blocked {}", short_span(rest)), Tone::Bad),
        _ if waiting > 0.0 => state(&format!("{} waiting", number(waiting)), Tone::Warn),
        _ => state("free", Tone::Good),
    };
    let tone = if share >= 1.0 {
        Tone::Bad
    } else if share >= 0.8 {
        Tone::Warn
    } else {
        Tone::Good
    };
    let said = format!("{} of {}", number((taken * 10.0).round() / 10.0), number(limit));
    vec![
        sign,
        Cell::new(name),
        gauge(share, tone, 8, &said),
        Cell::new(number(float(&view["live_clients"]))),
        Cell::new(percent(float(&view["throttle_rate"]))),
        Cell::toned(rule(view), Tone::Faint),
    ]
}

/// When a schedule runs, as it was declared.
pub fn timing(view: &Value) -> String {
    let config = &view["config"];
    match (config["cron"].as_str(), config["interval_seconds"].as_f64()) {
        (Some(cron), _) => format!("{cron} ({})", config["timezone"].as_str().unwrap_or("UTC")),
        (None, Some(seconds)) => format!("every {}", span(seconds)),
        (None, None) => "only by hand".to_owned(),
    }
}

fn schedule_cells(board: &Board, name: &str, view: &Value) -> Vec<Cell> {
    let run = &view["last_run"];
    let is_running = view["running"].as_array().is_some_and(|runs| !runs.is_empty());
    let word = match schedule_trouble(view, board.wall) {
        _ if is_running => "running",
        Some(trouble) => trouble,
        None if view["config"]["enabled"] == false => "off",
        None => run["status"].as_str().unwrap_or("not run yet"),
    };
    let shown = if word == "not run yet" { Tone::Faint } else { tone(word) };
    let last = if run["finished_at"].is_null() { &run["scheduled_for"] } else { &run["finished_at"] };
    vec![
        state(word, shown),
        Cell::new(name),
        Cell::new(about(&view["next_run_at"], board.wall)),
        Cell::new(about(last, board.wall)),
        Cell::toned(
            format!("{}: {}", words(text(&view["config"]["action"]["kind"])), timing(view)),
            Tone::Faint,
        ),
    ]
}

/// What is said of a resource in its title.
pub fn heading(board: &Board, kind: Kind, name: &str) -> Cell {
    let view = board.list(kind).get(name).map(|item| &item.view);
    match (kind, view) {
        (Kind::Alert, Some(view)) => {
            let labels = labels(&view["labels"]);
            Cell::toned(format!("alert {} {labels}", text(&view["metric_name"])).trim_end(), Tone::Strong)
        }
        _ => Cell::toned(format!("{} {name}", kind.word()), Tone::Strong),
    }
}
