//! What the media service says of itself.

use crate::{
    case::{Case, When::Reads, case},
    soap::namespace,
    test::Test,
    verdict::Outcome,
    xml::Element,
};

use super::compare::same_parameters;

pub(super) fn cases() -> Vec<Case> {
    vec![case("MEDIA-8-1-1", Reads, told), case("MEDIA-8-1-2", Reads, told_alike)]
}

fn told(t: &mut Test<'_>) -> Outcome {
    t.step("4", "GetServiceCapabilities is answered, well formed");
    by_the_service(t).map(drop)
}

fn told_alike(t: &mut Test<'_>) -> Outcome {
    t.step("4", "GetServices tells the capabilities of the media service");
    let services = t.ask("<tds:GetServices><tds:IncludeCapability>true</tds:IncludeCapability></tds:GetServices>")?;
    let media = services.all("Service").find(|service| service.text_or_empty("Namespace") == namespace("trt"));
    let media = t.some(media, "the media service")?;
    let listed = t.some(media.at("Capabilities/Capabilities"), "capabilities")?;
    t.step("6", "GetServiceCapabilities tells the same");
    let own = by_the_service(t)?;
    same_parameters(t, "the capabilities as in GetServices", listed, &own)
}

/// The capabilities that the service itself tells.
fn by_the_service(t: &mut Test<'_>) -> Outcome<Element> {
    let answer = t.ask("<trt:GetServiceCapabilities/>")?;
    let capabilities = t.some(answer.at("Capabilities"), "capabilities")?;
    for part in ["ProfileCapabilities", "StreamingCapabilities"] {
        t.some(capabilities.at(part), part)?;
    }
    Ok(capabilities.clone())
}
