//! Logs: lines on standard error, chosen by target and level.

use tracing_subscriber::{
    Layer, filter::Targets, fmt, layer::SubscriberExt, registry, util::SubscriberInitExt,
};

use crate::config::LogFormat;

/// Starts logging to standard error; `filter` is such as `info` or `warn,access=info`.
pub fn init_logging(format: LogFormat, filter: &str) -> Result<(), String> {
    let targets = targets(filter)?;
    // A log that cannot be written would otherwise be complained about on standard error, and that panics if it is the
    // log that is full.
    let lines = fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
    let lines = match format {
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
        LogFormat::Plain => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
    };
    registry().with(lines.with_filter(targets)).try_init().map_err(|e| e.to_string())
}

/// Levels and targets, separated by commas. Nothing in it: errors only, as `tracing` has it.
///
/// Filters by span (`[…]`) would need regular expressions, and the server has no spans to choose by.
fn targets(filter: &str) -> Result<Targets, String> {
    let directives: Vec<_> = filter.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if directives.is_empty() {
        return targets("error");
    }
    if let Some(part) = directives.iter().find(|part| part.contains(['[', ']', '{', '}'])) {
        return Err(format!(
            "the log filter {part:?} chooses by span: only levels and targets can be chosen, such as warn,access=info"
        ));
    }
    directives.join(",").parse().map_err(|error| format!("the log filter {filter:?}: {error}"))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::targets;

    #[test]
    fn levels_and_targets_are_chosen_with_blanks_and_stray_commas() {
        let targets = targets(" WARN , access=info,, noisy=off,fuseboard::app=debug,").unwrap();
        for (target, level, is_logged) in [
            ("fuseboard::server", Level::WARN, true),
            ("fuseboard::server", Level::INFO, false),
            ("access", Level::INFO, true),
            ("access", Level::DEBUG, false),
            ("noisy", Level::ERROR, false),
            ("fuseboard::app::calls", Level::DEBUG, true),
        ] {
            assert_eq!(targets.would_enable(target, &level), is_logged, "{target} {level}");
        }
    }

    #[test]
    fn an_empty_filter_leaves_errors() {
        for filter in ["", " ", ", ,"] {
            let targets = targets(filter).unwrap();
            assert!(targets.would_enable("any", &Level::ERROR));
            assert!(!targets.would_enable("any", &Level::WARN));
        }
    }

    #[test]
    fn what_cannot_be_chosen_is_an_error_that_says_so() {
        assert!(targets("[span]=info").unwrap_err().contains("by span"));
        assert!(targets("info,access[{path}]=debug").unwrap_err().contains("access[{path}]=debug"));
        assert!(targets("access=loud").unwrap_err().contains("access=loud"));
    }
}
