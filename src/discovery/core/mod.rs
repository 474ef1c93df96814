//! What discovery answers and announces, and when; no sockets, no clocks.

mod envelope;
mod limiter;
mod link;
mod names;
mod random;
mod request;
mod responder;
mod schedule;
mod scope;
mod seen;
#[cfg(test)]
mod tests;

pub use self::{
    link::Link,
    names::{GROUP_V4, GROUP_V6, PORT},
    request::{MAX_DATAGRAM, Name, Probe, Request, RequestBody, Unreadable, parse},
    responder::{Device, Ignored, Mode, Received, Responder, Transmit, XAddrs},
    scope::Rule,
};
