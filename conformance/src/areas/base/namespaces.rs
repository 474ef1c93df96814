//! Requests that declare their namespaces in unusual ways (cases DEVICE-6-1-*).

use super::servers::{as_before, by_ipv4, set_servers};
use crate::{
    case::{Case, When::Changes, case},
    feature::Feature,
    namespaces::Style,
    soap::Call,
    test::Test,
    verdict::Outcome,
    xml::Element,
};

/// The address that is set, as in the examples of annex A.11.
const DNS: &str = "10.1.1.1";

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("DEVICE-6-1-1", Changes, |t| declared_as(t, Style::DefaultForEach)),
        case("DEVICE-6-1-2", Changes, |t| declared_as(t, Style::DefaultForParent)),
        case("DEVICE-6-1-3", Changes, |t| declared_as(t, Style::UnusualPrefixes)),
        case("DEVICE-6-1-4", Changes, |t| declared_as(t, Style::ManyPrefixes)),
        case("DEVICE-6-1-5", Changes, |t| declared_as(t, Style::SamePrefix)),
    ]
}

fn declared_as(t: &mut Test<'_>, style: Style) -> Outcome {
    if t.has(Feature::NetworkConfiguration) {
        set_dns(t, style)
    } else if t.has(Feature::Media2) && t.has(Feature::Metadata) {
        set_metadata(t, style)
    } else {
        t.skip("the device has neither network configuration nor metadata configurations, so there is nothing to set")
    }
}

fn ask(t: &mut Test<'_>, style: Style, body: impl Into<String>) -> Outcome<Element> {
    t.ask_by(&Call::new(body).declaring(style))
}

fn set_dns(t: &mut Test<'_>, style: Style) -> Outcome {
    t.step("3.2", "GetDNS is answered");
    let answer = ask(t, style, "<tds:GetDNS/>")?;
    let before = t.some(answer.at("DNSInformation"), "DNSInformation")?;
    t.afterwards(as_before("DNS", before));
    t.step("3.4", "SetDNS is answered");
    ask(t, style, set_servers("DNS", false, &by_ipv4("DNS", DNS)))?;
    t.step("3.6", "GetDNS tells what was set");
    let answer = ask(t, style, "<tds:GetDNS/>")?;
    t.same("FromDHCP", Some(false), answer.bool_at("DNSInformation/FromDHCP"))?;
    let servers: Vec<(&str, &str)> = answer
        .at("DNSInformation")
        .into_iter()
        .flat_map(|told| told.all("DNSManual"))
        .map(|server| (server.text_or_empty("Type"), server.text_or_empty("IPv4Address")))
        .collect();
    t.same("DNSManual", vec![("IPv4", DNS)], servers)?;
    t.step("3.7", "SetDNS puts it back");
    ask(t, style, as_before("DNS", before)).map(drop)
}

fn set_metadata(t: &mut Test<'_>, style: Style) -> Outcome {
    let set = |configuration: &Element| {
        let configuration = configuration.renamed("tr2", "Configuration");
        format!("<tr2:SetMetadataConfiguration>{configuration}</tr2:SetMetadataConfiguration>")
    };
    t.step("4.1", "GetMetadataConfigurations lists one");
    let answer = ask(t, style, "<tr2:GetMetadataConfigurations/>")?;
    let before = t.some(answer.at("Configurations"), "a metadata configuration")?;
    t.afterwards(set(before));
    t.step("4.2", "SetMetadataConfiguration is answered");
    ask(t, style, set(&before.with("Name", "TestName1")))?;
    t.step("4.3", "GetMetadataConfigurations lists it");
    let token = crate::xml::escape(before.token());
    let request = format!(
        "<tr2:GetMetadataConfigurations><tr2:ConfigurationToken>{token}</tr2:ConfigurationToken>\
         </tr2:GetMetadataConfigurations>"
    );
    let answer = ask(t, style, request)?;
    let now = t.some(answer.at("Configurations"), "the metadata configuration")?;
    t.same("the token", before.token(), now.token())?;
    t.step("4.4", "it has the name that was set");
    t.same("the name", Some("TestName1"), now.text_at("Name"))
}
