//! An open device test tool: judges any network video device by the ONVIF device test specifications, from outside.
//!
//! | module | what it does |
//! |---|---|
//! | [`cli`] | the command line |
//! | [`table`] | the official cases: identifier, title, whom they concern, whether they are written |
//! | [`feature`] | what the device can do, which decides what applies |
//! | [`gap`] | what our own server lacks so far |
//! | [`case`] | what a case is |
//! | [`test`](mod@test) | a case in progress: it asks, demands, and puts back |
//! | [`areas`] | the cases themselves |
//! | [`runner`] | which cases run when |
//! | [`verdict`] | what is said of them |
//! | [`report`] | for people and for machines |
//! | [`secret`] | what a report must not tell |
//! | [`device`], [`clock`], [`soap`], [`discovery`], [`xml`], [`namespaces`] | the device, and how one speaks with it |

pub mod areas;
pub mod case;
pub mod cli;
pub mod clock;
pub mod device;
pub mod discovery;
pub mod feature;
pub mod gap;
pub mod namespaces;
pub mod report;
pub mod runner;
pub mod secret;
pub mod soap;
pub mod table;
pub mod test;
pub mod verdict;
pub mod xml;
