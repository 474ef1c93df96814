//! What our own server lacks so far: the closed list of reasons why a case is deferred.

use serde::{Deserialize, Serialize};

use crate::feature::{Feature, Features};

/// A function that the server does not have yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gap {
    /// Analytics service.
    Analytics,
    /// Auxiliary commands.
    AuxiliaryCommands,
    /// Talk-back: audio outputs, decoders and the RTSP back channel.
    BackChannel,
    /// Dynamic DNS.
    DynamicDns,
    /// Event service.
    Event,
    /// Filters of IP addresses.
    IpFilter,
    /// Privacy masks.
    Mask,
    /// Metadata configurations and streams.
    Metadata,
    /// RTP multicast.
    Multicast,
    /// Setters of addresses: DHCP and addresses of the machine's own interfaces.
    NetworkSetters,
    /// On-screen display.
    Osd,
    /// PTZ service, which a camera that does not move never has.
    Ptz,
    /// Recording, search and replay services.
    Recording,
    /// Relay outputs.
    Relay,
    /// Remote users.
    RemoteUser,
    /// Security configuration service.
    SecurityService,
    /// System logs, backup, restore and firmware over HTTP.
    SystemMaintenance,
    /// HTTPS, RTSPS and the tunnels in them.
    Tls,
    /// Modes of video sources.
    VideoSourceMode,
    /// RTSP over WebSocket.
    Websocket,
}

impl Gap {
    /// The feature that shows, when a device has it, that the gap is closed there. Of some gaps no device tells: that it has its
    /// address by DHCP does not say that it lets it be set, and that it knows the setters not that it does what they ask for.
    pub fn shown_by(self) -> Option<Feature> {
        Some(match self {
            Self::Analytics => Feature::Analytics,
            Self::AuxiliaryCommands => Feature::Auxiliary,
            Self::BackChannel => Feature::BackChannel,
            Self::DynamicDns => Feature::DynamicDns,
            Self::Event => Feature::Event,
            Self::IpFilter => Feature::IpFilter,
            Self::Mask => Feature::Mask,
            Self::Metadata => Feature::Metadata,
            Self::Multicast => Feature::Multicast,
            Self::NetworkSetters => return None,
            Self::Osd => Feature::Osd,
            Self::Ptz => Feature::Ptz,
            Self::Recording => Feature::Recording,
            Self::Relay => Feature::Relay,
            Self::RemoteUser => Feature::RemoteUser,
            Self::SecurityService => Feature::SecurityService,
            Self::SystemMaintenance => Feature::SystemUris,
            Self::Tls => Feature::Tls,
            Self::VideoSourceMode => Feature::VideoSourceMode,
            Self::Websocket => Feature::Websocket,
        })
    }

    /// Its name in the table.
    pub fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Why the gap is closed on this device, if it says so.
    pub fn closed_by(self, features: &Features) -> Option<String> {
        let finding = features.get(self.shown_by()?);
        finding.has.then(|| finding.because.clone())
    }

    /// Whether a case of this gap may fail: where the device says that it lacks the function, or, of what no device tells, on
    /// our `own` server.
    pub fn is_open(self, features: &Features, own: bool) -> bool {
        match self.shown_by() {
            Some(feature) => !features.get(feature).has,
            None => own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_closed_by_what_shows_it_and_by_nothing_else() {
        let all = Features::of(&[Feature::NetworkConfiguration, Feature::Dhcpv6, Feature::Osd]);
        assert_eq!(Gap::Osd.closed_by(&all).as_deref(), Some("told so"));
        assert!(!Gap::Osd.is_open(&all, true) && Gap::Ptz.is_open(&all, false));
        // Only a case that passes shows it.
        assert_eq!(Gap::NetworkSetters.closed_by(&all), None);
        assert!(Gap::NetworkSetters.is_open(&all, true) && !Gap::NetworkSetters.is_open(&all, false));
    }
}
