//! Reading what arrives: a SOAP 1.2 envelope with a Probe or a Resolve in it.
//!
//! Names count by namespace, never by prefix (X9), and the element in the body decides, not the action (X10). Clients are
//! allowed what readers can bear: a prefix that is declared nowhere on an attribute that means nothing to us (openHAB
//! 2.5), zeros behind the envelope. What could cost more than it is worth is refused: a document type, depth, length, lists
//! without end.

use quick_xml::{
    NsReader, XmlVersion,
    escape::resolve_xml_entity,
    events::{BytesRef, BytesStart, Event},
    name::{Namespace, QName, ResolveResult},
};

use super::names::{ADDRESSING, ADDRESSING_2005, DISCOVERY, SOAP};

/// Longest datagram that is read; a Probe has less than two kilobytes.
pub const MAX_DATAGRAM: usize = 8192;
/// Deepest nesting; a Resolve needs five.
const MAX_DEPTH: usize = 16;
/// Most namespaces declared at one place.
const MAX_BINDINGS: usize = 64;
/// Most entries of a list.
const MAX_ENTRIES: usize = 32;
/// Longest message id; a URN with a UUID has 45 characters.
const MAX_ID: usize = 256;

/// A name with its namespace, empty where it has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The namespace.
    pub namespace: String,
    /// The local part.
    pub local: String,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// To which an answer relates.
    pub message_id: String,
    /// What is asked.
    pub body: RequestBody,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestBody {
    /// Who is there?
    Probe(Probe),
    /// Where is the endpoint with this address?
    Resolve(String),
}

/// What a device must be to be meant; an empty list means every device.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Probe {
    /// Types, of which it must have all.
    pub types: Vec<Name>,
    /// Scopes, of which it must match all.
    pub scopes: Vec<String>,
    /// The rule that says when a scope matches.
    pub match_by: Option<String>,
}

/// Why a datagram was not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Longer than [`MAX_DATAGRAM`].
    #[error("{0} bytes are too many")]
    TooLong(usize),
    /// Not UTF-8 (X1).
    #[error("not UTF-8 from byte {0} on")]
    NotText(usize),
    /// Not well-formed.
    #[error("at byte {at}: {what}")]
    Xml {
        /// Where.
        at: u64,
        /// What is wrong.
        what: String,
    },
    /// It declares a document type.
    #[error("a document type is not allowed")]
    DocumentType,
    /// Too deep, or too many of something.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// Not a SOAP 1.2 envelope.
    #[error("no SOAP 1.2 envelope")]
    NoEnvelope,
    /// Without an id that an answer could relate to.
    #[error("no message id")]
    NoMessageId,
    /// A type whose prefix is declared nowhere.
    #[error("the prefix of type {0:?} is not declared")]
    UnknownPrefix(String),
}

/// Reads a datagram. Whatever is neither Probe nor Resolve, such as the Hello of another device, is none of our business.
pub fn parse(datagram: &[u8]) -> Result<Option<Request>, Unreadable> {
    if datagram.len() > MAX_DATAGRAM {
        return Err(Unreadable::TooLong(datagram.len()));
    }
    let text = str::from_utf8(datagram).map_err(|error| Unreadable::NotText(error.valid_up_to()))?;
    // Programs in C send the end of their string along.
    let text = text.trim_end_matches('\0');
    let mut reader = NsReader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    reader.resolver_mut().set_max_namespace_bindings(MAX_BINDINGS);
    let mut message = Message::default();
    loop {
        let event = reader
            .read_event()
            .map_err(|error| Unreadable::Xml { at: reader.error_position(), what: error.to_string() })?;
        match event {
            Event::Start(start) => message.open(tag(&reader, start.name()), &start)?,
            Event::End(_) => message.close(&reader)?,
            Event::Text(text) => message.text(&text)?,
            Event::CData(text) => message.text(&text)?,
            Event::GeneralRef(reference) => message.reference(&reference)?,
            Event::DocType(_) => return Err(Unreadable::DocumentType),
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => (),
            Event::Eof => break,
        }
    }
    message.finish()
}

/// The elements that mean something to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    Envelope,
    Header,
    Body,
    MessageId,
    EndpointReference,
    Address,
    Probe,
    Types,
    Scopes,
    Resolve,
    Other,
}

fn tag(reader: &NsReader<&[u8]>, name: QName<'_>) -> Tag {
    let (namespace, local) = reader.resolver().resolve_element(name);
    let ResolveResult::Bound(Namespace(namespace)) = namespace else { return Tag::Other };
    match (namespace, local.into_inner()) {
        (SOAP, "Envelope") => Tag::Envelope,
        (SOAP, "Header") => Tag::Header,
        (SOAP, "Body") => Tag::Body,
        (ADDRESSING | ADDRESSING_2005, "MessageID") => Tag::MessageId,
        (ADDRESSING | ADDRESSING_2005, "EndpointReference") => Tag::EndpointReference,
        (ADDRESSING | ADDRESSING_2005, "Address") => Tag::Address,
        (DISCOVERY, "Probe") => Tag::Probe,
        (DISCOVERY, "Types") => Tag::Types,
        (DISCOVERY, "Scopes") => Tag::Scopes,
        (DISCOVERY, "Resolve") => Tag::Resolve,
        _ => Tag::Other,
    }
}

/// What has been read so far.
#[derive(Default)]
struct Message {
    path: Vec<Tag>,
    /// The text of the innermost element.
    text: String,
    seen_envelope: bool,
    message_id: String,
    probe: Option<Probe>,
    resolve: Option<String>,
}

impl Message {
    fn open(&mut self, tag: Tag, start: &BytesStart<'_>) -> Result<(), Unreadable> {
        if self.path.is_empty() && (self.seen_envelope || tag != Tag::Envelope) {
            return Err(Unreadable::NoEnvelope);
        }
        if self.path.len() >= MAX_DEPTH {
            return Err(Unreadable::TooMany("elements inside each other"));
        }
        self.seen_envelope = true;
        self.path.push(tag);
        self.text.clear();
        match self.path.as_slice() {
            [Tag::Envelope, Tag::Body, Tag::Probe] => self.probe = Some(Probe::default()),
            [Tag::Envelope, Tag::Body, Tag::Resolve] => self.resolve = Some(String::new()),
            [Tag::Envelope, Tag::Body, Tag::Probe, Tag::Scopes] => {
                let rule = match_by(start)?;
                self.probe.get_or_insert_default().match_by = rule;
            }
            _ => (),
        }
        Ok(())
    }

    fn close(&mut self, reader: &NsReader<&[u8]>) -> Result<(), Unreadable> {
        let text = std::mem::take(&mut self.text);
        let text = text.trim();
        match self.path.as_slice() {
            [Tag::Envelope, Tag::Header, Tag::MessageId] => self.message_id = text.to_owned(),
            [Tag::Envelope, Tag::Body, Tag::Probe, Tag::Types] => {
                let types = entries(text, "types")?.map(|name| resolve(reader, name)).collect::<Result<_, _>>()?;
                self.probe.get_or_insert_default().types = types;
            }
            [Tag::Envelope, Tag::Body, Tag::Probe, Tag::Scopes] => {
                self.probe.get_or_insert_default().scopes = entries(text, "scopes")?.map(str::to_owned).collect();
            }
            [Tag::Envelope, Tag::Body, Tag::Resolve, Tag::EndpointReference, Tag::Address] => {
                self.resolve = Some(text.to_owned());
            }
            _ => (),
        }
        self.path.pop();
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Unreadable> {
        if self.path.is_empty() && !text.trim_start_matches('\u{feff}').trim().is_empty() {
            return Err(Unreadable::NoEnvelope);
        }
        let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..) && !matches!(c, '\u{FFFE}' | '\u{FFFF}');
        if !text.chars().all(allowed) {
            let what = "a character that XML does not allow".to_owned();
            return Err(Unreadable::Xml { at: 0, what });
        }
        self.text.push_str(text);
        Ok(())
    }

    /// The five entities of XML and references to characters: without a document type there are no others.
    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), Unreadable> {
        let what =
            |error: &dyn std::fmt::Display| Unreadable::Xml { at: 0, what: format!("&{};: {error}", &**reference) };
        if let Some(character) = reference.resolve_char_ref().map_err(|error| what(&error))? {
            return self.text(character.encode_utf8(&mut [0; 4]));
        }
        let entity = resolve_xml_entity(reference).ok_or_else(|| what(&"no such entity"))?;
        self.text(entity)
    }

    fn finish(self) -> Result<Option<Request>, Unreadable> {
        if !self.seen_envelope || !self.path.is_empty() {
            return Err(Unreadable::NoEnvelope);
        }
        let body = match (self.probe, self.resolve) {
            (Some(probe), None) => RequestBody::Probe(probe),
            (None, Some(address)) => RequestBody::Resolve(address),
            _ => return Ok(None),
        };
        // It goes into the answer as it is.
        let printable = self.message_id.chars().all(|c| !c.is_control());
        if self.message_id.is_empty() || self.message_id.len() > MAX_ID || !printable {
            return Err(Unreadable::NoMessageId);
        }
        Ok(Some(Request { message_id: self.message_id, body }))
    }
}

fn match_by(start: &BytesStart<'_>) -> Result<Option<String>, Unreadable> {
    let wrong = |error: &dyn std::fmt::Display| Unreadable::Xml { at: 0, what: error.to_string() };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| wrong(&error))?;
        if attribute.key.as_ref() == "MatchBy" {
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|error| wrong(&error))?;
            return Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty()));
        }
    }
    Ok(None)
}

/// The entries of a list, which XML separates by white space.
fn entries<'a>(text: &'a str, what: &'static str) -> Result<std::str::SplitWhitespace<'a>, Unreadable> {
    if text.split_whitespace().nth(MAX_ENTRIES).is_some() {
        return Err(Unreadable::TooMany(what));
    }
    Ok(text.split_whitespace())
}

/// Finds the namespace of a name in content, as it is declared at this place.
fn resolve(reader: &NsReader<&[u8]>, name: &str) -> Result<Name, Unreadable> {
    let (namespace, local) = reader.resolver().resolve_element(QName(name));
    let namespace = match namespace {
        ResolveResult::Bound(Namespace(namespace)) => namespace.to_owned(),
        ResolveResult::Unbound => String::new(),
        ResolveResult::Unknown(_) => return Err(Unreadable::UnknownPrefix(name.to_owned())),
    };
    Ok(Name { namespace, local: local.into_inner().to_owned() })
}
