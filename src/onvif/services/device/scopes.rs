//! How the device is found: scopes and discovery mode (Core 8.3).

use std::sync::Arc;

use super::{blocking, choice, invalid};
use crate::{
    camera::{Device, PresenceError},
    onvif::{
        context::Context,
        soap::{
            dispatch::{Call, Outcome, Reply},
            fault::{Fault, Generic},
            names::{TDS, TT},
            writer::Writer,
        },
        visit::Visit,
    },
};

pub(super) async fn get_scopes(context: &Arc<Context>, call: &Call<'_, Visit>) -> Outcome {
    let (fixed, presence) = (fixed(context, &call.proof), context.device.presence());
    Ok(Reply::new(move |w| {
        write(w, "Fixed", &fixed);
        write(w, "Configurable", &presence.scopes);
    }))
}

pub(super) async fn set_scopes(context: &Arc<Context>, call: &Call<'_, Visit>) -> Outcome {
    let scopes = changeable(context, call, "Scopes")?;
    change(context, move |device| device.set_scopes(&scopes)).await
}

pub(super) async fn add_scopes(context: &Arc<Context>, call: &Call<'_, Visit>) -> Outcome {
    let scopes = changeable(context, call, "ScopeItem")?;
    change(context, move |device| device.add_scopes(&scopes)).await
}

pub(super) async fn remove_scopes(context: &Arc<Context>, call: &Call<'_, Visit>) -> Outcome {
    let (scopes, fixed) = (listed(call, "ScopeItem")?, fixed(context, &call.proof));
    let removed = scopes.clone();
    change(context, move |device| device.remove_scopes(&scopes, &fixed)).await?;
    Ok(Reply::new(move |w| w.each(TDS, "ScopeItem", removed)))
}

pub(super) async fn get_discovery_mode(context: &Arc<Context>, _: &Call<'_, Visit>) -> Outcome {
    let mode = if context.device.presence().discoverable { "Discoverable" } else { "NonDiscoverable" };
    Ok(Reply::new(move |w| w.text(TDS, "DiscoveryMode", mode)))
}

pub(super) async fn set_discovery_mode(context: &Arc<Context>, call: &Call<'_, Visit>) -> Outcome {
    let modes = [("Discoverable", true), ("NonDiscoverable", false)];
    let discoverable = choice(call.body().required(TDS, "DiscoveryMode")?, &modes)?;
    change(context, move |device| device.set_discoverable(discoverable)).await
}

fn fixed(context: &Context, visit: &Visit) -> Vec<String> {
    context.device.fixed_scopes(context.hardware_address(&context.interfaces.last(), visit))
}

fn write(w: &mut Writer, definition: &str, scopes: &[String]) {
    for scope in scopes {
        w.element(TDS, "Scopes", |w| {
            w.text(TT, "ScopeDef", definition);
            w.text(TT, "ScopeItem", scope);
        });
    }
}

/// The scopes of a request, of which there must be one.
fn listed(call: &Call<'_, Visit>, local: &'static str) -> Result<Vec<String>, Fault> {
    call.body().required(TDS, local)?;
    let scopes = call.body().get_all::<String>(TDS, local)?;
    Ok(scopes.iter().map(|scope| scope.trim().to_owned()).collect())
}

/// The same without those that are there and stay: clients send back what they read.
fn changeable(context: &Context, call: &Call<'_, Visit>, local: &'static str) -> Result<Vec<String>, Fault> {
    let fixed = fixed(context, &call.proof);
    Ok(listed(call, local)?.into_iter().filter(|scope| !fixed.contains(scope)).collect())
}

async fn change(
    context: &Arc<Context>,
    change: impl FnOnce(&Device) -> Result<(), PresenceError> + Send + 'static,
) -> Outcome {
    blocking(context, move |context| change(&context.device)).await?.map_err(fault)?;
    Ok(Reply::empty())
}

fn fault(error: PresenceError) -> Fault {
    let reason = error.to_string();
    let fault = match error {
        PresenceError::BadScope(_) => Fault::new(Generic::InvalidArgVal),
        PresenceError::Fixed(_) => Fault::new(Generic::OperationProhibited).subcode("FixedScope"),
        PresenceError::Missing(_) => invalid("NoScope"),
        PresenceError::TooMany => Fault::new(Generic::Action).subcode("TooManyScopes"),
        PresenceError::Store(_) => {
            tracing::error!(reason, "scopes cannot be kept");
            return Fault::new(Generic::Action);
        }
    };
    fault.reason(reason)
}
