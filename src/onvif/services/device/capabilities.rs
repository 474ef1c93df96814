//! GetCapabilities: what the services say of themselves, in the form of before there was GetServices (Core, annex A).
//!
//! It is read from what the services write for GetServiceCapabilities, so the two cannot disagree (DEVICE-1-1-30).

use std::sync::Arc;

use super::{super::ALL, LISTED, choice, services::version};
use crate::onvif::{
    context::Context,
    soap::{
        dispatch::{Call, Outcome, Reply},
        fault::{Fault, Generic},
        names::{Ns, TDS, TIMG, TMD, TRT, TT},
        tree::Element,
        writer::{Writer, document},
        xml::{self, Limits},
    },
    visit::Visit,
};

/// What a client may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Category {
    All,
    Device,
    Imaging,
    Media,
    /// A service that there is not.
    Absent,
}

const CATEGORIES: [(&str, Category); 7] = [
    ("All", Category::All),
    ("Analytics", Category::Absent),
    ("Device", Category::Device),
    ("Events", Category::Absent),
    ("Imaging", Category::Imaging),
    ("Media", Category::Media),
    ("PTZ", Category::Absent),
];

/// What one service says, and where it is.
struct Told {
    capabilities: Element,
    xaddr: String,
}

pub(super) async fn get_capabilities(context: &Arc<Context>, call: &Call<'_, Visit>) -> Outcome {
    let categories = call.body().children(TDS, "Category").map(|category| choice(category, &CATEGORIES));
    let categories = categories.collect::<Result<Vec<_>, _>>()?;
    let all = categories.is_empty() || categories.contains(&Category::All);
    if !all && categories.contains(&Category::Absent) {
        return Err(Fault::new(Generic::ActionNotSupported).subcode("NoSuchService"));
    }
    let told = |namespace| Told::by(context, &call.proof, namespace);
    let (this, media, imaging, io) = (told(TDS)?, told(TRT)?, told(TIMG)?, told(TMD)?);
    let asked = move |category| all || categories.contains(&category);
    Ok(Reply::new(move |w| {
        w.element(TDS, "Capabilities", |w| {
            if asked(Category::Device) {
                w.element(TT, "Device", |w| device(w, &this, &io.capabilities));
            }
            if asked(Category::Imaging) {
                w.element(TT, "Imaging", |w| w.text(TT, "XAddr", &imaging.xaddr));
            }
            if asked(Category::Media) {
                w.element(TT, "Media", |w| self::media(w, &media));
            }
            // No category of its own: it came later.
            if all {
                w.element(TT, "Extension", |w| w.element(TT, "DeviceIO", |w| device_io(w, &io)));
            }
        });
    }))
}

impl Told {
    fn by(context: &Context, visit: &Visit, namespace: Ns) -> Result<Self, Fault> {
        let service = ALL.iter().find(|service| service.namespace == namespace);
        let service = service.ok_or_else(|| Fault::new(Generic::Action))?;
        let text = document(TDS, "Capabilities", |w| (service.capabilities)(context, w));
        // What we have just written can be read.
        let read = xml::read(text.as_bytes(), &Limits::default()).map_err(|_| Fault::new(Generic::Action))?;
        let capabilities = read.elements().next().cloned().ok_or_else(|| Fault::new(Generic::Action))?;
        Ok(Self { capabilities, xaddr: service.xaddr(visit) })
    }

    fn part(&self, namespace: Ns, local: &str) -> Option<&Element> {
        self.capabilities.child(namespace, local)
    }
}

fn device(w: &mut Writer, this: &Told, io: &Element) {
    let [network, system, security] = ["Network", "System", "Security"].map(|local| this.part(TDS, local));
    w.text(TT, "XAddr", &this.xaddr);
    w.element(TT, "Network", |w| {
        flags(w, network, &["IPFilter", "ZeroConfiguration", "IPVersion6", "DynDNS"]);
        w.element(TT, "Extension", |w| flags(w, network, &["Dot11Configuration"]));
    });
    w.element(TT, "System", |w| {
        flags(w, system, &["DiscoveryResolve", "DiscoveryBye", "RemoteDiscovery", "SystemBackup", "SystemLogging"]);
        flags(w, system, &["FirmwareUpgrade"]);
        w.element(TT, "SupportedVersions", |w| version(w, LISTED.version));
        w.element(TT, "Extension", |w| {
            flags(w, system, &["HttpFirmwareUpgrade", "HttpSystemBackup", "HttpSystemLogging"]);
            flags(w, system, &["HttpSupportInformation"]);
        });
    });
    w.element(TT, "IO", |w| {
        w.text(TT, "InputConnectors", number(Some(io), "DigitalInputs"));
        w.text(TT, "RelayOutputs", number(Some(io), "RelayOutputs"));
    });
    w.element(TT, "Security", |w| {
        flags(w, security, &["TLS1.1", "TLS1.2", "OnboardKeyGeneration", "AccessPolicyConfig", "X.509Token"]);
        flags(w, security, &["SAMLToken", "KerberosToken", "RELToken"]);
        w.element(TT, "Extension", |w| {
            flags(w, security, &["TLS1.0"]);
            w.element(TT, "Extension", |w| flags(w, security, &["Dot1X", "RemoteUserHandling"]));
        });
    });
}

fn media(w: &mut Writer, media: &Told) {
    w.text(TT, "XAddr", &media.xaddr);
    w.element(TT, "StreamingCapabilities", |w| {
        flags(w, media.part(TRT, "StreamingCapabilities"), &["RTPMulticast", "RTP_TCP", "RTP_RTSP_TCP"]);
    });
    w.element(TT, "Extension", |w| {
        w.element(TT, "ProfileCapabilities", |w| {
            numbers(w, media.part(TRT, "ProfileCapabilities"), &["MaximumNumberOfProfiles"])
        });
    });
}

fn device_io(w: &mut Writer, io: &Told) {
    w.text(TT, "XAddr", &io.xaddr);
    let counted = ["VideoSources", "VideoOutputs", "AudioSources", "AudioOutputs", "RelayOutputs"];
    numbers(w, Some(&io.capabilities), &counted);
}

/// Writes an element for each attribute; one that is not there is false.
fn flags(w: &mut Writer, from: Option<&Element>, names: &[&str]) {
    for name in names {
        let value = from.and_then(|element| element.attribute_value::<bool>(name).ok().flatten());
        w.text(TT, name, value.unwrap_or(false));
    }
}

fn numbers(w: &mut Writer, from: Option<&Element>, names: &[&str]) {
    for name in names {
        w.text(TT, name, number(from, name));
    }
}

fn number(from: Option<&Element>, name: &str) -> i32 {
    from.and_then(|element| element.attribute_value(name).ok().flatten()).unwrap_or(0)
}
