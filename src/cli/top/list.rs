//! One list of resources, and when to read it again. Pure: time is an argument.

use std::collections::{BTreeMap, BTreeSet};

use fuseboard::domain::Name;
use serde_json::Value;

use super::kind::Kind;

/// Events that come together are answered by one look.
const LOOK: f64 = 0.12;
/// So many resources are looked at one by one; for more, the list is read.
const SINGLY: usize = 6;
/// What could not be read is tried again so soon.
const AGAIN: f64 = 2.0;
/// A list is read at most this share of the time: once in so many times as long as it takes.
const REST: f64 = 12.0;

/// A resource as it was heard of.
#[derive(Clone, Debug)]
pub struct Item {
    pub view: Value,
    /// When, in seconds of steady time: what counts down is counted from here.
    pub heard: f64,
}

/// What is to be read.
#[derive(Clone, Debug, PartialEq)]
pub enum Read {
    /// The whole list.
    All(Kind),
    /// One resource.
    One(Kind, String),
}

/// All that is known of a kind.
#[derive(Debug)]
pub struct List {
    kind: Kind,
    items: BTreeMap<String, Item>,
    /// When the whole of it was read last.
    pub read_at: Option<f64>,
    /// Why it could not be read the last time.
    pub error: Option<String>,
    /// Whether there are more than are read.
    pub is_cut: bool,
    /// Names that events named since they were read.
    dirty: BTreeSet<String>,
    /// Anything may have changed.
    stale: bool,
    /// What is known is of before a gap, and says nothing against what is read next.
    is_past: bool,
    /// Reads that have not come back.
    under_way: usize,
    not_before: f64,
    cost: f64,
}

impl List {
    pub const fn new(kind: Kind) -> Self {
        Self {
            kind,
            items: BTreeMap::new(),
            read_at: None,
            error: None,
            is_cut: false,
            dirty: BTreeSet::new(),
            stale: true,
            is_past: false,
            under_way: 0,
            not_before: 0.0,
            cost: 0.0,
        }
    }

    pub fn items(&self) -> impl Iterator<Item = (&str, &Item)> {
        self.items.iter().map(|(name, item)| (name.as_str(), item))
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn get(&self, name: &str) -> Option<&Item> {
        self.items.get(name)
    }

    pub fn get_mut(&mut self, name: &str) -> Option<&mut Item> {
        self.items.get_mut(name)
    }

    /// It may have changed as a whole.
    pub const fn doubt(&mut self) {
        self.stale = true;
    }

    /// Events may have been missed: one of them may even have gone and come again.
    pub const fn begin_anew(&mut self) {
        self.stale = true;
        self.is_past = true;
    }

    /// Something happened to one of them.
    pub fn touch(&mut self, name: &str, now: f64) {
        if self.dirty.is_empty() && !self.stale {
            self.not_before = self.not_before.max(now + LOOK);
        }
        self.dirty.insert(name.to_owned());
    }

    /// One of them is gone.
    pub fn remove(&mut self, name: &str) {
        self.items.remove(name);
        // What is being read now may still have it.
        self.stale |= self.under_way > 0 || !self.kind.is_single();
    }

    /// What to read now. It counts as under way from here on.
    pub fn due(&mut self, now: f64, is_shown: bool) -> Vec<Read> {
        if self.under_way > 0 || now < self.not_before {
            return Vec::new();
        }
        let rest = self.kind.pace(is_shown).max(self.cost * REST);
        let is_old = self.read_at.is_none_or(|at| now - at >= rest);
        let is_much = self.dirty.len() > SINGLY || (!self.dirty.is_empty() && !self.kind.is_single());
        let reads: Vec<_> = if self.stale || is_old || is_much {
            self.dirty.clear();
            vec![Read::All(self.kind)]
        } else {
            std::mem::take(&mut self.dirty).into_iter().map(|name| Read::One(self.kind, name)).collect()
        };
        // What happens while it is read is not in the answer.
        self.stale = false;
        self.under_way = reads.len();
        reads
    }

    /// The list was read; it took from `began` until now.
    pub fn replace(&mut self, views: Vec<Value>, is_cut: bool, began: f64, now: f64) {
        let mut before = std::mem::take(&mut self.items);
        for view in views {
            let Some(name) = key(&view) else { continue };
            let old = before.remove(&name).filter(|_| !self.is_past);
            self.items.insert(name, newer(Item { view, heard: now }, old));
        }
        self.cost = now - began;
        self.is_cut = is_cut;
        self.is_past &= self.stale;
        self.read_at = Some(now);
        self.error = None;
        self.under_way = 0;
        // A long list is not read all the time, whatever happens.
        self.not_before = now + (self.cost * REST / 2.0).max(0.2);
    }

    /// One resource was read, asked for by a read or answered to an action. `None`: it is not there.
    pub fn put(&mut self, name: &str, view: Option<Value>, now: f64) {
        match view {
            Some(view) => {
                let old = self.items.remove(name);
                self.items.insert(name.to_owned(), newer(Item { view, heard: now }, old));
            }
            None => drop(self.items.remove(name)),
        }
    }

    /// One of the reads under way has come back.
    pub const fn came_back(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// It could not be read.
    pub fn failed(&mut self, error: String, now: f64) {
        self.error = Some(error);
        self.stale = true;
        self.not_before = now + AGAIN;
    }
}

/// By what a resource is known. What is no name is none here either: it will stand in paths.
pub fn key(view: &Value) -> Option<String> {
    match (&view["name"], &view["id"]) {
        (Value::String(name), _) => Name::is_valid(name).then(|| name.clone()),
        (_, Value::Number(id)) => Some(id.to_string()),
        _ => None,
    }
}

/// An event may have been faster than the answer.
fn newer(item: Item, old: Option<Item>) -> Item {
    let generation = |item: &Item| item.view["generation"].as_u64();
    match old {
        Some(old) if generation(&item) < generation(&old) => old,
        _ => item,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn breaker(name: &str, generation: u64) -> Value {
        json!({ "name": name, "generation": generation })
    }

    #[test]
    fn few_are_read_one_by_one_many_as_a_list_and_none_twice() {
        let mut list = List::new(Kind::Breaker);
        assert_eq!(list.due(10.0, true), [Read::All(Kind::Breaker)]);
        assert_eq!(list.due(20.0, true), [], "it is under way");
        list.replace(vec![breaker("a", 1), breaker("b", 1)], false, 10.0, 10.01);
        list.touch("a", 10.5);
        assert_eq!(list.due(10.5, true), [], "more may come at once");
        assert_eq!(list.due(10.7, true), [Read::One(Kind::Breaker, "a".to_owned())]);
        list.touch("b", 10.7);
        list.put("a", Some(breaker("a", 2)), 10.8);
        list.came_back();
        assert_eq!(list.due(11.0, true), [Read::One(Kind::Breaker, "b".to_owned())]);
        list.came_back();
        for n in 0..=SINGLY {
            list.touch(&format!("c{n}"), 11.0);
        }
        assert_eq!(list.due(11.2, true), [Read::All(Kind::Breaker)]);
    }

    #[test]
    fn it_is_read_by_and_by_and_a_slow_one_seldom() {
        let mut list = List::new(Kind::Breaker);
        list.due(0.0, true);
        list.replace(Vec::new(), false, 0.0, 0.01);
        assert_eq!(list.due(1.9, true), []);
        assert_eq!(list.due(2.1, true).len(), 1);
        list.replace(Vec::new(), false, 2.0, 4.0);
        list.doubt();
        assert_eq!(list.due(15.9, true), [], "it took two seconds");
        assert_eq!(list.due(16.1, true).len(), 1);
        list.failed("no answer".to_owned(), 17.0);
        list.came_back();
        assert_eq!(list.due(18.9, true), []);
        assert_eq!(list.due(19.1, true).len(), 1);
    }

    #[test]
    fn an_answer_older_than_an_event_takes_nothing_back() {
        let mut list = List::new(Kind::Breaker);
        list.due(0.0, true);
        list.replace(vec![breaker("a", 3)], false, 0.0, 0.0);
        list.put("a", Some(breaker("a", 2)), 1.0);
        assert_eq!(list.get("a").unwrap().view["generation"], 3);
        list.put("a", None, 1.0);
        assert!(list.get("a").is_none());
        list.due(3.0, true);
        list.remove("a");
        list.replace(vec![breaker("a", 3)], false, 3.0, 3.1);
        assert_eq!(list.due(3.8, true), [Read::All(Kind::Breaker)], "it may have been read before it went");
        list.begin_anew();
        list.replace(vec![breaker("a", 1)], false, 3.6, 3.7);
        list.due(9.0, true);
        list.replace(vec![breaker("a", 1)], false, 9.0, 9.1);
        assert_eq!(list.get("a").unwrap().view["generation"], 1, "another one of the same name");
    }
}
