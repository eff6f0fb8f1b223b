//! Loading what was saved, at the start.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use serde::Deserialize;

use super::{
    SavedCall, Stop,
    save::{save_all, text},
};
use crate::{
    app::{
        Board,
        alerts::{self, StoredAlerts},
        breakers::BreakerCell,
        call_table::Call,
        checks::{CheckCell, pings::PingSecret},
        definitions::Resource,
        gates::GateCell,
        journal::UNCLEAN_GAP,
        limiters::{LimiterCell, MARK_KIND},
        metrics::{self, StoredMetrics},
        notifications::{self, StoredNotifications},
        push_groups::{self, StoredGroups},
        retention::RetentionCell,
        retry_policies::RetryPolicyCell,
        schedules::{self, StoredSchedules},
        thresholds::{self, ThresholdCell},
    },
    clock::{Clock, Origin},
    domain::{
        InvalidConfig, Name, Time,
        breaker::{Breaker, BreakerConfig},
        check::{Check, SavedCheck},
        limiter::{Limiter, Mark, SavedLimiter},
        retry::RetryPolicy,
    },
    store::{
        Pairs, Store, StoreError, random,
        sqlite::{
            blobs, board, checks, definitions, events, states,
            tokens::{TokenRow, tokens_list},
        },
    },
};

/// What the store holds at the start.
#[derive(Debug)]
pub(in crate::app) struct Loaded {
    shift: i64,
    clean: Option<Stop>,
    /// When the server was there.
    alive: Option<Time>,
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
    pub(in crate::app) fn call_key(&self) -> u64 {
        self.clean.as_ref().map_or(self.call_key, |stop| stop.call_key)
    }

    pub(in crate::app) fn next_call(&self) -> u64 {
        self.clean.as_ref().map_or(1, |stop| stop.next_call)
    }

    pub(in crate::app) fn last_result(&self) -> i64 {
        self.last_result
    }

    pub(in crate::app) fn ping_secret(&self) -> PingSecret {
        PingSecret::new(self.ping_secret)
    }

    pub(in crate::app) fn last_alert(&self) -> i64 {
        self.alerts.last_id(self.clean.as_ref().map(|stop| stop.last_alert))
    }

    /// After a crash some ids may have been shown and not stored; they are never given to other events.
    pub(in crate::app) fn last_event(&self) -> i64 {
        if self.clean.is_some() || self.last_event == 0 {
            self.last_event
        } else {
            self.last_event.saturating_add(UNCLEAN_GAP)
        }
    }
}

/// Reads everything, and marks the board as running. The hash seed of client identities comes along.
pub(in crate::app) async fn read(store: &Store, clock: &Clock) -> Result<(Loaded, u64), StoreError> {
    let here = clock.clone();
    store
        .writer
        .write(move |connection| {
            Box::pin(async move {
                let mut facts = board::board_load(connection).await?;
                let kinds = definitions::kinds_load(connection).await?;
                let origin = parse::<Origin>(facts.remove("origin"))?;
                let shift = origin.as_ref().map_or(0, |origin| here.shift_from(origin));
                let clean = parse::<Stop>(facts.remove("stop"))?;
                let stored = parse::<u64>(facts.remove("seed"))?;
                let seed = stored.map_or_else(random_number, Ok)?;
                if stored.is_none() {
                    board::board_put(connection, "seed", &seed.to_string()).await?;
                }
                let stored = parse::<[u8; 32]>(facts.remove("ping_secret"))?;
                let ping_secret = stored.map_or_else(random::<32>, Ok)?;
                if stored.is_none() {
                    board::board_put(connection, "ping_secret", &text(&ping_secret)?).await?;
                }
                if clean.is_some() {
                    board::board_delete(connection, "stop").await?;
                }
                blobs::blobs_abandon(connection).await?;
                let loaded = Loaded {
                    shift,
                    clean,
                    alive: parse::<Time>(facts.remove("alive"))?,
                    last_event: events::event_last_id(connection).await?,
                    call_key: random_number()?,
                    configs: definitions::configs_load(connection).await?,
                    breakers: definitions::definitions_load(connection, &kinds, BreakerCell::KIND).await?,
                    limiters: definitions::definitions_load(connection, &kinds, LimiterCell::KIND).await?,
                    retry_policies: definitions::definitions_load(connection, &kinds, RetryPolicyCell::KIND)
                        .await?,
                    breaker_states: states::states_load(connection, &kinds, BreakerCell::KIND).await?,
                    limiter_states: states::states_load(connection, &kinds, LimiterCell::KIND).await?,
                    limiter_marks: states::states_load(connection, &kinds, MARK_KIND).await?,
                    retry_states: states::states_load(connection, &kinds, RetryPolicyCell::KIND).await?,
                    checks: definitions::definitions_load(connection, &kinds, CheckCell::KIND).await?,
                    check_states: states::states_load(connection, &kinds, CheckCell::KIND).await?,
                    gates: definitions::definitions_load(connection, &kinds, GateCell::KIND).await?,
                    retention: definitions::definitions_load(connection, &kinds, RetentionCell::KIND).await?,
                    last_result: checks::check_result_last_id(connection).await?,
                    ping_secret,
                    tokens: tokens_list(&mut *connection).await?,
                    schedules: schedules::read(connection, &kinds, facts.remove("next_run")).await?,
                    thresholds: definitions::definitions_load(connection, &kinds, ThresholdCell::KIND)
                        .await?,
                    alerts: alerts::read(connection, here.wall_nanos()).await?,
                    metrics: metrics::read(connection).await?,
                    push_groups: push_groups::read(connection).await?,
                    notifications: notifications::read(connection, &kinds).await?,
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
pub(in crate::app) async fn restore(board: &Arc<Board>, mut loaded: Loaded) -> Result<(), StoreError> {
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
        let saved = saved.map(|mut saved: SavedLimiter| {
            loaded.alive.into_iter().for_each(|at| saved.alive_at(at));
            saved
        });
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
pub(in crate::app) fn each<R: Resource>(
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

pub(in crate::app) fn parsed<T: for<'de> Deserialize<'de>>(
    document: Option<&str>,
) -> Result<Option<T>, StoreError> {
    Ok(document.map(serde_json::from_str).transpose()?)
}

fn parse<T: for<'de> Deserialize<'de>>(stored: Option<String>) -> Result<Option<T>, StoreError> {
    Ok(stored.map(|text| serde_json::from_str(&text)).transpose()?)
}

fn random_number() -> Result<u64, StoreError> {
    random().map(u64::from_ne_bytes)
}
