//! Default gateways, from the kernel's tables.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{super::Gateways, files::Files};

/// `RTF_UP | RTF_GATEWAY`.
const VIA_GATEWAY: u32 = 3;

/// Reads the main routing tables.
pub(super) fn gateways(files: &Files) -> Gateways {
    let ipv4 = files.text("proc/net/route").unwrap_or_default();
    let ipv6 = files.text("proc/net/ipv6_route").unwrap_or_default();
    let mut gateways = Gateways {
        ipv4: ipv4.lines().filter_map(ipv4_line).collect(),
        ipv6: ipv6.lines().filter_map(ipv6_line).collect(),
    };
    gateways.ipv4.dedup();
    gateways.ipv6.dedup();
    gateways
}

/// `Iface Destination Gateway Flags RefCnt Use Metric Mask …`; addresses are 32-bit numbers as they lie in memory.
fn ipv4_line(line: &str) -> Option<Ipv4Addr> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let &[_, destination, gateway, flags, _, _, _, mask, ..] = fields.as_slice() else { return None };
    let default = hex(destination)? == 0 && hex(mask)? == 0 && hex(flags)? & VIA_GATEWAY == VIA_GATEWAY;
    if default { Some(Ipv4Addr::from(hex(gateway)?.to_ne_bytes())) } else { None }
}

/// `destination length source length next-hop metric references use flags device`.
fn ipv6_line(line: &str) -> Option<Ipv6Addr> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let &[_, length, _, _, gateway, _, _, _, flags, ..] = fields.as_slice() else { return None };
    let default = hex(length)? == 0 && hex(flags)? & VIA_GATEWAY == VIA_GATEWAY;
    if default { u128::from_str_radix(gateway, 16).ok().map(Ipv6Addr::from) } else { None }
}

fn hex(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gateways_are_those_of_the_default_routes() {
        let number = format!("{:08X}", u32::from_ne_bytes([192, 0, 2, 1]));
        let line = |destination: &str, gateway: &str, flags: &str, mask: &str| {
            ipv4_line(&format!("eth0\t{destination}\t{gateway}\t{flags}\t0\t0\t0\t{mask}\t0\t0\t0"))
        };
        assert_eq!(line("00000000", &number, "0003", "00000000"), Some(Ipv4Addr::new(192, 0, 2, 1)));
        assert_eq!(line("000200C0", &number, "0003", "00FFFFFF"), None);
        assert_eq!(line("00000000", "00000000", "0001", "00000000"), None);
        assert_eq!(
            ipv4_line("Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"),
            None
        );

        let zero = "0".repeat(32);
        let gateway = "fd000000000000000000000000000001";
        let line = |length: &str, flags: &str| {
            ipv6_line(&format!("{zero} {length} {zero} 00 {gateway} 00000400 00000002 00000000 {flags}     eth0"))
        };
        assert_eq!(line("00", "00000003"), Some("fd00::1".parse().unwrap()));
        assert_eq!(line("40", "00000003"), None);
        assert_eq!(line("00", "00200200"), None);
    }
}
