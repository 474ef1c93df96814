//! Typed values to XML.
//!
//! Content is written first and the root element around it last, because only then it is known which prefixes of the table
//! the content uses; the root declares those and no others.
//!
//! ```
//! use belvedere::onvif::soap::{names::{TRT, TT}, writer::{Writer, document}};
//!
//! let text = document(TRT, "GetProfileResponse", |w| {
//!     w.tag(TRT, "Profile").attribute("token", "p1").attribute("fixed", true).content(|w| {
//!         w.text(TT, "Name", "front & back");
//!         w.optional(TT, "UseCount", None::<u32>);
//!         w.element(TT, "Resolution", |w: &mut Writer| {
//!             w.text(TT, "Width", 640);
//!             w.text(TT, "Height", 360);
//!         });
//!     });
//! });
//! assert!(text.contains("<trt:Profile token=\"p1\" fixed=\"true\"><tt:Name>front &amp; back</tt:Name><tt:Resolution>"));
//! ```

use super::{
    copy,
    names::{ENV, Ns, XML, is_xml_char},
    tree::Element,
    values::ToText,
};

/// What a document begins with.
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

/// Writes a whole document with that root element.
pub fn document(namespace: Ns, local: &str, content: impl FnOnce(&mut Writer)) -> String {
    let mut writer = Writer { out: String::with_capacity(1024), used: Vec::new() };
    writer.mark(namespace);
    content(&mut writer);
    let Writer { out: content, used } = writer;
    let mut out = String::with_capacity(DECLARATION.len() + content.len() + 64 * (used.len() + 2));
    out.push_str(DECLARATION);
    out.push('<');
    push_name(&mut out, namespace.prefix(), local);
    for ns in used {
        push_declaration(&mut out, ns.prefix(), ns.uri());
    }
    out.push('>');
    out.push_str(&content);
    out.push_str("</");
    push_name(&mut out, namespace.prefix(), local);
    out.push('>');
    out
}

/// Writes a SOAP envelope.
pub(super) fn envelope(header: impl FnOnce(&mut Writer), body: impl FnOnce(&mut Writer)) -> String {
    document(ENV, "Envelope", |w| {
        let before = w.out.len();
        w.element(ENV, "Header", header);
        if w.out[before..] == *"<env:Header/>" {
            w.out.truncate(before);
        }
        w.element(ENV, "Body", body);
    })
}

/// Writes content.
#[derive(Debug)]
pub struct Writer {
    pub(super) out: String,
    /// The namespaces whose prefixes occur, in the order of their first use.
    used: Vec<Ns>,
}

impl Writer {
    /// Writes an element with what `content` writes in it.
    pub fn element(&mut self, namespace: Ns, local: &str, content: impl FnOnce(&mut Self)) {
        self.tag(namespace, local).content(content);
    }

    /// Writes an element that holds a value.
    pub fn text(&mut self, namespace: Ns, local: &str, value: impl ToText) {
        self.tag(namespace, local).text(value);
    }

    /// Writes an element that holds a value, if there is one.
    pub fn optional(&mut self, namespace: Ns, local: &str, value: Option<impl ToText>) {
        if let Some(value) = value {
            self.text(namespace, local, value);
        }
    }

    /// Writes an element for each value.
    pub fn each(&mut self, namespace: Ns, local: &str, values: impl IntoIterator<Item = impl ToText>) {
        for value in values {
            self.text(namespace, local, value);
        }
    }

    /// Writes an element that holds nothing.
    pub fn empty(&mut self, namespace: Ns, local: &str) {
        self.tag(namespace, local);
    }

    /// Begins an element that has attributes; it is empty unless the tag is given content.
    pub fn tag<'w>(&'w mut self, namespace: Ns, local: &'w str) -> Tag<'w> {
        self.mark(namespace);
        self.out.push('<');
        push_name(&mut self.out, namespace.prefix(), local);
        Tag { writer: self, namespace, local, closed: false }
    }

    /// Writes a value as text of the element that is open.
    pub fn characters(&mut self, value: impl ToText) {
        push_text(&mut self.out, &value.to_text());
    }

    /// Returns a qualified name as text, for content and attributes of the type `xs:QName`, and for topics.
    pub fn qname(&mut self, namespace: Ns, local: &str) -> String {
        self.mark(namespace);
        let mut name = String::new();
        push_name(&mut name, namespace.prefix(), local);
        name
    }

    /// Writes a tree that was read or made elsewhere. Prefixes stay as they were read, so names in its content stay true; for
    /// that, everything declared around it is declared again, so the number of trees that one request can make us copy needs
    /// a limit.
    pub fn copy(&mut self, element: &Element) {
        copy::write(self, element);
    }

    /// Notes that a prefix is used, and so has to be declared.
    pub(super) fn mark(&mut self, namespace: Ns) {
        if namespace != XML && !self.used.contains(&namespace) {
            self.used.push(namespace);
        }
    }
}

/// An element that is begun and takes attributes; see [`Writer::tag`].
#[derive(Debug)]
pub struct Tag<'w> {
    writer: &'w mut Writer,
    namespace: Ns,
    local: &'w str,
    closed: bool,
}

impl Tag<'_> {
    /// Adds an attribute that is in no namespace.
    pub fn attribute(self, local: &str, value: impl ToText) -> Self {
        push_attribute(&mut self.writer.out, "", local, &value.to_text());
        self
    }

    /// Adds an attribute that is in no namespace, if there is a value.
    pub fn optional_attribute(self, local: &str, value: Option<impl ToText>) -> Self {
        match value {
            Some(value) => self.attribute(local, value),
            None => self,
        }
    }

    /// Adds an attribute of a namespace.
    pub fn attribute_in(self, namespace: Ns, local: &str, value: impl ToText) -> Self {
        self.writer.mark(namespace);
        push_attribute(&mut self.writer.out, namespace.prefix(), local, &value.to_text());
        self
    }

    /// Adds an attribute that holds a qualified name.
    pub fn attribute_qname(self, namespace: Ns, local: &str, value: (Ns, &str)) -> Self {
        let name = self.writer.qname(value.0, value.1);
        self.attribute_in(namespace, local, name)
    }

    /// Declares a prefix that is not of the table, for names in the content.
    pub(super) fn declare(self, prefix: &str, uri: &str) -> Self {
        push_declaration(&mut self.writer.out, prefix, uri);
        self
    }

    /// Ends the element with what `content` writes in it.
    pub fn content(mut self, content: impl FnOnce(&mut Writer)) {
        self.writer.out.push('>');
        let before = self.writer.out.len();
        content(self.writer);
        if self.writer.out.len() == before {
            // Nothing was written: dropping the tag makes it an empty one.
            self.writer.out.pop();
            return;
        }
        self.writer.out.push_str("</");
        push_name(&mut self.writer.out, self.namespace.prefix(), self.local);
        self.writer.out.push('>');
        self.closed = true;
    }

    /// Ends the element with a value in it.
    pub fn text(self, value: impl ToText) {
        self.content(|w| w.characters(value));
    }
}

impl Drop for Tag<'_> {
    fn drop(&mut self) {
        if !self.closed {
            self.writer.out.push_str("/>");
        }
    }
}

pub(super) fn push_name(out: &mut String, prefix: &str, local: &str) {
    if !prefix.is_empty() {
        out.push_str(prefix);
        out.push(':');
    }
    out.push_str(local);
}

pub(super) fn push_attribute(out: &mut String, prefix: &str, local: &str, value: &str) {
    out.push(' ');
    push_name(out, prefix, local);
    out.push_str("=\"");
    escape(out, value, true);
    out.push('"');
}

/// The empty prefix declares the default namespace.
pub(super) fn push_declaration(out: &mut String, prefix: &str, uri: &str) {
    match prefix {
        "" => push_attribute(out, "", "xmlns", uri),
        prefix => push_attribute(out, "xmlns", prefix, uri),
    }
}

pub(super) fn push_text(out: &mut String, text: &str) {
    escape(out, text, false);
}

/// Escapes what would be read as something else. Characters that no document may hold, not even by reference, become U+FFFD.
fn escape(out: &mut String, text: &str, attribute: bool) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            // Against `]]>`.
            '>' => out.push_str("&gt;"),
            '"' if attribute => out.push_str("&quot;"),
            // Readers turn these into line feeds or blanks.
            '\r' => out.push_str("&#13;"),
            '\n' if attribute => out.push_str("&#10;"),
            '\t' if attribute => out.push_str("&#9;"),
            c if is_xml_char(c) => out.push(c),
            _ => out.push('\u{FFFD}'),
        }
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
