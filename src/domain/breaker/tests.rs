use super::*;

const SECOND: i64 = 1_000_000_000;

fn at(seconds: i64) -> Time {
    Time::from_nanos(seconds * SECOND)
}

fn breaker(spec: BreakerSpec) -> Breaker {
    Breaker::new(Arc::new(spec.try_into().unwrap()), at(0))
}

fn client(name: &str) -> Client<'_> {
    Client { hash: name.bytes().map(u64::from).sum(), name }
}

fn report(breaker: &mut Breaker, now: Time, call: u64, outcome: Outcome) -> (Reported, Journal) {
    let mut journal = Journal::new();
    let generation = breaker.generation();
    let who = client("bot");
    let reported = breaker.report(now, generation, call, who, outcome, Duration::ZERO, &mut journal);
    (reported, journal)
}

fn fail(breaker: &mut Breaker, now: Time, times: u32) -> Journal {
    (0..times).flat_map(|_| report(breaker, now, 0, Outcome::Failure).1).collect()
}

fn causes(journal: &[Transition]) -> Vec<Cause> {
    journal.iter().map(|step| step.cause).collect()
}

#[test]
fn the_seed_example_opens_waits_probes_and_closes() {
    let mut breaker = breaker(BreakerSpec::default());
    assert!(fail(&mut breaker, at(1), 4).is_empty());
    let journal = fail(&mut breaker, at(1), 1);
    assert_eq!(causes(&journal), [Cause::FailureThreshold]);
    assert_eq!((journal[0].failure_count, journal[0].reporters.clone()), (5, vec!["bot".to_owned()]));
    let journal = &mut Journal::new();
    let early = Time::from_nanos(61 * SECOND - 1);
    let refused = breaker.check(early, journal).unwrap_err();
    assert_eq!(refused, Refused { reason: RefusedReason::Open, retry_after: Some(Duration::from_nanos(1)) });
    assert_eq!(breaker.check(at(61), journal), Ok(()));
    breaker.enter(at(61), 7);
    assert_eq!(report(&mut breaker, at(62), 7, Outcome::Success).0, Reported::Recorded);
    assert_eq!(causes(journal), [Cause::TimeoutElapsed]);
    assert_eq!((breaker.state(), breaker.generation()), (StateName::Closed, 4));
}

#[test]
fn probes_are_exact_and_return() {
    let spec = BreakerSpec { half_open_successes: Some(3), ..BreakerSpec::default() };
    let mut breaker = breaker(spec);
    fail(&mut breaker, at(0), 5);
    let journal = &mut Journal::new();
    for call in 1..=3 {
        assert_eq!(breaker.check(at(100), journal), Ok(()));
        breaker.enter(at(100), call);
    }
    let full = |after| {
        let retry_after = Some(Duration::from_secs(after));
        Err(Refused { reason: RefusedReason::HalfOpenFull, retry_after })
    };
    assert_eq!(breaker.check(at(110), journal), full(50));
    // A void permit never counts.
    breaker.enter(at(110), 4);
    assert_eq!(report(&mut breaker, at(110), 4, Outcome::Failure).0, Reported::Expired);
    // An ignored call gives its permit back; a success keeps it.
    assert_eq!(report(&mut breaker, at(110), 1, Outcome::Ignored).0, Reported::Recorded);
    assert_eq!(breaker.check(at(110), journal), Ok(()));
    breaker.enter(at(110), 5);
    assert_eq!(report(&mut breaker, at(110), 5, Outcome::Success).0, Reported::Recorded);
    assert_eq!(report(&mut breaker, at(110), 5, Outcome::Success).0, Reported::Expired);
    assert_eq!(breaker.check(at(110), journal), full(50));
    // A lease ends at its deadline, for the permit and for the outcome alike.
    assert_eq!(report(&mut breaker, at(160), 2, Outcome::Failure).0, Reported::Expired);
    assert_eq!(breaker.check(at(160), journal), Ok(()));
    assert_eq!(breaker.view(at(160)).in_flight, 0);
}

#[test]
fn the_wait_grows_up_to_its_bound() {
    let spec = BreakerSpec {
        timeout_multiplier: Some(2.0),
        timeout_max_seconds: Some(200.0),
        ..BreakerSpec::default()
    };
    let mut breaker = breaker(spec);
    fail(&mut breaker, at(0), 5);
    let mut now = at(0);
    for wait in [60, 120, 200, 200] {
        now = now.after(Duration::from_secs(wait));
        assert!(breaker.check(now.before(Duration::from_nanos(1)), &mut vec![]).is_err());
        assert!(breaker.check(now, &mut vec![]).is_ok());
        breaker.enter(now, wait);
        assert_eq!(causes(&report(&mut breaker, now, wait, Outcome::Failure).1), [Cause::HalfOpenFailure]);
    }
    assert_eq!(breaker.config().open_wait(u32::MAX), Duration::from_secs(200));
}

#[test]
fn an_override_ends_where_it_began() {
    let mut breaker = breaker(BreakerSpec::default());
    fail(&mut breaker, at(0), 5);
    let journal = &mut Journal::new();
    let ttl = Some(Duration::from_secs(10));
    breaker.set_state(at(1), StateName::Disabled, None, "ann", "test", journal).unwrap();
    breaker.set_state(at(2), StateName::ForcedOpen, ttl, "ann", "", journal).unwrap();
    let refused = breaker.check(at(3), journal).unwrap_err();
    assert_eq!(refused.retry_after, Some(Duration::from_secs(57)), "open below until 60");
    breaker.advance(at(99), journal);
    let seen: Vec<_> = journal.iter().map(|step| (step.to, step.at)).collect();
    let expected = [
        (StateName::Disabled, at(1)),
        (StateName::ForcedOpen, at(2)),
        (StateName::Open, at(12)),
        (StateName::HalfOpen, at(60)),
    ];
    assert_eq!(seen, expected);
    assert_eq!(journal[0].actor.as_deref(), Some("ann"));
    assert_eq!((journal[0].reason.as_deref(), journal[1].reason.as_deref()), (Some("test"), None));
}

#[test]
fn what_an_operator_may_not() {
    let mut breaker = breaker(BreakerSpec::default());
    let journal = &mut Journal::new();
    let ttl = Some(Duration::from_secs(1));
    let (from, to) = (StateName::Closed, StateName::HalfOpen);
    let refused = breaker.set_state(at(0), to, None, "", "", journal);
    assert_eq!(refused, Err(SetStateError::IllegalTransition { from, to }));
    let refused = breaker.set_state(at(0), StateName::Open, ttl, "", "", journal);
    assert_eq!(refused, Err(SetStateError::TtlNotAllowed));
    assert!(journal.is_empty());
    assert_eq!(breaker.set_state(at(0), from, None, "", "", journal), Ok(()));
    assert!(journal.is_empty());
}

#[test]
fn nothing_from_before_a_reset_counts() {
    let spec = BreakerSpec { half_open_timeout_seconds: Some(5.0), ..BreakerSpec::default() };
    let mut breaker = breaker(spec);
    fail(&mut breaker, at(0), 5);
    let journal = &mut Journal::new();
    breaker.check(at(60), journal).unwrap();
    let permit = breaker.enter(at(60), 1);
    breaker.reset(at(61), "ann", "", journal);
    let before = breaker.save();
    let (who, failure) = (client("bot"), Outcome::Failure);
    let late = breaker.report(at(62), permit.generation, 1, who, failure, Duration::ZERO, journal);
    breaker.advance(at(1000), journal);
    assert_eq!((late, breaker.save(), breaker.next_timer()), (Reported::StaleGeneration, before, None));
    assert_eq!(breaker.metrics(), Metrics::default());
}

#[test]
fn fewer_successes_asked_for_close_at_once() {
    let strict = BreakerSpec { half_open_successes: Some(3), ..BreakerSpec::default() };
    let mut breaker = breaker(strict);
    fail(&mut breaker, at(0), 5);
    let journal = &mut Journal::new();
    breaker.check(at(60), journal).unwrap();
    breaker.enter(at(60), 1);
    report(&mut breaker, at(60), 1, Outcome::Success);
    breaker.reconfigure(Arc::default(), at(61), journal);
    assert_eq!(causes(journal), [Cause::TimeoutElapsed, Cause::HalfOpenSuccess]);
}

#[test]
fn an_ignored_call_never_trips() {
    let mut breaker = breaker(BreakerSpec { min_reporters: Some(2), ..BreakerSpec::default() });
    let window = |min_reporters| {
        let window = WindowSpec { minimum_calls: Some(1), ..WindowSpec::default() };
        let spec = BreakerSpec { min_reporters, window: Some(window), ..BreakerSpec::default() };
        Arc::new(BreakerConfig::try_from(spec).unwrap())
    };
    let journal = &mut Journal::new();
    breaker.reconfigure(window(Some(2)), at(0), journal);
    fail(&mut breaker, at(0), 1);
    // From here on one client is enough; its failure is still in the window.
    breaker.reconfigure(window(Some(1)), at(0), journal);
    assert!(report(&mut breaker, at(0), 0, Outcome::Ignored).1.is_empty());
    assert_eq!(causes(&report(&mut breaker, at(0), 0, Outcome::Success).1), [Cause::FailureRate]);
}

#[test]
fn fewer_probes_than_are_out_wait_for_all_too_many() {
    let mut breaker = breaker(BreakerSpec::default());
    fail(&mut breaker, at(0), 5);
    let journal = &mut Journal::new();
    for (call, now) in [(1, 60), (2, 70), (3, 80)] {
        breaker.check(at(now), journal).unwrap();
        breaker.enter(at(now), call);
    }
    let narrow = BreakerSpec { half_open_max_calls: Some(1), ..BreakerSpec::default() };
    breaker.reconfigure(Arc::new(narrow.try_into().unwrap()), at(80), journal);
    let refused = breaker.check(at(80), journal).unwrap_err();
    assert_eq!(refused.retry_after, Some(Duration::from_secs(60)), "until the last lease ends at 140");
}

#[test]
fn a_generation_that_a_crash_undid_is_stale() {
    let mut breaker = breaker(BreakerSpec::default());
    let before = breaker.save();
    let (who, failure, journal) = (client("bot"), Outcome::Failure, &mut Journal::new());
    let reported = breaker.report(at(0), 2, 1, who, failure, Duration::ZERO, journal);
    assert_eq!((reported, breaker.save()), (Reported::StaleGeneration, before));
}

#[test]
fn clients_are_bounded_and_the_worst_stay() {
    let mut breaker = breaker(BreakerSpec { min_reporters: Some(1000), ..BreakerSpec::default() });
    let journal = &mut Journal::new();
    let mut say = |hash: u64, failures: u32| {
        for _ in 0..failures {
            let who = Client { hash, name: "x" };
            breaker.report(at(0), 1, 0, who, Outcome::Failure, Duration::ZERO, journal);
        }
        breaker.view(at(0))
    };
    say(7, 3);
    for hash in 100..2000 {
        say(hash, 1);
    }
    let view = say(2000, 1);
    assert_eq!((view.failure_count, view.reporters.len()), (3, 1024));
}

#[test]
fn a_crash_gives_no_second_set_of_probes() {
    let mut breaker = breaker(BreakerSpec::default());
    fail(&mut breaker, at(0), 5);
    let journal = &mut Journal::new();
    breaker.check(at(60), journal).unwrap();
    let saved = breaker.save();
    let permit = breaker.enter(at(60), 42);
    let mut back = Breaker::restore(breaker.config().clone(), saved, at(61), 0, false);
    assert_eq!(back.check(at(61), journal).unwrap_err().retry_after, Some(Duration::from_secs(60)));
    let (who, success) = (client("bot"), Outcome::Success);
    let reported = back.report(at(62), permit.generation, 42, who, success, Duration::ZERO, journal);
    assert_eq!((reported, back.state()), (Reported::Recorded, StateName::Closed));
}

#[test]
fn saved_under_another_zero() {
    let mut breaker = breaker(BreakerSpec::default());
    fail(&mut breaker, at(0), 5);
    let moved = Breaker::restore(breaker.config().clone(), breaker.save(), at(1010), 1000 * SECOND, true);
    assert_eq!(moved.next_timer(), Some(at(1060)));
    // A clock that lost its way makes no wait longer than configured.
    let lost = Breaker::restore(breaker.config().clone(), breaker.save(), at(10), i64::MAX, true);
    assert_eq!(lost.next_timer(), Some(at(70)));
}

#[test]
fn untouched_breakers_are_small() {
    assert!(size_of::<Breaker>() <= 200, "{}", size_of::<Breaker>());
}

#[test]
fn names_on_the_wire() {
    for cause in [Cause::FailureThreshold, Cause::SlowCallRate, Cause::HalfOpenTimeout, Cause::TtlElapsed] {
        assert_eq!(serde_json::to_value(cause).unwrap(), cause.as_str());
    }
    for name in [StateName::HalfOpen, StateName::ForcedOpen, StateName::MetricsOnly, StateName::Closed] {
        assert_eq!(serde_json::to_value(name).unwrap(), name.as_str());
    }
}
