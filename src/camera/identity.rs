//! Who a camera is, to those who must tell it from others: UUID, serial number, hardware address.
//!
//! Recorders take one hardware address for one camera: cameras that share it, or report zeros, are merged into one or refused
//! (UniFi Protect, Home Assistant). So the first camera of a machine has the machine's real address, as any camera would, and
//! each further one an address of its own.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    base::redact::Redacted,
    host::{Interface, MacAddress, came_in_on},
};

/// Letters and digits that nobody mistakes for another.
const SERIAL_LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters of a serial number: sixty random bits.
const SERIAL_LEN: usize = 12;

/// A UUID in the form of version 4 (RFC 9562 section 5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Uuid(u128);

/// Tells that a text is no UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no UUID")]
pub struct BadUuid;

/// What names a camera for good: made once, and kept by the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The endpoint's UUID in discovery.
    pub uuid: Uuid,
    /// The serial number.
    pub serial: String,
}

/// Random bytes of this device, made once, and kept by the caller: generated hardware addresses come from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceSeed(Redacted<[u8; 16]>);

impl Uuid {
    /// Makes a UUID from random bytes.
    pub const fn from_random(bytes: [u8; 16]) -> Self {
        let version = 0x4 << 76;
        let variant = 0b10 << 62;
        let random = u128::from_be_bytes(bytes) & !(0xf << 76) & !(0b11 << 62);
        Self(random | version | variant)
    }

    /// The form that ONVIF wants in endpoint references: `urn:uuid:…`.
    pub fn urn(&self) -> String {
        format!("urn:uuid:{self}")
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.0);
        write!(f, "{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

impl FromStr for Uuid {
    type Err = BadUuid;

    /// Takes any version, since a UUID of elsewhere may be compared with ours.
    fn from_str(text: &str) -> Result<Self, BadUuid> {
        let lengths: Vec<_> = text.split('-').map(str::len).collect();
        if lengths != [8, 4, 4, 4, 12] || !text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit()) {
            return Err(BadUuid);
        }
        u128::from_str_radix(&text.replace('-', ""), 16).map(Self).map_err(|_| BadUuid)
    }
}

impl TryFrom<String> for Uuid {
    type Error = BadUuid;

    fn try_from(text: String) -> Result<Self, BadUuid> {
        text.parse()
    }
}

impl From<Uuid> for String {
    fn from(uuid: Uuid) -> Self {
        uuid.to_string()
    }
}

impl Identity {
    /// Makes an identity from random bytes.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        let (uuid, serial) = bytes.split_at(16);
        let mut random = [0; 16];
        random.copy_from_slice(uuid);
        let letter = |byte: &u8| char::from(SERIAL_LETTERS[usize::from(byte % 32)]);
        Self { uuid: Uuid::from_random(random), serial: serial.iter().take(SERIAL_LEN).map(letter).collect() }
    }
}

impl DeviceSeed {
    /// Wraps random bytes.
    pub fn from_random(bytes: [u8; 16]) -> Self {
        Self(Redacted::new(bytes))
    }

    /// The bytes, to be kept.
    pub fn bytes(&self) -> [u8; 16] {
        *self.0.reveal()
    }

    /// An address for one camera, always the same: locally administered, so that no maker's can be hit.
    fn hardware_address(&self, camera: &str) -> MacAddress {
        let mut hash = Sha256::new();
        hash.update(b"belvedere hardware address");
        hash.update(self.0.reveal());
        hash.update(camera.as_bytes());
        let digest = hash.finalize();
        let mut octets = [0; 6];
        octets.copy_from_slice(&digest[..6]);
        octets[0] = octets[0] & 0b1111_1100 | 0b10;
        MacAddress::new(octets)
    }
}

/// The hardware address that a camera reports.
///
/// The first camera reports that of the interface that the client came in on, found by the local address of its connection.
/// A client on this machine itself is told that of the first real interface, so that it sees the same camera as others do.
/// Every further camera, and one on a machine without hardware addresses, reports a generated one.
pub fn hardware_address(
    seed: &DeviceSeed,
    camera: &str,
    first: bool,
    interfaces: &[Interface],
    local: Option<IpAddr>,
) -> MacAddress {
    let real = |interface: &Interface| interface.mac.filter(|mac| !interface.loopback && mac.is_real());
    let here = || local.and_then(|local| came_in_on(interfaces, local)).and_then(real);
    // A camera that starts before its cable is plugged in is the same camera.
    let any = || {
        let up = interfaces.iter().filter(|interface| interface.up).find_map(real);
        up.or_else(|| interfaces.iter().find_map(real))
    };
    let own = if first { here().or_else(any) } else { None };
    own.unwrap_or_else(|| seed.hardware_address(camera))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{InterfaceSettings, IpSettings};

    fn interface(name: &str, mac: Option<[u8; 6]>, ip: &str) -> Interface {
        let family = IpSettings::default();
        Interface {
            name: name.into(),
            index: 1,
            mac: mac.map(MacAddress::new),
            mtu: None,
            up: true,
            loopback: name == "lo",
            multicast: true,
            speed: None,
            addresses: vec![crate::host::Address { ip: ip.parse().unwrap(), prefix: 24 }],
            settings: InterfaceSettings { enabled: true, mtu: None, ipv4: family.clone(), ipv6: family },
        }
    }

    #[test]
    fn a_uuid_has_the_form_of_version_4() {
        assert_eq!(Uuid::from_random([0xff; 16]).to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        let zero = Uuid::from_random([0; 16]);
        assert_eq!(zero.urn(), "urn:uuid:00000000-0000-4000-8000-000000000000");
        assert_eq!("00000000-0000-4000-8000-000000000000".parse(), Ok(zero));
        for text in ["", "00000000000040008000000000000000", "+0000000-0000-4000-8000-000000000000", "0-0-0-0-0"] {
            assert_eq!(text.parse::<Uuid>(), Err(BadUuid));
        }
    }

    #[test]
    fn an_identity_is_kept_as_it_was_made() {
        let identity = Identity::from_random([0x2b; 32]);
        assert_eq!(identity.serial, "BBBBBBBBBBBB");
        let text = serde_json::to_string(&identity).unwrap();
        assert_eq!(serde_json::from_str::<Identity>(&text).unwrap(), identity);
    }

    #[test]
    fn the_first_camera_has_the_real_address_and_others_their_own() {
        let seed = DeviceSeed::from_random([7; 16]);
        let machine = [
            interface("lo", None, "127.0.0.1"),
            interface("eth0", Some([0x00, 0x11, 0x22, 0, 0, 1]), "192.0.2.2"),
            interface("eth1", Some([0x00, 0x11, 0x22, 0, 0, 2]), "198.51.100.2"),
        ];
        let address = |camera, first, interfaces, local: &str| {
            hardware_address(&seed, camera, first, interfaces, Some(local.parse().unwrap())).to_string()
        };
        assert_eq!(address("cam", true, &machine, "192.0.2.2"), "00:11:22:00:00:01");
        assert_eq!(address("cam", true, &machine, "198.51.100.2"), "00:11:22:00:00:02");
        assert_eq!(address("cam", true, &machine, "127.0.0.1"), "00:11:22:00:00:01");
        let mut unplugged = machine.clone();
        unplugged.iter_mut().for_each(|interface| interface.up = false);
        assert_eq!(address("cam", true, &unplugged, "127.0.0.1"), "00:11:22:00:00:01", "the same without its cable");
        let second = address("two", false, &machine, "192.0.2.2");
        assert_eq!(second, address("two", false, &machine, "198.51.100.2"), "it is stable");
        assert_ne!(second, address("three", false, &machine, "192.0.2.2"));
        assert_ne!(address("cam", true, &machine[..1], "127.0.0.1"), second);
        let octet = u8::from_str_radix(&second[..2], 16).unwrap();
        assert_eq!(octet & 0b11, 0b10, "locally administered, and not a group");
    }

    #[test]
    fn the_seed_is_not_printed() {
        assert_eq!(format!("{:?}", DeviceSeed::from_random([7; 16])), "DeviceSeed(…)");
    }
}
