//! From bytes to a tree: XML 1.0 with namespaces, in UTF-8, without document types and processing instructions.
//!
//! quick-xml finds the tokens; what it leaves to its users is done here: references (it reports them apart from the text
//! around them), names, namespaces, characters, and where a document begins and ends. Both things that are refused are
//! forbidden by SOAP (SOAP 1.2 part 1, section 5), and with the document type go all entities but the five of XML itself.

use std::sync::Arc;

use quick_xml::{
    Reader, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesDecl, BytesRef, BytesStart, Event},
};
use thiserror::Error;

use super::{
    names::{QName, XML, is_ncname, is_xml_char},
    tree::{Attribute, Binding, Element, Here},
};

/// The namespace of the declarations themselves (Namespaces in XML 1.0, section 3).
const XMLNS: &str = "http://www.w3.org/2000/xmlns/";

/// How much a document may hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the document; 256 KiB, several times what a chain of certificates takes.
    pub bytes: usize,
    /// Elements within each other, the root included; 64. The deepest messages of the schemas take about 20.
    pub depth: usize,
    /// Elements in the document; 8192.
    pub elements: usize,
    /// Attributes of one element, namespace declarations included; 256. gSOAP clients declare every namespace that their
    /// program knows on the envelope, which is often more than 60.
    pub attributes: usize,
    /// Namespace declarations in scope at one place; 256. They are searched for each name.
    pub bindings: usize,
    /// Bytes of one run of text or one attribute value; 128 KiB.
    pub text: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 256 * 1024, depth: 64, elements: 8192, attributes: 256, bindings: 256, text: 128 * 1024 }
    }
}

/// Why a document is not read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("byte {at}: {problem}")]
pub struct XmlError {
    /// Where, in bytes from the beginning.
    pub at: u64,
    /// What is wrong there.
    pub problem: XmlProblem,
}

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum XmlProblem {
    /// One of the [`Limits`].
    #[error("more than {limit} {what}")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: usize,
    },
    /// The bytes are not UTF-8, or the declaration names another encoding.
    #[error("the encoding is not UTF-8")]
    Encoding,
    /// Another version than 1.0, or a declaration that is not at the beginning.
    #[error("not a declaration of XML 1.0 at the beginning")]
    Declaration,
    /// The grammar is broken.
    #[error("{0}")]
    Malformed(String),
    /// A document type declaration.
    #[error("a document type declaration")]
    DocumentType,
    /// A processing instruction.
    #[error("a processing instruction")]
    ProcessingInstruction,
    /// A character that XML does not allow.
    #[error("a character that is not allowed")]
    Character,
    /// A reference to something else than a character or one of the five entities of XML.
    #[error("an unknown reference")]
    Reference,
    /// Text, or a second element, beside the root.
    #[error("content beside the root element")]
    BesideRoot,
    /// The end comes too early.
    #[error("the document ends too early")]
    Incomplete,
    /// A name that breaks the grammar.
    #[error("a malformed name")]
    Name,
    /// A prefix that is not declared.
    #[error("an undeclared prefix")]
    UndeclaredPrefix,
    /// A namespace declaration that is not allowed.
    #[error("a namespace declaration that is not allowed")]
    Binding,
    /// Two attributes of one name.
    #[error("an attribute given twice")]
    RepeatedAttribute,
}

use XmlProblem as Problem;

/// Reads a document.
///
/// # Errors
/// It is none, or goes beyond the limits; the error says where.
pub fn read(bytes: &[u8], limits: &Limits) -> Result<Element, XmlError> {
    let (text, skipped) = decode(bytes, limits)?;
    let error = |at: u64, problem| XmlError { at: skipped + at, problem };
    let mut reader = Reader::from_str(text);
    reader.config_mut().enable_all_checks(true);
    let mut builder = Builder::new(limits);
    loop {
        let at = reader.buffer_position();
        let event = match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(event) => event,
            Err(cause) => return Err(error(reader.error_position(), Problem::Malformed(cause.to_string()))),
        };
        builder.event(&event, at == 0).map_err(|problem| error(at, problem))?;
    }
    builder.root.filter(|_| builder.open.is_empty()).ok_or(error(text.len() as u64, Problem::Incomplete))
}

/// Takes the bytes as text, without a byte order mark; the number is how many bytes that was.
fn decode<'a>(bytes: &'a [u8], limits: &Limits) -> Result<(&'a str, u64), XmlError> {
    if bytes.len() > limits.bytes {
        return Err(XmlError { at: limits.bytes as u64, problem: too_much("bytes", limits.bytes) });
    }
    let (bytes, skipped) = match bytes.strip_prefix(b"\xEF\xBB\xBF") {
        Some(rest) => (rest, 3),
        None => (bytes, 0),
    };
    let text = str::from_utf8(bytes)
        .map_err(|error| XmlError { at: skipped + error.valid_up_to() as u64, problem: Problem::Encoding })?;
    // quick-xml would remove a second byte order mark.
    let bad = |&(at, c): &(usize, char)| !is_xml_char(c) || (at == 0 && c == '\u{FEFF}');
    match text.char_indices().find(bad) {
        Some((at, _)) => Err(XmlError { at: skipped + at as u64, problem: Problem::Character }),
        None => Ok((text, skipped)),
    }
}

fn too_much(what: &'static str, limit: usize) -> Problem {
    Problem::TooMuch { what, limit }
}

/// The namespace declarations of a tag, and its attributes with their names as written.
type TagContent<'s> = (Vec<Binding>, Vec<(&'s str, String)>);

/// Puts the tree together.
struct Builder<'l> {
    limits: &'l Limits,
    /// The elements that are not closed yet, the root first.
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
    /// The declarations in scope, the innermost last; never empty.
    scope: Vec<Binding>,
}

impl<'l> Builder<'l> {
    fn new(limits: &'l Limits) -> Self {
        let xml = Binding { prefix: XML.prefix().into(), uri: Some(XML.uri().into()) };
        Self { limits, open: Vec::new(), root: None, elements: 0, scope: vec![xml] }
    }

    fn event(&mut self, event: &Event<'_>, first: bool) -> Result<(), Problem> {
        match event {
            Event::Start(start) => self.start(start),
            Event::Empty(start) => {
                self.start(start)?;
                self.end();
                Ok(())
            }
            Event::End(_) => {
                self.end();
                Ok(())
            }
            Event::Text(text) if text.contains("]]>") => Err(Problem::Malformed("`]]>` in text".to_owned())),
            Event::Text(text) => self.text(&text.xml10_content()),
            Event::CData(_) if self.open.is_empty() => Err(Problem::BesideRoot),
            Event::CData(data) => self.text(&data.xml10_content()),
            Event::GeneralRef(reference) => self.reference(reference),
            Event::Decl(declaration) if first => check_declaration(declaration),
            Event::Decl(_) => Err(Problem::Declaration),
            Event::DocType(_) => Err(Problem::DocumentType),
            Event::PI(_) => Err(Problem::ProcessingInstruction),
            Event::Comment(_) | Event::Eof => Ok(()),
        }
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), Problem> {
        if self.open.is_empty() && self.root.is_some() {
            return Err(Problem::BesideRoot);
        }
        self.elements += 1;
        if self.elements > self.limits.elements {
            return Err(too_much("elements", self.limits.elements));
        }
        if self.open.len() == self.limits.depth {
            return Err(too_much("elements within each other", self.limits.depth));
        }
        let (bindings, attributes) = self.attributes(start)?;
        self.scope.extend(bindings.iter().cloned());
        if self.scope.len() - 1 > self.limits.bindings {
            return Err(too_much("namespace declarations in scope", self.limits.bindings));
        }
        let name = self.name(start.name().0)?;
        let parent = self.open.last().map(|element| Arc::clone(element.here()));
        let mut element = Element::from_here(Here { name, parent, bindings: bindings.into() });
        for (name, value) in attributes {
            // Without a prefix an attribute is in no namespace, so the default one is not asked for.
            let name = if name.contains(':') { self.name(name)? } else { QName::from_parts(None, checked(name)?) };
            if element.attributes().iter().any(|attribute| attribute.name == name) {
                return Err(Problem::RepeatedAttribute);
            }
            element.push_attribute(Attribute { name, value });
        }
        self.open.push(element);
        Ok(())
    }

    fn end(&mut self) {
        // The reader has seen to it that every end has its beginning.
        let Some(element) = self.open.pop() else { return };
        self.scope.truncate(self.scope.len() - element.here().bindings.len());
        match self.open.last_mut() {
            Some(parent) => parent.push(element),
            None => self.root = Some(element),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), Problem> {
        let Some(element) = self.open.last_mut() else {
            let blank = text.chars().all(|c| matches!(c, ' ' | '\t' | '\n' | '\r'));
            return if blank { Ok(()) } else { Err(Problem::BesideRoot) };
        };
        if element.push_text(text) > self.limits.text {
            return Err(too_much("bytes of text", self.limits.text));
        }
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), Problem> {
        if self.open.is_empty() {
            return Err(Problem::BesideRoot);
        }
        match reference.resolve_char_ref() {
            Ok(Some(c)) if is_xml_char(c) => self.text(c.encode_utf8(&mut [0; 4])),
            Ok(Some(_)) => Err(Problem::Character),
            Ok(None) => self.text(resolve_predefined_entity(reference).ok_or(Problem::Reference)?),
            Err(_) => Err(Problem::Reference),
        }
    }

    /// Reads the attributes of a tag: the declarations, then the others with their names as written.
    fn attributes<'s>(&self, start: &'s BytesStart<'_>) -> Result<TagContent<'s>, Problem> {
        let (mut bindings, mut attributes) = (Vec::new(), Vec::new());
        if !spaced(start.attributes_raw()) {
            return Err(Problem::Malformed("attributes without white space between them".to_owned()));
        }
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| Problem::Malformed(error.to_string()))?;
            if bindings.len() + attributes.len() == self.limits.attributes {
                return Err(too_much("attributes", self.limits.attributes));
            }
            let value = self.attribute_value(&attribute)?;
            let name = attribute.key.0;
            match name.strip_prefix("xmlns") {
                Some("") => bindings.push(binding("", &value)?),
                Some(prefix) if prefix.starts_with(':') => bindings.push(binding(checked(&prefix[1..])?, &value)?),
                _ => attributes.push((name, value)),
            }
        }
        Ok((bindings, attributes))
    }

    fn attribute_value(&self, attribute: &quick_xml::events::attributes::Attribute<'_>) -> Result<String, Problem> {
        if attribute.value.len() > self.limits.text {
            return Err(too_much("bytes of text", self.limits.text));
        }
        if attribute.value.contains('<') {
            return Err(Problem::Malformed("`<` in an attribute value".to_owned()));
        }
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| Problem::Reference)?;
        if value.chars().all(is_xml_char) { Ok(value.into_owned()) } else { Err(Problem::Character) }
    }

    /// Resolves a name as written; one without a prefix is in the default namespace.
    fn name(&self, name: &str) -> Result<QName, Problem> {
        let (prefix, local) = match name.split_once(':') {
            Some((prefix, local)) => (checked(prefix)?, checked(local)?),
            None => ("", checked(name)?),
        };
        match self.scope.iter().rev().find(|binding| *binding.prefix == *prefix) {
            Some(binding) => Ok(QName::from_parts(binding.uri.clone(), local)),
            None if prefix.is_empty() => Ok(QName::from_parts(None, local)),
            None => Err(Problem::UndeclaredPrefix),
        }
    }
}

/// Makes a declaration of what stands in an attribute (Namespaces in XML 1.0, section 3).
fn binding(prefix: &str, uri: &str) -> Result<Binding, Problem> {
    let reserved = uri == XMLNS || prefix == "xmlns" || (prefix == XML.prefix()) != (uri == XML.uri());
    if reserved || (uri.is_empty() && !prefix.is_empty()) {
        return Err(Problem::Binding);
    }
    Ok(Binding { prefix: prefix.into(), uri: (!uri.is_empty()).then(|| uri.into()) })
}

fn checked(name: &str) -> Result<&str, Problem> {
    if is_ncname(name) { Ok(name) } else { Err(Problem::Name) }
}

/// Tells whether white space follows each quoted value; the tokeniser does not ask for it.
fn spaced(attributes: &str) -> bool {
    let mut quote = None;
    let mut closed = false;
    for c in attributes.chars() {
        if closed && !matches!(c, ' ' | '\t' | '\n' | '\r') {
            return false;
        }
        closed = quote == Some(c);
        quote = match quote {
            None => Some(c).filter(|c| matches!(c, '"' | '\'')),
            Some(_) if closed => None,
            open => open,
        };
    }
    true
}

fn check_declaration(declaration: &BytesDecl<'_>) -> Result<(), Problem> {
    // WS-I Basic Profile 2.0 has messages in XML 1.0.
    if declaration.version().map_err(|_| Problem::Declaration)? != "1.0" {
        return Err(Problem::Declaration);
    }
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(name)) if name.eq_ignore_ascii_case("utf-8") => Ok(()),
        Some(_) => Err(Problem::Encoding),
    }
}

#[cfg(test)]
#[path = "xml_tests.rs"]
mod tests;
