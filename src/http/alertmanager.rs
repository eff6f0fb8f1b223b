//! `/api/v2`: Alertmanager's API, for Prometheus and `amtool`.
//!
//! Shapes and parameters are those of its `openapi.yaml`. Fields and parameters that we do not know are ignored, as there.
//! Errors are problems, as everywhere.

use std::collections::BTreeMap;

use axum::{
    extract::{RawQuery, State},
    http::StatusCode,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    AppState,
    extract::{JsonBytes, RawPath},
    json::{self, Json},
    problem::Problem,
    routing::{Routes, routes},
};
use crate::{
    app::alertmanager::{AlertGroup, AlertQuery, RoutedAlert, SentAlert, filters, receiver_pattern},
    domain::{
        LabelSet,
        notify::{MatchOp, Matcher, Matchers, Silence, SilenceDraft, SilenceState},
    },
};

pub(super) fn routes() -> Routes {
    Routes::default()
        .routes(routes!(alertmanager_alerts, alertmanager_alerts_post))
        .routes(routes!(alertmanager_groups))
        .routes(routes!(alertmanager_silences, alertmanager_silences_post))
        .routes(routes!(alertmanager_silence, alertmanager_silence_delete))
        .routes(routes!(alertmanager_status))
        .routes(routes!(alertmanager_receivers))
}

type Labels = BTreeMap<String, String>;

fn map(labels: &LabelSet) -> Labels {
    labels.iter().map(|(name, value)| (name.to_owned(), value.into_owned())).collect()
}

/// To the millisecond, as Alertmanager does.
fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Parameters, several of the same name among them.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn of(query: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(own, _)| own == name).map(|(_, value)| value.clone()).collect()
    }

    fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.all(name).last().map(String::as_str) {
            None | Some("true" | "1" | "t" | "yes") => Ok(true),
            Some("false" | "0" | "f" | "no") => Ok(false),
            Some(_) => Err(Problem::invalid(name, "must be true or false")),
        }
    }

    fn alerts(&self) -> Result<AlertQuery, Problem> {
        // Nothing is inhibited, and all is processed at once.
        self.flag("inhibited")?;
        self.flag("unprocessed")?;
        let receiver = self.all("receiver").pop().filter(|text| !text.is_empty());
        Ok(AlertQuery {
            active: self.flag("active")?,
            silenced: self.flag("silenced")?,
            muted: self.flag("muted")?,
            filter: filters(&self.all("filter"))?,
            receiver: receiver.map(|text| receiver_pattern(&text)).transpose()?,
        })
    }
}

/// A receiver by its name.
#[derive(Debug, Serialize, ToSchema)]
struct AlertmanagerReceiver {
    /// The name.
    name: String,
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
    let query = Parameters::of(query.as_deref()).alerts()?;
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
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    starts_at: Option<Timestamp>,
    /// When it is over. Default five minutes from now.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    ends_at: Option<Timestamp>,
    /// A page for people.
    #[serde(default, rename = "generatorURL")]
    generator_url: Option<String>,
}

/// The body is a list, and bodies that we parse are objects.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PostableAlerts {
    alerts: Vec<PostableAlert>,
}

/// Takes alerts, as Prometheus sends them: again and again while they fire.
///
/// Those that cannot be are refused with 422, and the others taken all the same.
#[utoipa::path(post, path = "/api/v2/alerts", tag = "alertmanager", request_body = Vec<PostableAlert>,
    responses((status = 200, description = "Taken; those that are new or over are on disk.")))]
async fn alertmanager_alerts_post(
    State(state): State<AppState>,
    body: JsonBytes,
) -> Result<StatusCode, Problem> {
    let is_list = body.0.trim_ascii_start().first().is_none_or(|first| *first == b'[');
    if !is_list && serde_json::from_slice::<serde::de::IgnoredAny>(&body.0).is_ok() {
        return Err(Problem::invalid("body", "must be a list of alerts"));
    }
    let wrapped = [b"{\"alerts\":", &*body.0, b"}"].concat();
    let sent: PostableAlerts = json::parse(if body.0.is_empty() { b"" } else { &wrapped })?;
    // Go's zero time stands for none.
    let set = |at: Option<Timestamp>| at.filter(|at| *at > Timestamp::UNIX_EPOCH);
    let alerts = sent.alerts.into_iter().map(|alert| SentAlert {
        labels: alert.labels,
        annotations: alert.annotations.unwrap_or_default(),
        starts_at: set(alert.starts_at),
        ends_at: set(alert.ends_at),
        generator_url: alert.generator_url,
    });
    state.board.alerts_receive(alerts.collect()).await?;
    Ok(StatusCode::OK)
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
    let query = Parameters::of(query.as_deref()).alerts()?;
    Ok(Json(state.board.alert_groups(&query).into_iter().map(Into::into).collect()))
}

/// A condition on a label.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AlertmanagerMatcher {
    /// The label.
    name: String,
    /// The value or pattern.
    value: String,
    /// Whether it is a pattern.
    is_regex: bool,
    /// False for what must not match. Default true.
    #[serde(default = "yes")]
    is_equal: bool,
}

const fn yes() -> bool {
    true
}

impl From<&Matcher> for AlertmanagerMatcher {
    fn from(matcher: &Matcher) -> Self {
        Self {
            name: matcher.name().to_owned(),
            value: matcher.value().to_owned(),
            is_regex: matcher.op().is_regex(),
            is_equal: matcher.op().is_equal(),
        }
    }
}

/// Whether a silence holds.
#[derive(Debug, Serialize, ToSchema)]
struct AlertmanagerSilenceStatus {
    /// `pending`, `active` or `expired`.
    state: SilenceState,
}

/// A silence.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AlertmanagerSilence {
    id: String,
    status: AlertmanagerSilenceStatus,
    updated_at: String,
    comment: String,
    created_by: String,
    ends_at: String,
    matchers: Vec<AlertmanagerMatcher>,
    starts_at: String,
}

impl AlertmanagerSilence {
    fn at(silence: &Silence, now: Timestamp) -> Self {
        Self {
            id: silence.id.clone(),
            status: AlertmanagerSilenceStatus { state: silence.state(now) },
            updated_at: time(silence.updated_at),
            comment: silence.comment.clone(),
            created_by: silence.created_by.clone(),
            ends_at: time(silence.ends_at),
            matchers: silence.matchers.iter().map(Into::into).collect(),
            starts_at: time(silence.starts_at),
        }
    }

    /// Whether a silence is about what the filter names: equal matchers of that name and value, or, for a label that it has a
    /// plain value for, a value that matches.
    fn is_about(&self, filter: &Matchers) -> bool {
        let pairs = self.matchers.iter().filter(|m| !m.is_regex && m.is_equal).map(|m| (&m.name, &m.value));
        let labels = LabelSet::from_pairs(pairs.collect()).unwrap_or_default();
        filter.iter().all(|wanted| {
            let same = self.matchers.iter().any(|own| {
                let op = MatchOp::of_flags(own.is_regex, own.is_equal);
                (own.name.as_str(), own.value.as_str(), op) == (wanted.name(), wanted.value(), wanted.op())
            });
            same || wanted.matches(&labels)
        })
    }
}

/// Silences, those that are over included.
#[utoipa::path(get, path = "/api/v2/silences", tag = "alertmanager",
    params(("filter" = Option<Vec<String>>, Query, description = "Matchers that must match the silence's own.")),
    responses((status = 200, description = "Silences.", body = Vec<AlertmanagerSilence>)))]
async fn alertmanager_silences(
    State(state): State<AppState>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<AlertmanagerSilence>>, Problem> {
    let filter = filters(&Parameters::of(query.as_deref()).all("filter"))?;
    let now = state.board.clock.wall();
    let all = state.board.silences.all();
    let views = all.iter().map(|silence| AlertmanagerSilence::at(silence, now));
    Ok(Json(views.filter(|view| filter.iter().all(|filter| view.is_about(filter))).collect()))
}

/// A silence as somebody wants it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct PostableSilence {
    /// Which one to change; a new one without it.
    #[serde(default)]
    id: Option<String>,
    /// Which alerts.
    matchers: Vec<AlertmanagerMatcher>,
    /// From when.
    #[schema(value_type = String, format = DateTime)]
    starts_at: Timestamp,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    /// Who.
    created_by: String,
    /// Why.
    comment: String,
}

/// The silence that holds now.
#[derive(Debug, Serialize, ToSchema)]
struct SilenceId {
    /// Its id.
    #[serde(rename = "silenceID")]
    silence_id: String,
}

/// Makes a silence, or changes one. What cannot be changed is ended, and another one takes its place.
#[utoipa::path(post, path = "/api/v2/silences", tag = "alertmanager", request_body = PostableSilence,
    responses((status = 200, description = "Its id.", body = SilenceId)))]
async fn alertmanager_silences_post(
    State(state): State<AppState>,
    body: JsonBytes,
) -> Result<Json<SilenceId>, Problem> {
    let sent: PostableSilence = body.parse()?;
    let refused = |why| Problem::invalid("matchers", why);
    let matcher = |m: &AlertmanagerMatcher| {
        Matcher::new(&m.name, MatchOp::of_flags(m.is_regex, m.is_equal), &m.value).map_err(refused)
    };
    let matchers = sent.matchers.iter().map(matcher).collect::<Result<_, _>>()?;
    let draft = SilenceDraft {
        matchers: Matchers::new(matchers).map_err(refused)?,
        starts_at: sent.starts_at,
        ends_at: sent.ends_at,
        created_by: sent.created_by,
        comment: sent.comment,
    };
    let id = sent.id.as_deref().filter(|id| !id.is_empty());
    let silence_id = state.board.silence_set(id, draft).await?;
    Ok(Json(SilenceId { silence_id }))
}

/// One silence.
#[utoipa::path(get, path = "/api/v2/silence/{id}", tag = "alertmanager",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The silence.", body = AlertmanagerSilence)))]
async fn alertmanager_silence(
    State(state): State<AppState>,
    RawPath(id): RawPath,
) -> Result<Json<AlertmanagerSilence>, Problem> {
    let silence = state.board.silence_find(&id)?;
    Ok(Json(AlertmanagerSilence::at(&silence, state.board.clock.wall())))
}

/// Ends a silence.
#[utoipa::path(delete, path = "/api/v2/silence/{id}", tag = "alertmanager",
    params(("id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "It is over.")))]
async fn alertmanager_silence_delete(
    State(state): State<AppState>,
    RawPath(id): RawPath,
) -> Result<StatusCode, Problem> {
    state.board.silence_expire(&id).await?;
    Ok(StatusCode::OK)
}

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AlertmanagerStatus {
    /// Other servers: none.
    cluster: AlertmanagerCluster,
    /// What runs.
    version_info: AlertmanagerVersion,
    /// The routes as Alertmanager's configuration.
    config: AlertmanagerConfig,
    /// Since when it runs.
    uptime: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct AlertmanagerCluster {
    status: &'static str,
    peers: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct AlertmanagerVersion {
    version: &'static str,
    revision: &'static str,
    branch: &'static str,
    build_user: &'static str,
    build_date: &'static str,
    go_version: &'static str,
}

#[derive(Debug, Serialize, ToSchema)]
struct AlertmanagerConfig {
    original: String,
}

/// How the server is, and its routes as Alertmanager's configuration, without how receivers are reached.
#[utoipa::path(get, path = "/api/v2/status", tag = "alertmanager",
    responses((status = 200, description = "The status.", body = AlertmanagerStatus)))]
async fn alertmanager_status(State(state): State<AppState>) -> Json<AlertmanagerStatus> {
    Json(AlertmanagerStatus {
        cluster: AlertmanagerCluster { status: "disabled", peers: Vec::new() },
        version_info: AlertmanagerVersion {
            version: env!("CARGO_PKG_VERSION"),
            revision: "",
            branch: "fuseboard",
            build_user: "",
            build_date: "",
            go_version: "",
        },
        config: AlertmanagerConfig { original: state.board.alertmanager_config() },
        uptime: time(state.board.notifications.started_at),
    })
}

/// The receivers.
#[utoipa::path(get, path = "/api/v2/receivers", tag = "alertmanager",
    responses((status = 200, description = "Their names.", body = Vec<AlertmanagerReceiver>)))]
async fn alertmanager_receivers(State(state): State<AppState>) -> Json<Vec<AlertmanagerReceiver>> {
    let names = state.board.receivers.names();
    Json(names.iter().map(|name| AlertmanagerReceiver { name: name.as_str().to_owned() }).collect())
}
