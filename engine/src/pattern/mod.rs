//! The built-in source: a test picture with a code row, and a tick of sound in step with it.
//!
//! Pure painting ([`picture`], [`canvas`], [`font`], [`code_row`]) and the two threads that pace it ([`capture`], [`sound`]).

pub mod canvas;
pub mod capture;
pub mod code_row;
pub mod font;
pub mod frame;
pub mod picture;
pub mod sound;
