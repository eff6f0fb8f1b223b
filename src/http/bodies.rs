//! Bodies as their handlers read them, for those who try the parsers by themselves (`fuzz/`). Nothing else is meant to use it.

use super::{aggregates as batch, alertmanager, problem::Problem};
use crate::{
    app::{alertmanager::SentAlert, calls::AggregateReport},
    domain::notify::SilenceDraft,
};

/// The body of `POST /v1/outcomes/aggregated`.
pub fn aggregates(body: &[u8]) -> Result<Vec<AggregateReport<'_>>, Problem> {
    Ok(batch::read(body)?.items)
}

/// The body of `POST /api/v2/alerts`.
pub fn alerts(body: &[u8]) -> Result<Vec<SentAlert>, Problem> {
    alertmanager::alerts::read(body)
}

/// The body of `POST /api/v2/silences`.
pub fn silence(body: &[u8]) -> Result<SilenceDraft, Problem> {
    Ok(alertmanager::silences::read(body)?.1)
}
