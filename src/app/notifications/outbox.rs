//! What is still to be delivered, in memory: its rows are on disk.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use crate::{domain::Name, store::sqlite::notifications::NotificationRow};

/// Deliveries to one receiver at once. One that hangs keeps nobody else waiting.
const AT_ONCE: usize = 4;
/// Nothing waits longer than this, even if the wall clock was set back.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A notification that is to be delivered.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) delivery_id: String,
    pub(super) receiver: Name,
    group_key: Arc<str>,
    pub(super) attempts: u32,
    pub(super) give_up_at: Timestamp,
    pub(super) valid_until: Timestamp,
    next_at: Timestamp,
    is_busy: bool,
}

/// Those that are to be delivered, by id.
#[derive(Debug, Default)]
pub(super) struct Outbox(BTreeMap<i64, Waiting>);

impl Outbox {
    /// Adds one whose row is on disk, or takes note of how it is now.
    pub(super) fn add(&mut self, row: &NotificationRow) {
        // Rows are written by us: their names and times can be read.
        let Ok(receiver) = Name::try_from(row.receiver.as_str()) else { return };
        let time = |text: &str| text.parse::<Timestamp>().unwrap_or(Timestamp::MIN);
        let is_busy = self.0.get(&row.id).is_some_and(|known| known.is_busy);
        let waiting = Waiting {
            delivery_id: row.delivery_id.clone(),
            receiver,
            group_key: row.group_key.as_str().into(),
            attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
            give_up_at: time(&row.give_up_at),
            valid_until: time(&row.valid_until),
            next_at: row.next_attempt_at.as_deref().map_or(Timestamp::MIN, time),
            is_busy,
        };
        self.0.insert(row.id, waiting);
    }

    /// Takes those that are to be sent now. Of each group of a receiver one after the other, in the order in which they were
    /// decided: otherwise it would learn of an end before the beginning.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<(i64, Waiting)> {
        let mut busy: HashMap<Name, usize> = HashMap::new();
        for waiting in self.0.values().filter(|waiting| waiting.is_busy) {
            *busy.entry(waiting.receiver.clone()).or_default() += 1;
        }
        let mut heads = BTreeSet::new();
        let mut due = Vec::new();
        for (id, waiting) in &mut self.0 {
            if !heads.insert((waiting.receiver.clone(), Arc::clone(&waiting.group_key))) || waiting.is_busy {
                continue;
            }
            let at_most = now.checked_add(LONGEST_WAIT).unwrap_or(Timestamp::MAX);
            waiting.next_at = waiting.next_at.min(at_most);
            let sending = busy.entry(waiting.receiver.clone()).or_default();
            if waiting.next_at > now || *sending >= AT_ONCE {
                continue;
            }
            *sending += 1;
            waiting.is_busy = true;
            due.push((*id, waiting.clone()));
        }
        due
    }

    /// It was sent and is to be sent again then.
    pub(super) fn put_back(&mut self, id: i64, attempts: u32, next_at: Timestamp) {
        if let Some(waiting) = self.0.get_mut(&id) {
            waiting.is_busy = false;
            waiting.attempts = attempts;
            waiting.next_at = next_at;
        }
    }

    /// It is done.
    pub(super) fn remove(&mut self, id: i64) {
        self.0.remove(&id);
    }

    /// How many are to be delivered to a receiver.
    pub(super) fn count(&self, receiver: &Name) -> usize {
        self.0.values().filter(|waiting| waiting.receiver == *receiver).count()
    }

    /// The oldest ones of a receiver that are more than so many, and are not being sent.
    pub(super) fn surplus(&self, receiver: &Name, most: usize) -> Vec<(i64, u32)> {
        let surplus = self.count(receiver).saturating_sub(most);
        let idle = self.0.iter().filter(|(_, waiting)| waiting.receiver == *receiver && !waiting.is_busy);
        idle.take(surplus).map(|(id, waiting)| (*id, waiting.attempts)).collect()
    }

    /// How many there are, and how many are being sent.
    pub(super) fn load(&self) -> (usize, usize) {
        (self.0.len(), self.0.values().filter(|waiting| waiting.is_busy).count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, receiver: &str, group: &str) -> NotificationRow {
        NotificationRow {
            id,
            delivery_id: id.to_string(),
            receiver: receiver.to_owned(),
            group_key: group.to_owned(),
            state: "pending".to_owned(),
            status: "firing".to_owned(),
            alerts: 1,
            created_at: String::new(),
            valid_until: String::new(),
            give_up_at: String::new(),
            attempts: 0,
            next_attempt_at: None,
            finished_at: None,
            last_error: None,
        }
    }

    fn ids(due: &[(i64, Waiting)]) -> Vec<i64> {
        due.iter().map(|(id, _)| *id).collect()
    }

    #[test]
    fn a_receiver_has_four_at_once_and_a_group_one() {
        let now = Timestamp::UNIX_EPOCH;
        let mut outbox = Outbox::default();
        for id in 1..=2 {
            outbox.add(&row(id, "a", "same"));
        }
        for id in 3..=8 {
            outbox.add(&row(id, "a", &format!("g{id}")));
        }
        outbox.add(&row(9, "b", "same"));
        assert_eq!(ids(&outbox.take_due(now)), [1, 3, 4, 5, 9]);
        assert_eq!(ids(&outbox.take_due(now)), [0; 0]);
        outbox.put_back(1, 1, now.checked_add(Duration::from_secs(5)).unwrap());
        assert_eq!(ids(&outbox.take_due(now)), [6], "the second of a group waits for the first");
        outbox.remove(1);
        outbox.remove(3);
        assert_eq!(ids(&outbox.take_due(now)), [2]);
        assert_eq!(outbox.load(), (7, 5));
        assert_eq!(outbox.surplus(&Name::try_from("a").unwrap(), 5), [(7, 0)]);
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nobody_waiting_for_long() {
        let mut outbox = Outbox::default();
        let late = Timestamp::from_second(1_000_000).unwrap();
        outbox.add(&NotificationRow { next_attempt_at: Some(late.to_string()), ..row(1, "a", "g") });
        assert!(outbox.take_due(Timestamp::UNIX_EPOCH).is_empty());
        assert_eq!(ids(&outbox.take_due(Timestamp::from_second(3600).unwrap())), [1]);
    }
}
