//! Receivers: whom to tell, and how.

mod spec;
#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use super::{Concealed, group::Wishes};
use crate::domain::{Seconds, check::Headers};

pub use spec::ReceiverSpec;

/// What a receiver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReceiverKind {
    /// An endpoint that takes Alertmanager's webhook, version 4.
    Webhook,
    /// Another Alertmanager, by its `/api/v2/alerts`.
    Alertmanager,
    /// An incoming webhook of Slack, Mattermost or whatever takes the same.
    Slack,
    /// Mail boxes, by SMTP.
    Email,
}

impl ReceiverKind {
    /// Each kind.
    pub const ALL: [Self; 4] = [Self::Webhook, Self::Alertmanager, Self::Slack, Self::Email];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Alertmanager => "alertmanager",
            Self::Slack => "slack",
            Self::Email => "email",
        }
    }
}

/// How the connection to a mail server is kept secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EmailTls {
    /// It becomes secret before anything is sent (`STARTTLS`), or nothing is.
    #[default]
    Starttls,
    /// It is from the beginning.
    Implicit,
    /// It is not; passwords cannot be sent over it.
    None,
}

/// A receiver, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceiverConfig {
    /// How it is told.
    pub channel: Channel,
    /// Whether it is told what is resolved.
    pub send_resolved: bool,
    /// How long one attempt may take.
    pub timeout: Seconds,
    /// How long it is tried again.
    pub give_up_after: Seconds,
    /// How many alerts one notification has at most.
    pub max_alerts: u32,
}

/// How to reach a receiver. Does not print: it is full of secrets.
#[derive(Clone, PartialEq)]
pub enum Channel {
    /// By Alertmanager's webhook.
    Webhook {
        /// Where and how.
        endpoint: Endpoint,
        /// What signs it.
        hmac_secret: Option<Concealed>,
    },
    /// By Alertmanager's API.
    Alertmanager {
        /// Its base, and how.
        endpoint: Endpoint,
    },
    /// By an incoming webhook.
    Slack {
        /// Where and how.
        endpoint: Endpoint,
        /// In which channel.
        channel: Option<String>,
    },
    /// By mail.
    Email(Mail),
}

/// Where to send over HTTP.
#[derive(Clone, PartialEq)]
pub struct Endpoint {
    /// There.
    pub url: Url,
    /// With these.
    pub headers: Headers,
    /// Whether the certificate must be valid.
    pub tls_verify: bool,
}

/// Where to send mail.
#[derive(Clone, PartialEq)]
pub struct Mail {
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept secret.
    pub tls: EmailTls,
    /// Who logs in, with which password.
    pub login: Option<(String, Concealed)>,
    /// The sender.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().as_str())
    }
}

impl Channel {
    /// What it is.
    #[must_use]
    pub const fn kind(&self) -> ReceiverKind {
        match self {
            Self::Webhook { .. } => ReceiverKind::Webhook,
            Self::Alertmanager { .. } => ReceiverKind::Alertmanager,
            Self::Slack { .. } => ReceiverKind::Slack,
            Self::Email(_) => ReceiverKind::Email,
        }
    }
}

impl ReceiverConfig {
    /// What it is told. To another Alertmanager, what is not repeated is over.
    #[must_use]
    pub fn wishes(&self) -> Wishes {
        let acknowledged = self.channel.kind() == ReceiverKind::Alertmanager;
        Wishes { resolved: self.send_resolved, acknowledged }
    }
}
