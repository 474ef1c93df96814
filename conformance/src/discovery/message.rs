//! What others say, read by the names of WS-Discovery.

use roxmltree::{Document, Node};

use super::{ADDRESSING, DISCOVERY};
use crate::soap::ENV;

/// A message that was heard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// `Action` in the header.
    pub action: String,
    /// `MessageID` in the header.
    pub message_id: String,
    /// `RelatesTo` in the header, as it stands there.
    pub relates_to: Option<String>,
    /// What it says.
    pub content: Content,
}

/// What a message says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Content {
    /// A device is there.
    Hello(Description),
    /// The device of this endpoint leaves.
    Bye(String),
    /// These devices are meant by the Probe.
    Matches(Vec<Description>),
    /// The question was wrong: codes, outermost first, as namespace and name.
    Fault(Vec<(String, String)>),
    /// Something else.
    #[default]
    Other,
}

/// A device as it describes itself. What is absent was not told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Description {
    /// The address of the endpoint.
    pub endpoint: String,
    /// Its types: namespace, empty where the prefix stands for none, and name.
    pub types: Option<Vec<(String, String)>>,
    /// Its scopes.
    pub scopes: Option<Vec<String>>,
    /// The rule by which scopes are compared, where one is told.
    pub match_by: Option<String>,
    /// Where its device service is.
    pub xaddrs: Option<Vec<String>>,
    /// The version of all this.
    pub version: Option<u32>,
}

impl Message {
    /// Reads a datagram. What is no envelope of SOAP 1.2 is `None`: others use the port too.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let document = Document::parse(text.trim_start_matches('\u{feff}')).ok()?;
        let envelope = document.root_element();
        if !envelope.has_tag_name((ENV, "Envelope")) {
            return None;
        }
        let header = child(envelope, ENV, "Header");
        let field = |name| header.and_then(|header| child(header, ADDRESSING, name)).map(text_of);
        let content = child(envelope, ENV, "Body").and_then(|body| body.first_element_child()).map(read);
        Some(Self {
            action: field("Action").unwrap_or_default(),
            message_id: field("MessageID").unwrap_or_default(),
            relates_to: field("RelatesTo"),
            content: content.unwrap_or_default(),
        })
    }

    /// What it is called in a report.
    pub fn name(&self) -> &'static str {
        match self.content {
            Content::Hello(_) => "Hello",
            Content::Bye(_) => "Bye",
            Content::Matches(_) => "ProbeMatches",
            Content::Fault(_) => "Fault",
            Content::Other => "another message",
        }
    }
}

fn read(body: Node<'_, '_>) -> Content {
    match (body.tag_name().namespace(), body.tag_name().name()) {
        (Some(DISCOVERY), "Hello") => Content::Hello(description(body)),
        (Some(DISCOVERY), "Bye") => Content::Bye(endpoint(body)),
        (Some(DISCOVERY), "ProbeMatches") => {
            let all = body.children().filter(|node| node.has_tag_name((DISCOVERY, "ProbeMatch")));
            Content::Matches(all.map(description).collect())
        }
        (Some(ENV), "Fault") => {
            let mut codes = Vec::new();
            let mut code = child(body, ENV, "Code");
            while let Some(here) = code {
                codes.push(child(here, ENV, "Value").map(|value| name(value, &text_of(value))).unwrap_or_default());
                code = child(here, ENV, "Subcode");
            }
            Content::Fault(codes)
        }
        _ => Content::Other,
    }
}

fn description(node: Node<'_, '_>) -> Description {
    let list = |name| child(node, DISCOVERY, name).map(|list| words(list));
    Description {
        endpoint: endpoint(node),
        types: child(node, DISCOVERY, "Types").map(|types| words(types).iter().map(|word| name(types, word)).collect()),
        scopes: list("Scopes"),
        match_by: child(node, DISCOVERY, "Scopes").and_then(|scopes| scopes.attribute("MatchBy")).map(str::to_owned),
        xaddrs: list("XAddrs"),
        version: child(node, DISCOVERY, "MetadataVersion").and_then(|version| text_of(version).parse().ok()),
    }
}

fn endpoint(node: Node<'_, '_>) -> String {
    let reference = child(node, ADDRESSING, "EndpointReference");
    reference.and_then(|reference| child(reference, ADDRESSING, "Address")).map(text_of).unwrap_or_default()
}

fn child<'a, 'b>(node: Node<'a, 'b>, uri: &str, name: &str) -> Option<Node<'a, 'b>> {
    node.children().find(|child| child.has_tag_name((uri, name)))
}

fn text_of(node: Node<'_, '_>) -> String {
    node.text().unwrap_or_default().trim().to_owned()
}

fn words(node: Node<'_, '_>) -> Vec<String> {
    node.text().unwrap_or_default().split_whitespace().map(str::to_owned).collect()
}

/// A qualified name in the text of a node.
fn name(node: Node<'_, '_>, word: &str) -> (String, String) {
    let (prefix, local) = match word.split_once(':') {
        Some((prefix, local)) => (Some(prefix), local),
        None => (None, word),
    };
    (node.lookup_namespace_uri(prefix).unwrap_or_default().to_owned(), local.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::NETWORK;

    fn envelope(header: &str, body: &str) -> String {
        format!(
            "<e:Envelope xmlns:e=\"{ENV}\" xmlns:a=\"{ADDRESSING}\" xmlns:d=\"{DISCOVERY}\" xmlns:dn=\"{NETWORK}\">\
             <e:Header>{header}</e:Header><e:Body>{body}</e:Body></e:Envelope>"
        )
    }

    #[test]
    fn a_match_is_read_with_its_namespaces() {
        let text = envelope(
            "<a:RelatesTo> urn:uuid:1 </a:RelatesTo>",
            "<d:ProbeMatches><d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:2</a:Address></a:EndpointReference>\
             <d:Types>dn:NetworkVideoTransmitter x:Device</d:Types><d:Scopes> a:b\n c:d </d:Scopes>\
             <XAddrs>http://wrong/namespace</XAddrs><d:MetadataVersion>7</d:MetadataVersion></d:ProbeMatch></d:ProbeMatches>",
        );
        let message = Message::parse(text.as_bytes()).unwrap();
        assert_eq!(message.relates_to.as_deref(), Some("urn:uuid:1"));
        let Content::Matches(matches) = message.content else { panic!("{message:?}") };
        let types = [(NETWORK, "NetworkVideoTransmitter"), ("", "Device")];
        assert_eq!(matches[0].types, Some(types.map(|(uri, name)| (uri.to_owned(), name.to_owned())).to_vec()));
        assert_eq!(matches[0].scopes, Some(vec!["a:b".to_owned(), "c:d".to_owned()]));
        assert_eq!((matches[0].xaddrs.as_ref(), matches[0].version), (None, Some(7)));
    }

    #[test]
    fn a_fault_a_farewell_and_noise_are_told_apart() {
        let codes = "<e:Code><e:Value>e:Sender</e:Value><e:Subcode><e:Value>d:No</e:Value></e:Subcode></e:Code>";
        let fault = Message::parse(envelope("", &format!("<e:Fault>{codes}</e:Fault>")).as_bytes()).unwrap();
        let expected = [(ENV, "Sender"), (DISCOVERY, "No")].map(|(uri, name)| (uri.to_owned(), name.to_owned()));
        assert_eq!(fault.content, Content::Fault(expected.to_vec()));
        let bye = "<d:Bye><a:EndpointReference><a:Address>urn:uuid:2</a:Address></a:EndpointReference></d:Bye>";
        let bye = Message::parse(envelope("", bye).as_bytes()).unwrap();
        assert_eq!((bye.name(), bye.content), ("Bye", Content::Bye("urn:uuid:2".into())));
        assert!(Message::parse(b"M-SEARCH * HTTP/1.1").is_none() && Message::parse(b"<a/>").is_none());
    }
}
