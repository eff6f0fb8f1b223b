//! Taking documents from a body of any length.

use std::{collections::BTreeMap, time::Duration};

use axum::extract::Request;
use bytes::Bytes;
use http_body_util::BodyExt;
use serde::{Deserialize, de::IgnoredAny};
use utoipa::ToSchema;

use crate::{
    app::{
        AppError,
        backups::{Received, Upload},
    },
    domain::{
        Name,
        check::Labels,
        schema::{DocumentKey, LabelName, LabelValue},
    },
    http::{
        AppState,
        extract::expect_json,
        json,
        problem::{Code, Problem},
    },
};

/// The type of a backup of which nothing else is said, as in the seed.
const DEFAULT_TYPE: &str = "manual";

/// Documents to store.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BackupBody {
    /// Its type, a name. `manual` if left out.
    #[serde(default)]
    #[schema(value_type = Option<Name>)]
    backup_type: Option<String>,
    /// Labels to find it by.
    #[serde(default)]
    #[schema(value_type = BTreeMap<LabelName, LabelValue>)]
    labels: BTreeMap<String, String>,
    /// Whether it may not be deleted.
    #[serde(default)]
    pinned: bool,
    /// The documents: any JSON for each key.
    #[serde(default, rename = "data")]
    #[schema(value_type = BTreeMap<DocumentKey, serde_json::Value>, required = true)]
    _data: Option<IgnoredAny>,
}

/// Type, labels, and whether it is pinned, of a body without its documents.
pub(super) fn envelope(body: &[u8]) -> Result<(Name, Labels, bool), Problem> {
    let body: BackupBody = json::parse(body)?;
    let raw = body.backup_type.as_deref().unwrap_or(DEFAULT_TYPE);
    let backup_type =
        Name::try_from(raw).map_err(|error| Problem::invalid("backup_type", error.to_string()))?;
    let labels = Labels::parse("labels", body.labels).map_err(AppError::from)?;
    Ok((backup_type, labels, body.pinned))
}

/// Reads a body to its end; one without a byte stands for `if_empty`. It may take as long as it wants, as long as it does not stop.
pub(super) async fn receive(
    state: &AppState,
    request: Request,
    streamed: &'static str,
    if_empty: &'static [u8],
) -> Result<Received, Problem> {
    expect_json(request.headers())?;
    let limit = state.board.backups.max_bytes();
    let mut body = request.into_body();
    if axum::body::HttpBody::size_hint(&body).lower() > limit {
        return Err(AppError::TooLarge { limit }.into());
    }
    let patience = state.body_timeout;
    let mut upload = tokio::time::timeout(patience, Upload::begin(&state.board, streamed))
        .await
        .map_err(|_| AppError::Overloaded { retry_after: Duration::from_secs(1) })??;
    let mut is_empty = true;
    loop {
        let frame = tokio::time::timeout(patience, body.frame()).await.map_err(|_| {
            let seconds = patience.as_secs_f64();
            Problem::new(Code::RequestTimeout, format!("no byte of the body came for {seconds} s"))
        })?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|error| {
            Problem::new(Code::BadRequest, format!("the body could not be read: {error}"))
        })?;
        if let Ok(bytes) = frame.into_data() {
            is_empty &= bytes.is_empty();
            upload.feed(&bytes).await?;
        }
    }
    if is_empty {
        upload.feed(&Bytes::from_static(if_empty)).await?;
    }
    Ok(upload.finish().await?)
}
