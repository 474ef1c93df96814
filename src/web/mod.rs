//! What people and programs get by plain HTTP besides the web services: snapshots.

mod snapshot;

pub use snapshot::{PREFIX as SNAPSHOTS, Snapshots};
