//! The parser of Prometheus' text format says the same as Prometheus' own, which `promtool` reads with.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use fuseboard::domain::exposition::{Limits, parse};
use proptest::prelude::*;

/// What is refused on purpose: expfmt would drop it or mix it up, or takes it only in its newer versions.
const ON_PURPOSE: [&str; 5] =
    ["came before", "is missing, or NaN", "a histogram has only", "have no place in", "a count must not be"];

/// The line that Prometheus' parser refuses, if any. Its opinion of the names is no matter.
fn promtool(text: &str) -> Result<(), String> {
    let mut child = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is needed for this test: run `make tools`");
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let Some((_, error)) = said.split_once("error in line ") else { return Ok(()) };
    Err(error.split(':').next().unwrap().to_owned())
}

fn line() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["a", "a_sum", "a_count", "a_bucket", "b:c", "1", ""]);
    let labels = prop::sample::select(vec![
        "",
        "{}",
        "{le=\"1\"}",
        "{le=\"+Inf\", x=\"y\"}",
        "{quantile=\"0.5\"}",
        "{x=\"\\\\\\\"\\n\",}",
        "{x=\"\\t\"}",
        "{,}",
        "{x}",
        "{x=y}",
        "{x=\"y}",
        "{__name__=\"x\"}",
        "{x=\"1\",x=\"2\"}",
        "{le=\"z\"}",
        "{ x = \"ä\" } ",
        "{x=\"y\"",
    ]);
    let value = prop::sample::select(vec![
        "1", "-2.5e3", "NaN", "+Inf", "-inf", "nan", "+NaN", "1e999", "0x1", "1_0", ".5", "", "x", "1 5",
        "1 -5", "1 5 ", "1 5.0", "1 ", "1\t7", "1\r",
    ]);
    let sample =
        (name.clone(), labels, value).prop_map(|(name, labels, value)| format!("{name}{labels} {value}"));
    let kind = prop::sample::select(vec![
        "counter",
        "GAUGE",
        "histogram",
        "summary",
        "untyped",
        "info",
        "",
        "gauge ",
    ]);
    let comment =
        (prop::sample::select(vec!["# TYPE", "#TYPE", " # \tTYPE", "# HELP", "# UNIT", "#"]), name, kind);
    let comment = comment.prop_map(|(word, name, rest)| format!("{word} {name} {rest}"));
    let other = prop::sample::select(vec![
        "",
        " \t",
        "# HELP a b\\\\c\\nd",
        "# HELP a \\x",
        "# HELP a b\\",
        "#",
        "# TYPE",
    ]);
    prop_oneof![4 => sample, 3 => comment, 1 => other.prop_map(str::to_owned)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn promtool_reads_the_same(lines in prop::collection::vec(line(), 1..6), is_open in any::<bool>()) {
        let text = lines.join("\n") + if is_open { "" } else { "\n" };
        let ours = parse(text.as_bytes(), &Limits::default());
        if ours.as_ref().is_err_and(|error| ON_PURPOSE.iter().any(|why| error.message.contains(why))) {
            return Ok(());
        }
        let line = ours.map(|_| ()).map_err(|error| error.line.to_string());
        prop_assert_eq!(line, promtool(&text), "{:?}", text);
    }
}
