//! How pushes are described. The functions are never called: paths of any length are beyond what a path template says, and
//! one function answers all of them.

use utoipa::{IntoParams, IntoResponses, ToSchema};
use utoipa_axum::{router::UtoipaMethodRouter, routes};

use super::TotalsQuery;
use crate::{domain::schema::PositiveSeconds, http::AppState};

pub(super) fn groups() -> UtoipaMethodRouter<AppState> {
    routes!(push_group_put, push_group_post, push_group_delete)
}

pub(super) fn timed() -> UtoipaMethodRouter<AppState> {
    routes!(push_group_ttl_put, push_group_ttl_post, push_group_ttl_delete)
}

pub(super) fn totals() -> UtoipaMethodRouter<AppState> {
    routes!(push_totals_put, push_totals_post, push_totals_delete)
}

pub(super) fn timed_totals() -> UtoipaMethodRouter<AppState> {
    routes!(push_totals_ttl_put, push_totals_ttl_post, push_totals_ttl_delete)
}

/// Bytes.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "only its description is of use")]
struct Binary(String);

/// Which group.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only its description is of use")]
struct GroupPath {
    /// `VALUE{/LABEL/VALUE}`: the job, and other labels of the group. `@base64` behind `job` or a label says that its value
    /// is in URL-safe base64, where `=` is the empty text.
    grouping_key: String,
}

/// Which group, and for how long.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only its description is of use")]
struct TimedPath {
    /// How long the group lives after this push.
    #[param(value_type = PositiveSeconds)]
    seconds: f64,
    /// `VALUE{/LABEL/VALUE}`: the job, and other labels of the group. `@base64` behind `job` or a label says that its value
    /// is in URL-safe base64, where `=` is the empty text.
    grouping_key: String,
}

/// What becomes of a push.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its description is of use")]
enum PushAnswers {
    /// All of it was taken.
    #[response(status = 200)]
    Taken,
    /// Nothing of it was taken: it cannot be read, or does not fit to itself or to what is there.
    #[response(status = 400)]
    Refused,
    /// The group is summed over its pushers, or is not, other than the path says.
    #[response(status = 409)]
    OtherMode,
    /// There is no room.
    #[response(status = 507)]
    Full,
}

/// What becomes of a deletion.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only its description is of use")]
enum DeleteAnswers {
    /// Deleted, or there was none.
    #[response(status = 202)]
    Deleted,
}

macro_rules! pushes {
    ($($(#[$doc:meta])* $name:ident: $method:ident $path:literal ($($params:ident),*);)*) => {$(
        $(#[$doc])*
        #[utoipa::path($method, path = $path, tag = "pushgateway", params($($params),*), responses(PushAnswers),
            request_body(content((Option<String> = "text/plain"), (inline(Option<Binary>) = "application/vnd.google.protobuf")),
                description = "Prometheus' text format 0.0.4, or delimited protobuf."))]
        async fn $name() {}
    )*};
}

macro_rules! deletions {
    ($($(#[$doc:meta])* $name:ident: $path:literal ($($params:ident),*);)*) => {$(
        $(#[$doc])*
        #[utoipa::path(delete, path = $path, tag = "pushgateway", params($($params),*), responses(DeleteAnswers))]
        async fn $name() {}
    )*};
}

pushes! {
    /// Replaces a group of metrics by the body; an empty one leaves only the time of the push.
    ///
    /// All series get the labels of the group, which win over their own, and an empty `instance` if there is none. The push is
    /// taken as a whole or not at all. Samples must not have timestamps.
    push_group_put: put "/metrics/job/{grouping_key}" (GroupPath);
    /// Replaces those metrics of a group that the body has; others stay.
    push_group_post: post "/metrics/job/{grouping_key}" (GroupPath);
    /// Like `PUT /metrics/job/…`, for a group that goes away so long after its last push.
    push_group_ttl_put: put "/ttl/{seconds}/metrics/job/{grouping_key}" (TimedPath);
    /// Like `POST /metrics/job/…`, for a group that goes away so long after its last push.
    push_group_ttl_post: post "/ttl/{seconds}/metrics/job/{grouping_key}" (TimedPath);
    /// Adds the totals of one pusher to those of a group.
    ///
    /// Counters, histograms, and counts and sums of summaries are summed over all pushers; quantiles are left out; of gauges the
    /// last value stays. Each pusher sends the totals of its own life, as often as it likes: what they have grown by since its
    /// last push is added, so a repeated push adds nothing. A total that is lower than the last one has begun anew, unless
    /// `…_created` says otherwise. What a pusher has added stays when it goes away. It is remembered for a day after its
    /// last push.
    ///
    /// Pushers are told apart by `client`, or else by `instance` in the path, which is no label of the group then.
    push_totals_put: put "/agg/metrics/job/{grouping_key}" (GroupPath, TotalsQuery);
    /// The same as `PUT`: totals are added.
    push_totals_post: post "/agg/metrics/job/{grouping_key}" (GroupPath, TotalsQuery);
    /// Like `PUT /agg/metrics/job/…`, for a group that goes away so long after the last push of any pusher.
    push_totals_ttl_put: put "/ttl/{seconds}/agg/metrics/job/{grouping_key}" (TimedPath, TotalsQuery);
    /// The same as `PUT`.
    push_totals_ttl_post: post "/ttl/{seconds}/agg/metrics/job/{grouping_key}" (TimedPath, TotalsQuery);
}

deletions! {
    /// Deletes a group. There need not be one.
    push_group_delete: "/metrics/job/{grouping_key}" (GroupPath);
    /// Deletes a group, whatever its time.
    push_group_ttl_delete: "/ttl/{seconds}/metrics/job/{grouping_key}" (TimedPath);
    /// Forgets the pusher that is named, and keeps what it has added; without one, deletes the group.
    push_totals_delete: "/agg/metrics/job/{grouping_key}" (GroupPath, TotalsQuery);
    /// Like `DELETE /agg/metrics/job/…`.
    push_totals_ttl_delete: "/ttl/{seconds}/agg/metrics/job/{grouping_key}" (TimedPath, TotalsQuery);
}
