//! What a device can do, as far as it decides which cases are for it (ONVIF Device Feature Discovery Specification).
//!
//! Where a device leaves it open, by silence or by an answer that cannot be read, the specification takes the feature for
//! supported: then the cases say what is wrong.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::verdict::Outcome;

mod device;
mod discover;
mod media;
#[cfg(test)]
mod tests;

pub use discover::{Discovery, discover};

/// A feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is named as the specification names it")]
pub enum Feature {
    Analytics,
    Auxiliary,
    BackChannel,
    DeviceIo,
    Dhcpv6,
    Discovery,
    DiscoveryBye,
    DynamicDns,
    Event,
    FirmwareUpgrade,
    GetCapabilities,
    GetServices,
    HttpDigest,
    Imaging,
    IpFilter,
    Ipv6,
    LinkLocal,
    Mask,
    Media1,
    Media1Aac,
    Media1Audio,
    Media1AudioOutput,
    Media1AudioOutputAac,
    Media1AudioOutputG711,
    Media1H264,
    Media1Metadata,
    Media1Multicast,
    Media1RtpRtspTcp,
    Media1Snapshot,
    Media1Streaming,
    Media2,
    Media2Aac,
    Media2Analytics,
    Media2Audio,
    Media2AudioOutput,
    Media2AudioOutputAac,
    Media2AudioOutputG711,
    Media2G711,
    Media2H264,
    Media2H265,
    Media2Metadata,
    Media2Multicast,
    Media2RtpRtspTcp,
    Media2Snapshot,
    Media2Streaming,
    Metadata,
    Multicast,
    NetworkConfiguration,
    NotAllProtocols,
    Ntp,
    Osd,
    OsdImage,
    ProfileG,
    ProfileM,
    ProfileS,
    ProfileScope,
    ProfileT,
    Ptz,
    Recording,
    Relay,
    RelayBistableClosed,
    RelayBistableOpen,
    RelayMonostable,
    RelayMonostableClosed,
    RelayMonostableOpen,
    RemoteUser,
    Replay,
    RtpRtspTcp,
    Search,
    SecurityService,
    Snapshot,
    SystemBackup,
    SystemUris,
    Tls,
    TopicBackup,
    TopicClockSynchronization,
    TopicFanFailure,
    TopicPowerSupplyFailure,
    TopicProcessorUsage,
    TopicReboot,
    TopicReset,
    TopicStorageFailure,
    TopicTemperatureCritical,
    UserConfiguration,
    UsernameToken,
    Video,
    VideoSourceMode,
    Websocket,
}

impl Feature {
    /// Its name in the table.
    pub fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// Whether a device has a feature, and what says so.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether it has.
    pub has: bool,
    /// What says so.
    pub because: String,
}

/// What was found out of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Features {
    findings: BTreeMap<Feature, Finding>,
}

impl Features {
    /// What was found out of a feature; one that nothing was found of is not there.
    pub fn get(&self, feature: Feature) -> Finding {
        let none = || Finding { has: false, because: "nothing of the device tells of it".into() };
        self.findings.get(&feature).cloned().unwrap_or_else(none)
    }

    /// These features and no others, for those who try what depends on them.
    #[cfg(test)]
    pub(crate) fn of(all: &[Feature]) -> Self {
        let mut features = Self::default();
        all.iter().for_each(|feature| features.put(*feature, true, "told so"));
        features
    }

    /// All that was found.
    pub fn all(&self) -> &BTreeMap<Feature, Finding> {
        &self.findings
    }

    /// Notes what was found of a feature.
    fn put(&mut self, feature: Feature, has: bool, because: impl Into<String>) {
        self.findings.insert(feature, Finding { has, because: because.into() });
    }

    /// Notes that a feature is there if one of these is.
    fn put_any(&mut self, feature: Feature, of: &[Feature]) {
        let found = of.iter().map(|one| (one, self.get(*one)));
        let (has, because) = match found.into_iter().find(|(_, finding)| finding.has) {
            Some((one, finding)) => (true, format!("{}: {}", one.name(), finding.because)),
            None => (false, format!("none of {}", of.iter().map(|one| one.name()).collect::<Vec<_>>().join(", "))),
        };
        self.put(feature, has, because);
    }

    /// Notes that a feature is not there if the one that it is a part of is not.
    fn put_only_with(&mut self, feature: Feature, whole: Feature) {
        if !self.get(whole).has {
            self.put(feature, false, format!("the device has no {}", whole.name()));
        }
    }

    /// Notes what an answer tells; where there is none, the feature counts as supported.
    fn put_or_open<T>(&mut self, feature: Feature, answer: &Outcome<T>, has: impl FnOnce(&T) -> bool, because: &str) {
        match answer {
            Ok(answer) => {
                let has = has(answer);
                self.put(feature, has, if has { because.to_owned() } else { format!("not so: {because}") });
            }
            Err(stop) => self.put(feature, true, format!("left open, so it counts as supported: {stop}")),
        }
    }
}
