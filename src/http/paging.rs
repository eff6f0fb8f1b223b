//! Lists with cursors.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use crate::domain::schema::IdCursor;

/// The most items of one page.
pub const MAX_LIMIT: usize = 1000;

/// Which page of a list.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many items at most.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: usize,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// How many items a page has unless somebody says so.
pub(super) fn default_limit() -> usize {
    100
}

impl PageQuery {
    /// The limit, if it is one.
    pub fn checked_limit(&self) -> Result<usize, Problem> {
        checked_limit(self.limit)
    }
}

/// Which page of a history, whose newest entries come first.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// How many items at most.
    #[serde(default = "default_limit")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: usize,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<IdCursor>)]
    pub cursor: Option<String>,
}

impl HistoryQuery {
    /// The limit, if it is one, and the number before which the page begins.
    pub fn checked(&self) -> Result<(usize, Option<i64>), Problem> {
        Ok((checked_limit(self.limit)?, id_cursor(self.cursor.as_deref())?))
    }
}

/// The limit, if it is one.
pub fn checked_limit(limit: usize) -> Result<usize, Problem> {
    if (1..=MAX_LIMIT).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::invalid("limit", format!("must be from 1 to {MAX_LIMIT}")))
}

/// The cursor of a list that is ordered by number.
pub fn id_cursor(cursor: Option<&str>) -> Result<Option<i64>, Problem> {
    cursor
        .map(|text| text.parse().map_err(|_| Problem::invalid("cursor", "is not a cursor of this list")))
        .transpose()
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page starts; null on the last one.
    pub next_cursor: Option<String>,
}
