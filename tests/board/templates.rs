//! Message templates against a real Python: both give the same text, and refuse the same.
//!
//! `FUSEBOARD_TEMPLATE_CASES` says how many templates are compared.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
};

use fuseboard::domain::template::{Fields, Refusal, Template};
use proptest::{
    prelude::*,
    sample::Index,
    strategy::ValueTree,
    string::{RegexGeneratorStrategy, string_regex},
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};

const DEFAULT_CASES: usize = 5_000;

/// Answers each line with a line. Floats come as their bits: JSON has neither infinities nor the sign of a NaN.
/// Python makes a text of any width, here as long as there is memory: a little.
const SCRIPT: &str = r"
import json, resource, struct, sys, unicodedata
if sys.version_info < (3, 11):
    sys.exit('python3 is older than 3.11')
resource.setrlimit(resource.RLIMIT_AS, (1 << 28, 1 << 28))
number = lambda bits: struct.unpack('<d', struct.pack('<Q', bits))[0]
for line in sys.stdin:
    case = json.loads(line)
    template = case.pop('template')
    names = {k: number(v) if k in ('threshold', 'value') else v for k, v in case.items()}
    # repr escapes what is not assigned yet, and what is depends on the version.
    unassigned = any(unicodedata.category(c) == 'Cn' for v in case.values() if type(v) is str for c in v)
    answer = {'unassigned': unassigned, 'text': None, 'error': None}
    try:
        text = template.format(**names)
        answer['text'] = text if len(text) < 1_000_000 else 'long'
    except (ValueError, KeyError, IndexError, AttributeError, TypeError, MemoryError) as error:
        answer['error'] = repr(error)
    print(json.dumps(answer))
";

#[derive(Clone, Debug)]
struct Case {
    template: String,
    names: [String; 3],
    threshold: f64,
    value: f64,
}

impl Case {
    fn fields(&self) -> Fields<'_> {
        let [metric_name, comparison, level] = self.names.each_ref().map(String::as_str);
        Fields { metric_name, comparison, threshold: self.threshold, value: self.value, level }
    }

    fn line(&self) -> Value {
        let [metric_name, comparison, level] = &self.names;
        json!({
            "template": self.template, "metric_name": metric_name, "comparison": comparison, "level": level,
            "threshold": self.threshold.to_bits(), "value": self.value.to_bits(),
        })
    }

    /// What is wrong about our answer beside Python's.
    fn difference(&self, python: &Value) -> Option<String> {
        match (Template::parse(&self.template), python["text"].as_str()) {
            (Ok(ours), Some(_)) if self.is_repr() && python["unassigned"] == true => {
                drop(ours.render(&self.fields()));
                None
            }
            (Ok(ours), Some(text)) => {
                let ours = ours.render(&self.fields());
                (ours != text).then(|| format!("{ours:?} is not {text:?}"))
            }
            (Ok(ours), None) => {
                Some(format!("{:?} was refused: {}", ours.render(&self.fields()), python["error"]))
            }
            (Err(error), Some(text)) if error.refusal == Refusal::NotPython => {
                Some(format!("refused, {error}, and is {text:?}"))
            }
            (Err(_), _) => None,
        }
    }

    fn is_repr(&self) -> bool {
        self.template.contains("!r")
    }
}

/// Texts that match. Unlike a bare `&str`, compiled once.
fn like(regex: &str) -> RegexGeneratorStrategy<String> {
    string_regex(regex).unwrap()
}

/// Every value that a rule turns on, and many others.
fn numbers() -> impl Strategy<Value = f64> {
    let special = prop::sample::select(vec![
        0.0,
        -0.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        -f64::NAN,
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        5e-324,
        1e308,
        -1e307,
        1e16,
        1e22,
        1e23,
        9_999_999_999_999_998.0,
        0.0001,
        0.000_01,
        0.15,
        -0.004,
        2.675,
    ]);
    prop_oneof![
        special,
        any::<u64>().prop_map(f64::from_bits),
        (0_u64..1 << 52).prop_map(f64::from_bits),
        (-1074_i32..1024).prop_map(|exponent| 2_f64.powi(exponent)),
        // Ties: k / 2^n ends with a 5 in decimal.
        (-100_000_i32..100_000, 0_i32..12).prop_map(|(whole, halves)| f64::from(whole) / 2_f64.powi(halves)),
        // Nines, which round up into another digit, and powers of ten, where notations change.
        (1_u64..1_000_000_000_000_000, -320_i32..300).prop_map(|(digits, exponent)| parsed(digits, exponent)),
        (1_u32..17, -25_i32..25).prop_map(|(nines, exponent)| parsed(10_u64.pow(nines) - 1, exponent)),
        (-25_i32..25).prop_map(|exponent| -parsed(1, exponent)),
        (-1_000_000_i32..1_000_000).prop_map(f64::from),
        -1e6..1e6,
    ]
}

fn parsed(digits: u64, exponent: i32) -> f64 {
    format!("{digits}e{exponent}").parse().unwrap()
}

/// Often right for numbers, rarely for texts.
fn number_specs() -> impl Strategy<Value = String> {
    like(
        "([<>^=]|[*0€{}😀a\u{301} ][<>^=])?[+ -]?z?#?0?([0-9]|[1-3][0-9])?[,_]?(\\.([0-9]|[1-4][0-9]))?[eEfFgGn%]?",
    )
}

/// Often right for texts.
fn text_specs() -> impl Strategy<Value = String> {
    like("([<>^]|[*0€😀a\u{301}x ][<>^])?0?([0-9]|[1-3][0-9])?(\\.([0-9]|[1-3][0-9]))?s?")
}

/// Mostly wrong, with what the grammar knows, and in any order.
fn loose_specs() -> impl Strategy<Value = String> {
    prop_oneof![
        like("[<>^=+ zs#0-9,_.eEfFgGn%-]{0,7}"),
        like("([<>^=]|.[<>^=])?[+ -]?z?#?0?[0-9]{0,3}[,_]?(\\.[0-9]{0,3})?.?"),
        like("[<>^=0-9.,_a-zA-Z%\u{0}\u{663}\u{ff15}½]{0,4}"),
    ]
}

fn replacements() -> impl Strategy<Value = String> {
    let names = like("metric_name|comparison|threshold|value|level|value|level|threshold");
    let specs = prop_oneof![4 => number_specs(), 3 => text_specs(), 2 => loose_specs()];
    let whole = (names, prop::option::weighted(0.2, like("[rsa]")), prop::option::weighted(0.9, specs));
    let whole = whole.prop_map(|(name, conversion, spec)| {
        let conversion = conversion.map(|c| format!("!{c}")).unwrap_or_default();
        let spec = spec.map(|spec| format!(":{spec}")).unwrap_or_default();
        format!("{{{name}{conversion}{spec}}}")
    });
    let fitting = prop_oneof![
        number_specs().prop_map(|spec| format!("{{value:{spec}}}")),
        text_specs().prop_map(|spec| format!("{{level:{spec}}}")),
        text_specs().prop_map(|spec| format!("{{metric_name!r:{spec}}}")),
        text_specs().prop_map(|spec| format!("{{threshold!a:{spec}}}")),
    ];
    prop_oneof![2 => whole, 3 => fitting]
}

/// One replacement most of the time, so that a difference shows what it is about; then some text and broken ones.
fn templates() -> impl Strategy<Value = String> {
    let literal = prop_oneof![like("[a-z äß€:!.]{0,4}"), Just("{{".to_owned()), Just("}}".to_owned())];
    let mixed =
        prop::collection::vec(prop_oneof![replacements(), literal], 0..5).prop_map(|parts| parts.concat());
    let nested = (replacements(), replacements(), any::<Index>()).prop_map(|(mut outer, inner, index)| {
        outer.insert_str(at(&outer, index), &inner);
        outer
    });
    let broken =
        (replacements(), prop::collection::vec(mutations(), 1..4)).prop_map(|(template, mutations)| {
            mutations.into_iter().fold(template, |template, mutation| mutation.applied(&template))
        });
    prop_oneof![6 => replacements(), 3 => mixed, 1 => nested, 4 => broken]
}

#[derive(Clone, Debug)]
enum Mutation {
    Insert(Index, char),
    Remove(Index),
    Swap(Index, Index),
}

fn mutations() -> impl Strategy<Value = Mutation> {
    let known = prop::sample::select("{}[]!:.<>^=+- z#0159,_eEfFgGn%srad\u{0}é".chars().collect::<Vec<_>>());
    prop_oneof![
        (any::<Index>(), prop_oneof![4 => known, 1 => any::<char>()])
            .prop_map(|(i, c)| Mutation::Insert(i, c)),
        any::<Index>().prop_map(Mutation::Remove),
        (any::<Index>(), any::<Index>()).prop_map(|(i, j)| Mutation::Swap(i, j)),
    ]
}

impl Mutation {
    fn applied(self, template: &str) -> String {
        let mut characters: Vec<char> = template.chars().collect();
        let count = characters.len();
        match self {
            Self::Insert(index, c) => characters.insert(index.index(count + 1), c),
            Self::Remove(index) if count > 0 => drop(characters.remove(index.index(count))),
            Self::Swap(i, j) if count > 0 => characters.swap(i.index(count), j.index(count)),
            Self::Remove(_) | Self::Swap(..) => {}
        }
        characters.into_iter().collect()
    }
}

/// The start of some character, or the end.
fn at(text: &str, index: Index) -> usize {
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    *index.get(&starts)
}

fn cases() -> impl Strategy<Value = Case> {
    let text = prop_oneof![
        like("[a-z_]{0,12}"),
        like("['\"\\\\\n\t\r\u{1}\u{7f}a-c]{0,4}"),
        like("\\PC{0,3}"),
        like("(?s).{0,8}"),
    ];
    (templates(), prop::array::uniform3(text), numbers(), numbers())
        .prop_map(|(template, names, threshold, value)| Case { template, names, threshold, value })
}

/// The cases of a fixed seed, so that a difference is found again.
fn generated(count: usize) -> Vec<Case> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let cases = cases();
    (0..count).map(|_| cases.new_tree(&mut runner).unwrap().current()).collect()
}

fn python() -> Child {
    Command::new("python3")
        .args(["-c", SCRIPT])
        .env("PYTHONIOENCODING", "utf-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is needed for this test, 3.11 or newer: install the Debian package python3")
}

fn ask(mut stdin: ChildStdin, cases: &[Case]) {
    for case in cases {
        if writeln!(stdin, "{}", case.line()).is_err() {
            // It ended; the answers that are missing tell.
            return;
        }
    }
}

#[test]
fn every_template_reads_as_in_python_or_is_refused_there_too() {
    let count = std::env::var("FUSEBOARD_TEMPLATE_CASES").map_or(DEFAULT_CASES, |raw| raw.parse().unwrap());
    let cases = generated(count);
    let mut child = python();
    let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut differences, mut rendered, mut answered) = (Vec::new(), 0, 0);
    thread::scope(|scope| {
        scope.spawn(|| ask(stdin, &cases));
        for (case, line) in cases.iter().zip(BufReader::new(stdout).lines()) {
            let answer: Value = serde_json::from_str(&line.unwrap()).unwrap();
            answered += 1;
            rendered += usize::from(answer["text"].is_string());
            differences
                .extend(case.difference(&answer).map(|difference| format!("{case:?}\n    {difference}")));
        }
    });
    let status = child.wait().unwrap();
    assert!(status.success(), "python3 3.11 or newer is needed for this test: {status}");
    assert_eq!(answered, count);
    let shown = differences.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(differences.is_empty(), "{} of {count} differ:\n{shown}", differences.len());
    assert!(rendered * 3 > count, "only {rendered} of {count} were templates");
    println!("{rendered} of {count} templates were rendered, the rest refused");
}
