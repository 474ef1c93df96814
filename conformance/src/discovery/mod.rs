//! WS-Discovery of April 2005 as a client speaks it: who is there, and who comes and goes.
//!
//! | module | what it does |
//! |---|---|
//! | [`place`] | the sockets, on the interface that leads to the device |
//! | [`probe`] | writes a Probe, in several ways |
//! | [`message`] | reads what others say |
//! | [`client`] | asks and listens in a case, for one device among many |
//! | [`restart`] | waits for a device that restarts |

pub mod client;
pub mod message;
pub mod place;
pub mod probe;
pub mod restart;

use std::time::Duration;

/// The port (section 2.4).
pub const PORT: u16 = 3702;
/// How long a case waits for an answer: `DISCOVERY_TIMEOUT` of the device test specification.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// The namespace of discovery.
pub const DISCOVERY: &str = "http://schemas.xmlsoap.org/ws/2005/04/discovery";
/// The namespace of addressing, in the version that this discovery uses.
pub const ADDRESSING: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
/// The namespace of the type that a camera is.
pub const NETWORK: &str = "http://www.onvif.org/ver10/network/wsdl";
/// Where a Probe to everybody is addressed to.
pub const TO_ALL: &str = "urn:schemas-xmlsoap-org:ws:2005:04:discovery";
