//! Writes a tree that came from elsewhere.
//!
//! Text and attributes may hold names with prefixes (`xsi:type`, topics, message filters), and nothing in the text says
//! which do. So every declaration that is in scope where the tree was read is written again, and each name gets a prefix
//! that stands for its namespace in that scope.

use std::sync::Arc;

use super::{
    names::{Ns, QName, XML},
    tree::{Binding, Element, Here, Node},
    writer::{Writer, push_attribute, push_declaration, push_name, push_text},
};

/// Writes the element with everything in it.
pub(super) fn write(writer: &mut Writer, element: &Element) {
    Copier { writer, scope: Vec::new() }.element(element, None);
}

/// The declarations in scope around an element where it was read.
fn inherited(element: &Element) -> Vec<Binding> {
    let mut inherited: Vec<Binding> = Vec::new();
    let around = element.here().parent.iter().flat_map(|parent| parent.outwards());
    for binding in around.flat_map(|here| &here.bindings) {
        // The innermost comes first, and hides those further out.
        if !inherited.iter().any(|known| known.prefix == binding.prefix) {
            inherited.push(binding.clone());
        }
    }
    inherited
}

struct Copier<'w> {
    writer: &'w mut Writer,
    /// The declarations that were written around this place, the innermost last.
    scope: Vec<Binding>,
}

impl Copier<'_> {
    /// Writes an element that stands in `parent`.
    fn element(&mut self, element: &Element, parent: Option<&Arc<Here>>) {
        let outer = self.scope.len();
        let own = &element.here().bindings;
        let at_home =
            element.here().parent.as_ref().zip(parent).is_some_and(|(home, parent)| Arc::ptr_eq(home, parent));
        if !at_home {
            let hidden = |binding: &Binding| own.iter().any(|known| known.prefix == binding.prefix);
            self.scope.extend(inherited(element).into_iter().filter(|binding| !hidden(binding)));
        }
        self.scope.extend(own.iter().cloned());
        let name = self.prefix(element.name(), false);
        let attributes: Vec<_> = element.attributes().iter().map(|a| (self.prefix(&a.name, true), a)).collect();

        let mut tag = String::new();
        push_name(&mut tag, &name, element.name().local());
        self.writer.out.push('<');
        self.writer.out.push_str(&tag);
        for binding in &self.scope[outer..] {
            push_declaration(&mut self.writer.out, &binding.prefix, binding.uri.as_deref().unwrap_or_default());
        }
        for (prefix, attribute) in attributes {
            push_attribute(&mut self.writer.out, &prefix, attribute.name.local(), &attribute.value);
        }
        self.content(element, &tag);
        self.scope.truncate(outer);
    }

    fn content(&mut self, element: &Element, tag: &str) {
        if element.nodes().is_empty() {
            self.writer.out.push_str("/>");
            return;
        }
        self.writer.out.push('>');
        for node in element.nodes() {
            match node {
                Node::Element(child) => self.element(child, Some(element.here())),
                Node::Text(text) => push_text(&mut self.writer.out, text),
            }
        }
        self.writer.out.push_str("</");
        self.writer.out.push_str(tag);
        self.writer.out.push('>');
    }

    /// Finds a prefix for a name: one in scope, else the table's, else a new one, which is declared on the element.
    fn prefix(&mut self, name: &QName, attribute: bool) -> String {
        let uri = name.namespace();
        if uri.is_empty() {
            if !attribute && self.lookup("").is_some_and(|uri| uri.is_some()) {
                self.scope.push(Binding { prefix: "".into(), uri: None });
            }
            return String::new();
        }
        if uri == XML.uri() {
            return XML.prefix().to_owned();
        }
        let stands = |binding: &&Binding| {
            binding.uri.as_deref() == Some(uri)
                && self.lookup(&binding.prefix) == Some(Some(uri))
                && !(attribute && binding.prefix.is_empty())
        };
        if let Some(binding) = self.scope.iter().rev().find(stands) {
            return binding.prefix.to_string();
        }
        if let Some(ns) = Ns::find(uri).filter(|ns| self.lookup(ns.prefix()).is_none()) {
            self.writer.mark(ns);
            return ns.prefix().to_owned();
        }
        let prefix = self.fresh();
        self.scope.push(Binding { prefix: prefix.as_str().into(), uri: Some(uri.into()) });
        prefix
    }

    /// What a prefix stands for: nothing known, or a declaration, which may take the default namespace back.
    fn lookup(&self, prefix: &str) -> Option<Option<&str>> {
        self.scope.iter().rev().find(|binding| *binding.prefix == *prefix).map(|binding| binding.uri.as_deref())
    }

    fn fresh(&self) -> String {
        let mut names = (0..).map(|number| format!("n{number}"));
        names.find(|prefix| self.lookup(prefix).is_none()).unwrap_or_default()
    }
}
