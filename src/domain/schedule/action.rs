//! What a schedule does: as it comes over the wire, and checked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::target::{Headers, Target, TargetFields};
use crate::domain::{InvalidConfig, Name, check::Labels};

const MAX_CHECKS: usize = 1000;
const MAX_BODY: usize = 65_536;

const WEBHOOK: TargetFields =
    TargetFields { url: "action.url", headers: "action.headers", timeout_seconds: "action.timeout_seconds" };
const SOURCE: TargetFields = TargetFields {
    url: "action.source.url",
    headers: "action.source.headers",
    timeout_seconds: "action.source.timeout_seconds",
};

/// What to do when a schedule is due.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields, expecting = "an object with a `kind`")]
pub enum ActionSpec {
    /// Run health checks and keep the report as the run's output. The run fails if they are red, and if there are none.
    RunChecks {
        /// Names of the checks. Default all that `labels` selects, 1 to 1000.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        checks: Option<Vec<String>>,
        /// Only checks that carry all of these labels, at most 32. Default none.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        labels: BTreeMap<String, String>,
    },
    /// Send a request. Its body is `{"schedule", "run_id", "scheduled_for", "trigger", "body"}`; `GET` and `HEAD` have none.
    /// Redirects are not followed.
    Webhook {
        /// Absolute URL, `http` or `https`, at most 2048 bytes.
        url: String,
        /// Default `POST`.
        #[serde(default)]
        method: Method,
        /// Headers to send, at most 32.
        #[serde(default, skip_serializing_if = "no_headers")]
        headers: Headers,
        /// JSON to send as `body`, at most 65536 bytes; not with `GET` or `HEAD`. Default none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<Value>)]
        body: Option<Value>,
        /// Seconds that the exchange may take. Default 30, more than 0 and at most 300.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_seconds: Option<f64>,
        /// The status that counts as success, 100 to 599. Default any from 200 to 299.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected_status: Option<u16>,
    },
    /// Store a backup.
    CreateBackup {
        /// Its type, a name. Default `scheduled`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        backup_type: Option<String>,
        /// Where the state comes from.
        source: BackupSourceSpec,
        /// Labels of the backup, at most 32.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        labels: BTreeMap<String, String>,
    },
    /// Delete backups by the rules of their retention.
    PruneBackups {
        /// Only those of this type. Default all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        backup_type: Option<String>,
    },
}

/// Where the state of a backup comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields, expecting = "an object with a `kind`")]
pub enum BackupSourceSpec {
    /// All that is declared on the board, as `GET /v1/board` has it. Such a backup has secrets: only the scope `admin` may
    /// read its documents.
    Board {},
    /// An application that serves its state as a JSON object, with 200 and at most 64 MiB: each key is a document. Up to 5
    /// redirects are followed.
    Http {
        /// Absolute URL, `http` or `https`, at most 2048 bytes.
        url: String,
        /// Headers to send, at most 32.
        #[serde(default, skip_serializing_if = "no_headers")]
        headers: Headers,
        /// Seconds that the exchange may take. Default 30, more than 0 and at most 300.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_seconds: Option<f64>,
    },
}

impl ActionSpec {
    /// As it is shown: without the secrets among its headers.
    #[must_use]
    pub fn redacted(mut self) -> Self {
        match &mut self {
            Self::Webhook { headers, .. }
            | Self::CreateBackup { source: BackupSourceSpec::Http { headers, .. }, .. } => {
                *headers = headers.redacted();
            }
            Self::RunChecks { .. } | Self::CreateBackup { .. } | Self::PruneBackups { .. } => {}
        }
        self
    }
}

/// Method of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Read.
    Get,
    /// Read only the head.
    Head,
    /// Tell.
    #[default]
    Post,
    /// Replace.
    Put,
    /// Change.
    Patch,
    /// Delete.
    Delete,
}

/// What to do, checked.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Run health checks.
    RunChecks {
        /// These, or all if None.
        checks: Option<Vec<Name>>,
        /// Of them those that carry all of these.
        labels: Labels,
    },
    /// Send a request.
    Webhook {
        /// Where.
        target: Target,
        /// How.
        method: Method,
        /// What.
        body: Option<Value>,
        /// The only good status; any from 200 to 299 if None.
        expected_status: Option<u16>,
    },
    /// Store a backup.
    CreateBackup {
        /// Its type.
        backup_type: Name,
        /// Of what.
        source: BackupSource,
        /// Its labels.
        labels: Labels,
    },
    /// Delete backups by the rules of their retention.
    PruneBackups {
        /// Of this type, or of all if None.
        backup_type: Option<Name>,
    },
}

/// Where the state of a backup comes from, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackupSource {
    /// The board itself.
    Board,
    /// A `GET` to there.
    Http(Target),
}

impl TryFrom<ActionSpec> for Action {
    type Error = InvalidConfig;

    fn try_from(spec: ActionSpec) -> Result<Self, InvalidConfig> {
        Ok(match spec {
            ActionSpec::RunChecks { checks, labels } => Self::RunChecks {
                checks: checks.as_deref().map(names).transpose()?,
                labels: Labels::parse("action.labels", labels)?,
            },
            ActionSpec::Webhook { url, method, headers, body, timeout_seconds, expected_status } => {
                check_body(method, body.as_ref())?;
                if expected_status.is_some_and(|status| !(100..600).contains(&status)) {
                    return Err(invalid("action.expected_status", "must be a status from 100 to 599"));
                }
                let target = Target::checked(&WEBHOOK, url, headers, timeout_seconds)?;
                Self::Webhook { target, method, body, expected_status }
            }
            ActionSpec::CreateBackup { backup_type, source, labels } => Self::CreateBackup {
                backup_type: name("action.backup_type", backup_type.as_deref().unwrap_or("scheduled"))?,
                source: source.try_into()?,
                labels: Labels::parse("action.labels", labels)?,
            },
            ActionSpec::PruneBackups { backup_type } => Self::PruneBackups {
                backup_type: backup_type.map(|raw| name("action.backup_type", &raw)).transpose()?,
            },
        })
    }
}

impl TryFrom<BackupSourceSpec> for BackupSource {
    type Error = InvalidConfig;

    fn try_from(spec: BackupSourceSpec) -> Result<Self, InvalidConfig> {
        match spec {
            BackupSourceSpec::Board {} => Ok(Self::Board),
            BackupSourceSpec::Http { url, headers, timeout_seconds } => {
                Target::checked(&SOURCE, url, headers, timeout_seconds).map(Self::Http)
            }
        }
    }
}

impl From<&Action> for ActionSpec {
    fn from(action: &Action) -> Self {
        let text = |name: &Name| name.as_str().to_owned();
        match action.clone() {
            Action::RunChecks { checks, labels } => Self::RunChecks {
                checks: checks.map(|checks| checks.iter().map(text).collect()),
                labels: labels.to_map(),
            },
            Action::Webhook { target, method, body, expected_status } => Self::Webhook {
                url: target.url,
                method,
                headers: target.headers,
                body,
                timeout_seconds: Some(target.timeout.into()),
                expected_status,
            },
            Action::CreateBackup { backup_type, source, labels } => Self::CreateBackup {
                backup_type: Some(text(&backup_type)),
                source: match source {
                    BackupSource::Board => BackupSourceSpec::Board {},
                    BackupSource::Http(target) => BackupSourceSpec::Http {
                        url: target.url,
                        headers: target.headers,
                        timeout_seconds: Some(target.timeout.into()),
                    },
                },
                labels: labels.to_map(),
            },
            Action::PruneBackups { backup_type } => {
                Self::PruneBackups { backup_type: backup_type.as_ref().map(text) }
            }
        }
    }
}

fn names(raw: &[String]) -> Result<Vec<Name>, InvalidConfig> {
    if raw.is_empty() || raw.len() > MAX_CHECKS {
        return Err(invalid("action.checks", "must be 1 to 1000 names, or absent for all"));
    }
    raw.iter().map(|raw| name("action.checks", raw)).collect()
}

fn name(field: &'static str, raw: &str) -> Result<Name, InvalidConfig> {
    Name::try_from(raw).map_err(|error| invalid(field, &error.to_string()))
}

fn check_body(method: Method, body: Option<&Value>) -> Result<(), InvalidConfig> {
    let Some(body) = body else { return Ok(()) };
    if matches!(method, Method::Get | Method::Head) {
        return Err(invalid("action.body", "goes with no GET or HEAD"));
    }
    if body.to_string().len() > MAX_BODY {
        return Err(invalid("action.body", "must be at most 65536 bytes"));
    }
    Ok(())
}

fn no_headers(headers: &Headers) -> bool {
    headers.0.is_empty()
}

fn invalid(field: &'static str, message: &str) -> InvalidConfig {
    InvalidConfig { field, message: message.to_owned() }
}
