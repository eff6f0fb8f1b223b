//! Texts that `CPython` gave, what is refused and why, laws. `tests/board/templates.rs` compares with a real Python.

use proptest::prelude::*;

use super::*;

fn fields() -> Fields<'static> {
    Fields {
        metric_name: "portfolio_drawdown",
        comparison: ">",
        threshold: 0.15,
        value: 0.17,
        level: "warning",
    }
}

fn shown(source: &str, fields: &Fields<'_>) -> String {
    Template::parse(source).unwrap_or_else(|error| panic!("{source}: {error}")).render(fields)
}

fn number(spec: &str, value: f64) -> String {
    shown(&format!("{{value:{spec}}}"), &Fields { value, ..fields() })
}

fn text(spec: &str, level: &str) -> String {
    shown(&format!("{{level{spec}}}"), &Fields { level, ..fields() })
}

fn refused(source: &str) -> TemplateError {
    match Template::parse(source) {
        Ok(_) => panic!("{source} was accepted"),
        Err(error) => error,
    }
}

#[test]
fn the_seed_s_templates_read_as_there() {
    assert_eq!(shown(Template::DEFAULT, &fields()), "portfolio_drawdown > 0.15: 0.17");
    let drawdown = "Portfolio drawdown too high: {value:.2%}";
    assert_eq!(shown(drawdown, &fields()), "Portfolio drawdown too high: 17.00%");
    assert_eq!(shown("Sharpe ratio too low: {value:.2f}", &fields()), "Sharpe ratio too low: 0.17");
    // However it was written, a number is a float.
    assert_eq!(shown("{threshold}", &Fields { threshold: 5.into(), ..fields() }), "5.0");
}

#[test]
fn braces_are_doubled_and_an_empty_template_is_one() {
    for (source, expected) in [
        ("", ""),
        ("no field", "no field"),
        ("{{{level}}}", "{warning}"),
        ("{{level}}", "{level}"),
        ("}}{{", "}{"),
        ("{level:}}}", "warning}"),
        ("ä{level}€", "äwarning€"),
    ] {
        assert_eq!(shown(source, &fields()), expected, "{source}");
    }
}

#[test]
fn numbers_have_the_notation_of_repr() {
    for (value, expected) in [
        (5.0, "5.0"),
        (-0.0, "-0.0"),
        (0.1 + 0.2, "0.30000000000000004"),
        (0.0001, "0.0001"),
        (0.000_01, "1e-05"),
        (9_999_999_999_999_998.0, "9999999999999998.0"),
        (1e16, "1e+16"),
        (1e22, "1e+22"),
        (5e-324, "5e-324"),
        // Exactly between two shortest texts.
        (2_f64.powi(-25), "2.9802322387695312e-08"),
        (2_f64.powi(-44), "5.684341886080802e-14"),
        (f64::MAX, "1.7976931348623157e+308"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::NAN, "nan"),
        (-f64::NAN, "nan"),
    ] {
        assert_eq!(number("", value), expected, "{value:e}");
        assert_eq!(shown("{value!r}{value!s}{value!a}", &Fields { value, ..fields() }), expected.repeat(3));
    }
}

#[test]
fn numbers_under_a_specification() {
    for (spec, value, expected) in [
        (".0f", 0.5, "0"),
        (".0f", 1.5, "2"),
        (".0f", -0.4, "-0"),
        ("z.0f", -0.4, "0"),
        (".2f", 2.675, "2.67"),
        ("#.0f", 1.0, "1."),
        (".20f", 0.1, "0.10000000000000000555"),
        ("F", f64::INFINITY, "INF"),
        ("e", 1234.5, "1.234500e+03"),
        (".0E", 1e-300, "1E-300"),
        ("#.0e", 3.0, "3.e+00"),
        ("g", 1e6, "1e+06"),
        ("g", 123_456.0, "123456"),
        ("#g", 1.0, "1.00000"),
        ("g", 0.000_1, "0.0001"),
        ("n", 1_234_567.0, "1.23457e+06"),
        (".3", 1234.0, "1.23e+03"),
        (".1", 5.0, "5e+00"),
        (".2", 5.0, "5.0"),
        ("#.3", 100.0, "1.00e+02"),
        ("#", 1e16, "1.e+16"),
        ("%", 0.5, "50.000000%"),
        (".1%", 1e308, "inf%"),
        ("+", 1.0, "+1.0"),
        (" ", 1.0, " 1.0"),
        ("+", f64::NAN, "+nan"),
        ("z", -f64::INFINITY, "-inf"),
        ("8.2f", 1.0, "    1.00"),
        ("<8.2f", 1.0, "1.00    "),
        ("^8.1f", 1.0, "  1.0   "),
        ("=8.1f", -1.0, "-    1.0"),
        ("08.1f", -1.0, "-00001.0"),
        ("<08.1f", -1.0, "-1.00000"),
        ("x>08.1f", -1.0, "xxxx-1.0"),
        ("08", f64::NEG_INFINITY, "-0000inf"),
        (",.2f", -1_234_567.891, "-1,234,567.89"),
        ("_.0f", 1e15, "1_000_000_000_000_000"),
        ("010,.1f", 1234.0, "0,001,234.0"),
        ("0=10_.1f", 12.0, "0_000_012.0"),
        ("x=10,.1f", 1234.0, "xxx1,234.0"),
        ("€^9.1f", 1.0, "€€€1.0€€€"),
        ("\0", 1.5, "1.5"),
    ] {
        assert_eq!(number(spec, value), expected, "{spec:?} of {value:e}");
    }
}

#[test]
fn texts_under_a_specification() {
    for (spec, level, expected) in [
        (":9", "info", "info     "),
        (":>9", "info", "     info"),
        (":*^9s", "info", "**info***"),
        (":.2", "info", "in"),
        (":.0", "info", ""),
        (":06.2s", "info", "in0000"),
        (":>06", "info", "00info"),
        (":3", "info", "info"),
        (":.2", "äöü", "äö"),
        (":-^5", "äöü", "-äöü-"),
        ("!s:>5", "äöü", "  äöü"),
        ("!r", "it's", "\"it's\""),
        ("!r", "\"it's\"", "'\"it\\'s\"'"),
        ("!r", "a\\b\n\r\t\0\u{7f}", "'a\\\\b\\n\\r\\t\\x00\\x7f'"),
        ("!r", "é\u{ad}\u{a0}\u{200b}\u{e000}\u{1f600}\u{e0001}", "'é\\xad\\xa0\\u200b\\ue000😀\\U000e0001'"),
        ("!r", "e\u{301}", "'e\u{301}'"),
        ("!a", "é€😀", "'\\xe9\\u20ac\\U0001f600'"),
        ("!a:.3", "é", "'\\x"),
        ("!r:>4", "", "  ''"),
    ] {
        assert_eq!(text(spec, level), expected, "{spec:?} of {level:?}");
    }
}

#[test]
fn what_python_refuses_is_refused_with_its_place() {
    for (source, at, part) in [
        ("100 }", 4, "write `}}`"),
        ("ä{", 1, "write `{{`"),
        ("{value", 0, "without its `}`"),
        ("{value:.2f", 0, "without its `}`"),
        ("{value!r", 0, "without its `}`"),
        ("{value!", 0, "without its `}`"),
        ("{value!x}", 7, "r, s or a"),
        ("{value!}", 7, "r, s or a"),
        ("{value!rs}", 8, "after a conversion"),
        ("{}", 1, "by name"),
        ("{0}", 1, "by name"),
        ("{valeu}", 1, "did you mean `value`?"),
        ("{metric}", 1, "metric_name"),
        ("{value }", 1, "`value`"),
        ("{Value}", 1, "`value`"),
        ("{nothing.real}", 1, "no field `nothing`"),
        ("{va{lue}}", 1, "no field `va`"),
        ("{value{level}}", 6, "in the name"),
        ("{value:d}", 7, "`d` is no type of a number"),
        ("{value:s}", 7, "`s` is no type of a number"),
        ("{value: f }", 9, "` ` is too much"),
        ("{value:.f}", 8, "a precision"),
        ("{value:,_}", 8, "separator"),
        ("{value:,n}", 7, "`n`"),
        ("{value:#z}", 7, "`z` is no type"),
        ("{value:fx}", 8, "`x` is too much"),
        ("{level:f}", 7, "`f` is no type of a text"),
        ("{level:\0}", 7, "`\\0` is no type of a text"),
        ("{level:=9}", 7, "alignment `=`"),
        ("{level:+}", 7, "a sign"),
        ("{level: }", 7, "a sign"),
        ("{level:z}", 7, "`z`"),
        ("{level:#}", 7, "`#`"),
        ("{level:,}", 7, "a separator"),
        ("{value!r:.2f}", 9, "`f` is no type of a text"),
    ] {
        let error = refused(source);
        assert_eq!((error.refusal, error.at), (Refusal::NotPython, at), "{source}: {error}");
        assert!(error.message.contains(part), "{source}: {error}");
    }
}

#[test]
fn what_python_may_take_and_we_do_not_says_so() {
    let long = "x".repeat(Template::MAX_LEN + 1);
    let many = "{value}".repeat(Template::MAX_FIELDS + 1);
    for (source, at, part) in [
        ("{value:{level}}", 7, "inside"),
        ("{value:.{level}f}", 8, "inside"),
        ("{level:{{}}}", 7, "inside"),
        ("{value.real}", 6, "attributes"),
        ("{level[0]}", 6, "attributes"),
        ("{value:257}", 7, "at most 256"),
        ("{value:.257f}", 8, "at most 256"),
        ("{value:99999999999999999999999}", 7, "at most 256"),
        ("{value:\u{665}}", 7, "digits 0 to 9"),
        ("{value:.2_f}", 9, "fraction"),
        ("{value:.,f}", 8, "fraction"),
        (&long, 0, "4096 bytes"),
        (&many, 64 * 7, "64 fields"),
    ] {
        let error = refused(source);
        assert_eq!((error.refusal, error.at), (Refusal::Unsupported, at), "{source}: {error}");
        assert!(error.message.contains(part), "{source}: {error}");
    }
    Template::parse(&long[1..]).unwrap();
    Template::parse(&many[7..]).unwrap();
    assert_eq!(number("256", 1.0).len(), 256);
    assert_eq!(number(".256f", 1.0).len(), 258);
}

#[test]
fn a_refusal_names_the_field_of_the_threshold_and_counts_from_one() {
    let error = InvalidConfig::from(refused("{value:d}"));
    assert_eq!(error.field, "message_template");
    assert!(error.message.starts_with("at character 8: `d`"), "{error}");
}

#[test]
fn on_the_wire_it_is_its_text() {
    let template: Template = serde_json::from_str(r#""{value:.2f}""#).unwrap();
    assert_eq!(template.as_str(), "{value:.2f}");
    assert_eq!(serde_json::to_string(&template).unwrap(), r#""{value:.2f}""#);
    let error = serde_json::from_str::<Template>(r#""{value:d}""#).unwrap_err().to_string();
    assert!(error.contains("no type of a number"), "{error}");
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![any::<u64>().prop_map(f64::from_bits), Just(f64::MAX), Just(f64::MIN), -1e6..1e6]
}

/// Much of it is a template.
fn sources() -> impl Strategy<Value = String> {
    let part = "[{}]|\\{\\{|\\}\\}|\\{(metric_name|comparison|threshold|value|level)(![rsa])?\
                (:.?[<>^=]?[+ -]?z?#?0?[0-9]{0,3}[,_]?(\\.[0-9]{1,3})?[a-zA-Z%]?)?\\}|.{0,3}";
    prop::collection::vec(part, 0..100).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_text_is_refused_at_a_place_in_it_or_renders_within_the_bound(
        source in prop_oneof![any::<String>(), sources()],
        names in prop::array::uniform3("[\\PC\u{1}\u{10fff0}]{0,40}"),
        threshold in any_number(),
        value in any_number(),
    ) {
        let fields =
            Fields { metric_name: &names[0], comparison: &names[1], threshold, value, level: &names[2] };
        match Template::parse(&source) {
            Err(error) => prop_assert!(error.at <= source.chars().count(), "{}", error),
            Ok(template) => {
                let longest = names.iter().map(String::len).max().unwrap_or(0);
                let each = 4 * Template::MAX_WIDTH + 4 * longest + 2;
                let rendered = template.render(&fields);
                prop_assert!(rendered.len() <= Template::MAX_LEN + Template::MAX_FIELDS * each);
                prop_assert_eq!(Template::parse(template.as_str()), Ok(template));
            }
        }
    }

    #[test]
    fn the_text_of_a_number_reads_back_as_that_number(value in any_number()) {
        let read: f64 = number("", value).parse().unwrap();
        prop_assert!(read.to_bits() == value.to_bits() || value.is_nan() && read.is_nan());
    }

    #[test]
    fn a_width_is_reached_and_a_precision_of_a_text_never_passed(
        spec in ".?[<>^]?0?",
        width in 0_usize..=256,
        precision in 0_usize..=256,
        level in any::<String>(),
    ) {
        let source = format!("{{level:{spec}{width}.{precision}}}");
        if let Ok(template) = Template::parse(&source) {
            let rendered = template.render(&Fields { level: &level, ..fields() });
            let kept = level.chars().count().min(precision);
            prop_assert!(rendered.contains(&level.chars().take(precision).collect::<String>()));
            // A `.?` that is a digit belongs to the width.
            prop_assert!(rendered.chars().count() >= width.max(kept));
        }
    }
}
