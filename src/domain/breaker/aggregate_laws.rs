//! Aggregates say the same as the outcomes that they stand for, once.

use proptest::prelude::*;

use super::{
    history::{outcome, spec},
    world::config,
    *,
};

#[derive(Clone, Debug)]
struct Batch {
    client: u64,
    pause: i64,
    runs: Vec<(Outcome, u32, u32)>,
    repeats: usize,
}

fn batch() -> impl Strategy<Value = Batch> {
    // Some longer than what is looked at one by one.
    let count = prop_oneof![9 => 1..12_u32, 1 => 12..200_u32];
    let run =
        (outcome(), count, 0..4_u32).prop_map(|(outcome, count, slow)| (outcome, count, slow.min(count)));
    let pause = prop_oneof![Just(0), 0..3_000_000_000_i64];
    (0..3_u64, pause, prop::collection::vec(run, 0..6), 0..3_usize)
        .prop_map(|(client, pause, runs, repeats)| Batch { client, pause, runs, repeats })
}

fn runs_of(batch: &Batch) -> Vec<Run> {
    let seconds = |count, slow| Duration::from_secs(5) * slow + Duration::from_millis(100) * (count - slow);
    let run = |&(outcome, count, slow)| Run { outcome, count, slow, duration: seconds(count, slow) };
    batch.runs.iter().map(run).collect()
}

/// Every call by itself, as `POST /v1/calls` and its outcome have it.
fn one_by_one(breaker: &mut Breaker, now: Time, client: Client<'_>, runs: &[Run], journal: &mut Journal) {
    let generation = breaker.generation();
    for run in runs {
        for n in 0..run.count {
            let slow = n >= run.count - run.slow;
            let duration = if slow { Duration::from_secs(5) } else { Duration::from_millis(100) };
            breaker.report(now, generation, 0, client, run.outcome, duration, journal);
        }
    }
}

proptest! {
    #[test]
    fn say_the_same_as_their_outcomes(
        spec in spec(),
        batches in prop::collection::vec(batch(), 1..30),
    ) {
        let mut sums = Breaker::new(config(&spec), Time::from_nanos(0));
        let mut singly = sums.clone();
        let (mut told, mut heard) = (Journal::new(), Journal::new());
        let mut now = 0;
        for (sequence, batch) in batches.iter().enumerate() {
            now += batch.pause;
            let at = Time::from_nanos(now);
            let client = Client { hash: batch.client, name: "c" };
            singly.advance(at, &mut heard);
            sums.advance(at, &mut told);
            let runs = runs_of(batch);
            let (generation, was_closed) = (singly.generation(), singly.state() == StateName::Closed);
            if was_closed {
                one_by_one(&mut singly, at, client, &runs, &mut heard);
            }
            let sequence = u64::try_from(sequence).unwrap() + 1;
            let aggregate = Aggregate { generation, sender: batch.client, sequence, rejected: 0, runs: &runs };
            let first = sums.absorb(at, client, &aggregate, &mut told);
            let stale = !was_closed && !runs.is_empty();
            prop_assert_eq!(first, if stale { Absorbed::StaleGeneration } else { Absorbed::Recorded });
            for _ in 0..batch.repeats {
                prop_assert_eq!(sums.absorb(at, client, &aggregate, &mut told), Absorbed::Duplicate);
            }
            prop_assert_eq!(sums.state(), singly.state());
            prop_assert_eq!(sums.generation(), singly.generation());
            prop_assert_eq!(sums.failure_count(), singly.failure_count());
            if singly.state() == StateName::Closed {
                prop_assert_eq!(sums.rates(at), singly.rates(at));
            }
        }
        let causes = |journal: &Journal| journal.iter().map(|t| (t.to, t.cause)).collect::<Vec<_>>();
        prop_assert_eq!(causes(&told), causes(&heard));
    }

    #[test]
    fn move_nothing_in_another_generation(
        spec in spec(),
        batches in prop::collection::vec(batch(), 1..20),
        off in prop_oneof![Just(-1_i64), Just(1), Just(1000)],
    ) {
        let mut breaker = Breaker::new(config(&spec), Time::from_nanos(0));
        let journal = &mut Journal::new();
        breaker.set_state(Time::from_nanos(0), StateName::Open, None, "ann", "", journal).unwrap();
        breaker.reset(Time::from_nanos(0), "ann", "", journal);
        journal.clear();
        let generation = breaker.generation().checked_add_signed(off).unwrap();
        for (sequence, batch) in (1..).zip(&batches) {
            let runs = runs_of(batch);
            let aggregate = Aggregate { generation, sender: 1, sequence, rejected: 1, runs: &runs };
            let client = Client { hash: batch.client, name: "c" };
            let told = breaker.absorb(Time::from_nanos(1), client, &aggregate, journal);
            prop_assert_eq!(told, Absorbed::StaleGeneration);
        }
        prop_assert!(journal.is_empty());
        prop_assert_eq!(breaker.failure_count(), 0);
        prop_assert_eq!(breaker.metrics().failure_calls, 0);
        prop_assert_eq!(breaker.metrics().rejected_calls, batches.len() as u64);
    }

    /// Whatever a crash takes back, it takes back whole: what is sent again then counts exactly once.
    #[test]
    fn count_once_over_crashes(
        failures in prop::collection::vec((1..3_u32, any::<bool>(), any::<bool>()), 1..20),
    ) {
        let spec = BreakerSpec { failure_threshold: Some(1000), ..BreakerSpec::default() };
        let config = config(&spec);
        let mut breaker = Breaker::new(Arc::clone(&config), Time::from_nanos(0));
        let mut disk = breaker.save();
        let (client, journal) = (Client { hash: 1, name: "c" }, &mut Journal::new());
        let now = Time::from_nanos(1);
        let (mut sum, mut on_disk) = (0, 0);
        for (sequence, (count, saved, crashes)) in (1..).zip(failures) {
            let runs = [Run { outcome: Outcome::Failure, count, slow: 0, duration: Duration::ZERO }];
            let aggregate = Aggregate { generation: 1, sender: 7, sequence, rejected: 0, runs: &runs };
            breaker.absorb(now, client, &aggregate, journal);
            sum += count;
            if saved {
                (disk, on_disk) = (breaker.save(), sum);
            }
            if crashes {
                breaker = Breaker::restore(Arc::clone(&config), disk.clone(), now, 0, false);
                // The answer was lost, so the client sends it again.
                let again = breaker.absorb(now, client, &aggregate, journal);
                let expected = if saved { Absorbed::Duplicate } else { Absorbed::Recorded };
                prop_assert_eq!(again, expected);
                sum = if saved { on_disk } else { on_disk + count };
            }
            prop_assert_eq!(breaker.failure_count(), sum);
        }
    }
}

#[test]
fn the_rest_of_what_opened_it_is_stale() {
    let mut breaker = Breaker::new(config(&BreakerSpec::default()), Time::from_nanos(0));
    let journal = &mut Journal::new();
    let run = |outcome, count| Run { outcome, count, slow: 0, duration: Duration::ZERO };
    let runs = [run(Outcome::Success, 9), run(Outcome::Failure, 6), run(Outcome::Success, 9)];
    let aggregate = Aggregate { generation: 1, sender: 1, sequence: 1, rejected: 2, runs: &runs };
    let client = Client { hash: 1, name: "c" };
    assert_eq!(breaker.absorb(Time::from_nanos(1), client, &aggregate, journal), Absorbed::Recorded);
    assert_eq!((breaker.state(), breaker.generation()), (StateName::Open, 2));
    let metrics = breaker.metrics();
    assert_eq!((metrics.total_calls, metrics.success_calls, metrics.failure_calls), (26, 9, 6));
    assert_eq!(metrics.rejected_calls, 2);
}

#[test]
fn a_disabled_breaker_counts_nothing_and_one_for_metrics_never_opens() {
    let client = Client { hash: 1, name: "c" };
    let runs = [Run { outcome: Outcome::Failure, count: 50, slow: 0, duration: Duration::ZERO }];
    for (state, counted) in [(StateName::Disabled, 0), (StateName::MetricsOnly, 50)] {
        let mut breaker = Breaker::new(config(&BreakerSpec::default()), Time::from_nanos(0));
        let journal = &mut Journal::new();
        breaker.set_state(Time::from_nanos(0), state, None, "ann", "", journal).unwrap();
        let aggregate = Aggregate { generation: 2, sender: 1, sequence: 1, rejected: 0, runs: &runs };
        assert_eq!(breaker.absorb(Time::from_nanos(1), client, &aggregate, journal), Absorbed::Recorded);
        assert_eq!((breaker.state(), breaker.metrics().failure_calls), (state, counted));
    }
}
