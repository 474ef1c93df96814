//! From a request to the method of a service, and from what it returns to the answer.
//!
//! A service is a trait with one method for each operation, made by `service!` together with a list of all operations of its
//! WSDL, also those that are not supported. An [`Endpoint`] is what one URL leads to: it finds an operation by the qualified
//! name of the body element. The same element may belong to two services (the device I/O service has `tds:GetRelayOutputs`,
//! as the device service does), so there is no table across endpoints.
//!
//! ```text
//! service! {
//!     /// Relays.
//!     pub trait DeviceIo lists DEVICE_IO in TMD, port type "DeviceIOPort" {
//!         PreAuth GetServiceCapabilities => get_service_capabilities;
//!         ReadMedia GetRelayOutputs [TDS GetRelayOutputs GetRelayOutputsResponse] => get_relay_outputs;
//!         Actuate SetSerialPortConfiguration;
//!     }
//! }
//!
//! impl DeviceIo<Principal> for Relays {
//!     async fn get_relay_outputs(&self, call: Call<'_, Principal>) -> Outcome { … }
//! }
//!
//! let endpoint = Endpoint::new().with(DeviceIo::bind(relays));
//! let answer = endpoint.answer(&request, |class| …).await;
//! ```

use std::{fmt, pin::Pin};

use super::{
    access::AccessClass,
    addressing::FAULT_ACTION,
    envelope::{self, Refused, Request},
    fault::{Fault, Generic},
    http_binding::Answer,
    names::{Ns, QName, TEV, WSNT},
    tree::Element,
    writer::Writer,
};

/// One operation of a service's WSDL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Its name.
    pub name: &'static str,
    /// The namespace of the elements of its request and response.
    pub namespace: Ns,
    /// The local name of the body element of its request; nearly always the name.
    pub request: &'static str,
    /// The local name of the body element of its response; nearly always the name and `Response`.
    pub response: &'static str,
    /// What it asks of a user.
    pub class: AccessClass,
    /// Whether we have it, or answer `ter:ActionNotSupported`.
    pub supported: bool,
}

/// The operations of a service, listed without any instance of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface {
    /// The namespace of its elements.
    pub namespace: Ns,
    /// The target namespace of its WSDL.
    pub wsdl: &'static str,
    /// The name of its port type.
    pub port_type: &'static str,
    /// All operations of the port type.
    pub operations: &'static [Operation],
}

impl Interface {
    /// The action of an operation's response: the default pattern of WS-Addressing 1.0 Metadata, section 4.4.4, which the
    /// actions that the event service's WSDL spells out follow too.
    pub fn response_action(&self, operation: &Operation) -> String {
        format!("{}/{}/{}Response", self.wsdl, self.port_type, operation.name)
    }

    /// Tells whether answers carry an action even if the request had none: those of the event service (X3).
    fn always_addressed(&self) -> bool {
        [TEV, WSNT].contains(&self.namespace)
    }
}

/// One call of an operation.
#[derive(Debug)]
pub struct Call<'a, P> {
    /// The request, with its header.
    pub request: &'a Request,
    /// What `authorise` gave for the operation's access class: the proof that the caller may do this, and whatever else the
    /// door wants its services to know about the caller.
    pub proof: P,
}

impl<P> Call<'_, P> {
    /// The element that holds the arguments.
    pub fn body(&self) -> &Element {
        &self.request.body
    }
}

/// What an operation answers.
pub type Outcome = Result<Reply, Fault>;

/// An outcome that is being worked on.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// What goes into the element of a response.
pub struct Reply(Box<dyn FnOnce(&mut Writer) + Send>);

impl Reply {
    /// A response with what `content` writes in it.
    pub fn new(content: impl FnOnce(&mut Writer) + Send + 'static) -> Self {
        Self(Box::new(content))
    }

    /// A response that says only that it is done.
    pub fn empty() -> Self {
        Self::new(|_| ())
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply(…)")
    }
}

/// Calls a method of a service.
pub type Handler<S, P> = for<'a> fn(&'a S, Call<'a, P>) -> Answering<'a>;

/// A service, ready to be called by the place of an operation in its interface.
pub trait Serve<P>: Send + Sync {
    /// The operations.
    fn interface(&self) -> &'static Interface;

    /// Calls the operation at that place; `None` if it is not supported.
    fn call<'a>(&'a self, place: usize, call: Call<'a, P>) -> Option<Answering<'a>>;
}

/// A service together with its methods; `bind` of the trait that `service!` makes builds one.
pub struct Bound<S, P> {
    service: S,
    interface: &'static Interface,
    handlers: Vec<Option<Handler<S, P>>>,
}

impl<S, P> Bound<S, P> {
    /// Puts a service and its methods together; there is one for each operation of the interface, in the same order.
    pub fn new(service: S, interface: &'static Interface, handlers: Vec<Option<Handler<S, P>>>) -> Self {
        Self { service, interface, handlers }
    }
}

impl<S: Send + Sync, P> Serve<P> for Bound<S, P> {
    fn interface(&self) -> &'static Interface {
        self.interface
    }

    fn call<'a>(&'a self, place: usize, call: Call<'a, P>) -> Option<Answering<'a>> {
        let handler = (*self.handlers.get(place)?)?;
        Some(handler(&self.service, call))
    }
}

/// What one URL leads to: one service, or several where a WSDL has several port types.
pub struct Endpoint<P> {
    services: Vec<Box<dyn Serve<P>>>,
}

impl<P> Default for Endpoint<P> {
    fn default() -> Self {
        Self { services: Vec::new() }
    }
}

impl<P> Endpoint<P> {
    /// An endpoint without services.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a service. If two have the same element, that of the first is called.
    pub fn with(mut self, service: impl Serve<P> + 'static) -> Self {
        self.services.push(Box::new(service));
        self
    }

    /// The interfaces of the services.
    pub fn interfaces(&self) -> impl Iterator<Item = &'static Interface> {
        self.services.iter().map(|service| service.interface())
    }

    /// Answers a request.
    ///
    /// `authorise` is asked once, with the class of the operation, and before anything of the request but its name is looked
    /// at. It gives the proof that the operation takes.
    pub async fn answer(&self, request: &Request, authorise: impl FnOnce(AccessClass) -> Result<P, Fault>) -> Answer {
        let found = match self.find(request.body.name()) {
            Ok(found) => found,
            Err(fault) => return self.failed(request, &fault),
        };
        let (interface, operation) = (found.service.interface(), found.operation);
        let outcome = match authorise(operation.class) {
            Ok(proof) => match found.service.call(found.place, Call { request, proof }) {
                Some(answering) => answering.await,
                None => Err(Generic::ActionNotSupported.into()),
            },
            Err(fault) => Err(fault),
        };
        let reply = match outcome {
            Ok(reply) => reply,
            Err(fault) => return self.failed(request, &fault),
        };
        let addressed = request.addressing.is_used() || interface.always_addressed();
        let action = addressed.then(|| interface.response_action(operation));
        let body = envelope::response(&request.addressing, action.as_deref(), |w| {
            w.element(operation.namespace, operation.response, reply.0);
        });
        Answer::new(200, action.as_deref(), body)
    }

    /// Answers a message that is no request.
    pub fn refused(&self, refused: &Refused) -> Answer {
        let addressed = refused.addressing.is_used() || self.always_addressed();
        fault_answer(refused, addressed)
    }

    fn failed(&self, request: &Request, fault: &Fault) -> Answer {
        self.refused(&Refused { fault: fault.clone(), addressing: request.addressing.clone() })
    }

    fn always_addressed(&self) -> bool {
        self.interfaces().any(Interface::always_addressed)
    }

    /// Finds an operation.
    fn find(&self, name: &QName) -> Result<Found<'_, P>, Fault> {
        for service in &self.services {
            let operations = service.interface().operations;
            if let Some(place) = operations.iter().position(|op| name.is(op.namespace, op.request)) {
                return Ok(Found { service: &**service, place, operation: &operations[place] });
            }
        }
        Err(self.unknown(name))
    }

    /// The fault for an element that is no operation here.
    fn unknown(&self, name: &QName) -> Fault {
        let detail = name.to_string();
        let mut operations = self.interfaces().flat_map(|interface| interface.operations);
        if self.interfaces().any(|interface| name.is_in(interface.namespace)) {
            // Also for names that no version of the WSDL has: it may be newer than we are.
            Fault::new(Generic::ActionNotSupported).detail(detail)
        } else if operations.any(|op| op.request == name.local()) {
            // The operation exists, but in another namespace: none at all, or that of another version or service.
            Fault::new(Generic::Namespace).detail(detail)
        } else {
            Fault::new(Generic::UnknownAction).detail(detail)
        }
    }
}

impl<P> fmt::Debug for Endpoint<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.interfaces().map(|interface| interface.port_type)).finish()
    }
}

/// An operation that was found.
struct Found<'e, P> {
    service: &'e dyn Serve<P>,
    place: usize,
    operation: &'static Operation,
}

fn fault_answer(refused: &Refused, addressed: bool) -> Answer {
    let body = envelope::fault(&refused.addressing, addressed, &refused.fault);
    Answer::new(refused.fault.http_status(), addressed.then_some(FAULT_ACTION), body)
}

/// Makes the trait of a service and the list of its operations.
///
/// Each line is an access class, the operation's name and the method; without a method the operation is not supported. In
/// brackets stand namespace and names of the request and response elements, where they are not made of the name. The target
/// namespace of the WSDL is said where it is not that of the elements (WS-BaseNotification). The trait takes the type of the proof as its parameter; its `bind` makes what an [`Endpoint`]
/// takes.
macro_rules! service {
    (
        $(#[$meta:meta])*
        $vis:vis trait $service:ident lists $list:ident in $namespace:ident, port type $port_type:literal $(, wsdl $wsdl:literal)? {
            $(
                $(#[$operation_meta:meta])*
                $class:ident $name:ident $([$element_namespace:ident $request:ident $response:ident])? $(=> $method:ident)?;
            )*
        }
    ) => {
        #[doc = concat!("The operations of [`", stringify!($service), "`].")]
        $vis static $list: $crate::onvif::soap::dispatch::Interface = $crate::onvif::soap::dispatch::Interface {
            namespace: $namespace,
            wsdl: $crate::onvif::soap::dispatch::service!(@given [$($wsdl)?] $namespace.uri()),
            port_type: $port_type,
            operations: &[$(
                $crate::onvif::soap::dispatch::Operation {
                    name: stringify!($name),
                    namespace: $crate::onvif::soap::dispatch::service!(@or [$($element_namespace)?] $namespace),
                    request: $crate::onvif::soap::dispatch::service!(@text [$($request)?] stringify!($name)),
                    response: $crate::onvif::soap::dispatch::service!(@text [$($response)?] concat!(stringify!($name), "Response")),
                    class: $crate::onvif::soap::access::AccessClass::$class,
                    supported: $crate::onvif::soap::dispatch::service!(@supported $($method)?),
                },
            )*],
        };

        $(#[$meta])*
        $vis trait $service<P: Send + 'static>: Sized + Send + Sync + 'static {
            $($crate::onvif::soap::dispatch::service!(@method [$(#[$operation_meta])*] $name $($method)?);)*

            /// Puts the service and its methods together.
            fn bind(self) -> $crate::onvif::soap::dispatch::Bound<Self, P> {
                let handlers: Vec<Option<$crate::onvif::soap::dispatch::Handler<Self, P>>> =
                    vec![$($crate::onvif::soap::dispatch::service!(@handler Self, $($method)?)),*];
                $crate::onvif::soap::dispatch::Bound::new(self, &$list, handlers)
            }
        }
    };
    (@method [$($meta:tt)*] $name:ident $method:ident) => {
        $($meta)*
        #[doc = concat!("Answers `", stringify!($name), "`.")]
        fn $method(
            &self,
            call: $crate::onvif::soap::dispatch::Call<'_, P>,
        ) -> impl ::std::future::Future<Output = $crate::onvif::soap::dispatch::Outcome> + Send;
    };
    (@method [$($meta:tt)*] $name:ident) => {};
    (@or [$given:ident] $default:ident) => { $given };
    (@or [] $default:ident) => { $default };
    (@text [$given:ident] $default:expr) => { stringify!($given) };
    (@text [] $default:expr) => { $default };
    (@given [$given:literal] $default:expr) => { $given };
    (@given [] $default:expr) => { $default };
    (@supported $method:ident) => { true };
    (@supported) => { false };
    (@handler $service:ty, $method:ident) => { Some(|service, call| Box::pin(<$service>::$method(service, call))) };
    (@handler $service:ty,) => { None };
}

pub(crate) use service;

#[cfg(test)]
#[path = "dispatch_tests.rs"]
mod tests;
