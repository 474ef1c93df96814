//! The device service (Core, chapter 8): what the device is, and how it is reached.
//!
//! One file for each theme of the chapter; each function there answers the operation of its name.

mod capabilities;
mod interface;
mod interfaces;
mod network;
mod scopes;
mod services;
mod system;
#[cfg(test)]
mod tests;
mod users;

use std::sync::Arc;

use self::interface::Device;
use super::Listed;
use crate::{
    host::{Host, HostError},
    onvif::{
        context::{Context, host_fault},
        soap::{
            dispatch::{Call, Endpoint, Outcome},
            fault::{Fault, Generic},
            names::TDS,
            tree::Element,
        },
        visit::Visit,
    },
};

/// How the service is listed.
pub(super) const LISTED: Listed =
    Listed { namespace: TDS, path: "device_service", version: (26, 6), capabilities: services::capabilities };

/// The service at its address.
pub(super) fn endpoint(context: &Arc<Context>) -> Endpoint<Visit> {
    Endpoint::new().with(Service(Arc::clone(context)).bind())
}

struct Service(Arc<Context>);

/// Methods that leave the work to the function of a theme.
macro_rules! answered {
    ($($theme:ident: $($method:ident)*;)*) => {
        $($(
            async fn $method(&self, call: Call<'_, Visit>) -> Outcome {
                $theme::$method(&self.0, &call).await
            }
        )*)*
    };
}

impl Device<Visit> for Service {
    answered! {
        services: get_services get_service_capabilities get_wsdl_url get_endpoint_reference;
        capabilities: get_capabilities;
        system: get_device_information get_system_date_and_time set_system_date_and_time system_reboot
            set_system_factory_default get_system_log;
        scopes: get_scopes set_scopes add_scopes remove_scopes get_discovery_mode set_discovery_mode;
        users: get_users create_users delete_users set_user;
        network: get_hostname set_hostname get_dns set_dns get_ntp set_ntp get_network_protocols set_network_protocols
            get_network_default_gateway set_network_default_gateway;
        interfaces: get_network_interfaces set_network_interfaces;
    }
}

/// An argument with a value that is not allowed.
fn invalid(subcode: &'static str) -> Fault {
    Fault::new(Generic::InvalidArgVal).subcode(subcode)
}

/// Reads a word of an enumeration.
fn choice<T: Copy>(element: &Element, words: &[(&str, T)]) -> Result<T, Fault> {
    let text = element.value::<String>()?;
    let found = words.iter().find(|(word, _)| *word == text.trim());
    found.map(|(_, value)| *value).ok_or_else(|| Fault::new(Generic::InvalidArgVal).detail(element.path()))
}

/// Does what blocks on the disk or the system, off the threads that serve everybody.
async fn blocking<T: Send + 'static>(
    context: &Arc<Context>,
    work: impl FnOnce(&Context) -> T + Send + 'static,
) -> Result<T, Fault> {
    let context = Arc::clone(context);
    tokio::task::spawn_blocking(move || work(&context)).await.map_err(|error| {
        tracing::error!(%error, "an operation of the device service broke off");
        Fault::new(Generic::Action)
    })
}

/// Sets something of the machine. What it calls invalid becomes the fault that the operation has for that.
async fn set_host<T: Send + 'static>(
    context: &Arc<Context>,
    subcode: Option<&'static str>,
    set: impl FnOnce(&dyn Host) -> Result<T, HostError> + Send + 'static,
) -> Result<T, Fault> {
    let done = blocking(context, move |context| set(&*context.host)).await?;
    done.map_err(|error| match (&error, subcode) {
        (HostError::Invalid(why), Some(subcode)) => invalid(subcode).reason(why.clone()),
        _ => host_fault(&error),
    })
}
