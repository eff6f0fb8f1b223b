//! Saving hot state to the store, and loading it at the start.
//!
//! Transitions go to the disk at once (through the journal), counters once a second. After a clean stop everything
//! is there exactly. After a crash the domain restores carefully: a limiter assumes that it granted all it
//! could, a half-open breaker that all its permits are out.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, atomic::Ordering},
};

use serde::{Deserialize, Serialize};

use super::{
    Board,
    alerts::{self, AlertRows, StoredAlerts},
    breakers::BreakerCell,
    call_table::Call,
    checks::{CheckCell, pings::PingSecret},
    definitions::Resource,
    gates::GateCell,
    journal::{Entry as JournalEntry, UNCLEAN_GAP},
    limiters::{LimiterCell, MARK_KIND},
    metrics::{self, StoredMetrics},
    notifications::{self, StoredNotifications},
    push_groups::{self, StoredGroups},
    retention::RetentionCell,
    retry_policies::RetryPolicyCell,
    schedules::{self, StoredSchedules},
    thresholds::{self, ThresholdCell},
};
use crate::{
    clock::{Clock, Origin},
    domain::{
        InvalidConfig, Name, Time,
        breaker::{Breaker, BreakerConfig},
        check::{Check, SavedCheck},
        limiter::{Limiter, Mark},
        retry::RetryPolicy,
    },
    store::{
        Connection, Pairs, Store, StoreError, random,
        sqlite::{
            alerts::series_put as threshold_series_put,
            blobs, board, checks, definitions, events, idempotency, series, states,
            tokens::{TokenRow, tokens_list},
        },
    },
};

/// States written by one transaction of a running server.
const CHUNK: usize = 2_000;
/// Journal entries written by one transaction.
const ENTRIES: usize = 1_000;

/// How the last process stopped.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stop {
    call_key: u64,
    next_call: u64,
    #[serde(default)]
    last_alert: i64,
    calls: Vec<SavedCall>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SavedCall {
    id: u64,
    breaker: Option<(Name, u64)>,
    deadline: Time,
    client: String,
    holds: Vec<Name>,
}

/// What the store holds at the start.
#[derive(Debug)]
pub(super) struct Loaded {
    shift: i64,
    clean: Option<Stop>,
    last_event: i64,
    call_key: u64,
    configs: Vec<(String, String)>,
    breakers: Pairs,
    limiters: Pairs,
    retry_policies: Pairs,
    breaker_states: Pairs,
    limiter_states: Pairs,
    limiter_marks: Pairs,
    retry_states: Pairs,
    checks: Pairs,
    check_states: Pairs,
    gates: Pairs,
    retention: Pairs,
    last_result: i64,
    ping_secret: [u8; 32],
    tokens: Vec<TokenRow>,
    schedules: StoredSchedules,
    alerts: StoredAlerts,
    metrics: StoredMetrics,
    push_groups: StoredGroups,
    thresholds: Pairs,
    notifications: StoredNotifications,
}

impl Loaded {
    pub(super) fn call_key(&self) -> u64 {
        self.clean.as_ref().map_or(self.call_key, |stop| stop.call_key)
    }

    pub(super) fn next_call(&self) -> u64 {
        self.clean.as_ref().map_or(1, |stop| stop.next_call)
    }

    pub(super) fn last_result(&self) -> i64 {
        self.last_result
    }

    pub(super) fn ping_secret(&self) -> PingSecret {
        PingSecret::new(self.ping_secret)
    }

    pub(super) fn last_alert(&self) -> i64 {
        self.alerts.last_id(self.clean.as_ref().map(|stop| stop.last_alert))
    }

    /// After a crash some ids may have been shown and not stored; they are never given to other events.
    pub(super) fn last_event(&self) -> i64 {
        if self.clean.is_some() || self.last_event == 0 {
            self.last_event
        } else {
            self.last_event.saturating_add(UNCLEAN_GAP)
        }
    }
}

/// Reads everything, and marks the board as running. The hash seed of client identities comes along.
pub(super) async fn read(store: &Store, clock: &Clock) -> Result<(Loaded, u64), StoreError> {
    let here = clock.clone();
    store
        .writer
        .write(move |connection| {
            Box::pin(async move {
                let origin = parse::<Origin>(board::board_get(connection, "origin").await?)?;
                let shift = origin.as_ref().map_or(0, |origin| here.shift_from(origin));
                let clean = parse::<Stop>(board::board_get(connection, "stop").await?)?;
                let stored = parse::<u64>(board::board_get(connection, "seed").await?)?;
                let seed = stored.map_or_else(random_number, Ok)?;
                if stored.is_none() {
                    board::board_put(connection, "seed", &seed.to_string()).await?;
                }
                let stored = parse::<[u8; 32]>(board::board_get(connection, "ping_secret").await?)?;
                let ping_secret = stored.map_or_else(random::<32>, Ok)?;
                if stored.is_none() {
                    board::board_put(connection, "ping_secret", &text(&ping_secret)?).await?;
                }
                board::board_delete(connection, "stop").await?;
                blobs::blobs_abandon(connection).await?;
                let loaded = Loaded {
                    shift,
                    clean,
                    last_event: events::event_last_id(connection).await?,
                    call_key: random_number()?,
                    configs: definitions::configs_load(connection).await?,
                    breakers: definitions::definitions_load(connection, BreakerCell::KIND).await?,
                    limiters: definitions::definitions_load(connection, LimiterCell::KIND).await?,
                    retry_policies: definitions::definitions_load(connection, RetryPolicyCell::KIND).await?,
                    breaker_states: states::states_load(connection, BreakerCell::KIND).await?,
                    limiter_states: states::states_load(connection, LimiterCell::KIND).await?,
                    limiter_marks: states::states_load(connection, MARK_KIND).await?,
                    retry_states: states::states_load(connection, RetryPolicyCell::KIND).await?,
                    checks: definitions::definitions_load(connection, CheckCell::KIND).await?,
                    check_states: states::states_load(connection, CheckCell::KIND).await?,
                    gates: definitions::definitions_load(connection, GateCell::KIND).await?,
                    retention: definitions::definitions_load(connection, RetentionCell::KIND).await?,
                    last_result: checks::check_result_last_id(connection).await?,
                    ping_secret,
                    tokens: tokens_list(&mut *connection).await?,
                    schedules: schedules::read(connection).await?,
                    thresholds: definitions::definitions_load(connection, ThresholdCell::KIND).await?,
                    alerts: alerts::read(connection, here.wall_nanos()).await?,
                    metrics: metrics::read(connection).await?,
                    push_groups: push_groups::read(connection).await?,
                    notifications: notifications::read(connection).await?,
                };
                if origin.is_none() {
                    board::board_put(connection, "origin", &text(&here.origin())?).await?;
                }
                Ok((loaded, seed))
            })
        })
        .await
}

/// Builds the live state.
pub(super) async fn restore(board: &Arc<Board>, mut loaded: Loaded) -> Result<(), StoreError> {
    let now = board.clock.now();
    let (shift, clean) = (loaded.shift, loaded.clean.is_some());
    board.tokens.replace(std::mem::take(&mut loaded.tokens));
    let configs: HashMap<_, _> =
        loaded.configs.iter().map(|(id, document)| (id.as_str(), document.as_str())).collect();
    let mut saved = loaded.breaker_states.in_order();
    let mut shared: Option<(BreakerConfig, Arc<BreakerConfig>)> = None;
    let breakers = each::<BreakerCell>(&loaded.breakers, &configs, |name, config| {
        let config = match &shared {
            Some((same, shared)) if same == config => Arc::clone(shared),
            _ => shared.insert((config.clone(), board.shared_config(config.clone()))).1.clone(),
        };
        let breaker = match parsed(saved.find(name.as_str()))? {
            Some(saved) => Breaker::restore(config, saved, now, shift, clean),
            None => Breaker::new(config, now),
        };
        Ok(BreakerCell::new(name, breaker))
    })?;
    // Sets the board's timers and moves on what has run out meanwhile.
    let timed: Vec<_> =
        breakers.iter().filter(|cell| cell.peek(|b| b.next_timer().is_some())).map(Arc::clone).collect();
    board.breakers.fill(breakers);
    for cell in timed {
        cell.advance(board);
    }
    let (mut saved, mut marks) = (loaded.limiter_states.in_order(), loaded.limiter_marks.in_order());
    let offset = board.clock.wall_offset();
    board.limiters.fill(each::<LimiterCell>(&loaded.limiters, &configs, |name, config| {
        let (saved, mark) = (parsed(saved.find(name.as_str()))?, parsed::<Mark>(marks.find(name.as_str()))?);
        let limiter = Limiter::restore(config.clone(), saved, mark, now, shift, offset, clean);
        Ok(LimiterCell::new(name, limiter))
    })?);
    let mut saved = loaded.retry_states.in_order();
    board.retry_policies.fill(each::<RetryPolicyCell>(&loaded.retry_policies, &configs, |name, config| {
        let saved = parsed(saved.find(name.as_str()))?;
        Ok(RetryPolicyCell::new(name, RetryPolicy::restore(config.clone(), saved, now, shift)))
    })?);
    restore_checks(board, &loaded, &configs)?;
    board.gates.fill(each::<GateCell>(&loaded.gates, &configs, |name, config| {
        Ok(GateCell::new(name, config.clone()))
    })?);
    board.retention.fill(each::<RetentionCell>(&loaded.retention, &configs, |name, policy| {
        Ok(RetentionCell::new(name, policy.clone()))
    })?);
    board.restore_metrics(&loaded.metrics, shift)?;
    board.restore_push_groups(&loaded.push_groups, shift)?;
    for call in loaded.clean.map(|stop| stop.calls).unwrap_or_default() {
        restore_call(board, call, shift);
    }
    schedules::restore(board, &loaded.schedules, &configs).await?;
    alerts::restore(board, &loaded.alerts)?;
    thresholds::restore(board, &loaded.thresholds, &configs, loaded.alerts.series(), shift)?;
    notifications::restore(board, &loaded.notifications, &configs)?;
    if shift != 0 {
        // The steady clock has another zero now: all saved times are written anew, together with it.
        save_all(board, None, shift).await?;
    }
    Ok(())
}

/// What turned stale or late while the server was away goes into the history now.
fn restore_checks(
    board: &Arc<Board>,
    loaded: &Loaded,
    configs: &HashMap<&str, &str>,
) -> Result<(), StoreError> {
    let now = board.clock.now();
    let mut saved = loaded.check_states.in_order();
    let checks = each::<CheckCell>(&loaded.checks, configs, |name, config| {
        let config = Arc::new(config.clone());
        let check = match parsed::<SavedCheck>(saved.find(name.as_str()))? {
            Some(saved) => {
                let mut changes = Vec::new();
                let check = Check::restore(&name, config, saved, now, loaded.shift, &mut changes);
                board.record_check_changes(&name, &changes);
                check
            }
            None => Check::new(&name, config, now),
        };
        Ok(CheckCell::new(board, name, check))
    })?;
    board.checks.fill(checks.iter().map(Arc::clone).collect());
    for cell in checks {
        cell.resume(board);
    }
    Ok(())
}

fn restore_call(board: &Arc<Board>, call: SavedCall, shift: i64) {
    let breaker = match call.breaker {
        Some((name, generation)) => match board.breakers.get(name.as_str()) {
            Some(cell) => Some((cell, generation)),
            None => return,
        },
        None => None,
    };
    let holds: Box<[_]> = call.holds.iter().filter_map(|name| board.limiters.get(name.as_str())).collect();
    let restored = Call {
        breaker,
        deadline: call.deadline.shifted(shift),
        client: board.clients.identify(Some(&call.client)),
        holds: (!holds.is_empty()).then_some(holds),
    };
    board.calls.insert(call.id, restored);
}

/// Builds the resources of a kind. A configuration is parsed once, however many resources have it.
pub(super) fn each<R: Resource>(
    stored: &Pairs,
    configs: &HashMap<&str, &str>,
    mut build: impl FnMut(Name, &R::Config) -> Result<R, StoreError>,
) -> Result<Vec<Arc<R>>, StoreError>
where
    R::Spec: for<'de> Deserialize<'de>,
{
    let mut known: foldhash::HashMap<&str, R::Config> = foldhash::HashMap::default();
    let mut built = Vec::new();
    for (name, id) in stored.iter() {
        let config = match known.entry(id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => {
                let document = configs.get(id).ok_or_else(|| {
                    StoreError::Corrupt(format!("the configuration of the {} {name} is missing", R::KIND))
                })?;
                let spec: R::Spec = serde_json::from_str(document)?;
                new.insert(R::Config::try_from(spec).map_err(|InvalidConfig { field, message }| {
                    StoreError::Corrupt(format!("a stored {} has an invalid {field}: {message}", R::KIND))
                })?)
            }
        };
        let name = Name::try_from(name).map_err(|error| StoreError::Corrupt(error.to_string()))?;
        built.push(Arc::new(build(name, config)?));
    }
    Ok(built)
}

impl Board {
    /// Writes the state of everything that changed, a bounded part at a time. Returns how many are left.
    pub async fn save_changed(self: &Arc<Self>) -> Result<usize, StoreError> {
        let breakers = take(&self.dirty.breakers);
        let limiters = take(&self.dirty.limiters);
        let policies = take(&self.dirty.retry_policies);
        let checks = take(&self.dirty.checks);
        let count = breakers.len() + limiters.len() + policies.len() + checks.len();
        if count > 0 {
            let rows = [
                (BreakerCell::KIND, rows(&breakers, |cell| (cell.name(), cell.save()))),
                (LimiterCell::KIND, rows(&limiters, |cell| (cell.name(), cell.save()))),
                (RetryPolicyCell::KIND, rows(&policies, |cell| (cell.name(), cell.save()))),
            ];
            let cells = checks.clone();
            let written = self
                .store
                .writer
                .write(move |connection| {
                    Box::pin(async move {
                        put_states(connection, &rows).await?;
                        put_states(connection, &[check_rows(&cells)]).await
                    })
                })
                .await;
            if let Err(error) = written {
                // Tried again with the next snapshot. A resource may stand in the list twice then: harmless.
                self.dirty.breakers.lock().extend(breakers);
                self.dirty.limiters.lock().extend(limiters);
                self.dirty.retry_policies.lock().extend(policies);
                self.dirty.checks.lock().extend(checks);
                return Err(error);
            }
        }
        let left = self.dirty.breakers.lock().len() + self.dirty.limiters.lock().len();
        Ok(left + self.dirty.checks.lock().len())
    }

    /// Writes waiting events, the states of the resources that they are about and the answers that they make
    /// repeatable, as one transaction.
    pub async fn flush_journal(self: &Arc<Self>) -> Result<usize, StoreError> {
        let _turn = self.journal.turn.lock().await;
        let entries = self.journal.waiting(ENTRIES);
        let Some(last) = entries.last().map(|entry| entry.id) else { return Ok(0) };
        let result = self.write_entries(&entries).await;
        if result.is_ok() {
            // Before anybody learns that it is on disk, so that whoever waited for it sees it.
            self.alerts
                .publish(entries.iter().filter_map(|entry| entry.alerts.as_deref()), self.clock.wall());
        }
        self.journal.settle(result.clone().map(|()| last));
        result.map(|()| entries.len())
    }

    fn count_noise(&self, entries: &[JournalEntry]) {
        let mut noisy = self.dirty.noisy.lock();
        for event in entries.iter().filter_map(|entry| entry.event.as_ref()) {
            *noisy.entry((event.resource, event.name.clone())).or_default() += 1;
        }
    }

    async fn write_entries(self: &Arc<Self>, entries: &[JournalEntry]) -> Result<(), StoreError> {
        let mut breakers = HashMap::new();
        let mut limiters = HashMap::new();
        let mut checks = HashMap::new();
        self.count_noise(entries);
        for event in entries.iter().filter_map(|entry| entry.event.as_ref()) {
            let name = event.name.as_str();
            match event.resource {
                "breaker" => breakers.extend(self.breakers.get(name).map(|cell| (name, cell))),
                "limiter" => limiters.extend(self.limiters.get(name).map(|cell| (name, cell))),
                "check" => checks.extend(self.checks.get(name).map(|cell| (name, cell))),
                _ => {}
            }
        }
        let checks: Vec<_> = checks.into_values().collect();
        let breakers: Vec<_> = breakers.into_values().collect();
        let limiters: Vec<_> = limiters.into_values().collect();
        let states = [
            (BreakerCell::KIND, rows(&breakers, |cell| (cell.name(), cell.save()))),
            (LimiterCell::KIND, rows(&limiters, |cell| (cell.name(), cell.save()))),
        ];
        let events: Vec<_> = entries
            .iter()
            .filter_map(|entry| entry.event.as_ref())
            .map(|e| (e.id, e.at, e.kind, e.resource, &e.name, &e.data))
            .collect();
        let events = text(&events)?;
        let alerts = AlertRows::of(entries.iter().filter_map(|entry| entry.alerts.as_deref()))?;
        let answers: Vec<_> = entries.iter().filter_map(|entry| entry.answer.clone()).collect();
        let created_at = self.clock.wall().as_second();
        self.store
            .writer
            .write(move |connection| {
                Box::pin(async move {
                    if events.len() > 2 {
                        events::events_add(connection, &events).await?;
                    }
                    alerts.put(connection).await?;
                    put_states(connection, &states).await?;
                    put_states(connection, &[check_rows(&checks)]).await?;
                    for stored in answers {
                        let row = idempotency::AnswerRow {
                            fingerprint: stored.key.fingerprint.to_vec(),
                            status: i64::from(stored.answer.status),
                            body: stored.answer.body.to_vec(),
                        };
                        idempotency::answer_put(connection, &stored.key.key, &row, created_at).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// A clean stop: everything exactly as it is, for a start that loses nothing.
    pub async fn save_for_stop(self: &Arc<Self>) -> Result<(), StoreError> {
        while self.flush_journal().await? > 0 {}
        while self.flush_results().await? > 0 {}
        let mut calls = Vec::new();
        self.calls.for_each(|id, call| {
            calls.push(SavedCall {
                id,
                breaker: call.breaker.as_ref().map(|(cell, generation)| (cell.name().clone(), *generation)),
                deadline: call.deadline,
                client: self.clients.name_of(call.client).to_string(),
                holds: call.holds.iter().flatten().map(|cell| cell.name().clone()).collect(),
            });
        });
        let stop = Stop {
            call_key: self.calls.key(),
            next_call: self.calls.next_id(),
            last_alert: self.alerts.last_id(),
            calls,
        };
        while self.save_metrics().await? > 0 {}
        while self.save_push_groups().await? > 0 {}
        save_all(self, Some(stop), 0).await
    }

    /// Resources with so many new events that they may have crossed their bound.
    fn take_noisy(&self, slack: usize) -> Vec<(&'static str, Name)> {
        let mut noisy = self.dirty.noisy.lock();
        let due = noisy.extract_if(|_, added| *added >= slack).map(|(key, _)| key).collect();
        if noisy.len() > 100_000 {
            noisy.clear();
        }
        due
    }

    /// Keeps the history within its bounds.
    pub async fn prune(self: &Arc<Self>) -> Result<u64, StoreError> {
        let most = self.limits.max_events_per_resource;
        // Only resources that may have crossed their bound since they were last looked at.
        let slack = (most / 10).max(1);
        let due = self.take_noisy(slack);
        let keep = i64::try_from(self.limits.max_events).unwrap_or(i64::MAX);
        let last = self.journal.last();
        let all = self.dirty.pruned_at.load(Ordering::Relaxed);
        let all = (last - all > keep / 100).then_some(last);
        let keep_each = i64::try_from(most).unwrap_or(i64::MAX);
        let old = self
            .clock
            .wall()
            .as_second()
            .saturating_sub(i64::try_from(super::idempotency::LIFETIME.as_secs()).unwrap_or(i64::MAX));
        let most_results = self.limits.max_results_per_check;
        let due_checks = self.results.take_noisy((most_results / 10).max(1));
        let keep_results = i64::try_from(most_results).unwrap_or(i64::MAX);
        let retention = i64::try_from(self.limits.check_results_retention.as_nanos()).unwrap_or(i64::MAX);
        let oldest_result = self.clock.wall_nanos().saturating_sub(retention);
        self.store
            .writer
            .write(move |connection| {
                Box::pin(async move {
                    let mut gone = 0;
                    if all.is_some() {
                        gone += events::events_prune(connection, keep).await?;
                    }
                    for (resource, name) in due {
                        gone +=
                            events::events_prune_of(connection, resource, name.as_str(), keep_each).await?;
                    }
                    for name in due_checks {
                        gone +=
                            checks::check_results_prune_of(connection, name.as_str(), keep_results).await?;
                    }
                    gone += checks::check_results_prune_old(connection, oldest_result).await?;
                    Ok(gone + idempotency::answers_prune(connection, old).await?)
                })
            })
            .await
            .inspect(|_| {
                if let Some(last) = all {
                    self.dirty.pruned_at.store(last, Ordering::Relaxed);
                }
            })
    }
}

/// `shift` is how far the zero of the steady clock has moved since the last time.
async fn save_all(board: &Arc<Board>, stop: Option<Stop>, shift: i64) -> Result<(), StoreError> {
    // Untouched resources have no row and need none; a shifted clock needs all rows that there are.
    let states = if stop.is_some() {
        let breakers = std::mem::take(&mut *board.dirty.breakers.lock());
        let limiters = std::mem::take(&mut *board.dirty.limiters.lock());
        let policies = std::mem::take(&mut *board.dirty.retry_policies.lock());
        all_rows(&breakers, &limiters, &policies)
    } else {
        all_rows(&board.breakers.all(), &board.limiters.all(), &board.retry_policies.all())
    };
    let checks =
        if stop.is_some() { std::mem::take(&mut *board.dirty.checks.lock()) } else { board.checks.all() };
    let marks: Vec<_> = board
        .limiters
        .all()
        .iter()
        .filter_map(|cell| Some((cell.name().clone(), cell.peek(|limiter| limiter.mark())?)))
        .collect();
    let marks = text(&marks)?;
    let groups = if stop.is_some() { None } else { Some(board.push_groups_rows()?) };
    // Everything of alerts is in the journal, so only another zero of the clock changes what is stored.
    let series: Vec<_> = if stop.is_some() {
        Vec::new()
    } else {
        board.thresholds.all().iter().flat_map(|cell| cell.rows()).collect()
    };
    let series = text(&series)?;
    let origin = text(&board.clock.origin())?;
    let stop = stop.as_ref().map(text).transpose()?;
    board
        .store
        .writer
        .write(move |connection| {
            Box::pin(async move {
                put_states(connection, &states).await?;
                put_states(connection, &[check_rows(&checks)]).await?;
                states::states_put(connection, MARK_KIND, LimiterCell::KIND, &marks).await?;
                if shift != 0 {
                    series::series_shift(connection, shift).await?;
                }
                if let Some(groups) = groups {
                    groups.write(connection).await?;
                }
                threshold_series_put(connection, &series).await?;
                board::board_put(connection, "origin", &origin).await?;
                if let Some(stop) = stop {
                    board::board_put(connection, "stop", &stop).await?;
                }
                Ok(())
            })
        })
        .await
}

fn all_rows(
    breakers: &[Arc<BreakerCell>],
    limiters: &[Arc<LimiterCell>],
    policies: &[Arc<RetryPolicyCell>],
) -> [(&'static str, String); 3] {
    [
        (BreakerCell::KIND, rows(breakers, |cell| (cell.name(), cell.save()))),
        (LimiterCell::KIND, rows(limiters, |cell| (cell.name(), cell.save()))),
        (RetryPolicyCell::KIND, rows(policies, |cell| (cell.name(), cell.save()))),
    ]
}

/// To be called on the writer's task, see [`CheckCell::save`].
fn check_rows(checks: &[Arc<CheckCell>]) -> (&'static str, String) {
    (CheckCell::KIND, rows(checks, |cell| (cell.name(), cell.save())))
}

async fn put_states(
    connection: &mut Connection,
    states: &[(&'static str, String)],
) -> Result<(), StoreError> {
    for (kind, rows) in states {
        if rows.len() > 2 {
            states::states_put(connection, kind, kind, rows).await?;
        }
    }
    Ok(())
}

/// A JSON array of `[name, state]`, from states that are JSON already.
fn rows<'a, R>(cells: &'a [Arc<R>], save: impl Fn(&'a Arc<R>) -> (&'a Name, String)) -> String {
    let mut text = String::with_capacity(cells.len() * 128 + 2);
    text.push('[');
    for cell in cells {
        let (name, state) = save(cell);
        if text.len() > 1 {
            text.push(',');
        }
        // A name needs no escaping: see domain::Name.
        text.push_str("[\"");
        text.push_str(name.as_str());
        text.push_str("\",");
        text.push_str(&state);
        text.push(']');
    }
    text.push(']');
    text
}

fn take<R>(dirty: &parking_lot::Mutex<Vec<Arc<R>>>) -> Vec<Arc<R>> {
    let mut dirty = dirty.lock();
    let count = dirty.len().min(CHUNK);
    dirty.drain(..count).collect()
}

pub(super) fn parsed<T: for<'de> Deserialize<'de>>(document: Option<&str>) -> Result<Option<T>, StoreError> {
    Ok(document.map(serde_json::from_str).transpose()?)
}

fn parse<T: for<'de> Deserialize<'de>>(stored: Option<String>) -> Result<Option<T>, StoreError> {
    Ok(stored.map(|text| serde_json::from_str(&text)).transpose()?)
}

fn text(value: &impl Serialize) -> Result<String, StoreError> {
    Ok(serde_json::to_string(value)?)
}

fn random_number() -> Result<u64, StoreError> {
    random().map(u64::from_ne_bytes)
}
