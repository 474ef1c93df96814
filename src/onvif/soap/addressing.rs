//! WS-Addressing 1.0: the message properties of a request, and those of its answer.
//!
//! Answers always go back on the connection that the request came on, whatever ReplyTo says: a device that posts to addresses
//! which strangers name would be a tool for attacks. The properties are returned for clients that check them.

use super::{
    fault::{Code, Fault},
    names::{Ns, WSA5},
    tree::Element,
    values::trimmed,
    writer::Writer,
};

/// The action of every fault (Core, section 9.9, and WS-Addressing 1.0 SOAP binding, section 6).
pub const FAULT_ACTION: &str = "http://www.w3.org/2005/08/addressing/soap/fault";
/// The address of whoever is at the other end of the connection.
pub const ANONYMOUS: &str = "http://www.w3.org/2005/08/addressing/anonymous";

/// Reference parameters of one reference. Each goes back with every namespace declaration that was in scope around it, so a
/// small request with many of them would be a large answer.
const MAX_REFERENCE_PARAMETERS: usize = 8;

/// The header blocks of WS-Addressing that are understood.
pub(super) const BLOCKS: [&str; 7] = ["Action", "MessageID", "To", "ReplyTo", "FaultTo", "From", "RelatesTo"];

/// The addressing properties of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Addressing {
    /// What the message is meant to do. Operations are found by the body element, not by this (X10).
    pub action: Option<String>,
    /// The identity of the request.
    pub message_id: Option<String>,
    /// Where the request was sent.
    pub to: Option<String>,
    /// Where the answer is wanted.
    pub reply_to: Option<EndpointReference>,
}

/// A reference to an endpoint (WS-Addressing 1.0 core, section 2).
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointReference {
    /// Its address.
    pub address: String,
    /// What messages to it must carry as header blocks.
    pub reference_parameters: Vec<Element>,
}

impl EndpointReference {
    /// A reference that is an address only.
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), reference_parameters: Vec::new() }
    }

    /// Reads the reference in an element such as `ReplyTo` or `ConsumerReference`.
    ///
    /// # Errors
    /// It has no address, or more than eight reference parameters.
    pub fn read(element: &Element) -> Result<Self, Fault> {
        let address = element.required(WSA5, "Address")?.value::<String>()?;
        let parameters = element.child(WSA5, "ReferenceParameters");
        let reference_parameters: Vec<_> = parameters.into_iter().flat_map(Element::elements).cloned().collect();
        if reference_parameters.len() > MAX_REFERENCE_PARAMETERS {
            return Err(invalid().detail("too many reference parameters"));
        }
        Ok(Self { address: trimmed(&address).to_owned(), reference_parameters })
    }

    /// Writes the reference in an element of that name.
    pub fn write(&self, w: &mut Writer, namespace: Ns, local: &str) {
        w.element(namespace, local, |w| {
            w.text(WSA5, "Address", &self.address);
            if !self.reference_parameters.is_empty() {
                w.element(WSA5, "ReferenceParameters", |w| self.reference_parameters.iter().for_each(|e| w.copy(e)));
            }
        });
    }
}

impl Addressing {
    /// Reads the properties out of the header blocks.
    ///
    /// # Errors
    /// A block comes twice, or a reference has no address.
    pub(super) fn read(header: &[Element]) -> Result<Self, Fault> {
        let text = |name| Ok::<_, Fault>(single(header, name)?.map(|block| trimmed(&block.text()).to_owned()));
        single(header, "FaultTo")?;
        Ok(Self {
            action: text("Action")?,
            message_id: text("MessageID")?,
            to: text("To")?,
            reply_to: single(header, "ReplyTo")?.map(EndpointReference::read).transpose()?,
        })
    }

    /// Tells whether the request used WS-Addressing, so that the answer has to.
    pub fn is_used(&self) -> bool {
        *self != Self::default()
    }

    /// Writes the header blocks of the answer.
    pub(super) fn write_answer(&self, w: &mut Writer, action: &str) {
        let reply_to = self.reply_to.as_ref().filter(|reference| reference.address != ANONYMOUS);
        if let Some(reference) = reply_to {
            w.text(WSA5, "To", &reference.address);
        }
        w.text(WSA5, "Action", action);
        if let Some(id) = &self.message_id {
            w.text(WSA5, "RelatesTo", id);
        }
        // WS-Addressing 1.0 SOAP binding, section 2.3.
        for parameter in self.reply_to.iter().flat_map(|reference| &reference.reference_parameters) {
            w.copy(&parameter.clone().with_attribute_in(WSA5, "IsReferenceParameter", "true"));
        }
    }
}

/// The block of that name; two are too many (WS-Addressing 1.0 SOAP binding, section 6.4.1).
fn single<'a>(header: &'a [Element], name: &str) -> Result<Option<&'a Element>, Fault> {
    let mut blocks = header.iter().filter(|block| block.is(WSA5, name));
    let block = blocks.next();
    match blocks.next() {
        None => Ok(block),
        Some(_) => Err(invalid().subcode_in(WSA5, "InvalidCardinality")),
    }
}

fn invalid() -> Fault {
    let reason = "A header representing a Message Addressing Property is not valid";
    Fault::foreign(Code::Sender, (WSA5, "InvalidAddressingHeader"), reason)
}
