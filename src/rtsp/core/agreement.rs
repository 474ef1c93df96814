//! What a client was told of a track, and whether it still holds.

use bytes::Bytes;

use super::wire::{payload_format, payload_type};
use crate::{
    hub::{Codec, Parameters},
    rtp::{packet::PayloadType, payload::PayloadFormat},
};

/// How the units of a track are to be understood by a client that set it up; known from SETUP or else from the first unit.
///
/// Parameter sets travel with the pictures and may change at any time (PL-3). Whatever stands in the session description
/// alone may not: a client would take H.265 for H.264 if the same payload type meant something else from some unit on.
#[derive(Debug, Clone, Default)]
pub struct Agreement {
    encoding: Option<Encoding>,
    /// The description that was last found to hold, so that units cost one comparison.
    generation: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Encoding {
    format: PayloadFormat,
    payload_type: PayloadType,
    clock_rate: u32,
    /// AAC: the AudioSpecificConfig, which is nowhere in the packets.
    config: Option<Bytes>,
}

impl Agreement {
    /// Agrees on a description, if there is one already.
    pub fn on(parameters: Option<&Parameters>) -> Self {
        Self { encoding: parameters.map(Encoding::of), generation: None }
    }

    /// Whether units of this description are what was agreed on.
    pub fn holds(&mut self, parameters: &Parameters) -> bool {
        if self.generation == Some(parameters.generation) {
            return true;
        }
        let encoding = Encoding::of(parameters);
        let holds = *self.encoding.get_or_insert_with(|| encoding.clone()) == encoding;
        if holds {
            self.generation = Some(parameters.generation);
        }
        holds
    }
}

impl Encoding {
    fn of(parameters: &Parameters) -> Self {
        let codec = &parameters.codec;
        let config = match codec {
            Codec::Aac { config, .. } => Some(config.clone()),
            _ => None,
        };
        Self {
            format: payload_format(codec),
            payload_type: payload_type(codec),
            clock_rate: parameters.clock_rate,
            config,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::G711Law;

    fn parameters(generation: u32, codec: Codec, clock_rate: u32) -> Parameters {
        Parameters { generation, codec, size: None, frame_rate: None, clock_rate }
    }

    fn h264(generation: u32, sps: &'static [u8]) -> Parameters {
        let codec = Codec::H264 { sps: Bytes::from_static(sps), pps: Bytes::from_static(&[0x68]) };
        parameters(generation, codec, 90_000)
    }

    fn aac(generation: u32, config: &'static [u8]) -> Parameters {
        parameters(generation, Codec::Aac { config: Bytes::from_static(config), channels: 1 }, 16_000)
    }

    #[test]
    fn parameter_sets_may_change_and_encodings_may_not() {
        let h265 = [0x40, 0x42, 0x44].map(|first| Bytes::from(vec![first]));
        let [vps, sps, pps] = h265;
        let h265 = parameters(2, Codec::H265 { vps, sps, pps }, 90_000);
        let mut agreement = Agreement::on(Some(&h264(0, &[0x67, 1])));
        assert!(agreement.holds(&h264(0, &[0x67, 1])));
        assert!(agreement.holds(&h264(1, &[0x67, 2])), "PL-3");
        assert!(!agreement.holds(&h265));
        assert!(!agreement.holds(&h265), "nor at the next unit");
        assert!(agreement.holds(&h264(3, &[0x67, 1])));

        let pcmu = |generation, rate| parameters(generation, Codec::G711(G711Law::Mu), rate);
        let mut agreement = Agreement::on(Some(&pcmu(0, 8000)));
        assert!(!agreement.holds(&pcmu(1, 16_000)));
        assert!(!agreement.holds(&parameters(2, Codec::G711(G711Law::A), 8000)));
        let mut agreement = Agreement::on(Some(&aac(0, &[0x14, 8])));
        assert!(!agreement.holds(&aac(1, &[0x14, 16])), "the configuration is not in the packets");
    }

    #[test]
    fn without_a_description_the_first_unit_counts() {
        let mut agreement = Agreement::on(None);
        assert!(agreement.holds(&aac(4, &[0x14, 8])));
        assert!(!agreement.holds(&h264(5, &[0x67])));
    }
}
