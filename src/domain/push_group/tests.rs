use std::{collections::BTreeMap, sync::Arc, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::domain::{
    GroupingKey, LabelSet, Seconds, Time,
    exposition::{self, Format, Limits, MetricFamily, MetricType, Writer},
};

fn read(text: &str) -> Vec<MetricFamily> {
    exposition::parse(text.as_bytes(), &Limits::default()).unwrap_or_else(|error| panic!("{error} in {text}"))
}

fn key(raw: &str) -> GroupingKey {
    GroupingKey::parse(raw).unwrap()
}

fn at(seconds: i64) -> Stamp {
    Stamp { at: Time::from_nanos(seconds * 1_000_000_000), wall: seconds * 1_000_000_000 }
}

fn nothing(_: &str) -> Option<MetricType> {
    None
}

/// Groups at a time.
struct World {
    groups: Groups,
    now: i64,
}

impl World {
    fn new() -> Self {
        Self::limited(GroupLimits::default())
    }

    fn limited(limits: GroupLimits) -> Self {
        Self { groups: Groups::new(limits), now: 1 }
    }

    fn put(&mut self, group: &str, text: &str) -> Result<(), PushRefusal> {
        self.push(group, text, Write::Replace)
    }

    fn push(&mut self, group: &str, text: &str, write: Write) -> Result<(), PushRefusal> {
        let key = key(group);
        let body = Body::new(read(text), &key, &self.groups.hasher())?;
        let place = Place { key: &key, ttl: None, stamp: at(self.now) };
        self.groups.push(place, body, write, &nothing).map(drop)
    }

    fn total(&mut self, group: &str, client: &str, text: &str) -> Result<(), PushRefusal> {
        let key = key(group);
        let body = Body::without_instances(read(text), &key, &self.groups.hasher())?;
        let place = Place { key: &key, ttl: None, stamp: at(self.now) };
        self.groups.push_totals(place, client, &Totals::new(body)?, &nothing)
    }

    /// The page without the times of pushes.
    fn page(&self) -> String {
        let mut text = String::new();
        let mut writer = Writer::new(&mut text, Format::Text);
        let shown = self.groups.shown();
        let wanted = |family: &&ShownFamily| !matches!(family.name(), PUSH_TIME | PUSH_FAILURE_TIME);
        shown.iter().filter(wanted).for_each(|family| family.write(&mut writer));
        writer.finish();
        text
    }

    fn lines(&self) -> Vec<String> {
        let mut lines: Vec<_> =
            self.page().lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// What is counted is what there is.
    fn check_usage(&self) {
        let mut fresh = Groups::new(GroupLimits::default());
        for key in self.groups.keys() {
            let saved = self.groups.copy(&key).unwrap().save();
            assert_eq!(fresh.restore((*key).clone(), saved, (Time::MAX, 0)).unwrap(), Vec::<Box<str>>::new());
        }
        assert_eq!(self.groups.usage(), fresh.usage());
        let restored = Self { groups: fresh, now: self.now };
        assert_eq!(self.lines(), restored.lines());
    }
}

#[test]
fn a_put_replaces_a_group_and_a_post_its_metrics_of_the_same_names() {
    let mut world = World::new();
    world.put("job/a", "x 1\ny 2\n").unwrap();
    world.push("job/a", "x{l=\"m\"} 3\n", Write::Merge).unwrap();
    assert_eq!(world.lines(), ["x{instance=\"\",job=\"a\",l=\"m\"} 3", "y{instance=\"\",job=\"a\"} 2"]);
    world.put("job/a", "z 4\n").unwrap();
    assert_eq!(world.lines(), ["z{instance=\"\",job=\"a\"} 4"]);
    world.put("job/a", "").unwrap();
    assert_eq!((world.lines().len(), world.groups.usage().groups), (0, 1));
    assert!(world.groups.delete(&key("job/a")) && !world.groups.delete(&key("job/a")));
    assert_eq!(world.groups.usage(), Usage::default());
}

#[test]
fn labels_of_the_group_win_and_an_instance_of_its_own_stays() {
    let mut world = World::new();
    world.put("job/a/l@base64/=", "x{job=\"b\",instance=\"i\",l=\"m\"} 1\n").unwrap();
    world.put("job/a/instance/j", "x{job=\"b\",instance=\"i\"} 1\n").unwrap();
    assert_eq!(world.lines(), ["x{instance=\"i\",job=\"a\",l=\"\"} 1", "x{instance=\"j\",job=\"a\"} 1"]);
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let mut world = World::new();
    world
        .put("job/a", "# TYPE c counter\nc 1\n# TYPE h histogram\nh_sum 1\nh_count 1\nplain_count 3\n")
        .unwrap();
    world.put("job/b", "only{x=\"1\"} 1\n").unwrap();
    let before = (world.page(), world.groups.usage());
    for (group, text) in [
        ("job/c", "ok 1\n# TYPE c gauge\nc 1\n"),
        ("job/c", "h_count 1\n"),
        ("job/c", "h_bucket 1\n"),
        ("job/c", "# TYPE plain summary\nplain_count 1\n"),
        ("job/c", "ok 1 1000\n"),
        ("job/c", "fuseboard_x 1\n"),
        ("job/c", "ok{job=\"x\"} 1\nok{job=\"y\"} 1\n"),
        ("job/b/x/1", "only 1\n"),
        ("job/b/instance@base64/=/x/1", "only 1\n"),
        ("job/c/le/1", "# TYPE g histogram\ng_count 1\n"),
        ("job/c/quantile/1", "# TYPE g summary\ng_count 1\n"),
    ] {
        assert!(world.put(group, text).is_err(), "{group}: {text}");
        assert_eq!((world.page(), world.groups.usage()), before, "{group}: {text}");
    }
    // What only the group itself has may become something else.
    world.put("job/b", "# TYPE only histogram\nonly_count 1\n").unwrap();
    world.put("job/b", "only_count 1\n").unwrap();
    world.check_usage();
}

#[test]
fn there_is_an_end_to_groups_series_and_bytes() {
    let mut world = World::limited(GroupLimits { max_groups: 2, max_series: 3, max_bytes: 10_000 });
    let what = |refusal: Result<(), PushRefusal>| match refusal {
        Err(PushRefusal::Full { what, .. }) => what.split(' ').next().unwrap(),
        other => panic!("{other:?}"),
    };
    world.put("job/a", "x 1\ny 1\n").unwrap();
    world.put("job/b", "x 1\n").unwrap();
    assert_eq!(what(world.put("job/c", "")), "groups");
    assert_eq!(what(world.push("job/b", "y 1\n", Write::Merge)), "series");
    assert_eq!(what(world.put("job/b", &format!("x{{l=\"{}\"}} 1\n", "l".repeat(20_000)))), "bytes");
    assert_eq!(world.groups.usage().series, 3);
    world.put("job/a", "x 1\n").unwrap();
    world.push("job/b", "y 1\n", Write::Merge).unwrap();
    world.groups.fail(&key("job/c"), at(1));
    assert_eq!(world.groups.usage().groups, 2, "a refused push makes no group where there is no room");
    world.groups.wipe();
    assert_eq!(
        what(world.total("job/a", "me", "# TYPE c counter\nc{l=\"1\"} 1\nc{l=\"2\"} 1\nc{l=\"3\"} 1\nc 1\n")),
        "series"
    );
    assert_eq!(world.groups.usage(), Usage::default());
    for n in 0..200 {
        if world.total("job/a", &format!("pusher {n}"), "# TYPE c counter\nc 1\n").is_err() {
            world.check_usage();
            return;
        }
    }
    panic!("pushers take no bytes");
}

#[test]
fn pushers_take_room_also_if_they_have_nothing_to_add() {
    for text in ["", "g 1\n"] {
        let mut world = World::limited(GroupLimits { max_bytes: 10_000, ..GroupLimits::default() });
        let mut pushes = (0..200).map(|n| world.total("job/a", &format!("pusher {n}"), text));
        assert!(matches!(pushes.find_map(Result::err), Some(PushRefusal::Full { .. })), "{text:?}");
        drop(pushes);
        assert!(world.groups.usage().bytes <= 10_000);
        world.total("job/a", "pusher 1", text).unwrap();
        world.check_usage();
    }
}

#[test]
fn a_group_ends_so_long_after_its_last_push() {
    let mut world = World::new();
    let push = |world: &mut World, ttl: Option<f64>| {
        let (key, stamp) = (key("job/a"), at(world.now));
        let body = Body::new(read("x 1\n"), &key, &world.groups.hasher()).unwrap();
        let ttl = ttl.map(|ttl| Seconds::try_from(ttl).unwrap());
        world.groups.push(Place { key: &key, ttl, stamp }, body, Write::Replace, &nothing).unwrap();
    };
    let sweep = |world: &mut World, to: i64| {
        world.now = to;
        world.groups.sweep(at(to).at)
    };
    push(&mut world, Some(10.0));
    assert_eq!(sweep(&mut world, 5), 0);
    push(&mut world, Some(10.0));
    assert_eq!(sweep(&mut world, 14), 0);
    assert_eq!(sweep(&mut world, 15), 1);
    assert_eq!(world.groups.usage(), Usage::default());
    push(&mut world, Some(10.0));
    push(&mut world, None);
    assert_eq!(sweep(&mut world, 1000), 0, "the last push says how long");
    push(&mut world, Some(1.0));
    assert!(world.groups.delete(&key("job/a")));
    push(&mut world, Some(100.0));
    assert_eq!(sweep(&mut world, 1050), 0, "it is another group");
    assert_eq!(sweep(&mut world, 1100), 1);
    push(&mut world, Some(1000.0));
    push(&mut world, Some(10.0));
    assert_eq!(sweep(&mut world, 1109), 0);
    assert_eq!(sweep(&mut world, 1110), 1, "also if that is earlier than what was said before");
    assert_eq!(world.groups.usage(), Usage::default());
}

#[test]
fn totals_are_added_and_repeated_pushes_are_not() {
    let mut world = World::new();
    let text = |total: u32| {
        format!(
            "# TYPE c_total counter\nc_total{{l=\"m\"}} {total}\n# TYPE g gauge\ng {total}\n# TYPE s summary\n\
             s{{quantile=\"0.5\"}} 3\ns_sum {total}\ns_count {total}\n# TYPE h histogram\nh_bucket{{le=\"1\"}} 1\n\
             h_bucket{{le=\"+Inf\"}} {total}\nh_sum -1\nh_count {total}\n"
        )
    };
    for (client, total) in [("a", 5), ("b", 7), ("a", 5), ("a", 6), ("b", 7), ("a", 2)] {
        world.total("job/j", client, &text(total)).unwrap();
    }
    // a: 6, and 2 of another life; b: 7.
    for line in [
        "c_total{instance=\"\",job=\"j\",l=\"m\"} 15",
        "g{instance=\"\",job=\"j\"} 2",
        "h_bucket{instance=\"\",job=\"j\",le=\"1\"} 3",
        "h_bucket{instance=\"\",job=\"j\",le=\"+Inf\"} 15",
        "h_sum{instance=\"\",job=\"j\"} -3",
        "h_count{instance=\"\",job=\"j\"} 15",
        "s_sum{instance=\"\",job=\"j\"} 15",
        "s_count{instance=\"\",job=\"j\"} 15",
    ] {
        assert!(world.lines().iter().any(|own| own == line), "{line} is not in {}", world.page());
    }
    assert_eq!(world.lines().len(), 8, "quantiles are left out");
    world.check_usage();
    assert!(world.groups.forget(&key("job/j"), "a") && !world.groups.forget(&key("job/j"), "a"));
    assert_eq!(world.lines().len(), 8, "what it added stays");
    assert_eq!(world.put("job/j", ""), Err(PushRefusal::Mode { summed: true }));
    world.put("job/k", "").unwrap();
    assert_eq!(world.total("job/k", "a", ""), Err(PushRefusal::Mode { summed: false }));
}

#[test]
fn a_beginning_tells_lives_apart() {
    let mut world = World::new();
    let mut total = |created: u32, total: u32| {
        let text =
            format!("# TYPE c_total counter\nc_total {total}\n# TYPE c_created gauge\nc_created {created}\n");
        world.total("job/j", "a", &text).unwrap();
        world.lines()[0].rsplit(' ').next().unwrap().parse::<u32>().unwrap()
    };
    assert_eq!(total(1, 5), 5);
    assert_eq!(total(1, 8), 8);
    assert_eq!(total(1, 7), 8, "late");
    assert_eq!(total(1, 9), 9, "and forgotten");
    assert_eq!(total(2, 20), 29, "a new life, though it is more");
    assert_eq!(total(1, 9), 29, "late from the life before");
    assert_eq!(total(2, 21), 30);
}

#[test]
fn what_cannot_be_summed_is_refused_as_a_whole() {
    let mut world = World::new();
    let buckets = |bound: &str| {
        format!(
            "# TYPE h histogram\nh_bucket{{le=\"{bound}\"}} 1\nh_bucket{{le=\"+Inf\"}} 1\nh_sum 1\nh_count 1\n"
        )
    };
    world.total("job/j", "a", &buckets("1")).unwrap();
    let before = world.page();
    for text in [
        "x 1\n".to_owned() + &buckets("2"),
        "x 1\n# TYPE c counter\nc NaN\n".to_owned(),
        "# TYPE c counter\nc -1\n".to_owned(),
        "# TYPE c counter\nc +Inf\n".to_owned(),
        "# TYPE h gauge\nh 1\n".to_owned(),
        "# TYPE i histogram\ni_sum 1\n".to_owned(),
        "# TYPE i histogram\ni_bucket{le=\"1\"} 2\ni_bucket{le=\"+Inf\"} 1\n".to_owned(),
        "# TYPE i histogram\ni_count 2\ni_sum NaN\n".to_owned(),
    ] {
        assert!(world.total("job/j", "b", &text).is_err(), "{text}");
        assert_eq!(world.page(), before, "{text}");
    }
    world.total("job/j", "b", "x NaN\ny -Inf\n").unwrap();
    world.check_usage();
}

#[test]
fn a_silent_pusher_is_forgotten_after_a_day() {
    let mut world = World::new();
    let text = "# TYPE c counter\nc 5\n";
    world.total("job/j", "a", text).unwrap();
    world.now += i64::try_from(REMEMBERED.as_secs()).unwrap() - 1;
    world.total("job/j", "a", text).unwrap();
    assert_eq!(world.lines(), ["c{instance=\"\",job=\"j\"} 5"]);
    world.now += i64::try_from(REMEMBERED.as_secs()).unwrap();
    world.total("job/j", "b", text).unwrap();
    let bytes = world.groups.usage().bytes;
    world.total("job/j", "a", text).unwrap();
    assert_eq!(world.lines(), ["c{instance=\"\",job=\"j\"} 15"]);
    assert!(world.groups.usage().bytes > bytes);
    world.check_usage();
}

#[test]
fn the_last_values_are_found_by_labels_that_say_something() {
    let mut world = World::new();
    world.put("job/a", "x{l=\"m\"} 4\n# TYPE h histogram\nh_sum 6\nh_count 3\n").unwrap();
    let labels = |pairs: &[(&str, &str)]| LabelSet::from_pairs(pairs.to_vec()).unwrap();
    let (with, without) = (labels(&[("job", "a"), ("l", "m")]), labels(&[("job", "a")]));
    let now = at(3).at;
    let age = Duration::from_secs(2);
    assert_eq!(world.groups.latest("x", &with, now), Some((4.0, age)));
    assert_eq!(world.groups.latest("x", &without, now), None);
    assert_eq!(world.groups.latest("h_sum", &without, now), Some((6.0, age)));
    assert_eq!(world.groups.latest("h_count", &without, now), Some((3.0, age)));
    assert_eq!(world.groups.latest("h", &without, now), None);
    let mut seen = Vec::new();
    world.groups.each_latest("x", now, |labels, value, _| seen.push((labels.clone(), value)));
    assert_eq!(seen, [(with, 4.0)]);
    assert_eq!(world.groups.values(&key("job/a"), "h_sum"), [(without, 6.0)]);
}

#[test]
fn what_is_saved_comes_back_with_its_times_moved() {
    let mut world = World::new();
    world.now = 100;
    world.put("job/a", "# HELP x say \\\\ \\n\n# TYPE x counter\nx{l=\"\\\"\\n\"} 1.5\ny NaN\n# TYPE h histogram\nh_count 3\n").unwrap();
    world.groups.fail(&key("job/a"), at(101));
    world.total("job/sum", "me", "# TYPE c counter\nc 5\n").unwrap();
    let mut again = World::new();
    for key in world.groups.keys() {
        let json = serde_json::to_string(&world.groups.copy(&key).unwrap().save()).unwrap();
        let saved = serde_json::from_str(&json).unwrap();
        again.groups.restore((*key).clone(), saved, (at(60).at, -50_000_000_000)).unwrap();
    }
    assert_eq!(again.page(), world.page());
    let labels = LabelSet::from_pairs(vec![("job", "a")]).unwrap();
    assert_eq!(again.groups.latest("y", &labels, at(60).at).unwrap().1, Duration::from_secs(10));
    let views = |world: &World| serde_json::to_value(world.groups.views()).unwrap();
    assert_eq!(views(&again), views(&world));
    assert_eq!(views(&again)[0]["last_push_successful"], false);
    again.total("job/sum", "me", "# TYPE c counter\nc 5\n").unwrap();
    assert!(again.lines().contains(&"c{instance=\"\",job=\"sum\"} 5".to_owned()), "{}", again.page());
}

/// What the page must have, by group and name.
type Model = BTreeMap<&'static str, BTreeMap<String, Vec<String>>>;

const GROUPS: [&str; 5] = ["job/a", "job/b", "job/a/instance/i", "job/a/l/1", "job/a/instance/i/l/1"];

fn pushed() -> impl Strategy<Value = String> {
    let kind = prop::sample::select(vec!["counter", "gauge", "histogram", "summary", "untyped"]);
    let name = prop::sample::select(vec!["x", "y", "x_count", "y_sum", "z"]);
    let labels =
        prop::sample::select(vec!["", "l=\"1\"", "instance=\"i\"", "instance=\"i\",l=\"1\"", "l=\"\""]);
    let family = (kind, name, labels, 0..9_u8).prop_map(|(kind, name, labels, value)| {
        let suffix = if matches!(kind, "histogram" | "summary") { "_count" } else { "" };
        format!("# TYPE {name} {kind}\n{name}{suffix}{{{labels}}} {value}\n")
    });
    prop::collection::vec(family, 0..4).prop_map(|families| families.concat())
}

/// Whether Prometheus can read all of it on one page: as the page of one server that has it all.
fn fits(model: &Model) -> bool {
    let mut lines: BTreeMap<&str, (String, Vec<String>)> = BTreeMap::new();
    for group in model.values() {
        for (name, own) in group {
            let (head, rest) = own.split_first().unwrap();
            let (known, all) = lines.entry(name).or_insert_with(|| (head.clone(), Vec::new()));
            if known != head {
                return false;
            }
            all.extend(rest.iter().map(|line| line.replace("instance=\"\",", "").replace(",l=\"\"", "")));
        }
    }
    let names: Vec<_> = lines.iter().map(|(name, (head, _))| (*name, head.clone())).collect();
    let clash = names.iter().any(|(name, head)| {
        let parts: &[&str] = match head.rsplit(' ').next() {
            Some("histogram") => &["_sum", "_count", "_bucket"],
            Some("summary") => &["_sum", "_count"],
            _ => &[],
        };
        parts.iter().any(|part| lines.contains_key(&*format!("{name}{part}")))
    });
    let twice = lines.values().any(|(_, all)| {
        let mut series: Vec<_> = all.iter().map(|line| line.rsplit_once(' ').unwrap().0).collect();
        series.sort_unstable();
        series.windows(2).any(|pair| pair[0] == pair[1])
    });
    !clash && !twice
}

proptest! {
    #[test]
    fn a_push_is_taken_exactly_if_everything_fits_on_one_page(
        pushes in prop::collection::vec((0..GROUPS.len(), pushed(), any::<bool>(), 0..8_u8), 1..14),
    ) {
        let mut world = World::new();
        let mut model = Model::new();
        for (group, text, replaces, chance) in pushes {
            let group = GROUPS[group];
            if chance == 0 {
                prop_assert_eq!(world.groups.delete(&key(group)), model.remove(group).is_some());
                continue;
            }
            let Ok(families) = exposition::parse(text.as_bytes(), &Limits::default()) else { continue };
            // On its own, as the group would have it.
            let mut alone = World::new();
            let own = alone.put(group, &text).is_ok().then(|| families.iter().map(|family| {
                let mut alone = World::new();
                let mut text = String::new();
                Writer::new(&mut text, Format::Text).family(family);
                alone.put(group, &text).unwrap();
                (family.name.to_string(), alone.page().lines().map(str::to_owned).collect::<Vec<_>>())
            }).collect::<BTreeMap<_, _>>());
            let mut after = model.clone();
            let there = after.entry(group).or_default();
            if replaces {
                there.clear();
            }
            let is_alone = own.is_some();
            there.extend(own.into_iter().flatten());
            let write = if replaces { Write::Replace } else { Write::Merge };
            let taken = world.push(group, &text, write).is_ok();
            prop_assert_eq!(taken, is_alone && fits(&after), "{} in {}\n{}", text, group, world.page());
            if taken {
                model = after;
            }
            let mut expected: Vec<_> =
                model.values().flat_map(BTreeMap::values).flat_map(|lines| &lines[1..]).cloned().collect();
            expected.sort();
            prop_assert_eq!(world.lines(), expected);
        }
        world.check_usage();
    }

    #[test]
    fn the_sum_is_that_of_all_lives_whatever_comes_twice_or_late(
        steps in prop::collection::vec((0..3_usize, 0..4_u32, 0..10_u8), 1..60),
    ) {
        let mut world = World::new();
        let names = ["a", "b", "c"];
        let (mut lives, mut totals, mut old) = ([1_u32; 3], [0_u32; 3], Vec::<(usize, String)>::new());
        let mut expected = 0;
        for (client, more, what) in steps {
            match what {
                // A new life.
                0 => (lives[client], totals[client]) = (lives[client] + 1, 0),
                // Something comes again, or late.
                1..=3 if !old.is_empty() => {
                    let (client, text) = &old[usize::try_from(more).unwrap() * 7 % old.len()];
                    world.total("job/j", names[*client], text).unwrap();
                }
                _ => {
                    totals[client] += more;
                    expected += more;
                    let (created, total) = (lives[client], totals[client]);
                    let text = format!("# TYPE c_total counter\nc_total {total}\nc_created {created}\n");
                    world.total("job/j", names[client], &text).unwrap();
                    old.push((client, text));
                }
            }
            if !old.is_empty() {
                prop_assert_eq!(world.lines(), [format!("c_total{{instance=\"\",job=\"j\"}} {expected}")]);
            }
        }
        world.check_usage();
    }
}

#[test]
fn readers_keep_what_they_have() {
    let mut world = World::new();
    world.total("job/j", "a", "# TYPE c counter\nc 1\n").unwrap();
    let before = world.groups.shown();
    world.total("job/j", "a", "# TYPE c counter\nc 2\n").unwrap();
    let text = |shown: &[ShownFamily]| {
        let mut text = String::new();
        let mut writer = Writer::new(&mut text, Format::Text);
        for family in shown {
            family.write(&mut writer);
        }
        writer.finish();
        text
    };
    assert!(text(&before).contains("} 1\n") && text(&world.groups.shown()).contains("} 2\n"));
}

#[test]
fn what_could_not_be_saved_is_kept_once() {
    let mut world = World::new();
    for _ in 0..3 {
        world.put("job/j", "x 1\n").unwrap();
        world.put("job/k", "x 1\n").unwrap();
        assert!(world.groups.delete(&key("job/k")));
        let keys: Vec<Arc<GroupingKey>> = world.groups.take_dirty();
        assert_eq!(keys.len(), 2);
        assert!(world.groups.take_dirty().is_empty());
        world.groups.give_back(keys);
    }
}
