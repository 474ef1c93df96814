//! IP configuration, discovery, device management and security (ONVIF Base Device Test Specification).

use crate::{
    case::{Case, When::Reads, case},
    test::Test,
    verdict::Outcome,
};

mod discovery;
mod interfaces;
mod network;

/// The cases that are written.
pub(super) fn cases() -> Vec<Case> {
    [
        vec![case("DEVICE-1-1-18", Reads, service_capabilities)],
        discovery::cases(),
        interfaces::cases(),
        network::cases(),
    ]
    .concat()
}

fn service_capabilities(t: &mut Test<'_>) -> Outcome {
    t.step("4", "GetServiceCapabilities is answered, well formed");
    let answer = t.ask("<tds:GetServiceCapabilities/>")?;
    t.some(answer.at("Capabilities/Network"), "Capabilities with Network")?;
    t.some(answer.at("Capabilities/Security"), "Capabilities with Security")?;
    t.some(answer.at("Capabilities/System"), "Capabilities with System")?;
    Ok(())
}
