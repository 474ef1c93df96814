//! Video encoder configurations: what they can be set to, and what a client wants of one.

use super::{View, faults};
use crate::{
    camera::{
        Change, CodecProfile, FeedOf, Kind, Range, VideoChange, VideoCodec, VideoEncoderConfiguration, VideoOptions,
    },
    onvif::soap::fault::Fault,
};

/// A stream that arrives encoded and whose profile was not seen may be of any of these.
const ANY_H264: [&str; 3] = ["Baseline", "Main", "High"];

/// What an encoder can be set to with one codec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Offer {
    /// Sizes and ranges.
    pub(crate) options: VideoOptions,
    /// The profile of the codec, of several encoders those that any of them has; none for JPEG, and where it is not known.
    pub(crate) profiles: Vec<&'static str>,
    /// Whether the encoder holds its bit rate.
    pub(crate) constant: bool,
}

/// What an encoder can be set to, as far as the service has names for it.
pub(crate) fn offers(view: &View, token: &str) -> Vec<Offer> {
    let options = view.context.camera.video_options(token).into_iter();
    let options = options.filter(|options| view.names(options.codec));
    let ours = is_ours(view, token);
    options
        .map(|options| Offer {
            profiles: options.codec.and_then(|codec| profile_of(view, token, codec)).into_iter().collect(),
            constant: ours && is_constant(options.codec),
            options,
        })
        .collect()
}

/// What encoders can be set to: one, that of a profile, or any. One offer for each codec.
///
/// # Errors
/// The profile or the configuration does not exist.
pub(crate) fn offers_for(view: &View, configuration: Option<&str>, profile: Option<&str>) -> Result<Vec<Offer>, Fault> {
    let profile = profile.map(|token| view.profile(token)).transpose()?;
    if let Some(token) = configuration {
        return Ok(offers(view, &view.video_encoder(token)?.token));
    }
    match profile.and_then(|profile| view.reference(profile, Kind::VideoEncoder)) {
        Some(token) => Ok(offers(view, token)),
        None => Ok(merged(view.video_encoders().flat_map(|encoder| offers(view, &encoder.token)))),
    }
}

/// The profile of an H.264 or H.265 encoder; none for JPEG, nor for a stream that arrives encoded and does not tell.
pub(crate) fn profile(view: &View, encoder: &VideoEncoderConfiguration) -> Option<&'static str> {
    profile_of(view, &encoder.token, encoder.settings.codec()?)
}

/// Whether an encoder holds its bit rate.
pub(crate) fn holds_rate(view: &View, encoder: &VideoEncoderConfiguration) -> bool {
    is_ours(view, &encoder.token) && is_constant(encoder.settings.codec())
}

/// How many encoders there can be at once.
pub(crate) struct Instances {
    /// Of whatever codec.
    pub(crate) total: u32,
    /// Of JPEG.
    pub(crate) jpeg: u32,
    /// Of H.264.
    pub(crate) h264: u32,
    /// Of H.265.
    pub(crate) h265: u32,
}

/// Counts the encoders; each runs whatever the others do.
pub(crate) fn instances(view: &View) -> Instances {
    let offered: Vec<_> = view.video_encoders().map(|encoder| offers(view, &encoder.token)).collect();
    let can = |offers: &[Offer], codec| offers.iter().any(|offer| offer.options.codec == codec);
    let count = |codec| offered.iter().filter(|offers| can(offers, codec)).count() as u32;
    let (h264, h265) = (count(Some(VideoCodec::H264)), count(Some(VideoCodec::H265)));
    // One encoder stays H.264 (docs/decisions/h264-always.md): not all that can may be H.265 at the same time.
    let only_h264 =
        offered.iter().any(|offers| can(offers, Some(VideoCodec::H264)) && !can(offers, Some(VideoCodec::H265)));
    let stays = u32::from(h264 > 0 && !only_h264);
    Instances { total: offered.len() as u32, jpeg: count(None), h264, h265: h265.saturating_sub(stays) }
}

/// What a client wants of an encoder. What it leaves out stays.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Which encoder.
    pub(crate) token: String,
    /// Its new name.
    pub(crate) name: String,
    /// The name of the codec.
    pub(crate) encoding: String,
    /// Width and height.
    pub(crate) size: (i64, i64),
    /// Pictures per second.
    pub(crate) frame_rate: Option<f32>,
    /// Bit rate in kbit/s.
    pub(crate) bitrate: Option<i64>,
    /// Distance of key frames.
    pub(crate) gop: Option<i64>,
    /// The profile of the codec.
    pub(crate) profile: Option<String>,
    /// The quality.
    pub(crate) quality: Option<f32>,
}

impl Wanted {
    /// The change that it means. Rates that are no whole number are rounded, a bit rate is brought into its range, and a
    /// quality is passed over where it has no meaning (Media 5.5.5, Media2 5.3.3); all else must be among the options.
    ///
    /// # Errors
    /// There is no such encoder, or it does not make this codec or profile.
    pub(crate) fn change(self, view: &View) -> Result<Change, Fault> {
        let encoder = view.video_encoder(&self.token)?;
        let codec = codec_named(&self.encoding);
        let offers = offers(view, &encoder.token);
        let offer = codec.and_then(|codec| offers.iter().find(|offer| offer.options.codec == codec));
        let offer = offer.ok_or_else(|| faults::cannot_be_set("This encoder does not make this codec"))?;
        // JPEG has no profiles; what stands there is for the codec that the client would have had otherwise.
        let offered = |profile: &str| offer.options.codec.is_none() || offer.profiles.contains(&profile);
        if !self.profile.as_deref().is_none_or(offered) {
            return Err(faults::cannot_be_set("This encoder does not make this profile"));
        }
        let change = self.video_change(&offer.options);
        Ok(Change::VideoEncoder { token: self.token, name: self.name, change })
    }

    /// What the client leaves out is not read here: until the change is made, another client may have set it.
    fn video_change(&self, options: &VideoOptions) -> VideoChange {
        let in_range = |bitrate| whole(bitrate).clamp(options.bitrates.min, options.bitrates.max);
        VideoChange {
            codec: options.codec,
            size: (whole(self.size.0), whole(self.size.1)),
            frame_rate: self.frame_rate.map(|rate| rate.round() as u32),
            bitrate_kbps: self.bitrate.map(in_range),
            gop: self.gop.map(whole),
            quality: self.quality.map(|quality| quality.round() as u32),
        }
    }
}

/// The name of a codec, the same in both services.
pub(crate) fn name_of(codec: Option<VideoCodec>) -> &'static str {
    match codec {
        None => "JPEG",
        Some(VideoCodec::H264) => "H264",
        Some(VideoCodec::H265) => "H265",
    }
}

/// The codec of a name; `Some(None)` is JPEG. A media subtype has no case (RFC 6838, section 4.2).
fn codec_named(name: &str) -> Option<Option<VideoCodec>> {
    let mut codecs = [None, Some(VideoCodec::H264), Some(VideoCodec::H265)].into_iter();
    codecs.find(|codec| name_of(*codec).eq_ignore_ascii_case(name))
}

/// Whether the engine encodes it.
fn is_ours(view: &View, token: &str) -> bool {
    matches!(feed_of(view, token), Some(FeedOf::Video(_) | FeedOf::Jpeg))
}

fn feed_of(view: &View, token: &str) -> Option<FeedOf> {
    view.context.camera.feeds().iter().find(|feed| feed.name == token).map(|feed| feed.of)
}

/// The engine's H.264 encoder runs at a constant bit rate, its H.265 encoder at an average one.
fn is_constant(codec: Option<VideoCodec>) -> bool {
    codec == Some(VideoCodec::H264)
}

/// The profile that an encoder has, or would have, with a codec.
fn profile_of(view: &View, token: &str, codec: VideoCodec) -> Option<&'static str> {
    let profile = match feed_of(view, token)? {
        FeedOf::Video(definition) => Some(view.context.camera.origin().codec_profile(definition, codec)),
        FeedOf::SourceVideo(_) => view.settings.video_encoder(token)?.profile,
        _ => None,
    };
    profile.map(CodecProfile::name)
}

/// The profiles of an H.264 offer where the schema wants some: of a stream that does not tell it may be any.
pub(crate) fn h264_profiles(offer: &Offer) -> &[&'static str] {
    if offer.profiles.is_empty() { &ANY_H264 } else { &offer.profiles }
}

/// Puts the offers of several encoders together, one for each codec: what one or another of them can be set to.
fn merged(offers: impl Iterator<Item = Offer>) -> Vec<Offer> {
    let mut all: Vec<Offer> = Vec::new();
    for offer in offers {
        match all.iter_mut().find(|known| known.options.codec == offer.options.codec) {
            Some(known) => known.take_in(offer),
            None => all.push(offer),
        }
    }
    all
}

impl Offer {
    fn take_in(&mut self, other: Self) {
        let (mine, theirs) = (&mut self.options, other.options);
        mine.sizes.extend(theirs.sizes);
        mine.sizes.sort_by_key(|(width, height)| std::cmp::Reverse((width * height, *width)));
        mine.sizes.dedup();
        mine.frame_rates = spanned(mine.frame_rates, theirs.frame_rates);
        mine.bitrates = spanned(mine.bitrates, theirs.bitrates);
        mine.gops = spanned(mine.gops, theirs.gops);
        mine.quality = spanned(mine.quality, theirs.quality);
        let new = other.profiles.into_iter().filter(|profile| !self.profiles.contains(profile));
        self.profiles.extend(new.collect::<Vec<_>>());
        self.constant &= other.constant;
    }
}

/// The least range that holds both.
pub(crate) fn spanned(one: Range, other: Range) -> Range {
    Range::new(one.min.min(other.min), one.max.max(other.max))
}

/// A number that is counted; what is less than nothing is nothing, which no option holds.
fn whole(value: i64) -> u32 {
    u32::try_from(value.max(0)).unwrap_or(u32::MAX)
}
