//! Batches of outcomes.

use fuseboard::http::bodies;
use serde_json::Value;

/// A batch is JSON, each report of it is there once, and no number of it is cut.
pub fn check(data: &[u8]) {
    let Ok(reports) = bodies::aggregates(data) else { return };
    let model: Value = serde_json::from_slice(data).expect("what is taken is JSON");
    let items = model["items"].as_array().expect("a batch has items");
    assert_eq!(reports.len(), items.len());
    for (report, item) in reports.iter().zip(items) {
        assert_eq!(Some(report.breaker.as_str()), item["breaker"].as_str());
        assert_eq!(Some(report.generation), item["generation"].as_u64());
        assert_eq!(Some(report.sequence), item["sequence"].as_u64());
        assert!(report.sequence >= 1 && i64::try_from(report.sequence).is_ok());
        for (run, sent) in report.runs.iter().zip(item["runs"].as_array().into_iter().flatten()) {
            assert_eq!(Some(u64::from(run.count)), sent["count"].as_u64());
            assert!(run.count >= 1 && run.slow <= run.count);
        }
    }
}
