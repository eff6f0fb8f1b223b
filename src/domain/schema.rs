//! How texts are described in `openapi.yaml` that several requests and answers have in common. What they may be is
//! decided where they are parsed; that both say the same is what `make schemathesis` tries.
//!
//! Control characters are those of Unicode; lengths count characters.

use utoipa::ToSchema;

macro_rules! texts {
    ($($(#[$attribute:meta])* $name:ident;)*) => {$(
        #[derive(Clone, Debug, ToSchema)]
        $(#[$attribute])*
        pub struct $name(pub String);
    )*};
}

texts! {
    /// What a client calls itself: 1 to 128 characters, none of them a control character.
    #[schema(pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]{1,128}$")]
    ClientName;
    /// A metric that thresholds, gates and checks look at.
    #[schema(pattern = "^[A-Za-z0-9_.:-]{1,200}$")]
    MetricName;
    /// Name of a label of a check, gate or backup.
    #[schema(pattern = "^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")]
    LabelName;
    /// Value of a label of a check, gate or backup.
    #[schema(pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]{0,256}$")]
    LabelValue;
    /// Name of a label of a series; `le` and `quantile` are Prometheus' own.
    #[schema(pattern = "^(_|([a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9_]{0,126})$")]
    SeriesLabelName;
    /// Value of a label of a series; an empty one is no label.
    #[schema(max_length = 256)]
    SeriesLabelValue;
    /// A condition on a label: `severity="critical"`, `job=~"node.*"`, `a!="b"`, `a!~"b"`. Quotes may be left out.
    #[schema(pattern = "^\\s*[a-zA-Z_][a-zA-Z0-9_]*\\s*(=|!=|=~|!~)")]
    MatcherText;
    /// Labels that must be there: `name=value`, with commas between them.
    #[schema(pattern = "^([A-Za-z_][A-Za-z0-9_.-]{0,63}=[^,\\u0000-\\u001f\\u007f-\\u009f]{0,256}(,[A-Za-z_][A-Za-z0-9_.-]{0,63}=[^,\\u0000-\\u001f\\u007f-\\u009f]{0,256}){0,31})?$")]
    LabelFilter;
    /// Names with commas between them.
    #[schema(pattern = "^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}(,[A-Za-z0-9][A-Za-z0-9_.:-]{0,127})*$")]
    NameList;
    /// Names with commas between them, or none.
    #[schema(pattern = "^([A-Za-z0-9][A-Za-z0-9_.:-]{0,127}(,[A-Za-z0-9][A-Za-z0-9_.:-]{0,127})*)?$")]
    NamesOrNone;
    /// Name of a header.
    #[schema(pattern = "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$")]
    HeaderName;
    /// Value of a header.
    #[schema(pattern = "^[\\t -~]{0,8192}$")]
    HeaderValue;
    /// Where a list goes on: what the page before says as `next_cursor`.
    #[schema(pattern = "^[0-9]{1,18}$")]
    IdCursor;
    /// Key of a document. It becomes the name of a file: at most 128 bytes.
    #[schema(pattern = "^[^./\\\\\\u0000-\\u001f\\u007f-\\u009f][^/\\\\\\u0000-\\u001f\\u007f-\\u009f]{0,127}$")]
    DocumentKey;
}

/// A span in seconds that is not empty.
#[derive(Clone, Copy, Debug, ToSchema)]
#[schema(exclusive_minimum = 0, maximum = 315_360_000)]
pub struct PositiveSeconds(pub f64);

/// A number of tokens that is not 0.
#[derive(Clone, Copy, Debug, ToSchema)]
#[schema(exclusive_minimum = 0, maximum = 1_000_000_000)]
pub struct PositiveTokens(pub f64);
