//! Writing messages.
//!
//! ```text
//! Envelope ┬ Header: Action, MessageID, [RelatesTo], To, AppSequence
//!          └ Body: Hello | Bye | ProbeMatches/ProbeMatch | ResolveMatches/ResolveMatch | Fault
//! ```
//! Hello and the matches carry the same description of a device. Prefixes are those that other cameras use, for the clients
//! that look for text rather than for names.

use quick_xml::escape::escape;

use super::{
    names::{ADDRESSING, ANONYMOUS, DEVICE, DISCOVERY, NETWORK, SOAP, TO_ALL, TYPES},
    scope::Rule,
};
use crate::camera::Uuid;

/// What a message says.
pub(super) enum Content<'a> {
    /// A device is there.
    Hello(Description<'a>),
    /// A device leaves.
    Bye(Uuid),
    /// The device is meant by a Probe.
    ProbeMatch(Description<'a>),
    /// The device is the one that was to be resolved.
    ResolveMatch(Description<'a>),
    /// The rule for matching scopes is unknown.
    UnknownRule,
}

/// A device as others see it.
pub(super) struct Description<'a> {
    pub(super) uuid: Uuid,
    pub(super) scopes: &'a [String],
    pub(super) xaddrs: &'a [String],
    pub(super) metadata_version: u32,
}

/// What belongs to every message.
pub(super) struct Heading<'a> {
    pub(super) message_id: Uuid,
    /// The message that this one answers.
    pub(super) relates_to: Option<&'a str>,
    /// Which run of the device speaks, and its how many-th message this is (WS-Discovery appendix I).
    pub(super) sequence: (u32, u32),
}

/// Writes a message.
pub(super) fn write(heading: &Heading<'_>, content: &Content<'_>) -> Vec<u8> {
    let mut xml = Xml(r#"<?xml version="1.0" encoding="UTF-8"?>"#.to_owned());
    let namespaces = [("env", SOAP), ("wsa", ADDRESSING), ("d", DISCOVERY), ("dn", NETWORK), ("tds", DEVICE)]
        .map(|(prefix, namespace)| (format!("xmlns:{prefix}"), namespace));
    xml.open("env:Envelope", &namespaces.each_ref().map(|(name, namespace)| (name.as_str(), *namespace)));
    write_header(&mut xml, heading, content);
    xml.open("env:Body", &[]);
    write_body(&mut xml, content);
    xml.close("env:Body");
    xml.close("env:Envelope");
    xml.0.into_bytes()
}

fn write_header(xml: &mut Xml, heading: &Heading<'_>, content: &Content<'_>) {
    let (action, to) = match content {
        Content::Hello(_) => ("Hello", TO_ALL),
        Content::Bye(_) => ("Bye", TO_ALL),
        Content::ProbeMatch(_) => ("ProbeMatches", ANONYMOUS),
        Content::ResolveMatch(_) => ("ResolveMatches", ANONYMOUS),
        Content::UnknownRule => ("fault", ANONYMOUS),
    };
    xml.open("env:Header", &[]);
    xml.leaf("wsa:Action", &format!("{DISCOVERY}/{action}"));
    xml.leaf("wsa:MessageID", &heading.message_id.urn());
    if let Some(id) = heading.relates_to {
        xml.leaf("wsa:RelatesTo", id);
    }
    xml.leaf("wsa:To", to);
    let (instance, number) = heading.sequence;
    xml.open("d:AppSequence", &[("InstanceId", &instance.to_string()), ("MessageNumber", &number.to_string())]);
    xml.close("d:AppSequence");
    xml.close("env:Header");
}

fn write_body(xml: &mut Xml, content: &Content<'_>) {
    match content {
        Content::Hello(device) => {
            xml.open("d:Hello", &[]);
            describe(xml, device);
            xml.close("d:Hello");
        }
        Content::Bye(uuid) => {
            xml.open("d:Bye", &[]);
            endpoint(xml, *uuid);
            xml.close("d:Bye");
        }
        Content::ProbeMatch(device) => {
            xml.open("d:ProbeMatches", &[]);
            xml.open("d:ProbeMatch", &[]);
            describe(xml, device);
            xml.close("d:ProbeMatch");
            xml.close("d:ProbeMatches");
        }
        Content::ResolveMatch(device) => {
            xml.open("d:ResolveMatches", &[]);
            xml.open("d:ResolveMatch", &[]);
            describe(xml, device);
            xml.close("d:ResolveMatch");
            xml.close("d:ResolveMatches");
        }
        Content::UnknownRule => unknown_rule(xml),
    }
}

fn describe(xml: &mut Xml, device: &Description<'_>) {
    endpoint(xml, device.uuid);
    let types: Vec<_> = TYPES.iter().map(|(prefix, _, local)| format!("{prefix}:{local}")).collect();
    xml.leaf("d:Types", &types.join(" "));
    xml.leaf("d:Scopes", &device.scopes.join(" "));
    xml.leaf("d:XAddrs", &device.xaddrs.join(" "));
    xml.leaf("d:MetadataVersion", &device.metadata_version.to_string());
}

fn endpoint(xml: &mut Xml, uuid: Uuid) {
    xml.open("wsa:EndpointReference", &[]);
    xml.leaf("wsa:Address", &uuid.urn());
    xml.close("wsa:EndpointReference");
}

/// Core section 7.3.6.
fn unknown_rule(xml: &mut Xml) {
    xml.open("env:Fault", &[]);
    xml.open("env:Code", &[]);
    xml.leaf("env:Value", "env:Sender");
    xml.open("env:Subcode", &[]);
    xml.leaf("env:Value", "d:MatchingRuleNotSupported");
    xml.close("env:Subcode");
    xml.close("env:Code");
    xml.open("env:Reason", &[]);
    xml.open("env:Text", &[("xml:lang", "en")]);
    xml.text("the matching rule is not supported");
    xml.close("env:Text");
    xml.close("env:Reason");
    xml.open("env:Detail", &[]);
    xml.leaf("d:SupportedMatchingRules", &Rule::SUPPORTED.join(" "));
    xml.close("env:Detail");
    xml.close("env:Fault");
}

/// Text in the making.
struct Xml(String);

impl Xml {
    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.0 += &format!("<{name}");
        for (name, value) in attributes {
            self.0 += &format!(r#" {name}="{}""#, escape(*value));
        }
        self.0.push('>');
    }

    fn text(&mut self, text: &str) {
        self.0 += &escape(text);
    }

    fn close(&mut self, name: &str) {
        self.0 += &format!("</{name}>");
    }

    fn leaf(&mut self, name: &str, text: &str) {
        self.open(name, &[]);
        self.text(text);
        self.close(name);
    }
}
