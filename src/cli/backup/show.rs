//! Backups on a terminal.

use indicatif::HumanBytes;
use serde_json::Value;

use crate::cli::{
    items, say,
    table::{Cell, Paint, is_colourful, table},
};

/// A line for each backup.
pub fn list(views: &Value) {
    let heads = ["ID", "TIME", "SIZE", "STORED", "STATE", "PINNED", "LABELS"];
    let row = |view: &Value| {
        vec![
            Cell::of(&view["backup_id"]),
            Cell::of(&view["timestamp"]),
            bytes(&view["size_bytes"]),
            bytes(&view["stored_bytes"]),
            state(view),
            Cell::new(if view["pinned"] == true { "pinned" } else { "" }),
            labels(&view["labels"]),
        ]
    };
    let rows: Vec<_> = items(views).map(row).collect();
    say(&table(&heads, &rows, is_colourful()));
}

/// All that is known of one.
pub fn one(view: &Value) {
    let fields = view.as_object().into_iter().flatten().filter(|(name, _)| *name != "restores");
    let rows: Vec<_> = fields
        .map(|(name, value)| {
            let value = match value {
                Value::Array(list) => Cell::new(list.iter().map(plain).collect::<Vec<_>>().join(", ")),
                Value::Object(_) => labels(value),
                value => Cell::of(value),
            };
            vec![Cell::new(name), value]
        })
        .collect();
    say(&table(&["FIELD", "VALUE"], &rows, is_colourful()));
    let restores: Vec<_> = items(&view["restores"])
        .map(|restore| {
            ["id", "timestamp", "actor", "client", "reason", "pre_restore_backup_id"]
                .map(|field| Cell::of(&restore[field]))
                .to_vec()
        })
        .collect();
    if !restores.is_empty() {
        let heads = ["RESTORE", "TIME", "ACTOR", "CLIENT", "REASON", "STATE BEFORE"];
        say(&format!("\n{}", table(&heads, &restores, is_colourful())));
    }
}

/// What a verification found.
pub fn verdict(view: &Value, verdict: &Value) {
    let id = Cell::of(&view["backup_id"]).into_text();
    if verdict["valid"] == true {
        return say(&format!("{id}: whole"));
    }
    say(&format!("{id}: damaged"));
    for error in items(&verdict["errors"]) {
        say(&format!("  {}", Cell::of(error).into_text()));
    }
}

/// What was deleted, or would be; of what stays only as much as a dry run tells.
pub fn pruned(pruned: &Value) {
    let is_dry = pruned["dry_run"] == true;
    let told = items(&pruned["items"]).filter(|item| is_dry || item["action"] == "delete");
    let rows: Vec<_> = told
        .map(|item| {
            let action = Cell::of(&item["action"]);
            let is_gone = item["action"] == "delete";
            let reasons: Vec<_> = items(&item["reasons"]).map(|reason| plain(&reason["text"])).collect();
            vec![
                Cell::of(&item["backup_id"]),
                if is_gone { action.painted(Paint::Warn) } else { action },
                bytes(&item["size_bytes"]),
                Cell::new(reasons.join(", ")),
            ]
        })
        .collect();
    if !rows.is_empty() {
        say(&table(&["ID", "ACTION", "SIZE", "WHY"], &rows, is_colourful()));
    }
    let (gone, kept) = (&pruned["deleted"], &pruned["kept"]);
    let note = if is_dry { " (--dry-run: nothing was done)" } else { "" };
    say(&format!("{gone} deleted, {kept} kept{note}"));
}

fn state(view: &Value) -> Cell {
    if items(&view["errors"]).next().is_some() {
        Cell::new("damaged").painted(Paint::Bad)
    } else if view["verified_at"].is_string() {
        Cell::new("verified").painted(Paint::Good)
    } else {
        Cell::new("not verified")
    }
}

fn bytes(count: &Value) -> Cell {
    Cell::new(count.as_u64().map(|count| HumanBytes(count).to_string()).unwrap_or_default())
}

fn labels(labels: &Value) -> Cell {
    let labels = labels.as_object().into_iter().flatten();
    Cell::new(labels.map(|(name, value)| format!("{name}={}", plain(value))).collect::<Vec<_>>().join(" "))
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
