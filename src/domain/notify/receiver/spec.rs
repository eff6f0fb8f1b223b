//! A receiver as it comes over the wire, and what of that can be.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Channel, EmailTls, Endpoint, Mail, ReceiverConfig, ReceiverKind};
use crate::domain::{
    InvalidConfig, Seconds,
    check::{Headers, REDACTED, checked_url},
    invalid::invalid,
    notify::{Concealed, redacted_url},
    text::is_longer,
};

const LONGEST_SECRET: usize = 1024;
const LONGEST_TEXT: usize = 320;
const MOST_RECIPIENTS: usize = 50;
const MOST_ALERTS: u32 = 10_000;

/// A receiver of notifications. Which fields apply depends on `kind`. The URL, `hmac_secret`, `smtp_password` and headers
/// that look like secrets are not shown again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiverSpec {
    /// What it is.
    pub kind: ReceiverKind,
    /// Where to send (`webhook`, `slack`), or where the Alertmanager is: `http` or `https`. Shown without path and query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Concealed>,
    /// Headers to send (`webhook`, `alertmanager`, `slack`), at most 32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Headers>,
    /// Signs what a `webhook` sends: the header `Fuseboard-Signature` is `t=<seconds since 1970>,v1=<hexadecimal>`, the
    /// HMAC-SHA256 of `<t>.<body>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hmac_secret: Option<Concealed>,
    /// Whether the server's certificate must be valid (`webhook`, `alertmanager`, `slack`). Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_verify: Option<bool>,
    /// The channel (`slack`), if not that of the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 256)]
    pub channel: Option<String>,
    /// The mail server (`email`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 253)]
    pub smtp_host: Option<String>,
    /// Its port (`email`). Default 587, with `implicit` TLS 465, without TLS 25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 65_535)]
    pub smtp_port: Option<u16>,
    /// How the connection to it is kept secret (`email`). Default `starttls`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp_tls: Option<EmailTls>,
    /// Who logs in there (`email`). Default nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 256)]
    pub smtp_username: Option<String>,
    /// His password (`email`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp_password: Option<Concealed>,
    /// The sender's address (`email`): `ops@example.com`, `Board <ops@example.com>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 256)]
    pub from: Option<String>,
    /// The recipients' addresses (`email`), 1 to 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 50)]
    pub to: Option<Vec<String>>,
    /// Whether it is told what is resolved. Default true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_resolved: Option<bool>,
    /// How long one attempt may take. Default 10, more than 0 and at most 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 60)]
    pub timeout_seconds: Option<f64>,
    /// How long a notification is tried again before it is dead. Default 86400, from 0 to 604800.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 604_800)]
    pub give_up_after_seconds: Option<f64>,
    /// How many alerts one notification has at most; it says how many were left out. Default 1000, from 1 to 10000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub max_alerts: Option<u32>,
}

impl ReceiverSpec {
    /// A receiver of a kind of which nothing else is said.
    #[must_use]
    pub fn of(kind: ReceiverKind) -> Self {
        Self {
            kind,
            url: None,
            headers: None,
            hmac_secret: None,
            tls_verify: None,
            channel: None,
            smtp_host: None,
            smtp_port: None,
            smtp_tls: None,
            smtp_username: None,
            smtp_password: None,
            from: None,
            to: None,
            send_resolved: None,
            timeout_seconds: None,
            give_up_after_seconds: None,
            max_alerts: None,
        }
    }

    /// As it is shown: without its secrets.
    #[must_use]
    pub fn redacted(self) -> Self {
        Self {
            url: self.url.map(|url| Concealed::new(redacted_url(url.expose()))),
            headers: self.headers.map(|headers| headers.redacted()),
            hmac_secret: self.hmac_secret.map(|_| Concealed::shown()),
            smtp_password: self.smtp_password.map(|_| Concealed::shown()),
            ..self
        }
    }

    /// The fields that are given and for other kinds.
    fn foreign(&self) -> Option<&'static str> {
        use ReceiverKind::{Alertmanager, Email, Slack, Webhook};
        let http: &[ReceiverKind] = &[Webhook, Alertmanager, Slack];
        let fields: [(&'static str, bool, &[ReceiverKind]); 12] = [
            ("url", self.url.is_some(), http),
            ("headers", self.headers.is_some(), http),
            ("tls_verify", self.tls_verify.is_some(), http),
            ("hmac_secret", self.hmac_secret.is_some(), &[Webhook]),
            ("channel", self.channel.is_some(), &[Slack]),
            ("smtp_host", self.smtp_host.is_some(), &[Email]),
            ("smtp_port", self.smtp_port.is_some(), &[Email]),
            ("smtp_tls", self.smtp_tls.is_some(), &[Email]),
            ("smtp_username", self.smtp_username.is_some(), &[Email]),
            ("smtp_password", self.smtp_password.is_some(), &[Email]),
            ("from", self.from.is_some(), &[Email]),
            ("to", self.to.is_some(), &[Email]),
        ];
        fields.into_iter().find(|(_, is_given, kinds)| *is_given && !kinds.contains(&self.kind)).map(|f| f.0)
    }

    fn endpoint(&mut self) -> Result<Endpoint, InvalidConfig> {
        let Some(url) = self.url.take() else {
            return invalid("url", format!("is required for kind {}", self.kind.as_str()));
        };
        if url.expose().contains(REDACTED) {
            return invalid("url", "is what views show; give the whole URL");
        }
        Ok(Endpoint {
            url: checked_url(url.expose())?,
            headers: self.headers.take().unwrap_or_default().checked()?,
            tls_verify: self.tls_verify.unwrap_or(true),
        })
    }

    fn channel(mut self) -> Result<Channel, InvalidConfig> {
        if let Some(field) = self.foreign() {
            return invalid(field, format!("does not apply to kind {}", self.kind.as_str()));
        }
        match self.kind {
            ReceiverKind::Webhook => {
                let hmac_secret = secret("hmac_secret", self.hmac_secret.take())?;
                Ok(Channel::Webhook { endpoint: self.endpoint()?, hmac_secret })
            }
            ReceiverKind::Alertmanager => Ok(Channel::Alertmanager { endpoint: self.endpoint()? }),
            ReceiverKind::Slack => {
                let channel = self.channel.take().map(|text| line("channel", text)).transpose()?;
                Ok(Channel::Slack { endpoint: self.endpoint()?, channel })
            }
            ReceiverKind::Email => self.mail().map(Channel::Email),
        }
    }

    fn mail(self) -> Result<Mail, InvalidConfig> {
        let tls = self.smtp_tls.unwrap_or_default();
        let login = match (self.smtp_username, secret("smtp_password", self.smtp_password)?) {
            (Some(_), Some(_)) if tls == EmailTls::None => {
                return invalid("smtp_password", "is not sent over a connection that anybody can read");
            }
            (Some(user), Some(password)) => Some((line("smtp_username", user)?, password)),
            (None, None) => None,
            (Some(_), None) => return invalid("smtp_password", "is required with smtp_username"),
            (None, Some(_)) => return invalid("smtp_username", "is required with smtp_password"),
        };
        let host = required("smtp_host", self.smtp_host)?;
        if !is_host(&host) {
            return invalid("smtp_host", "must be a name or an address of a host");
        }
        let default = match tls {
            EmailTls::Starttls => 587,
            EmailTls::Implicit => 465,
            EmailTls::None => 25,
        };
        let port = self.smtp_port.unwrap_or(default);
        if port == 0 {
            return invalid("smtp_port", "must be from 1 to 65535");
        }
        let from = mailbox("from", required("from", self.from)?)?;
        let to = required("to", self.to)?;
        if to.is_empty() || to.len() > MOST_RECIPIENTS {
            return invalid("to", format!("must be 1 to {MOST_RECIPIENTS} addresses"));
        }
        let to = to.into_iter().map(|address| mailbox("to", address)).collect::<Result<_, _>>()?;
        Ok(Mail { host, port, tls, login, from, to })
    }
}

fn required<T>(field: &'static str, given: Option<T>) -> Result<T, InvalidConfig> {
    given.map_or_else(|| invalid(field, "is required for kind email"), Ok)
}

fn secret(field: &'static str, given: Option<Concealed>) -> Result<Option<Concealed>, InvalidConfig> {
    if let Some(Err(why)) = given.as_ref().map(|secret| secret.check(LONGEST_SECRET)) {
        return invalid(field, why);
    }
    Ok(given)
}

fn line(field: &'static str, text: String) -> Result<String, InvalidConfig> {
    if text.is_empty() || is_longer(&text, LONGEST_TEXT) || text.chars().any(char::is_control) {
        return invalid(field, format!("must be one line of 1 to {LONGEST_TEXT} characters"));
    }
    Ok(text)
}

fn mailbox(field: &'static str, text: String) -> Result<String, InvalidConfig> {
    let text = line(field, text)?;
    if text.parse::<lettre::message::Mailbox>().is_err() {
        return invalid(field, format!("{text:?} is no e-mail address"));
    }
    Ok(text)
}

fn is_host(text: &str) -> bool {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let is_name = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    bare.parse::<IpAddr>().is_ok() || text.len() <= 253 && text.trim_end_matches('.').split('.').all(is_name)
}

impl TryFrom<ReceiverSpec> for ReceiverConfig {
    type Error = InvalidConfig;

    fn try_from(spec: ReceiverSpec) -> Result<Self, InvalidConfig> {
        let timeout = spec.timeout_seconds.unwrap_or(10.0);
        let timeout = match Seconds::try_from(timeout) {
            Ok(span) if !span.is_zero() && timeout <= 60.0 => span,
            _ => return invalid("timeout_seconds", "must be more than 0 and at most 60"),
        };
        let give_up = spec.give_up_after_seconds.unwrap_or(86_400.0);
        let give_up_after = match Seconds::try_from(give_up) {
            Ok(span) if give_up <= 604_800.0 => span,
            _ => return invalid("give_up_after_seconds", "must be a number from 0 to 604800"),
        };
        let max_alerts = spec.max_alerts.unwrap_or(1000);
        if !(1..=MOST_ALERTS).contains(&max_alerts) {
            return invalid("max_alerts", format!("must be a whole number from 1 to {MOST_ALERTS}"));
        }
        let send_resolved = spec.send_resolved.unwrap_or(true);
        Ok(Self { channel: spec.channel()?, send_resolved, timeout, give_up_after, max_alerts })
    }
}

impl From<&ReceiverConfig> for ReceiverSpec {
    fn from(config: &ReceiverConfig) -> Self {
        let mut spec = Self::of(config.channel.kind());
        spec.send_resolved = Some(config.send_resolved);
        spec.timeout_seconds = Some(config.timeout.into());
        spec.give_up_after_seconds = Some(config.give_up_after.into());
        spec.max_alerts = Some(config.max_alerts);
        match &config.channel {
            Channel::Webhook { endpoint, hmac_secret } => {
                spec.hmac_secret.clone_from(hmac_secret);
                spec.with_endpoint(endpoint)
            }
            Channel::Alertmanager { endpoint } => spec.with_endpoint(endpoint),
            Channel::Slack { endpoint, channel } => {
                spec.channel.clone_from(channel);
                spec.with_endpoint(endpoint)
            }
            Channel::Email(mail) => {
                let (user, password) = mail.login.clone().unzip();
                Self {
                    smtp_host: Some(mail.host.clone()),
                    smtp_port: Some(mail.port),
                    smtp_tls: Some(mail.tls),
                    smtp_username: user,
                    smtp_password: password,
                    from: Some(mail.from.clone()),
                    to: Some(mail.to.clone()),
                    ..spec
                }
            }
        }
    }
}

impl ReceiverSpec {
    fn with_endpoint(self, endpoint: &Endpoint) -> Self {
        Self {
            url: Some(Concealed::new(endpoint.url.to_string())),
            headers: Some(endpoint.headers.clone()),
            tls_verify: Some(endpoint.tls_verify),
            ..self
        }
    }
}
