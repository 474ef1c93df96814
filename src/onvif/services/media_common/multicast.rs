//! The multicast settings of an encoder. There is no multicast yet: the address is none, and stays so.

use crate::onvif::{
    services::media_common::faults,
    soap::{fault::Fault, names::TT, tree::Element, writer::Writer},
};

/// No address.
const ADDRESS: &str = "0.0.0.0";
/// Media1's schema wants one all the same.
const TTL: i64 = 1;

/// Writes the settings, which Media1's schema makes mandatory.
pub(crate) fn write(w: &mut Writer) {
    w.element(TT, "Multicast", |w| {
        w.element(TT, "Address", |w| {
            w.text(TT, "Type", "IPv4");
            w.text(TT, "IPv4Address", ADDRESS);
        });
        w.text(TT, "Port", 0);
        w.text(TT, "TTL", TTL);
        w.text(TT, "AutoStart", false);
    });
}

/// Checks that a configuration asks for what it has.
///
/// # Errors
/// It asks for multicast, or what it says is not readable.
pub(crate) fn check(configuration: &Element) -> Result<(), Fault> {
    let Some(multicast) = configuration.child(TT, "Multicast") else { return Ok(()) };
    let address = multicast.required(TT, "Address")?;
    let kind: String = address.get(TT, "Type")?;
    let v4: Option<String> = address.get_optional(TT, "IPv4Address")?;
    let same = kind == "IPv4"
        && v4.is_none_or(|address| address == ADDRESS)
        && multicast.get::<i64>(TT, "Port")? == 0
        && multicast.get::<i64>(TT, "TTL")? == TTL
        && !multicast.get::<bool>(TT, "AutoStart")?;
    if same { Ok(()) } else { Err(faults::cannot_be_set("Multicast is not supported")) }
}
