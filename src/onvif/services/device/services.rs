//! Which services there are, and what this one can do (Core 8.1).

use std::sync::Arc;

use super::super::ALL;
use crate::{
    auth::{MAX_NAME_BYTES, MAX_PASSWORD_BYTES, MAX_USERS},
    host::MAX_ENTRIES,
    onvif::{
        context::Context,
        soap::{
            dispatch::{Call, Outcome, Reply},
            names::{TDS, TT},
            writer::Writer,
        },
        visit::Visit,
    },
};

/// The operation is deprecated: ours are the standard's own files.
const WSDL_URL: &str = "https://www.onvif.org/profiles/specifications/";

pub(super) async fn get_services(context: &Arc<Context>, call: &Call<'_, Visit>) -> Outcome {
    let with_capabilities = call.body().get::<bool>(TDS, "IncludeCapability")?;
    let (context, visit) = (Arc::clone(context), call.proof.clone());
    Ok(Reply::new(move |w| {
        for service in ALL {
            w.element(TDS, "Service", |w| {
                w.text(TDS, "Namespace", service.namespace.uri());
                w.text(TDS, "XAddr", service.xaddr(&visit));
                if with_capabilities {
                    w.element(TDS, "Capabilities", |w| (service.capabilities)(&context, w));
                }
                w.element(TDS, "Version", |w| version(w, service.version));
            });
        }
    }))
}

pub(super) async fn get_service_capabilities(context: &Arc<Context>, _: &Call<'_, Visit>) -> Outcome {
    let context = Arc::clone(context);
    Ok(Reply::new(move |w| capabilities(&context, w)))
}

pub(super) async fn get_wsdl_url(_: &Arc<Context>, _: &Call<'_, Visit>) -> Outcome {
    Ok(Reply::new(|w| w.text(TDS, "WsdlUrl", WSDL_URL)))
}

pub(super) async fn get_endpoint_reference(context: &Arc<Context>, _: &Call<'_, Visit>) -> Outcome {
    let urn = context.device.identity().uuid.urn();
    Ok(Reply::new(move |w| w.text(TDS, "GUID", urn)))
}

/// Writes what `tt:OnvifVersion` holds.
pub(super) fn version(w: &mut Writer, (major, minor): (u8, u8)) {
    w.text(TT, "Major", major);
    w.text(TT, "Minor", minor);
}

/// Writes what the service can do. What is said here makes clients ask for it, so what is not there is not promised;
/// `HashingAlgorithms` is left out because it promises SetHashingAlgorithm (Core 5.9.3), though both are offered.
pub(super) fn capabilities(context: &Context, w: &mut Writer) {
    let ipv6 = context.interfaces.last().iter().any(|interface| !interface.loopback && interface.settings.ipv6.enabled);
    w.element(TDS, "Capabilities", |w| {
        w.tag(TDS, "Network")
            .attribute("IPFilter", false)
            .attribute("ZeroConfiguration", false)
            .attribute("IPVersion6", ipv6)
            .attribute("DynDNS", false)
            .attribute("Dot11Configuration", false)
            .attribute("Dot1XConfigurations", 0)
            .attribute("HostnameFromDHCP", false)
            .attribute("NTP", MAX_ENTRIES as u32)
            .attribute("DHCPv6", false);
        w.tag(TDS, "Security")
            .attribute("TLS1.0", false)
            .attribute("TLS1.1", false)
            .attribute("TLS1.2", false)
            .attribute("OnboardKeyGeneration", false)
            .attribute("AccessPolicyConfig", false)
            .attribute("DefaultAccessPolicy", true)
            .attribute("Dot1X", false)
            .attribute("RemoteUserHandling", false)
            .attribute("X.509Token", false)
            .attribute("SAMLToken", false)
            .attribute("KerberosToken", false)
            .attribute("UsernameToken", true)
            .attribute("HttpDigest", true)
            .attribute("RELToken", false)
            .attribute("MaxUsers", MAX_USERS as u32)
            .attribute("MaxUserNameLength", MAX_NAME_BYTES as u32)
            .attribute("MaxPasswordLength", MAX_PASSWORD_BYTES as u32);
        w.tag(TDS, "System")
            .attribute("DiscoveryResolve", true)
            .attribute("DiscoveryBye", true)
            .attribute("RemoteDiscovery", false)
            .attribute("SystemBackup", false)
            .attribute("SystemLogging", false)
            .attribute("HttpFirmwareUpgrade", false)
            .attribute("HttpSystemBackup", false)
            .attribute("HttpSystemLogging", false)
            .attribute("HttpSupportInformation", false)
            .attribute("NetworkConfigNotSupported", !context.host.takes_settings());
    });
}
