use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn naive(all: &[(i64, u64, Sample)], span: Span, now: i64) -> (WindowCounts, usize, usize) {
    let mut counts = WindowCounts::default();
    let (mut failing, mut slow) = (BTreeSet::new(), BTreeSet::new());
    let inside = |index: usize, at: i64| match span {
        Span::Calls(size) => index + size as usize >= all.len(),
        Span::Seconds(size) => at.div_euclid(SECOND) > now.div_euclid(SECOND) - i64::from(size),
    };
    for (index, (at, client, call)) in all.iter().enumerate() {
        if inside(index, *at) {
            counts.add(*call, 1);
            failing.extend(call.failed.then_some(*client));
            slow.extend(call.slow.then_some(*client));
        }
    }
    (counts, failing.len(), slow.len())
}

proptest! {
    #[test]
    fn counts_what_recounting_gives(
        span in prop_oneof![(1..40_u32).prop_map(Span::Calls), (1..8_u32).prop_map(Span::Seconds)],
        start in -10 * SECOND..10 * SECOND,
        calls in prop::collection::vec((0..2 * SECOND, 0..6_u64, any::<bool>(), any::<bool>()), 1..120),
        later in 0..9 * SECOND,
    ) {
        let mut window = Window::new(span);
        let mut all = Vec::new();
        let mut now = start;
        for (pause, client, failed, slow) in calls {
            now += pause;
            let call = Sample { failed, slow };
            all.push((now, client, call));
            window.record(Time::from_nanos(now), Some(client), call, 1);
            let (counts, failing, slow) = naive(&all, span, now);
            prop_assert_eq!(window.counts(), counts);
            prop_assert_eq!((window.failing_clients(), window.slow_clients()), (failing, slow));
            let text = serde_json::to_string(&window).unwrap();
            let restored: Window = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(restored.counts(), counts);
            prop_assert_eq!(&restored, &window);
            window = if client == 0 { restored } else { window };
        }
        let (counts, ..) = naive(&all, span, now + later);
        prop_assert_eq!(window.counts_at(Time::from_nanos(now + later)), counts);
    }
}

proptest! {
    #[test]
    fn many_at_once_are_as_many_one_by_one(
        span in prop_oneof![(1..40_u32).prop_map(Span::Calls), (1..8_u32).prop_map(Span::Seconds)],
        runs in prop::collection::vec((0..2 * SECOND, 0..6_u64, any::<bool>(), any::<bool>(), 1..60_u32), 1..40),
    ) {
        let (mut at_once, mut singly) = (Window::new(span), Window::new(span));
        let mut now = 0;
        for (pause, client, failed, slow, times) in runs {
            now += pause;
            let call = Sample { failed, slow };
            at_once.record(Time::from_nanos(now), Some(client), call, times);
            for _ in 0..times {
                singly.record(Time::from_nanos(now), Some(client), call, 1);
            }
            prop_assert_eq!(at_once.failing_clients(), singly.failing_clients());
            prop_assert_eq!(at_once.slow_clients(), singly.slow_clients());
            prop_assert_eq!(&at_once, &singly);
        }
    }
}

#[test]
fn distinct_clients_are_exact_up_to_the_bound() {
    let mut window = Window::new(Span::Seconds(10));
    let failed = Sample { failed: true, slow: false };
    for client in 0..5000_u64 {
        let second = i64::try_from(client / 500).unwrap();
        window.record(Time::from_nanos(second * SECOND), Some(client), failed, 1);
    }
    assert_eq!(window.failing_clients(), MAX_CLIENTS);
    // Only the last 500 clients, and this one, are in the window by then.
    window.record(Time::from_nanos(18 * SECOND), Some(9999), failed, 1);
    assert_eq!(window.failing_clients(), 501);
}

#[test]
fn memory_follows_use() {
    let mut window = Window::new(Span::Calls(10_000));
    window.record(Time::MIN, None, Sample { failed: false, slow: true }, 1);
    let Held::Calls { ring, .. } = &window.held else { panic!() };
    assert!(ring.capacity() <= 16);
    for _ in 0..30_000 {
        window.record(Time::MAX, None, Sample { failed: true, slow: true }, 1);
    }
    let Held::Calls { ring, .. } = &window.held else { panic!() };
    assert_eq!(ring.capacity(), 10_000);
}

#[test]
fn a_torn_save_restores_to_something_sound() {
    let text = r#"{"span": {"calls": 3}, "calls": "013xé2"}"#;
    let mut window: Window = serde_json::from_str(text).unwrap();
    for _ in 0..5 {
        window.record(Time::MIN, Some(1), Sample { failed: true, slow: false }, 1);
    }
    assert_eq!(window.counts(), WindowCounts { total: 3, failed: 3, slow: 0, slow_failed: 0 });
}
