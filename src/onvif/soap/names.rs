//! Qualified names, and the namespaces that we write.

use std::{fmt, sync::Arc};

/// A namespace of the fixed table: its URI and the prefix under which we write it.
///
/// Only this module makes them, so a prefix stands for one URI in everything we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ns {
    prefix: &'static str,
    uri: &'static str,
}

impl Ns {
    /// The prefix that we write.
    pub const fn prefix(self) -> &'static str {
        self.prefix
    }

    /// The URI.
    pub const fn uri(self) -> &'static str {
        self.uri
    }

    /// Finds the entry of a URI.
    pub fn find(uri: &str) -> Option<Self> {
        ALL.iter().copied().find(|ns| ns.uri == uri)
    }
}

macro_rules! namespaces {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal, $uri:expr;)*) => {
        $($(#[$doc])* pub const $name: Ns = Ns { prefix: $prefix, uri: $uri };)*

        /// The whole table.
        pub const ALL: &[Ns] = &[$($name),*];
    };
}

namespaces! {
    /// The SOAP 1.2 envelope.
    ENV = "env", "http://www.w3.org/2003/05/soap-envelope";
    /// XML's own prefix, which is never declared.
    XML = "xml", "http://www.w3.org/XML/1998/namespace";
    /// XML Schema.
    XSD = "xsd", "http://www.w3.org/2001/XMLSchema";
    /// XML Schema attributes in instances: `type`, `nil`.
    XSI = "xsi", "http://www.w3.org/2001/XMLSchema-instance";
    /// WS-Addressing 1.0.
    WSA5 = "wsa5", "http://www.w3.org/2005/08/addressing";
    /// WS-Security.
    WSSE = "wsse", "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
    /// WS-Security utility: `Created`.
    WSU = "wsu", "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
    /// WS-BaseNotification.
    WSNT = "wsnt", "http://docs.oasis-open.org/wsn/b-2";
    /// WS-Topics.
    WSTOP = "wstop", "http://docs.oasis-open.org/wsn/t-1";
    /// WS-ResourceFramework base faults.
    WSRF_BF = "wsrf-bf", "http://docs.oasis-open.org/wsrf/bf-2";
    /// WS-Resource.
    WSRF_R = "wsrf-r", "http://docs.oasis-open.org/wsrf/r-2";
    /// ONVIF's common types.
    TT = "tt", "http://www.onvif.org/ver10/schema";
    /// ONVIF's fault subcodes.
    TER = "ter", "http://www.onvif.org/ver10/error";
    /// ONVIF's event topics.
    TNS1 = "tns1", "http://www.onvif.org/ver10/topics";
    /// Types of network devices in discovery.
    DN = "dn", "http://www.onvif.org/ver10/network/wsdl";
    /// The device service.
    TDS = "tds", "http://www.onvif.org/ver10/device/wsdl";
    /// The event service.
    TEV = "tev", "http://www.onvif.org/ver10/events/wsdl";
    /// The media service (Media1).
    TRT = "trt", "http://www.onvif.org/ver10/media/wsdl";
    /// The media service, second version (Media2).
    TR2 = "tr2", "http://www.onvif.org/ver20/media/wsdl";
    /// The imaging service.
    TIMG = "timg", "http://www.onvif.org/ver20/imaging/wsdl";
    /// The device I/O service.
    TMD = "tmd", "http://www.onvif.org/ver10/deviceIO/wsdl";
    /// The analytics service.
    TAN = "tan", "http://www.onvif.org/ver20/analytics/wsdl";
    /// The recording service.
    TRC = "trc", "http://www.onvif.org/ver10/recording/wsdl";
    /// The search service.
    TSE = "tse", "http://www.onvif.org/ver10/search/wsdl";
    /// The replay service.
    TRP = "trp", "http://www.onvif.org/ver10/replay/wsdl";
    /// The security configuration service.
    TAS = "tas", "http://www.onvif.org/ver10/advancedsecurity/wsdl";
    /// The uplink service.
    TUP = "tup", "http://www.onvif.org/ver10/uplink/wsdl";
    /// The PTZ service, which we do not have; clients ask for it nonetheless.
    TPTZ = "tptz", "http://www.onvif.org/ver20/ptz/wsdl";
}

/// A qualified name: namespace and local part; two are the same whatever their prefixes were.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct QName {
    namespace: Option<Arc<str>>,
    local: Box<str>,
}

impl QName {
    /// Makes a name in a namespace of the table.
    pub fn new(namespace: Ns, local: &str) -> Self {
        Self { namespace: Some(namespace.uri.into()), local: local.into() }
    }

    /// Makes a name from its parts; `None` is no namespace.
    pub(super) fn from_parts(namespace: Option<Arc<str>>, local: &str) -> Self {
        Self { namespace, local: local.into() }
    }

    /// The URI of the namespace, empty for none.
    pub fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }

    /// The local part.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// Tells whether this is that name.
    pub fn is(&self, namespace: Ns, local: &str) -> bool {
        *self.local == *local && self.is_in(namespace)
    }

    /// Tells whether the name is of that namespace.
    pub fn is_in(&self, namespace: Ns) -> bool {
        self.namespace() == namespace.uri
    }
}

impl fmt::Display for QName {
    /// Writes `{namespace}local`, or the local part alone if there is no namespace.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{{{namespace}}}{}", self.local),
            None => f.write_str(&self.local),
        }
    }
}

impl fmt::Debug for QName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Tells whether a character may stand in a document (XML 1.0, production 2).
pub(super) fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// Tells whether a text is a name without a colon (Namespaces in XML 1.0, production 4).
pub(super) fn is_ncname(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(starts_name) && chars.all(continues_name)
}

/// XML 1.0, production 4, without the colon.
fn starts_name(c: char) -> bool {
    matches!(c, 'A'..='Z' | '_' | 'a'..='z'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}'
        | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
        | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

/// XML 1.0, production 4a, without the colon.
fn continues_name(c: char) -> bool {
    starts_name(c) || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_prefix_stands_for_one_uri() {
        let prefixes: BTreeSet<_> = ALL.iter().map(|ns| ns.prefix).collect();
        let uris: BTreeSet<_> = ALL.iter().map(|ns| ns.uri).collect();
        assert_eq!((prefixes.len(), uris.len()), (ALL.len(), ALL.len()));
        assert!(ALL.iter().all(|ns| is_ncname(ns.prefix)));
    }

    #[test]
    fn names_follow_the_grammar() {
        for good in ["a", "_", "Größe", "x-1.b", "名"] {
            assert!(is_ncname(good), "{good}");
        }
        for bad in ["", "1a", "-a", "a:b", "a b", "a/", "\u{D7}", "a\u{2028}"] {
            assert!(!is_ncname(bad), "{bad:?}");
        }
    }

    #[test]
    fn names_are_shown_with_their_namespace() {
        assert_eq!(QName::new(TER, "Action").to_string(), "{http://www.onvif.org/ver10/error}Action");
        assert_eq!(QName::from_parts(None, "x").to_string(), "x");
        assert_eq!(Ns::find(TT.uri()), Some(TT));
    }
}
