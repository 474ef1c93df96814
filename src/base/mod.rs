//! Leaves: what every room may use and what imports nothing of ours.

pub mod admission;
pub mod bell;
pub mod blocking;
pub mod clock;
pub mod listen;
pub mod parting;
pub mod redact;
