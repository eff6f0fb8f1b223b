//! The pure core: state in, decision out. No I/O, no async, no clock; time is an argument.

pub mod alert;
pub mod any_number;
pub mod backup;
pub mod breaker;
pub mod check;
pub mod exposition;
pub mod gate;
pub mod grouping_key;
pub mod health;
pub mod invalid;
pub mod json_diff;
pub mod label_set;
pub mod limiter;
pub mod name;
pub mod notify;
pub mod object;
pub mod push_group;
pub mod quantity;
pub mod retention;
pub mod retry;
pub mod scan;
pub mod schedule;
pub mod schema;
pub mod series;
pub mod template;
pub mod text;
pub mod threshold;
pub mod time;
pub mod window;

pub use breaker::StateName;
pub use grouping_key::GroupingKey;
pub use invalid::InvalidConfig;
pub use label_set::LabelSet;
pub use name::Name;
pub use quantity::{Seconds, Tokens};
pub use time::Time;
