//! The procedure: first which services there are, then what each can do.

use std::collections::{BTreeMap, BTreeSet};

use super::{Feature, Features, device, media};
use crate::{
    device::Device,
    soap::{Answer, Call, Fault, Who},
    test::{Test, Traces},
    verdict::{Failed, Outcome, Stop},
    xml::Element,
};

/// Who is asked.
pub(super) trait Asked {
    /// Begins a step.
    fn step(&mut self, name: &str, what: &str);
    /// A response that the schemas allow, or a fault.
    fn attempt(&mut self, body: &str) -> Outcome<Result<Element, Fault>>;
    /// A response that the schemas need not allow, or a fault.
    fn read(&mut self, body: &str) -> Outcome<Result<Element, Fault>>;
    /// Whether somebody who does not say who he is gets a 401.
    fn challenges(&mut self, body: &str) -> bool;
    /// Learns where the services are.
    fn set_services(&mut self, addresses: BTreeMap<String, String>);

    /// A response that the schemas allow; a fault tells nothing.
    fn ask(&mut self, body: &str) -> Outcome<Element> {
        self.attempt(body)?.map_err(|fault| unanswered(&fault.to_string()))
    }
}

impl Asked for Test<'_> {
    fn step(&mut self, name: &str, what: &str) {
        Test::step(self, name, what);
    }

    fn attempt(&mut self, body: &str) -> Outcome<Result<Element, Fault>> {
        Test::attempt(self, body)
    }

    fn read(&mut self, body: &str) -> Outcome<Result<Element, Fault>> {
        let answer = self.exchange_unjudged(&Call::new(body))?;
        match (answer.fault(), answer.body()) {
            (Some(fault), _) => Ok(Err(fault)),
            (None, Some(body)) if answer.status == 200 => Ok(Ok(body.clone())),
            _ => Err(unanswered(&format!("{} without a response or a fault", answer.status))),
        }
    }

    fn challenges(&mut self, body: &str) -> bool {
        let is_401 = |answer: Answer| answer.status == 401 && !answer.challenges.is_empty();
        self.exchange_unjudged(&Call::new(body).by(Who::Nobody)).is_ok_and(is_401)
    }

    fn set_services(&mut self, addresses: BTreeMap<String, String>) {
        self.device.set_services(addresses);
    }
}

/// That something was asked, and not answered.
pub(super) fn unanswered(seen: &str) -> Stop {
    Stop::Failed(Failed { step: "features".into(), expected: "a response".into(), seen: seen.into() })
}

/// What was found out, by asking alone: nothing of the device is changed for it.
#[derive(Debug)]
pub struct Discovery {
    /// What the device can do; an error if it answers neither GetServices nor GetCapabilities, so there is nothing to judge.
    pub features: Outcome<Features>,
    /// The steps and messages.
    pub traces: Traces,
}

/// Finds out what a device can do. `profiles` are those that it is judged by (`S`, `T`, `G`, `M`); without, those
/// that its scopes claim.
pub fn discover(device: &Device, profiles: Option<&BTreeSet<String>>) -> Discovery {
    let none = Features::default();
    let mut test = Test::new(device, &none);
    let features = test.run(|test| find(test, profiles));
    let (_, traces) = test.finish();
    Discovery { features, traces }
}

pub(super) fn find(asked: &mut dyn Asked, profiles: Option<&BTreeSet<String>>) -> Outcome<Features> {
    let mut features = Features::default();
    let capabilities = services(asked, &mut features)?;
    let capabilities = capabilities.as_ref();
    claims(asked, &mut features, profiles);
    device::device(asked, &mut features, capabilities);
    device::network(asked, &mut features);
    device::relays(&mut features, capabilities);
    device::topics(asked, &mut features);
    media::media1(asked, &mut features, capabilities);
    media::media2(asked, &mut features);
    media::either(&mut features);
    Ok(features)
}

/// The services, by their namespace, and where GetCapabilities tells of them.
const SERVICES: [(Feature, &str, &str); 11] = [
    (Feature::Analytics, "http://www.onvif.org/ver20/analytics/wsdl", "Analytics"),
    (Feature::DeviceIo, "http://www.onvif.org/ver10/deviceIO/wsdl", "Extension/DeviceIO"),
    (Feature::Event, "http://www.onvif.org/ver10/events/wsdl", "Events"),
    (Feature::Imaging, "http://www.onvif.org/ver20/imaging/wsdl", "Imaging"),
    (Feature::Media1, "http://www.onvif.org/ver10/media/wsdl", "Media"),
    (Feature::Media2, "http://www.onvif.org/ver20/media/wsdl", ""),
    (Feature::Ptz, "http://www.onvif.org/ver20/ptz/wsdl", "PTZ"),
    (Feature::Recording, "http://www.onvif.org/ver10/recording/wsdl", "Extension/Recording"),
    (Feature::Replay, "http://www.onvif.org/ver10/replay/wsdl", "Extension/Replay"),
    (Feature::Search, "http://www.onvif.org/ver10/search/wsdl", "Extension/Search"),
    (Feature::SecurityService, "http://www.onvif.org/ver10/advancedsecurity/wsdl", ""),
];

/// Which services there are. What GetCapabilities tells of them all, if it is answered.
fn services(asked: &mut dyn Asked, features: &mut Features) -> Outcome<Option<Element>> {
    asked.step("capabilities", "GetCapabilities tells what there is");
    let capabilities = asked.read("<tds:GetCapabilities/>");
    note_answered(features, Feature::GetCapabilities, &capabilities);
    let capabilities = capabilities.ok().and_then(Result::ok).and_then(|answer| answer.at("Capabilities").cloned());
    asked.step("services", "GetServices tells which services there are");
    let services =
        asked.read("<tds:GetServices><tds:IncludeCapability>false</tds:IncludeCapability></tds:GetServices>");
    note_answered(features, Feature::GetServices, &services);
    let addresses = match (services, &capabilities) {
        (Ok(Ok(answer)), _) => latest(&answer),
        (_, Some(capabilities)) => SERVICES
            .into_iter()
            .filter_map(|(_, namespace, path)| {
                Some((namespace.to_owned(), capabilities.at(path)?.text_at("XAddr")?.into()))
            })
            .collect(),
        (Ok(Err(fault)), None) => return Err(unanswered(&fault.to_string())),
        (Err(stop), None) => return Err(stop),
    };
    let by = if features.get(Feature::GetServices).has { "GetServices" } else { "GetCapabilities" };
    for (feature, namespace, _) in SERVICES {
        let has = addresses.contains_key(namespace);
        features.put(feature, has, format!("{by} lists {}{namespace}", if has { "" } else { "no " }));
    }
    asked.set_services(addresses);
    Ok(capabilities)
}

/// Whether one of the two that tell of services is answered: if it is not, or with a fault, the device does not have
/// it.
fn note_answered(features: &mut Features, feature: Feature, answer: &Outcome<Result<Element, Fault>>) {
    let (has, because) = match answer {
        Ok(Ok(_)) => (true, "it is answered".to_owned()),
        Ok(Err(fault)) => (false, fault.to_string()),
        Err(stop) => (false, stop.to_string()),
    };
    features.put(feature, has, because);
}

/// The address of each service; where one is listed several times, that of its latest version.
fn latest(services: &Element) -> BTreeMap<String, String> {
    let mut all: Vec<&Element> = services.all("Service").collect();
    let version = |service: &Element, part| service.number_at::<u32>(&format!("Version/{part}"));
    all.sort_by_key(|service| (version(service, "Major"), version(service, "Minor")));
    let entry = |service: &Element| (service.text_or_empty("Namespace").into(), service.text_or_empty("XAddr").into());
    all.into_iter().map(entry).collect()
}

fn claims(asked: &mut dyn Asked, features: &mut Features, profiles: Option<&BTreeSet<String>>) {
    asked.step("profiles", "the scopes tell which profiles the device claims");
    // Without an answer there are no scopes, and nothing is claimed.
    let answer = asked.read("<tds:GetScopes/>").ok().and_then(Result::ok).unwrap_or_default();
    let scopes: BTreeSet<&str> = answer.all("Scopes").map(|scope| scope.text_or_empty("ScopeItem")).collect();
    let claim = |letter: &str| {
        let name = if letter == "S" { "Streaming" } else { letter };
        let scope = format!("onvif://www.onvif.org/Profile/{name}");
        match profiles {
            Some(wanted) => (wanted.contains(letter), "the command line says so".to_owned()),
            None => (scopes.contains(scope.as_str()), format!("GetScopes and {scope}")),
        }
    };
    for (letter, feature) in
        [("S", Feature::ProfileS), ("T", Feature::ProfileT), ("G", Feature::ProfileG), ("M", Feature::ProfileM)]
    {
        let (has, because) = claim(letter);
        features.put(feature, has, because);
    }
    // The profiles whose devices may be asked to set their clock and their settings back.
    let found = ["S", "G", "C", "A", "T", "D"].into_iter().map(claim).find(|(has, _)| *has);
    let (has, because) = found.unwrap_or((false, "the device claims none of the profiles S, G, C, A, T and D".into()));
    features.put(Feature::ProfileScope, has, because);
}

/// The value of a flag of capabilities: one that is left out is `false`.
pub(super) fn flag(capabilities: Option<&Element>, part: &str, name: &str) -> bool {
    capabilities.and_then(|all| all.at(part)?.flag(name)).unwrap_or(false)
}

/// What the service of a prefix says that it can do.
pub(super) fn capabilities_of(asked: &mut dyn Asked, prefix: &str) -> Outcome<Element> {
    let answer = asked.ask(&format!("<{prefix}:GetServiceCapabilities/>"))?;
    answer.at("Capabilities").cloned().ok_or_else(|| unanswered("no Capabilities"))
}
