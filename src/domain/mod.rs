//! The pure core: state in, decision out. No I/O, no async, no clock; time is an argument.

pub mod name;
pub mod quantity;
pub mod time;

pub use name::Name;
pub use quantity::{Seconds, Tokens};
pub use time::Time;
