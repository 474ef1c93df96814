//! A Probe, and the ways in which XML lets one write its namespaces.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use sha1::{Digest as _, Sha1};

use super::{ADDRESSING, DISCOVERY, NETWORK, TO_ALL};
use crate::{
    soap::{ENV, namespace},
    xml::escape,
};

/// A question for devices.
#[derive(Debug, Clone, Default)]
pub struct Probe {
    /// The types that are looked for: namespace and name.
    pub types: Vec<(&'static str, &'static str)>,
    /// The scopes that are looked for.
    pub scopes: Vec<String>,
    /// The rule by which scopes are compared, where not the usual one.
    pub match_by: Option<&'static str>,
    /// How namespaces are written.
    pub style: Style,
}

/// How namespaces are written (annex A.11 of the device test specification).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Style {
    /// The prefixes that everybody uses, declared at the top.
    #[default]
    Usual,
    /// Every element declares the default namespace.
    DefaultOnEach,
    /// An element declares the default namespace where it is not that of its parent.
    DefaultOnParent,
    /// Prefixes that nobody uses, declared at the top.
    OddPrefixes,
    /// Every element has a prefix of its own.
    ManyPrefixes,
    /// One prefix, declared anew where the namespace changes.
    OnePrefix,
}

/// What a camera is.
pub const TRANSMITTER: (&str, &str) = (NETWORK, "NetworkVideoTransmitter");
/// What every device of ONVIF is.
pub const DEVICE: (&str, &str) = ("http://www.onvif.org/ver10/device/wsdl", "Device");

impl Probe {
    /// Writes it, as the message of this identifier.
    pub fn text(&self, message_id: &str) -> String {
        let mut writer = Writer { style: self.style, text: String::new(), count: 0 };
        writer.text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
        writer.element(ENV, "Envelope", "", "", |writer| {
            writer.element(ENV, "Header", ENV, "", |writer| {
                writer.leaf(ADDRESSING, "MessageID", ENV, "", message_id);
                writer.leaf(ADDRESSING, "To", ENV, "", TO_ALL);
                writer.leaf(ADDRESSING, "Action", ENV, "", &format!("{DISCOVERY}/Probe"));
            });
            writer.element(ENV, "Body", ENV, "", |writer| {
                writer.element(DISCOVERY, "Probe", ENV, "", |writer| self.write(writer));
            });
        });
        writer.text
    }

    fn write(&self, writer: &mut Writer) {
        // A prefix in text is declared right there: in some of the styles there is no other place.
        let prefix = |index: usize| {
            if self.style == Style::OddPrefixes { format!("prefix9{index}") } else { format!("t{index}") }
        };
        if !self.types.is_empty() {
            let all = self.types.iter().enumerate();
            let declared: String =
                all.clone().map(|(index, (uri, _))| format!(" xmlns:{}=\"{uri}\"", prefix(index))).collect();
            let names: Vec<_> = all.map(|(index, (_, name))| format!("{}:{name}", prefix(index))).collect();
            writer.leaf(DISCOVERY, "Types", DISCOVERY, &declared, &names.join(" "));
        }
        if !self.scopes.is_empty() || self.match_by.is_some() {
            let rule = self.match_by.map(|rule| format!(" MatchBy=\"{}\"", escape(rule))).unwrap_or_default();
            writer.leaf(DISCOVERY, "Scopes", DISCOVERY, &rule, &self.scopes.join(" "));
        }
    }
}

/// An identifier for a message that no other has.
pub fn message_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let digest = Sha1::digest(format!("{now} {count} {}", std::process::id()));
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    // Version 4, variant 1 (RFC 9562, section 5.4).
    format!("urn:uuid:{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

/// Text in the making.
struct Writer {
    style: Style,
    text: String,
    count: u32,
}

impl Writer {
    fn leaf(&mut self, uri: &str, name: &str, parent: &str, attributes: &str, text: &str) {
        self.element(uri, name, parent, attributes, |writer| writer.text.push_str(&escape(text)));
    }

    /// Writes an element; `parent` is the namespace around it.
    fn element(&mut self, uri: &str, name: &str, parent: &str, attributes: &str, content: impl FnOnce(&mut Self)) {
        let (prefix, declared) = self.prefix(uri, parent);
        let name = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}:{name}") };
        self.text.push_str(&format!("<{name}{declared}{attributes}>"));
        content(self);
        self.text.push_str(&format!("</{name}>"));
    }

    /// The prefix of an element, and what it has to declare.
    fn prefix(&mut self, uri: &str, parent: &str) -> (String, String) {
        let all = [("env", ENV), ("wsa", ADDRESSING), ("d", DISCOVERY), ("tds", namespace("tds"))];
        let top = |name: &dyn Fn(usize) -> String| {
            let declared: String =
                all.iter().enumerate().map(|(index, (_, uri))| format!(" xmlns:{}=\"{uri}\"", name(index))).collect();
            let prefix = all.iter().position(|(_, own)| *own == uri).map(name).unwrap_or_default();
            (prefix, if parent.is_empty() { declared } else { String::new() })
        };
        let unless_inherited = |declared: String| if parent == uri { String::new() } else { declared };
        self.count += 1;
        match self.style {
            Style::Usual => top(&|index| all[index].0.to_owned()),
            Style::OddPrefixes => top(&|index| format!("prefix{index}")),
            Style::DefaultOnEach => (String::new(), format!(" xmlns=\"{uri}\"")),
            Style::DefaultOnParent => (String::new(), unless_inherited(format!(" xmlns=\"{uri}\""))),
            Style::ManyPrefixes => (format!("p{}", self.count), format!(" xmlns:p{}=\"{uri}\"", self.count)),
            Style::OnePrefix => ("p1".into(), unless_inherited(format!(" xmlns:p1=\"{uri}\""))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Element;

    #[test]
    fn every_style_says_the_same() {
        let scopes = vec!["onvif://www.onvif.org/type".into(), "onvif://www.onvif.org/name".into()];
        let probe = Probe { types: vec![TRANSMITTER, DEVICE], scopes, ..Probe::default() };
        let styles = [
            Style::Usual,
            Style::DefaultOnEach,
            Style::DefaultOnParent,
            Style::OddPrefixes,
            Style::ManyPrefixes,
            Style::OnePrefix,
        ];
        let mut texts = Vec::new();
        for style in styles {
            let text = Probe { style, ..probe.clone() }.text("urn:uuid:1");
            let envelope = Element::parse(text.as_bytes()).unwrap();
            assert_eq!((envelope.namespace.as_str(), envelope.name.as_str()), (ENV, "Envelope"), "{text}");
            let id = envelope.at("Header/MessageID").unwrap();
            assert_eq!((id.namespace.as_str(), id.text.as_str()), (ADDRESSING, "urn:uuid:1"), "{text}");
            let types = envelope.at("Body/Probe/Types").unwrap();
            assert_eq!(
                (types.namespace.as_str(), types.text_namespace.as_deref()),
                (DISCOVERY, Some(NETWORK)),
                "{text}"
            );
            let scopes = envelope.text_at("Body/Probe/Scopes").unwrap();
            assert_eq!(scopes, "onvif://www.onvif.org/type onvif://www.onvif.org/name", "{text}");
            texts.push(text);
        }
        assert_eq!(texts[1].matches(" xmlns=").count(), 9, "{}", texts[1]);
        assert_eq!(texts[2].matches(" xmlns=").count(), 5, "{}", texts[2]);
        assert!(texts[4].contains("<p9:") && !texts[5].contains("p2"));
    }

    #[test]
    fn identifiers_are_uuids_and_differ() {
        let (one, other) = (message_id(), message_id());
        assert_ne!(one, other);
        assert_eq!(one.len(), "urn:uuid:9c35aca0-d1cc-41bf-a932-2dd0fe45cc87".len());
        assert_eq!(one.split('-').map(str::len).collect::<Vec<_>>(), [17, 4, 4, 4, 12]);
    }
}
