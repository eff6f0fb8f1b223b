//! `/api/v2/alerts`: the alerts that fire, alone and in groups, and those that others send.

use std::{borrow::Cow, collections::BTreeMap};

use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AlertmanagerReceiver, Parameters, time};
use crate::{
    app::alertmanager::{AlertGroup, AlertQuery, RoutedAlert, SentAlert, filters, receiver_pattern},
    domain::{LabelSet, object::objects},
    http::{
        AppState,
        extract::JsonBytes,
        json::{self, Json},
        problem::Problem,
        routing::{Routes, routes},
    },
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .routes(routes!(alertmanager_alerts, alertmanager_alerts_post))
        .routes(routes!(alertmanager_groups))
}

type Labels = BTreeMap<String, String>;

fn map(labels: &LabelSet) -> Labels {
    labels.iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect()
}

fn query(parameters: &Parameters) -> Result<AlertQuery, Problem> {
    // Nothing is inhibited, and all is processed at once.
    parameters.flag("inhibited")?;
    parameters.flag("unprocessed")?;
    let receiver = parameters.all("receiver").pop().filter(|text| !text.is_empty());
    Ok(AlertQuery {
        active: parameters.flag("active")?,
        silenced: parameters.flag("silenced")?,
        muted: parameters.flag("muted")?,
        filter: filters(&parameters.all("filter"))?,
        receiver: receiver.map(|text| receiver_pattern(&text)).transpose()?,
    })
}

/// Whether anybody is told of an alert.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AlertmanagerAlertStatus {
    /// `active` or `suppressed`.
    state: &'static str,
    /// Ids of silences.
    silenced_by: Vec<String>,
    /// Always empty.
    inhibited_by: Vec<String>,
    /// Names of maintenance windows.
    muted_by: Vec<String>,
}

/// An alert.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AlertmanagerAlert {
    annotations: Labels,
    ends_at: String,
    fingerprint: String,
    receivers: Vec<AlertmanagerReceiver>,
    starts_at: String,
    status: AlertmanagerAlertStatus,
    updated_at: String,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<String>,
    labels: Labels,
}

impl From<RoutedAlert> for AlertmanagerAlert {
    fn from(alert: RoutedAlert) -> Self {
        let is_told = alert.silenced_by.is_empty() && alert.muted_by.is_empty();
        Self {
            annotations: map(&alert.seen.annotations()),
            ends_at: time(alert.ends_at),
            fingerprint: alert.fingerprint,
            receivers: alert.receivers.into_iter().map(|name| AlertmanagerReceiver { name }).collect(),
            starts_at: time(alert.seen.alert.started_at),
            status: AlertmanagerAlertStatus {
                state: if is_told { "active" } else { "suppressed" },
                silenced_by: alert.silenced_by,
                inhibited_by: Vec::new(),
                muted_by: alert.muted_by,
            },
            updated_at: time(alert.seen.alert.updated_at),
            generator_url: alert.seen.alert.generator_url.clone(),
            labels: map(&alert.seen.labels),
        }
    }
}

/// The alerts that fire.
#[utoipa::path(get, path = "/api/v2/alerts", tag = "alertmanager",
    params(("active" = Option<bool>, Query, description = "Whether those are wanted that somebody is told of."),
        ("silenced" = Option<bool>, Query, description = "Whether those are wanted that are silenced."),
        ("inhibited" = Option<bool>, Query, description = "Without effect: there are none."),
        ("unprocessed" = Option<bool>, Query, description = "Without effect: there are none."),
        ("muted" = Option<bool>, Query, description = "Whether those are wanted that a maintenance window covers."),
        ("filter" = Option<Vec<String>>, Query, description = "Matchers that must match; may come several times."),
        ("receiver" = Option<String>, Query, description = "A pattern that a receiver's name must match.")),
    responses((status = 200, description = "Alerts.", body = Vec<AlertmanagerAlert>)))]
async fn alertmanager_alerts(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<AlertmanagerAlert>>, Problem> {
    let query = self::query(&Parameters::of(query.as_deref()))?;
    Ok(Json(state.board.routed_alerts(&query).into_iter().map(Into::into).collect()))
}

/// An alert as somebody sends it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PostableAlert {
    /// Labels. `alertname` names it; `severity` is its level: `info`, `warning`, `error` or `critical`, others as near as
    /// possible.
    labels: Labels,
    /// What is said of it; `summary` is its message.
    #[serde(default)]
    annotations: Option<Labels>,
    /// When it began. Default now.
    #[serde(default, deserialize_with = "instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    starts_at: Option<Timestamp>,
    /// When it is over. Default five minutes from now.
    #[serde(default, deserialize_with = "instant")]
    #[schema(value_type = Option<String>, format = DateTime)]
    ends_at: Option<Timestamp>,
    /// A page for people.
    #[serde(default, rename = "generatorURL")]
    generator_url: Option<String>,
}

/// An instant. The end of the last year stands for never, with many who send it, and lies past what we reckon with.
fn instant<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(text) = Option::<Cow<'de, str>>::deserialize(from)? else { return Ok(None) };
    match text.parse() {
        Ok(at) => Ok(Some(at)),
        Err(_) if text.starts_with("9999-12-31T") => Ok(Some(Timestamp::MAX)),
        Err(error) => Err(serde::de::Error::custom(error)),
    }
}

/// The body is a list, and bodies that we parse are objects.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PostableAlerts {
    #[serde(deserialize_with = "objects")]
    alerts: Vec<PostableAlert>,
}

/// Takes alerts, as Prometheus sends them: again and again while they fire.
///
/// Those that cannot be, or have more than 32 KiB, are refused with 422, and the others taken all the same.
#[utoipa::path(post, path = "/api/v2/alerts", tag = "alertmanager", request_body = Vec<PostableAlert>,
    responses((status = 200, description = "Taken; those that are new or over are on disk.")))]
async fn alertmanager_alerts_post(
    State(state): State<AppState>,
    body: JsonBytes,
) -> Result<StatusCode, Problem> {
    state.board.alerts_receive(read(&body.0)?).await?;
    Ok(StatusCode::OK)
}

/// Reads alerts.
pub(in crate::http) fn read(body: &[u8]) -> Result<Vec<SentAlert>, Problem> {
    let is_list = body.trim_ascii_start().first().is_none_or(|first| *first == b'[');
    if !is_list && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok() {
        return Err(Problem::invalid("body", "must be a list of alerts"));
    }
    let wrapped = [b"{\"alerts\":", body, b"}"].concat();
    let sent: PostableAlerts = json::parse(if body.is_empty() { b"" } else { &wrapped })?;
    // Go's zero time stands for none.
    let set = |at: Option<Timestamp>| at.filter(|at| *at > Timestamp::UNIX_EPOCH);
    let alerts = sent.alerts.into_iter().map(|alert| SentAlert {
        labels: alert.labels,
        annotations: alert.annotations.unwrap_or_default(),
        starts_at: set(alert.starts_at),
        ends_at: set(alert.ends_at),
        generator_url: alert.generator_url,
    });
    Ok(alerts.collect())
}

/// Alerts that are told together.
#[derive(Debug, Serialize, ToSchema)]
struct AlertmanagerGroup {
    alerts: Vec<AlertmanagerAlert>,
    labels: Labels,
    receiver: AlertmanagerReceiver,
}

impl From<AlertGroup> for AlertmanagerGroup {
    fn from(group: AlertGroup) -> Self {
        Self {
            alerts: group.alerts.into_iter().map(Into::into).collect(),
            labels: map(&group.labels),
            receiver: AlertmanagerReceiver { name: group.receiver },
        }
    }
}

/// The groups in which alerts are told.
#[utoipa::path(get, path = "/api/v2/alerts/groups", tag = "alertmanager",
    params(("active" = Option<bool>, Query, description = "As for alerts."),
        ("silenced" = Option<bool>, Query, description = "As for alerts."),
        ("inhibited" = Option<bool>, Query, description = "As for alerts."),
        ("muted" = Option<bool>, Query, description = "As for alerts."),
        ("filter" = Option<Vec<String>>, Query, description = "As for alerts."),
        ("receiver" = Option<String>, Query, description = "As for alerts.")),
    responses((status = 200, description = "Groups.", body = Vec<AlertmanagerGroup>)))]
async fn alertmanager_groups(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<AlertmanagerGroup>>, Problem> {
    let query = self::query(&Parameters::of(query.as_deref()))?;
    Ok(Json(state.board.alert_groups(&query).into_iter().map(Into::into).collect()))
}
