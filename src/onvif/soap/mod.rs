//! SOAP 1.2 as ONVIF speaks it: from bytes to a typed call, and from a typed answer to bytes. No I/O, no clock, no threads.
//!
//! ```text
//!  method, Content-Type ─► http_binding ─┐
//!  body ─► xml (tree) ─► envelope ─► Request: header, addressing, body element
//!                                        │        └─► token (UsernameToken) ─► the authorise function of the caller
//!                                        ▼
//!                     dispatch: (endpoint, element) ─► operation, access class ─► proof ─► method of a service
//!                                        │
//!          Reply or Fault ─► envelope ─► writer ─► Answer: status, Content-Type, text
//! ```
//!
//! Names are compared by namespace and local part, never by prefix: a client may bind any prefix, and bind the same one
//! anew in an inner element (X9). What a client sends is held to [`xml::Limits`] before anything is built from it.
//!
//! Specifications: ONVIF Core ("Core"), SOAP 1.2 part 1 and 2, WS-Addressing 1.0, WS-Security UsernameToken Profile 1.0.

pub mod access;
pub mod addressing;
mod copy;
pub mod dispatch;
pub mod envelope;
pub mod fault;
pub mod http_binding;
pub mod names;
pub mod token;
pub mod tree;
pub mod values;
pub mod writer;
pub mod xml;
