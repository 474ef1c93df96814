//! Changes of SOAP answers, made in their text so that all else stays as the device wrote it.

use std::ops::Range;

use anyhow::{Context, Result, ensure};
use belvedere_conformance::soap::{ENV, PREFIXES};
use roxmltree::{Document, Node};

/// What stands at a path.
enum Place<'a, 'i> {
    Element(Node<'a, 'i>),
    Attribute(Range<usize>, Range<usize>),
}

/// Name with prefix of the operation that an envelope asks for: `tds:GetHostname`.
pub(crate) fn operation(envelope: &str) -> Option<String> {
    let document = Document::parse(envelope).ok()?;
    let body = content(&document)?;
    let uri = body.tag_name().namespace().unwrap_or_default();
    let prefix = PREFIXES.iter().find(|(_, known)| *known == uri).map_or("", |(prefix, _)| prefix);
    Some(format!("{prefix}:{}", body.tag_name().name()))
}

/// Whether an answer is a fault.
pub(crate) fn is_fault(envelope: &str) -> bool {
    operation(envelope).is_some_and(|name| name == "env:Fault")
}

/// Takes away what stands at a path.
pub(crate) fn drop_at(envelope: &str, path: &str) -> Result<String> {
    edited(envelope, path, |_, place| match place {
        Place::Element(node) => (node.range(), String::new()),
        Place::Attribute(whole, _) => (whole.clone(), String::new()),
    })
}

/// Gives what stands at a path another text.
pub(crate) fn set_at(envelope: &str, path: &str, to: &str) -> Result<String> {
    edited(envelope, path, |text, place| match place {
        Place::Element(node) => (node.range(), element(text, *node, to, false)),
        Place::Attribute(_, value) => (value.clone(), to.to_owned()),
    })
}

/// Puts XML behind what an element holds; the path `` is the response itself.
pub(crate) fn add_at(envelope: &str, path: &str, xml: &str) -> Result<String> {
    let xml = declared(xml);
    edited(envelope, path, |text, place| match place {
        Place::Element(node) => (node.range(), element(text, *node, &xml, true)),
        Place::Attribute(_, value) => (value.clone(), xml.clone()),
    })
}

/// Gives an element twice.
pub(crate) fn repeat_at(envelope: &str, path: &str) -> Result<String> {
    edited(envelope, path, |text, place| match place {
        Place::Element(node) => (node.range(), text[node.range()].repeat(2)),
        Place::Attribute(whole, _) => (whole.clone(), text[whole.clone()].to_owned()),
    })
}

/// The response to an operation, with this in it.
pub(crate) fn response(operation: &str, content: &str) -> String {
    envelope(&format!("<{operation}Response>{content}</{operation}Response>"))
}

/// A fault with these codes, outermost first and with `/` between them.
pub(crate) fn fault(codes: &str) -> String {
    let code = code(&codes.split('/').collect::<Vec<_>>());
    let reason = "<env:Reason><env:Text xml:lang=\"en\">Refused</env:Text></env:Reason>";
    envelope(&format!("<env:Fault><env:Code>{code}</env:Code>{reason}</env:Fault>"))
}

fn code(codes: &[&str]) -> String {
    match codes {
        [] => String::new(),
        [last] => format!("<env:Value>{last}</env:Value>"),
        [first, inner @ ..] => format!("<env:Value>{first}</env:Value><env:Subcode>{}</env:Subcode>", code(inner)),
    }
}

fn envelope(body: &str) -> String {
    let declared: String = PREFIXES.iter().map(|(prefix, uri)| format!(" xmlns:{prefix}=\"{uri}\"")).collect();
    format!("<env:Envelope{declared}><env:Body>{body}</env:Body></env:Envelope>")
}

/// An element with the namespaces that it uses declared on it, since the device need not know our prefixes.
fn declared(xml: &str) -> String {
    let Some(end) = xml.find([' ', '/', '>']) else { return xml.to_owned() };
    let used = PREFIXES.iter().filter(|(prefix, _)| xml.contains(&format!("{prefix}:")));
    let declared: String = used.map(|(prefix, uri)| format!(" xmlns:{prefix}=\"{uri}\"")).collect();
    format!("{}{declared}{}", &xml[..end], &xml[end..])
}

/// The first element in the body.
fn content<'a, 'i>(document: &'a Document<'i>) -> Option<Node<'a, 'i>> {
    let body = document.root_element().children().find(|node| node.has_tag_name((ENV, "Body")))?;
    body.first_element_child()
}

/// An element with another content, or with more of it.
fn element(text: &str, node: Node<'_, '_>, inner: &str, more: bool) -> String {
    let own = &text[node.range()];
    let name: String = own[1..].chars().take_while(|c| !c.is_whitespace() && !"/>".contains(*c)).collect();
    let (tag, old) = match (node.first_child(), node.last_child()) {
        (Some(first), Some(last)) => {
            let tag = &text[node.range().start..first.range().start];
            (tag.trim_end().trim_end_matches('>'), &text[first.range().start..last.range().end])
        }
        _ => (own.trim_end_matches(&format!("</{name}>")).trim_end_matches('>').trim_end_matches('/'), ""),
    };
    let old = if more { old } else { "" };
    format!("{tag}>{old}{inner}</{name}>")
}

fn edited(envelope: &str, path: &str, edit: impl Fn(&str, &Place<'_, '_>) -> (Range<usize>, String)) -> Result<String> {
    let document = Document::parse(envelope)?;
    let response = content(&document).context("no response in the body")?;
    let mut edits: Vec<_> = places(response, path).iter().map(|place| edit(envelope, place)).collect();
    ensure!(!edits.is_empty(), "nothing at {path} in {envelope}");
    edits.sort_by_key(|(range, _)| std::cmp::Reverse(range.start));
    let mut text = envelope.to_owned();
    for (range, new) in edits {
        text.replace_range(range, &new);
    }
    Ok(text)
}

fn places<'a, 'i>(response: Node<'a, 'i>, path: &str) -> Vec<Place<'a, 'i>> {
    let (path, attribute) = path.split_once('@').map_or((path, None), |(path, attribute)| (path, Some(attribute)));
    let mut found = match path {
        _ if path.starts_with("//") => response.descendants().collect(),
        _ if path.starts_with('/') => vec![response.document().root_element()],
        _ => vec![response],
    };
    for step in path.split('/').filter(|step| !step.is_empty()) {
        found = found.into_iter().flat_map(|node| below(node, step)).collect();
    }
    match attribute {
        None => found.into_iter().map(Place::Element).collect(),
        Some(name) => found.into_iter().filter_map(|node| attribute_of(node, name)).collect(),
    }
}

/// The children of a name, or one of them: `Name[1]` is the first.
fn below<'a, 'i>(node: Node<'a, 'i>, step: &str) -> Vec<Node<'a, 'i>> {
    let (name, index) = step.split_once('[').map_or((step, ""), |(name, index)| (name, index.trim_end_matches(']')));
    let children = node.children().filter(|child| child.is_element() && child.tag_name().name() == name);
    match index.parse::<usize>() {
        Ok(index) => children.skip(index.saturating_sub(1)).take(1).collect(),
        Err(_) => children.collect(),
    }
}

fn attribute_of<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Place<'a, 'i>> {
    let attribute = node.attributes().find(|attribute| attribute.name() == name)?;
    Some(Place::Attribute(attribute.range(), attribute.range_value()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "<e:Envelope xmlns:e=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:d=\"http://www.onvif.org/ver10/device/wsdl\">\
         <e:Body><d:R><d:A t=\"1\">x</d:A><d:A t=\"2\"/><d:B><d:C>y</d:C></d:B></d:R></e:Body></e:Envelope>";

    #[test]
    fn what_is_at_a_path_is_changed_and_nothing_else() {
        let inner = |text: String| {
            let text = text.split_once("<d:R>").unwrap().1.to_owned();
            text.split_once("</d:R>").unwrap().0.to_owned()
        };
        let b = "<d:B><d:C>y</d:C></d:B>";
        assert_eq!(inner(drop_at(LIST, "A").unwrap()), b);
        assert_eq!(inner(drop_at(LIST, "A[2]").unwrap()), format!("<d:A t=\"1\">x</d:A>{b}"));
        assert_eq!(inner(drop_at(LIST, "A[1]/@t").unwrap()), format!("<d:A >x</d:A><d:A t=\"2\"/>{b}"));
        assert_eq!(inner(set_at(LIST, "A", "z").unwrap()), format!("<d:A t=\"1\">z</d:A><d:A t=\"2\">z</d:A>{b}"));
        assert_eq!(inner(set_at(LIST, "A/@t", "3").unwrap()), format!("<d:A t=\"3\">x</d:A><d:A t=\"3\"/>{b}"));
        assert!(inner(set_at(LIST, "//C", "z").unwrap()).ends_with("<d:C>z</d:C></d:B>"));
        assert!(inner(repeat_at(LIST, "B").unwrap()).ends_with(&b.repeat(2)));
        let added = inner(add_at(LIST, "B", "<tt:D/>").unwrap());
        assert!(added.ends_with("<tt:D xmlns:tt=\"http://www.onvif.org/ver10/schema\"/></d:B>"), "{added}");
        assert!(drop_at(LIST, "Z").is_err());
    }

    #[test]
    fn faults_are_told_from_answers() {
        assert!(is_fault(&fault("env:Sender/ter:InvalidArgVal/ter:NoProfile")) && !is_fault(LIST));
        assert_eq!(operation(&response("trt:GetProfiles", "")).as_deref(), Some("trt:GetProfilesResponse"));
        assert!(fault("env:Sender/ter:A").contains("<env:Value>env:Sender</env:Value><env:Subcode><env:Value>ter:A<"));
    }
}
