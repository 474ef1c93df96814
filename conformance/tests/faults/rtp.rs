//! Changes of RTP and RTCP packets.

use std::{
    collections::BTreeMap,
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::{
    proxy::lock,
    rule::{Action, Rule},
};

/// The type of a sender report, with which a compound begins.
const SENDER_REPORT: u8 = 200;

/// What was learnt of a medium from the packets before.
#[derive(Debug, Default)]
struct Medium {
    kind: String,
    packets: u64,
    since: Option<Instant>,
    time: Option<u32>,
    ntp: Option<u64>,
    /// How many packets were taken out without a gap.
    missing: u16,
    /// Whether a key frame is being taken out, by the time it shows.
    key_frame: Option<u32>,
}

/// The packets of a connection, by its channels; those of a pair of ports, as of channel 0.
#[derive(Debug, Default)]
pub(crate) struct Packets {
    media: BTreeMap<u8, Medium>,
}

/// Which payload type and which control address an SDP gives to which kind of medium: `96` is `video`.
#[derive(Debug, Default)]
pub(crate) struct Kinds {
    types: Mutex<BTreeMap<u8, String>>,
    controls: Mutex<BTreeMap<String, String>>,
}

impl Kinds {
    /// Reads an SDP.
    pub(crate) fn learn(&self, sdp: &str) {
        let mut kind = None;
        for line in sdp.lines() {
            if let Some(line) = line.strip_prefix("m=") {
                let mut words = line.split(' ');
                kind = words.next();
                if let (Some(kind), Some(Ok(payload_type))) = (kind, words.nth(2).map(str::parse)) {
                    lock(&self.types).insert(payload_type, kind.to_owned());
                }
            } else if let (Some(kind), Some(control)) = (kind, line.strip_prefix("a=control:")) {
                lock(&self.controls).insert(control.to_owned(), kind.to_owned());
            }
        }
    }

    /// The kind of the medium that is set up by this address.
    pub(crate) fn of_address(&self, url: &str) -> String {
        let controls = lock(&self.controls);
        let found = controls.iter().find(|(control, _)| url.ends_with(control.as_str()));
        found.map(|(_, kind)| kind.clone()).unwrap_or_default()
    }

    fn of(&self, payload_type: u8) -> String {
        lock(&self.types).get(&payload_type).cloned().unwrap_or_default()
    }
}

impl Packets {
    /// Those of one medium, by datagrams: its reports may come before its packets, which alone tell what they are.
    pub(crate) fn of(kind: String) -> Self {
        Self { media: BTreeMap::from([(0, Medium { kind, ..Medium::default() })]) }
    }

    /// Changes a packet; `None` if it is lost.
    pub(crate) fn changed(&mut self, channel: u8, packet: Vec<u8>, rules: &[Rule], kinds: &Kinds) -> Option<Vec<u8>> {
        if packet.len() < 12 {
            return Some(packet);
        }
        let is_control = channel % 2 == 1;
        let medium = self.media.entry(channel - u8::from(is_control)).or_default();
        if !is_control {
            medium.kind = kinds.of(packet[1] & 0x7f);
            medium.packets += 1;
            medium.since.get_or_insert_with(Instant::now);
        }
        let on = format!("{} {}", if is_control { "RTCP" } else { "RTP" }, medium.kind);
        let mut packet = packet;
        for rule in rules.iter().filter(|rule| rule.on == on) {
            packet = medium.apply(&rule.action, packet)?;
        }
        Some(packet)
    }
}

impl Medium {
    fn apply(&mut self, action: &Action, mut packet: Vec<u8>) -> Option<Vec<u8>> {
        let every = |count: u64| self.packets.is_multiple_of(count);
        match action {
            Action::Silence => return None,
            Action::Lose(count) if every(*count) => return None,
            Action::RepeatSequence(count) if every(*count) => {
                let number = u16::from_be_bytes([packet[2], packet[3]]).wrapping_sub(1);
                packet[2..4].copy_from_slice(&number.to_be_bytes());
            }
            Action::ChangeSource(count) if self.packets % count >= count / 2 => packet[11] ^= 0x55,
            Action::PayloadType(number) => packet[1] = packet[1] & 0x80 | number,
            Action::NoMarker => packet[1] &= 0x7f,
            Action::Extension(kind) if packet[0] & 0x1f == 0 => {
                packet[0] |= 0x10;
                packet.splice(12..12, [&kind.to_be_bytes()[..], &[0, 0]].concat());
            }
            Action::Version(number) => packet[0] = packet[0] & 0x3f | number << 6,
            Action::StopTime => {
                let time = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
                let first = *self.time.get_or_insert(time);
                packet[4..8].copy_from_slice(&first.to_be_bytes());
            }
            Action::RtpPace(times) => self.pace(*times, &mut packet),
            Action::NtpPace(times) if packet.len() >= 16 => {
                let now = packet[8..16].iter().fold(0, |ntp, byte| ntp << 8 | u64::from(*byte));
                let first = *self.ntp.get_or_insert(now);
                let passed = now.wrapping_sub(first).cast_signed() as f64 * times;
                packet[8..16].copy_from_slice(&first.wrapping_add_signed(passed as i64).to_be_bytes());
            }
            // The source stands in the first part, and that is the report.
            Action::OtherSource => packet[7] ^= 0x55,
            Action::LateKeyFrame(seconds) => return self.without_key_frame(Duration::from_secs(*seconds), packet),
            _ => (),
        }
        Some(packet)
    }

    /// Lets the RTP time pass so many times as fast, counted from the first that was seen.
    fn pace(&mut self, times: f64, packet: &mut [u8]) {
        let at = if packet[1] == SENDER_REPORT { 16 } else { 4 };
        let Some(field) = packet.get_mut(at..at + 4) else { return };
        let now = field.iter().fold(0, |time, byte| time << 8 | u32::from(*byte));
        let first = *self.time.get_or_insert(now);
        let passed = f64::from(now.wrapping_sub(first).cast_signed()) * times;
        field.copy_from_slice(&first.wrapping_add_signed(passed as i32).to_be_bytes());
    }

    /// Takes key frames out for some time, and counts on without a gap.
    fn without_key_frame(&mut self, patience: Duration, mut packet: Vec<u8>) -> Option<Vec<u8>> {
        let time = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        let early = self.since.is_some_and(|since| since.elapsed() < patience);
        if early && (self.key_frame == Some(time) || is_key_frame(&packet)) {
            self.key_frame = Some(time);
            self.missing = self.missing.wrapping_add(1);
            return None;
        }
        let number = u16::from_be_bytes([packet[2], packet[3]]).wrapping_sub(self.missing);
        packet[2..4].copy_from_slice(&number.to_be_bytes());
        Some(packet)
    }
}

/// Whether an H.264 packet is of a key frame, or of the parameter sets before it (RFC 6184 section 5.2).
fn is_key_frame(packet: &[u8]) -> bool {
    let mut start = 12 + 4 * usize::from(packet[0] & 0x0f);
    if packet[0] & 0x10 != 0 {
        let length = packet.get(start + 2..start + 4).map_or(0, |bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
        start += 4 + 4 * usize::from(length);
    }
    let Some([first, second, ..]) = packet.get(start..) else { return false };
    let unit = match first & 0x1f {
        // Several small units in one packet: a length of two bytes before each.
        24 => packet.get(start + 3).map_or(0, |unit| unit & 0x1f),
        28 | 29 => second & 0x1f,
        unit => unit,
    };
    [5, 7, 8].contains(&unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(number: u8, time: u8, payload: &[u8]) -> Vec<u8> {
        [&[0x80, 0xe0, 0, number, 0, 0, 0, time, 1, 2, 3, 4][..], payload].concat()
    }

    fn rule(on: &str, action: Action) -> Rule {
        Rule { on: on.into(), asked: None, lacks: None, after: None, until: None, refused: None, action }
    }

    fn changed(action: Action, packets: &[Vec<u8>]) -> Vec<Option<Vec<u8>>> {
        let rules = [rule("RTP video", action)];
        let (mut all, kinds) = (Packets::default(), Kinds::default());
        kinds.learn("v=0\r\nm=audio 0 RTP/AVP 97\r\nm=video 0 RTP/AVP 96\r\n");
        packets.iter().map(|packet| all.changed(0, packet.clone(), &rules, &kinds)).collect()
    }

    #[test]
    fn a_key_frame_is_taken_out_without_a_gap() {
        let given =
            [packet(1, 1, &[0x41, 0]), packet(2, 2, &[0x67, 0]), packet(3, 2, &[0x7c, 0x85]), packet(4, 3, &[0x41, 0])];
        let got = changed(Action::LateKeyFrame(60), &given);
        assert_eq!(got, [Some(given[0].clone()), None, None, Some(packet(2, 3, &[0x41, 0]))]);
    }

    #[test]
    fn a_report_is_of_the_clock_of_its_packets() {
        let report =
            |time: u8| [&[0x80, 200, 0, 6, 1, 2, 3, 4, 0, 0, 0, time, 0, 0, 0, 0, 0, 0, 0, time][..], &[0; 8]].concat();
        let rules = [
            rule("RTP video", Action::RtpPace(2.0)),
            rule("RTCP video", Action::RtpPace(2.0)),
            rule("RTCP video", Action::NtpPace(3.0)),
        ];
        let (mut all, kinds) = (Packets::default(), Kinds::default());
        kinds.learn("v=0\r\nm=video 0 RTP/AVP 96\r\n");
        let mut times = |channel, bytes: Vec<u8>| {
            let packet = all.changed(channel, bytes, &rules, &kinds).unwrap();
            if channel == 0 { (packet[7], 0) } else { (packet[19], packet[11]) }
        };
        assert_eq!(times(0, packet(1, 1, &[0x41])), (1, 0));
        assert_eq!(times(1, report(2)), (3, 2));
        assert_eq!(times(0, packet(2, 3, &[0x41])), (5, 0));
        assert_eq!(times(1, report(4)), (7, 8));
    }

    #[test]
    fn packets_are_changed_by_number() {
        let given: Vec<_> = (1..=4).map(|number| packet(number, number, &[0x41, 0])).collect();
        let numbers = |got: Vec<Option<Vec<u8>>>| {
            got.iter().map(|packet| packet.as_ref().map(|bytes| bytes[3])).collect::<Vec<_>>()
        };
        assert_eq!(numbers(changed(Action::RepeatSequence(2), &given)), [Some(1), Some(1), Some(3), Some(3)]);
        assert_eq!(numbers(changed(Action::Lose(3), &given)), [Some(1), Some(2), None, Some(4)]);
        assert_eq!(changed(Action::StopTime, &given)[3].as_ref().unwrap()[7], 1);
        assert_eq!(changed(Action::NoMarker, &given)[0].as_ref().unwrap()[1], 0x60);
        let paced = changed(Action::RtpPace(2.0), &given);
        assert_eq!(paced.iter().map(|packet| packet.as_ref().unwrap()[7]).collect::<Vec<_>>(), [1, 3, 5, 7]);
    }
}
