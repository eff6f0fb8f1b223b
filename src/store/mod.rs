//! What must survive: SQLite behind narrow functions, written by one task.

pub mod copy;
mod error;
mod image;
mod lock;
pub mod objects;
mod open;
mod pairs;
mod random;
pub mod replace;
pub mod seal;
pub mod sqlite;
mod writer;

pub use error::StoreError;
pub use open::{Store, StoreOptions};
pub use pairs::Pairs;
pub use random::random;
pub use writer::{Connection, Pending, WriteFuture, Writer, WriterHealth};
