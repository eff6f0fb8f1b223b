//! Answers that are a decision: yes or no, and what goes with it.

use std::process::ExitCode;

use serde_json::Value;

use super::{
    print, say,
    table::{Cell, Paint, is_colourful, table},
};

/// Prints the fields of an answer that say something. Whether `field` is true is the exit status.
pub fn answered(as_json: bool, answer: &Value, field: &str) -> ExitCode {
    let is_yes = answer[field] == true;
    print(as_json, answer, |answer| {
        let fields = answer.as_object().into_iter().flatten().filter(|(_, value)| !is_nothing(value));
        let rows: Vec<_> = fields
            .map(|(name, value)| {
                let value = match value {
                    Value::Bool(true) if name == field => Cell::new("yes").painted(Paint::Good),
                    Value::Bool(false) if name == field => Cell::new("no").painted(Paint::Bad),
                    value => Cell::of(value),
                };
                vec![Cell::new(name.replace('_', " ")), value]
            })
            .collect();
        say(&table(&["FIELD", "VALUE"], &rows, is_colourful()));
    });
    if is_yes { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn is_nothing(value: &Value) -> bool {
    value.is_null()
        || value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(serde_json::Map::is_empty)
}
