//! All that is known of the server's board. Pure: it is told what was heard, and asked what there is.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    history::History,
    kind::Kind,
    list::{Item, List, Read},
};

/// So many events are remembered.
const MOST_EVENTS: usize = 500;

/// The stream of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Not there yet.
    Connecting,
    /// What happens is heard.
    Live,
    /// It is away: until when everything was heard, and why it ended.
    Lost { since: Timestamp, why: String },
}

/// Who looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The token's name.
    pub name: Option<String>,
    /// `read`, `write` or `admin`.
    pub scope: String,
}

impl Session {
    pub fn of(view: &Value) -> Self {
        let scope = view["scope"].as_str().unwrap_or("read").to_owned();
        Self { name: view["name"].as_str().map(str::to_owned), scope }
    }

    /// Whether it may change anything.
    pub fn may_write(&self) -> bool {
        matches!(self.scope.as_str(), "write" | "admin")
    }
}

/// The board as it is known here.
#[derive(Debug)]
pub struct Board {
    lists: [List; 6],
    pub history: History,
    events: BTreeMap<i64, Value>,
    pub connection: Connection,
    pub session: Session,
    /// When something came over the stream, in seconds of steady time.
    pub heard: f64,
    /// Steady time of now.
    pub now: f64,
    /// Wall time of now.
    pub wall: Timestamp,
}

impl Board {
    pub fn new(session: Session, now: f64, wall: Timestamp) -> Self {
        Self {
            lists: Kind::ALL.map(List::new),
            history: History::default(),
            events: BTreeMap::new(),
            connection: Connection::Connecting,
            session,
            heard: now,
            now,
            wall,
        }
    }

    pub const fn list(&self, kind: Kind) -> &List {
        &self.lists[kind as usize]
    }

    pub const fn list_mut(&mut self, kind: Kind) -> &mut List {
        &mut self.lists[kind as usize]
    }

    pub fn items(&self, kind: Kind) -> impl Iterator<Item = (&str, &Item)> {
        self.list(kind).items()
    }

    /// Newest first.
    pub fn events(&self) -> impl Iterator<Item = &Value> {
        self.events.values().rev()
    }

    pub fn event(&self, id: i64) -> Option<&Value> {
        self.events.get(&id)
    }

    /// Whether every list was read once.
    pub fn is_known(&self) -> bool {
        self.lists.iter().all(|list| list.read_at.is_some())
    }

    /// What to read now; `shown` are the kinds that are looked at.
    pub fn due(&mut self, shown: &[Kind]) -> Vec<Read> {
        let now = self.now;
        let reads = Kind::ALL.map(|kind| self.list_mut(kind).due(now, shown.contains(&kind)));
        reads.into_iter().flatten().collect()
    }

    /// The stream is gone. What ended by itself had nothing more to say before; what fell silent may have.
    pub fn lose(&mut self, why: String) {
        if let Connection::Lost { why: was, .. } = &mut self.connection {
            *was = why;
            return;
        }
        let silent = Duration::try_from_secs_f64(self.now - self.heard).unwrap_or_default();
        let since = self.wall.checked_sub(silent).unwrap_or(self.wall);
        self.connection = Connection::Lost { since, why };
    }

    /// More may have changed than events tell.
    pub fn begin_anew(&mut self) {
        self.lists.iter_mut().for_each(List::begin_anew);
    }

    /// Something happened before: it is remembered, and changes nothing.
    pub fn recall(&mut self, event: &Value) {
        self.history.note(event);
        let Some(id) = event["id"].as_i64() else { return };
        self.events.insert(id, event.clone());
        if self.events.len() > MOST_EVENTS {
            self.events.pop_first();
        }
    }

    /// Something happens: what it says is so at once, and what it names is read soon.
    pub fn happens(&mut self, event: &Value) {
        self.recall(event);
        let (Some(resource), Some(name)) = (event["resource"].as_str(), event["name"].as_str()) else {
            return;
        };
        for kind in Kind::ALL.into_iter().filter(|kind| kind.depends_on(resource)) {
            self.list_mut(kind).doubt();
        }
        let Some(kind) = Kind::named(resource) else { return };
        let now = self.now;
        let list = self.list_mut(kind);
        if event["kind"].as_str().is_some_and(|word| word.ends_with(".deleted")) {
            return list.remove(name);
        }
        if let Some(item) = list.get_mut(name) {
            patch(item, event, now);
        }
        list.touch(name, now);
    }
}

/// What an event says of a resource by itself.
fn patch(item: &mut Item, event: &Value, now: f64) {
    let (view, data) = (&mut item.view, &event["data"]);
    match event["kind"].as_str() {
        Some("breaker.transition") if data["generation"].as_u64() > view["generation"].as_u64() => {
            let is_closed = data["to"] == "closed";
            view["state"] = data["to"].clone();
            view["state_changed_at"] = event["at"].clone();
            for field in ["generation", "metrics", "slow_call_rate"] {
                view[field] = data[field].clone();
            }
            view["failure_count"] = if is_closed { 0.into() } else { data["failure_count"].clone() };
            view["failure_rate"] = if is_closed { Value::Null } else { data["failure_rate"].clone() };
            // How long it waits is asked next; until then it is what is configured.
            let waits = data["to"] == "open";
            view["retry_after_seconds"] =
                if waits { view["config"]["timeout_seconds"].clone() } else { Value::Null };
            item.heard = now;
        }
        Some("check.changed") if data["number"].as_u64() > view["changes"].as_u64() => {
            view["status"] = data["to"].clone();
            view["changes"] = data["number"].clone();
            view["changed_at"] = event["at"].clone();
            for field in ["stale", "message"] {
                view[field] = data[field].clone();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::*;

    /// A board that has read these lists.
    pub fn board(lists: &[(Kind, Value)]) -> Board {
        let session = Session { name: Some("ops".to_owned()), scope: "write".to_owned() };
        let wall = "2027-01-15T08:10:00Z".parse().unwrap();
        let mut board = Board::new(session, 100.0, wall);
        board.connection = Connection::Live;
        for kind in Kind::ALL {
            let views = lists.iter().filter(|(of, _)| *of == kind);
            let views: Vec<_> = views.flat_map(|(_, views)| views.as_array().unwrap().clone()).collect();
            board.due(&[]);
            board.list_mut(kind).replace(views, false, 100.0, 100.0);
        }
        board
    }

    pub fn breaker(name: &str, state: &str) -> Value {
        json!({ "name": name, "state": state, "generation": 1, "state_changed_at": "2027-01-15T08:00:00Z",
            "failure_count": 2, "threshold": 5, "failure_rate": null, "slow_call_rate": null,
            "retry_after_seconds": null, "in_flight": 0, "reporters": [], "metrics": { "total_calls": 9 },
            "config": { "timeout_seconds": 60.0, "half_open_max_calls": 3 } })
    }

    pub fn transition(id: i64, name: &str, to: &str, data: &Value) -> Value {
        let mut event = json!({ "id": id, "kind": "breaker.transition", "resource": "breaker", "name": name,
            "at": "2027-01-15T08:09:00Z",
            "data": { "from": "closed", "to": to, "cause": "failure_threshold", "actor": null, "reason": null,
                "generation": 1 + id, "failure_count": 5, "failure_rate": null, "slow_call_rate": null,
                "metrics": { "total_calls": 14 }, "reporters": ["bot-7"] } });
        for (field, value) in data.as_object().unwrap() {
            event["data"][field] = value.clone();
        }
        event
    }

    #[test]
    fn a_transition_is_shown_before_anything_is_read() {
        let mut board = board(&[(Kind::Breaker, json!([breaker("kraken", "closed")]))]);
        board.now = 101.0;
        board.happens(&transition(1, "kraken", "open", &json!({})));
        let item = board.list(Kind::Breaker).get("kraken").unwrap();
        assert_eq!((&item.view["state"], &item.view["retry_after_seconds"]), (&json!("open"), &json!(60.0)));
        assert_eq!((&item.view["state_changed_at"], item.heard), (&json!("2027-01-15T08:09:00Z"), 101.0));
        board.now = 101.5;
        let reads = board.due(&[Kind::Breaker]);
        assert!(reads.contains(&Read::One(Kind::Breaker, "kraken".to_owned())), "{reads:?}");
        assert!(reads.contains(&Read::All(Kind::Gate)), "gates may depend on it: {reads:?}");
        // An older one, told late, changes nothing.
        board.happens(&transition(0, "kraken", "closed", &json!({})));
        assert_eq!(board.list(Kind::Breaker).get("kraken").unwrap().view["state"], "open");
    }

    #[test]
    fn what_is_deleted_goes_and_what_nobody_knows_is_read() {
        let mut board = board(&[(Kind::Check, json!([{ "name": "disk", "status": "green", "changes": 1 }]))]);
        board.happens(&json!({ "id": 1, "kind": "check.changed", "resource": "check", "name": "disk",
            "at": "2027-01-15T08:09:00Z",
            "data": { "to": "red", "number": 2, "stale": false, "message": "full" } }));
        assert_eq!(board.list(Kind::Check).get("disk").unwrap().view["status"], "red");
        board.happens(&json!({ "id": 2, "kind": "check.deleted", "resource": "check", "name": "disk" }));
        assert_eq!(board.list(Kind::Check).len(), 0);
        board.happens(&json!({ "id": 3, "kind": "check.created", "resource": "check", "name": "new" }));
        board.happens(&json!({ "id": 4, "kind": "silence.created", "resource": "silence", "name": "x" }));
        board.now = 101.0;
        let reads = board.due(&[]);
        assert!(reads.contains(&Read::One(Kind::Check, "new".to_owned())), "{reads:?}");
        assert!(reads.contains(&Read::All(Kind::Alert)), "{reads:?}");
        assert_eq!(board.events().map(|event| event["id"].clone()).collect::<Vec<_>>(), [4, 3, 2, 1]);
    }
}
