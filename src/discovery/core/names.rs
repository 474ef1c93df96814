//! Names of WS-Discovery, April 2005, and of what it stands on.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The port (WS-Discovery section 2.4).
pub const PORT: u16 = 3702;
/// The group in IPv4.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
/// The group in IPv6: link-local.
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xc);

pub(super) const SOAP: &str = "http://www.w3.org/2003/05/soap-envelope";
pub(super) const ADDRESSING: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing";
/// The later version of addressing, which some clients mix in; read, never written.
pub(super) const ADDRESSING_2005: &str = "http://www.w3.org/2005/08/addressing";
pub(super) const DISCOVERY: &str = "http://schemas.xmlsoap.org/ws/2005/04/discovery";
pub(super) const NETWORK: &str = "http://www.onvif.org/ver10/network/wsdl";
pub(super) const DEVICE: &str = "http://www.onvif.org/ver10/device/wsdl";

/// To whom announcements are addressed.
pub(super) const TO_ALL: &str = "urn:schemas-xmlsoap-org:ws:2005:04:discovery";
/// Whoever asked.
pub(super) const ANONYMOUS: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous";

/// What our devices are (Core section 7.3.2.1, and what Profile S asks for): prefix, namespace, name.
pub(super) const TYPES: [(&str, &str, &str); 2] =
    [("dn", NETWORK, "NetworkVideoTransmitter"), ("tds", DEVICE, "Device")];
