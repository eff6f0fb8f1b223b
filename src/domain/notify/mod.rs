//! Who is told of which alerts, and when: matchers, routes, groups, silences, maintenance windows, and what is sent.
//!
//! The rules and the words are Alertmanager's. Two differ: an alert whose firing was told is told to be resolved even
//! if it was silenced meanwhile, since receivers keep incidents open otherwise; and an acknowledged alert is not repeated.

mod backoff;
mod document;
mod group;
mod labelled;
mod matcher;
mod receiver;
mod route;
mod routing;
mod secret;
mod silence;
mod window;

pub use backoff::{Attempt, Patience, Verdict};
pub use document::{Document, DocumentAlert, signature};
pub use group::{Flush, Group, GroupKey, Groups, Log, Wishes};
pub use labelled::{Labelled, fingerprint, fingerprint_of};
pub use matcher::{MatchOp, Matcher, Matchers};
pub use receiver::{Channel, EmailTls, Endpoint, Mail, ReceiverConfig, ReceiverKind, ReceiverSpec};
pub use route::{RouteConfig, RouteSpec};
pub use routing::{GroupBy, Grouping, Routing, Target};
pub use secret::{Concealed, redacted_url, without_secrets};
pub use silence::{Silence, SilenceDraft, SilenceState};
pub use window::{MaintenanceWindowConfig, MaintenanceWindowSpec};

use super::invalid::invalid;

#[cfg(test)]
mod laws;
