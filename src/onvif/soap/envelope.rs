//! The SOAP 1.2 envelope: of a request, read; of an answer, written.

use super::{
    addressing::{self, Addressing, FAULT_ACTION},
    fault::{Fault, Generic},
    names::{ENV, QName, WSA5, WSSE},
    token::{TokenError, UsernameToken},
    tree::{Element, Node},
    values::{FromText, trimmed},
    writer::{self, Writer},
    xml::{self, Limits},
};

/// The roles in which we act, besides none being named (SOAP 1.2 part 1, section 2.2).
const ROLES: [&str; 2] = [
    "http://www.w3.org/2003/05/soap-envelope/role/next",
    "http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver",
];

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The header blocks that are meant for us.
    pub header: Vec<Element>,
    /// What WS-Addressing says about the message.
    pub addressing: Addressing,
    /// The one element in the body, which names the operation.
    pub body: Element,
}

/// A message that is no request, and what is known of the way to answer it.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// The answer.
    pub fault: Fault,
    /// The properties of the message, as far as they could be read.
    pub addressing: Addressing,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self { fault, addressing: Addressing::default() }
    }
}

impl Request {
    /// Reads a request.
    ///
    /// `env:encodingStyle` is not looked at: some toolkits write it into messages that are encoded as everybody's.
    ///
    /// # Errors
    /// The fault to answer; `ter:` ones as Core, section 5.8.2.2 has them.
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Self, Box<Refused>> {
        let refuse = |fault: Fault| Box::new(Refused::from(fault));
        let envelope = xml::read(bytes, limits).map_err(|error| refuse(error.into()))?;
        let (header, body) = parts(envelope).map_err(refuse)?;
        let header: Vec<_> = header.into_iter().filter(is_for_us).collect();
        let addressing = Addressing::read(&header).map_err(refuse)?;
        let unknown: Vec<QName> = header
            .iter()
            .filter(|block| is_mandatory(block) && !is_understood(block))
            .map(|block| block.name().clone())
            .collect();
        if !unknown.is_empty() {
            return Err(Box::new(Refused { fault: Fault::must_understand(unknown), addressing }));
        }
        match operation(body) {
            Ok(body) => Ok(Self { header, addressing, body }),
            Err(fault) => Err(Box::new(Refused { fault, addressing })),
        }
    }

    /// Reads the WS-Security UsernameToken, if there is one.
    ///
    /// # Errors
    /// There is one that cannot be used.
    pub fn username_token(&self) -> Result<Option<UsernameToken>, TokenError> {
        UsernameToken::read(self.header.iter().filter(|block| block.is(WSSE, "Security")))
    }
}

/// Takes an envelope apart into the header blocks and the body.
fn parts(envelope: Element) -> Result<(Vec<Element>, Element), Fault> {
    if !envelope.is(ENV, "Envelope") {
        return Err(Fault::new(Generic::VersionMismatch).detail(format!("the root is {}", envelope.name())));
    }
    let mut parts = elements_only(envelope)?.into_iter().peekable();
    let header = parts.next_if(|part| part.is(ENV, "Header"));
    let body = parts.next().ok_or_else(|| Fault::new(Generic::Tag).detail("the envelope has no Body"))?;
    if !body.is(ENV, "Body") {
        return Err(mismatch(&body, "where the Body belongs"));
    }
    if let Some(extra) = parts.next() {
        return Err(mismatch(&extra, "after the Body"));
    }
    Ok((header.map(elements_only).transpose()?.unwrap_or_default(), body))
}

/// Takes the operation out of a body, which must be its one child.
fn operation(body: Element) -> Result<Element, Fault> {
    let mut children = elements_only(body)?.into_iter();
    let operation = children.next().ok_or_else(|| Fault::new(Generic::Tag).detail("the Body is empty"))?;
    match children.next() {
        None => Ok(operation),
        Some(extra) => Err(mismatch(&extra, "besides the first element of the Body")),
    }
}

/// The elements in an element in which text may not stand.
fn elements_only(element: Element) -> Result<Vec<Element>, Fault> {
    let name = element.name().clone();
    let nodes =
        element.into_nodes().into_iter().filter(|node| !matches!(node, Node::Text(text) if trimmed(text).is_empty()));
    let elements = nodes.map(|node| match node {
        Node::Element(element) => Ok(element),
        Node::Text(_) => Err(Fault::new(Generic::TagMismatch).detail(format!("text in {name}"))),
    });
    elements.collect()
}

fn mismatch(element: &Element, place: &str) -> Fault {
    Fault::new(Generic::TagMismatch).detail(format!("{} {place}", element.name()))
}

fn is_for_us(block: &Element) -> bool {
    block.attribute_in(ENV, "role").is_none_or(|role| trimmed(role).is_empty() || ROLES.contains(&trimmed(role)))
}

fn is_mandatory(block: &Element) -> bool {
    block.attribute_in(ENV, "mustUnderstand").and_then(bool::from_text).unwrap_or(false)
}

/// Tells whether we know a block. ONVIF Device Manager and UniFi Protect mark Security so.
fn is_understood(block: &Element) -> bool {
    block.is(WSSE, "Security") || (block.name().is_in(WSA5) && addressing::BLOCKS.contains(&block.name().local()))
}

/// Writes the envelope of a response. The action is written if it is given.
pub fn response(addressing: &Addressing, action: Option<&str>, body: impl FnOnce(&mut Writer)) -> String {
    writer::envelope(
        |w| {
            if let Some(action) = action {
                addressing.write_answer(w, action);
            }
        },
        body,
    )
}

/// Writes the envelope of a fault; `addressed` tells whether it carries the properties of WS-Addressing.
pub fn fault(addressing: &Addressing, addressed: bool, fault: &Fault) -> String {
    writer::envelope(
        |w| {
            if addressed {
                addressing.write_answer(w, FAULT_ACTION);
            }
            fault.write_header(w);
        },
        |w| fault.write(w),
    )
}

#[cfg(test)]
#[path = "envelope_tests.rs"]
mod tests;
