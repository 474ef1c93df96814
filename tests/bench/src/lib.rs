//! Belvedere's benchmark: what a viewer costs, and how soon it sees something.
//!
//! Everything is measured from outside, beside a gst-rtsp-server peer that serves the same file on the same machine in the same
//! minute, and quoted as a ratio to it (design section 8).
//!
//! | module | what it does |
//! |---|---|
//! | [`subject`] | the servers that are measured |
//! | [`load`] | many readers at once, cheap enough not to be what is measured |
//! | [`scan`] | finds gaps in what a reader gets |
//! | [`fan_out`] | CPU and memory per reader |
//! | [`entry`] | from DESCRIBE and PLAY to the answer and the first picture |
//! | [`asker`] | a SOAP client that asks again and again |
//! | [`soap`] | many of them beside viewers: answers, their times, and what they cost |
//! | [`report`] | tables and gates |

pub mod asker;
pub mod entry;
pub mod fan_out;
pub mod load;
pub mod report;
pub mod scan;
pub mod soap;
pub mod subject;
