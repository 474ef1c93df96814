//! Video encoders: which profile has one for a codec, and setting it.

use std::str::FromStr;

use super::{
    door::Door,
    profile,
    words::{Codec, Service},
};
use crate::{
    test::Test,
    verdict::Outcome,
    xml::{Element, escape},
};

/// What the specification wants where it leaves the size open.
const SIZE: (u32, u32) = (640, 480);
/// The frame rate that it wants.
const RATE: f64 = 25.0;

/// A profile with a video encoder that has the codec.
#[derive(Debug, Clone)]
pub(super) struct Encoder {
    /// The profile.
    pub(super) profile: String,
    /// The video encoder configuration.
    pub(super) token: String,
    /// What can be set with this codec.
    pub(super) options: Options,
}

/// What an encoder can do with one codec.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) codec: Codec,
    /// In the order in which the device lists them.
    pub(super) sizes: Vec<(u32, u32)>,
    rates: Rates,
    quality: (f64, f64),
    bitrate: Option<(u32, u32)>,
    interval: Option<u32>,
    gov: Option<(u32, u32)>,
    profiles: Vec<String>,
    constant_bitrate: Option<bool>,
}

#[derive(Debug, Clone)]
enum Rates {
    Range(f64, f64),
    List(Vec<f64>),
    Unknown,
}

impl Rates {
    fn nearest(&self, wanted: f64) -> Option<f64> {
        match self {
            Self::Range(low, high) => Some(wanted.clamp(*low, high.max(*low))),
            Self::List(all) => all.iter().copied().min_by(|a, b| (a - wanted).abs().total_cmp(&(b - wanted).abs())),
            Self::Unknown => None,
        }
    }
}

/// What is to be set.
#[derive(Debug, Clone, Default)]
pub(super) struct Wish {
    /// Width and height; without, what is nearest to 640×480.
    pub(super) size: Option<(u32, u32)>,
    /// Frames per second, or what is nearest to it; without, 25.
    pub(super) rate: Option<f64>,
    /// From key frame to key frame in frames, or what is nearest; without, what is set (Media1) or as short as can be (Media2).
    pub(super) gov: Option<u32>,
    /// Leaves rate, group of pictures and profile to the device, as Media2 allows.
    pub(super) plain: bool,
}

/// What was set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Setting {
    pub(super) codec: Codec,
    pub(super) size: (u32, u32),
    /// Frames per second, if the device limits them.
    pub(super) rate: Option<f64>,
    /// From key frame to key frame in frames, if it was told.
    pub(super) gov: Option<u32>,
}

impl Options {
    /// The size nearest to 640×480.
    fn usual_size(&self) -> (u32, u32) {
        let distance = |(w, h): &(u32, u32)| w.abs_diff(SIZE.0) + h.abs_diff(SIZE.1);
        self.sizes.iter().copied().min_by_key(distance).unwrap_or(SIZE)
    }

    /// The frame rate nearest to 25, if the device tells its rates.
    pub(super) fn usual_rate(&self) -> Option<f64> {
        self.rates.nearest(RATE)
    }

    /// The sizes from the smallest to the largest.
    pub(super) fn by_size(&self) -> Vec<(u32, u32)> {
        let mut sizes = self.sizes.clone();
        sizes.sort_by_key(|(width, height)| u64::from(*width) * u64::from(*height));
        sizes.dedup();
        sizes
    }
}

fn number<T: FromStr>(element: &Element, path: &str) -> Option<T> {
    element.number_at(path)
}

fn size_of(element: &Element) -> Option<(u32, u32)> {
    Some((number(element, "Width")?, number(element, "Height")?))
}

fn range<T: FromStr>(element: &Element, path: &str) -> Option<(T, T)> {
    let range = element.at(path)?;
    Some((number(range, "Min")?, number(range, "Max")?))
}

/// What an encoder in a profile can do with a codec; `None` if it does not have it.
pub(super) fn options(
    t: &mut Test<'_>,
    door: &Door,
    profile: &str,
    encoder: &str,
    codec: Codec,
) -> Outcome<Option<Options>> {
    let answer = door.encoder_options(t, "Video", profile, encoder)?;
    Ok(read_options(&answer, door.service, codec))
}

fn read_options(answer: &Element, service: Service, codec: Codec) -> Option<Options> {
    let name = codec.media1();
    let sizes = |of: &Element| of.all("ResolutionsAvailable").filter_map(size_of).collect::<Vec<_>>();
    match service {
        Service::Media1 => {
            let all = answer.at("Options")?;
            let own = all.at(name)?;
            let rates: Option<(f64, f64)> = range(own, "FrameRateRange");
            Some(Options {
                codec,
                sizes: sizes(own),
                rates: rates.map_or(Rates::Unknown, |(low, high)| Rates::Range(low, high)),
                quality: range(all, "QualityRange")?,
                bitrate: range(all, &format!("Extension/{name}/BitrateRange")),
                interval: number(own, "EncodingIntervalRange/Min"),
                gov: range(own, "GovLengthRange"),
                profiles: own.texts("H264ProfilesSupported").into_iter().map(str::to_owned).collect(),
                constant_bitrate: None,
            })
        }
        Service::Media2 => {
            let own = answer.all("Options").find(|one| codec.names().contains(&one.text_or_empty("Encoding")))?;
            let words = |name: &str| own.attribute(name).unwrap_or_default().split_whitespace();
            let rates: Vec<f64> = words("FrameRatesSupported").filter_map(|word| word.parse().ok()).collect();
            let gov: Vec<u32> = words("GovLengthRange").filter_map(|word| word.parse().ok()).collect();
            Some(Options {
                codec,
                sizes: sizes(own),
                rates: if rates.is_empty() { Rates::Unknown } else { Rates::List(rates) },
                quality: range(own, "QualityRange")?,
                bitrate: range(own, "BitrateRange"),
                interval: None,
                gov: gov.iter().min().copied().zip(gov.iter().max().copied()),
                profiles: words("ProfilesSupported").map(str::to_owned).collect(),
                constant_bitrate: own.flag("ConstantBitRateSupported"),
            })
        }
    }
}

/// The profiles that have a video source and an encoder with this codec.
pub(super) fn encoders(t: &mut Test<'_>, door: &Door, codec: Codec) -> Outcome<Vec<Encoder>> {
    let mut found = Vec::new();
    for (profile, token) in profile::pictures(t, door)? {
        match options(t, door, &profile, &token, codec) {
            Ok(Some(options)) => found.push(Encoder { profile, token, options }),
            Ok(None) => (),
            // Media1 does not know a profile while the case that has its encoder has set it to H.265.
            Err(_) if t.device.is_claimed(&token) => (),
            Err(stop) => return Err(stop),
        }
    }
    Ok(found)
}

/// Claims the right to set an encoder to a codec, before an encoder is looked for: a device may make so many streams of a codec
/// and no more, and what it offers may depend on what others are set to. H.264 is what encoders are set to anyway.
pub(super) fn claim_codec(t: &mut Test<'_>, codec: Codec) -> Outcome {
    if codec != Codec::H264 {
        t.claim(&[format!("every encoder of {}", codec.media1())])?;
    }
    Ok(())
}

/// Claims one of these encoders.
pub(super) fn claim(t: &mut Test<'_>, found: Vec<Encoder>) -> Outcome<Encoder> {
    let tokens: Vec<String> = found.iter().map(|encoder| encoder.token.clone()).collect();
    let claimed = t.claim(&tokens)?;
    t.some(found.into_iter().find(|encoder| encoder.token == claimed), "the encoder that was claimed")
}

/// The configuration of an encoder.
pub(super) fn configuration(t: &mut Test<'_>, door: &Door, token: &str) -> Outcome<Element> {
    let token = escape(token);
    let (body, path) = match door.service {
        Service::Media1 => ("GetVideoEncoderConfiguration", "Configuration"),
        Service::Media2 => ("GetVideoEncoderConfigurations", "Configurations"),
    };
    let answer = door
        .ask(t, format!("<{{p}}:{body}><{{p}}:ConfigurationToken>{token}</{{p}}:ConfigurationToken></{{p}}:{body}>"))?;
    t.some(answer.at(path).cloned(), path)
}

/// Sees to it that an encoder that was claimed is put back.
pub(super) fn remember(t: &mut Test<'_>, door: &Door, encoder: &Encoder) -> Outcome {
    let now = configuration(t, door, &encoder.token)?;
    t.afterwards(request(door.service, &now.renamed(door.service.prefix(), "Configuration")));
    Ok(())
}

/// Sets an encoder that was claimed, and sees to it that it is put back.
pub(super) fn set(t: &mut Test<'_>, door: &Door, encoder: &Encoder, wish: &Wish) -> Outcome<Setting> {
    remember(t, door, encoder)?;
    set_again(t, door, encoder, wish)
}

/// Sets an encoder that is put back already when the case is over.
pub(super) fn set_again(t: &mut Test<'_>, door: &Door, encoder: &Encoder, wish: &Wish) -> Outcome<Setting> {
    let now = configuration(t, door, &encoder.token)?;
    let (body, setting) = changed(door.service, &now, &encoder.options, wish);
    door.ask(t, request(door.service, &body))?;
    Ok(setting)
}

/// SetVideoEncoderConfiguration.
fn request(service: Service, configuration: &str) -> String {
    let p = service.prefix();
    let persistence = match service {
        Service::Media1 => "<trt:ForcePersistence>false</trt:ForcePersistence>",
        Service::Media2 => "",
    };
    format!("<{p}:SetVideoEncoderConfiguration>{configuration}{persistence}</{p}:SetVideoEncoderConfiguration>")
}

/// The configuration as it is to be, and what of it is judged.
fn changed(service: Service, now: &Element, options: &Options, wish: &Wish) -> (String, Setting) {
    let size = wish.size.unwrap_or_else(|| options.usual_size());
    let (low, high) = options.quality;
    // Media2 wants the least quality; Media1 leaves it open, and what is set is nearer to what people use.
    let quality = match service {
        Service::Media1 => number(now, "Quality").unwrap_or(low).clamp(low, high.max(low)),
        Service::Media2 => low,
    };
    let rate_now: Option<f64> = number(now, "RateControl/FrameRateLimit");
    let rate = options.rates.nearest(wish.rate.unwrap_or(RATE)).or(rate_now);
    let own_gov = match service {
        Service::Media1 => number(now, "H264/GovLength"),
        Service::Media2 => options.gov.map(|(low, _)| low),
    };
    if wish.plain {
        let setting = Setting { codec: options.codec, size, rate: None, gov: None };
        let options = Options { profiles: Vec::new(), ..options.clone() };
        return (media2(now, &options, &setting, quality), setting);
    }
    let gov = options.gov.map(|(low, high)| {
        let within = |gov: u32| gov.clamp(low, high.max(low));
        within(wish.gov.or(own_gov).unwrap_or(30))
    });
    let setting = Setting { codec: options.codec, size, rate: rate.filter(|_| now.at("RateControl").is_some()), gov };
    let body = match service {
        Service::Media1 => media1(now, options, &setting, quality),
        Service::Media2 => media2(now, options, &setting, quality),
    };
    (body, setting)
}

fn bitrate(now: &Element, options: &Options) -> u32 {
    let bitrate = number(now, "RateControl/BitrateLimit").unwrap_or(0);
    options.bitrate.map_or(bitrate, |(low, high)| bitrate.clamp(low, high.max(low)))
}

fn copied(now: &Element, name: &str) -> String {
    now.at(name).map(Element::to_xml).unwrap_or_default()
}

fn resolution((width, height): (u32, u32)) -> String {
    format!("<tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height></tt:Resolution>")
}

fn media1(now: &Element, options: &Options, setting: &Setting, quality: f64) -> String {
    let rate_control = setting.rate.map(|rate| {
        let interval = options.interval.or_else(|| number(now, "RateControl/EncodingInterval")).unwrap_or(1);
        format!(
            "<tt:RateControl><tt:FrameRateLimit>{rate}</tt:FrameRateLimit>\
             <tt:EncodingInterval>{interval}</tt:EncodingInterval><tt:BitrateLimit>{}</tt:BitrateLimit></tt:RateControl>",
            bitrate(now, options)
        )
    });
    let h264 = (options.codec == Codec::H264).then(|| {
        let own = now.text_or_empty("H264/H264Profile");
        let first = options.profiles.first().map_or("Baseline", String::as_str);
        let profile = if options.profiles.iter().any(|profile| profile == own) { own } else { first };
        format!(
            "<tt:H264><tt:GovLength>{}</tt:GovLength><tt:H264Profile>{profile}</tt:H264Profile></tt:H264>",
            setting.gov.unwrap_or(30)
        )
    });
    format!(
        "<trt:Configuration token=\"{}\">{}{}<tt:Encoding>{}</tt:Encoding>{}<tt:Quality>{quality}</tt:Quality>{}{}{}{}\
         </trt:Configuration>",
        escape(now.token()),
        copied(now, "Name"),
        copied(now, "UseCount"),
        options.codec.media1(),
        resolution(setting.size),
        rate_control.unwrap_or_default(),
        h264.unwrap_or_default(),
        copied(now, "Multicast"),
        copied(now, "SessionTimeout"),
    )
}

fn media2(now: &Element, options: &Options, setting: &Setting, quality: f64) -> String {
    let gov = setting.gov.map(|gov| format!(" GovLength=\"{gov}\"")).unwrap_or_default();
    let best = ["High", "Extended", "Main", "Baseline"]
        .into_iter()
        .find(|name| options.profiles.iter().any(|own| own == name));
    let profile = best.or_else(|| options.profiles.first().map(String::as_str));
    let profile = profile.map(|profile| format!(" Profile=\"{}\"", escape(profile))).unwrap_or_default();
    let rate_control = setting.rate.map(|rate| {
        let constant = options.constant_bitrate.map(|flag| format!(" ConstantBitRate=\"{flag}\"")).unwrap_or_default();
        format!(
            "<tt:RateControl{constant}><tt:FrameRateLimit>{rate}</tt:FrameRateLimit>\
             <tt:BitrateLimit>{}</tt:BitrateLimit></tt:RateControl>",
            bitrate(now, options)
        )
    });
    format!(
        "<tr2:Configuration token=\"{}\"{gov}{profile}>{}{}<tt:Encoding>{}</tt:Encoding>{}{}{}<tt:Quality>{quality}</tt:Quality>\
         </tr2:Configuration>",
        escape(now.token()),
        copied(now, "Name"),
        copied(now, "UseCount"),
        options.codec.names()[0],
        resolution(setting.size),
        rate_control.unwrap_or_default(),
        copied(now, "Multicast"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(text: &str) -> Element {
        Element::parse(text.replace("<a", "<a xmlns:tt=\"http://www.onvif.org/ver10/schema\"").as_bytes()).unwrap()
    }

    fn some_options(service: Service) -> Options {
        let media1 = "<a><Options><QualityRange><Min>1</Min><Max>5</Max></QualityRange><H264><ResolutionsAvailable>\
             <Width>1920</Width><Height>1080</Height></ResolutionsAvailable><ResolutionsAvailable><Width>640</Width>\
             <Height>360</Height></ResolutionsAvailable><GovLengthRange><Min>2</Min><Max>60</Max></GovLengthRange>\
             <FrameRateRange><Min>1</Min><Max>15</Max></FrameRateRange><H264ProfilesSupported>Main</H264ProfilesSupported>\
             </H264></Options></a>";
        let media2 = "<a><Options GovLengthRange=\"2 60\" FrameRatesSupported=\"30 15 24\" ProfilesSupported=\"Main High\">\
             <Encoding>H264</Encoding><QualityRange><Min>1</Min><Max>5</Max></QualityRange><ResolutionsAvailable>\
             <Width>640</Width><Height>360</Height></ResolutionsAvailable></Options></a>";
        let text = if service == Service::Media1 { media1 } else { media2 };
        read_options(&element(text), service, Codec::H264).unwrap()
    }

    #[test]
    fn a_configuration_is_set_as_the_specification_wants() {
        let now = element(
            "<a token=\"v\"><tt:Name>n</tt:Name><tt:UseCount>1</tt:UseCount><tt:Quality>9</tt:Quality><tt:RateControl>\
             <tt:BitrateLimit>500</tt:BitrateLimit></tt:RateControl></a>",
        );
        let (body, setting) = changed(Service::Media1, &now, &some_options(Service::Media1), &Wish::default());
        let codec = Codec::H264;
        assert_eq!(setting, Setting { codec, size: (640, 360), rate: Some(15.0), gov: Some(30) });
        assert!(
            body.contains("<tt:Quality>5</tt:Quality>") && body.contains("<tt:FrameRateLimit>15</tt:FrameRateLimit>")
        );
        assert!(body.contains("<tt:H264Profile>Main</tt:H264Profile>"));
        let (body, setting) = changed(Service::Media2, &now, &some_options(Service::Media2), &Wish::default());
        assert_eq!(setting, Setting { codec, size: (640, 360), rate: Some(24.0), gov: Some(2) });
        assert!(
            body.starts_with("<tr2:Configuration token=\"v\" GovLength=\"2\" Profile=\"High\"><tt:Name>n</tt:Name>")
        );
    }
}
