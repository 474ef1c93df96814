//! Video encoder configurations: every encoding, at both ends of its options and in the middle.

use crate::{
    case::{
        Case,
        When::{Changes, Reads},
        case,
    },
    soap::Call,
    test::Test,
    verdict::Outcome,
    xml::{Element, escape},
};

use super::{
    compare::{among, same_text},
    kind::{For, VIDEO_ENCODER},
    profiles,
    video_source::beyond,
};

/// The encodings that Media1 knows, as they are called in a configuration and in the options.
const ENCODINGS: [&str; 3] = ["JPEG", "MPEG4", "H264"];
/// The bit rate that the specification sets, in kbit/s.
const BITRATE: i64 = 64_000;

pub(super) fn cases() -> Vec<Case> {
    vec![
        case("MEDIA-2-1-2", Reads, compatible_and_all),
        case("MEDIA-2-1-9", Changes, |t| from_end_to_end(t, "JPEG")),
        case("MEDIA-2-1-11", Changes, |t| from_end_to_end(t, "H264")),
        case("MEDIA-2-3-12", Changes, |t| every_encoding(t, first_last_and_between)),
        case("MEDIA-2-3-18", Changes, |t| every_encoding(t, <[Element]>::to_vec)),
    ]
}

fn compatible_and_all(t: &mut Test<'_>) -> Outcome {
    t.step("4", "GetProfiles");
    let profiles = profiles::all(t)?;
    let ready = profiles::ready(t, &profiles)?;
    t.step("7", "there are configurations that the profile takes");
    let compatible = VIDEO_ENCODER.compatible(t, ready.token())?;
    t.some(compatible.first(), "a compatible configuration")?;
    t.step("10", "they are among all configurations");
    let all = VIDEO_ENCODER.all(t)?;
    among(t, &compatible, &all)
}

fn from_end_to_end(t: &mut Test<'_>, encoding: &str) -> Outcome {
    t.step("4", "the list of configurations");
    let mut found = None;
    for configuration in VIDEO_ENCODER.all(t)? {
        t.step("6", "the options of each, until there is one for the encoding");
        let options = VIDEO_ENCODER.options(t, For::configuration(configuration.token()))?;
        if options.at(encoding).is_some() {
            found = Some((configuration, options));
            break;
        }
    }
    let (configuration, options) = t.some(found, &format!("a configuration with options for {encoding}"))?;
    VIDEO_ENCODER.set_afterwards(t, &configuration);
    t.step("10", "a resolution that the options do not offer is refused");
    let mut outside = Wanted::of(t, &options, encoding, End::Highest)?;
    outside.resolution = unavailable(&options, encoding);
    let request = VIDEO_ENCODER.set_request(&outside.written(&configuration));
    t.refused(&Call::new(request), &["env:Sender/ter:InvalidArgVal/ter:ConfigModify"])?;
    for (end, set, seen) in [(End::Highest, "12", "14"), (End::Lowest, "16", "18"), (End::Median, "20", "22")] {
        let wanted = Wanted { bitrate: BITRATE, ..Wanted::of(t, &options, encoding, end)? };
        t.step(set, &format!("{} are taken", end.name()));
        t.ask(VIDEO_ENCODER.set_request(&wanted.written(&configuration)))?;
        t.step(seen, "the configuration is as it was set");
        let seen = VIDEO_ENCODER.one(t, configuration.token())?;
        wanted.is_seen(t, &seen)?;
    }
    Ok(())
}

fn every_encoding(t: &mut Test<'_>, chosen: fn(&[Element]) -> Vec<Element>) -> Outcome {
    t.step("4", "the list of configurations");
    let all = VIDEO_ENCODER.all(t)?;
    t.some(all.first(), "a configuration")?;
    for configuration in chosen(&all) {
        t.step("6", "the options of the configuration");
        let options = VIDEO_ENCODER.options(t, For::configuration(configuration.token()))?;
        let offered: Vec<_> = ENCODINGS.into_iter().filter(|encoding| options.at(encoding).is_some()).collect();
        t.some(offered.first(), "options for an encoding")?;
        VIDEO_ENCODER.set_afterwards(t, &configuration);
        for encoding in offered {
            t.step("8", &format!("{encoding} is set"));
            // The smallest pictures: it is about the encoding only.
            let wanted = Wanted::of(t, &options, encoding, End::Lowest)?;
            t.ask(VIDEO_ENCODER.set_request(&wanted.written(&configuration)))?;
            t.step("10", "the configuration has the encoding");
            let seen = VIDEO_ENCODER.one(t, configuration.token())?;
            same_text(t, "Encoding", encoding, seen.text_at("Encoding"))?;
        }
    }
    Ok(())
}

/// The first, the last and the one in the middle, as far as they are different ones.
fn first_last_and_between(all: &[Element]) -> Vec<Element> {
    let mut indices = vec![0, all.len() - 1, all.len() / 2];
    indices.sort_unstable();
    indices.dedup();
    indices.into_iter().map(|index| all[index].clone()).collect()
}

/// A place in the options.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Highest,
    Lowest,
    Median,
}

impl End {
    /// What is chosen here, as the report calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Highest => "the highest values of the options",
            Self::Lowest => "the lowest values of the options",
            Self::Median => "values from the middle of the options",
        }
    }

    /// The number at this place of a range.
    fn of(self, range: &Element) -> Option<i64> {
        let (least, most): (i64, i64) = (range.number_at("Min")?, range.number_at("Max")?);
        Some(match self {
            Self::Highest => most,
            Self::Lowest => least,
            Self::Median => i64::midpoint(least, most),
        })
    }

    /// The place at which intervals are to be taken: they are short where all else is high.
    fn opposite(self) -> Self {
        match self {
            Self::Highest => Self::Lowest,
            Self::Lowest => Self::Highest,
            Self::Median => Self::Median,
        }
    }

    /// The profiles of H.264 and MPEG-4 in the order in which they are preferred at this place.
    fn preferred(self) -> [&'static str; 6] {
        match self {
            Self::Highest => ["Baseline", "Main", "Extended", "High", "SP", "ASP"],
            Self::Lowest => ["Main", "Extended", "High", "Baseline", "ASP", "SP"],
            Self::Median => ["Extended", "High", "Baseline", "Main", "SP", "ASP"],
        }
    }
}

/// What a video encoder configuration is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    encoding: String,
    resolution: (i64, i64),
    quality: i64,
    frame_rate: i64,
    interval: i64,
    bitrate: i64,
    /// The length of a group of pictures and the profile, where the encoding has such.
    special: Option<(i64, String)>,
}

impl Wanted {
    /// The values at a place of the options of an encoding. The bit rate is one that the options offer, if they tell.
    fn of(t: &Test<'_>, options: &Element, encoding: &str, end: End) -> Outcome<Self> {
        let own = t.some(options.at(encoding), &format!("options for {encoding}"))?;
        let value = |range: Option<&Element>, end: End, name: &str| {
            t.some(range.and_then(|range| end.of(range)), &format!("options with a {name}"))
        };
        let sizes = resolutions(own);
        let resolution = match end {
            End::Highest => sizes.last(),
            End::Lowest => sizes.first(),
            End::Median => sizes.get(sizes.len() / 2),
        };
        let bitrates = options.at(&format!("Extension/{encoding}/BitrateRange"));
        let special = if encoding == "JPEG" {
            None
        } else {
            let length = value(own.at("GovLengthRange"), end.opposite(), "GovLengthRange")?;
            Some((length, profile(t, own, end)?.to_owned()))
        };
        Ok(Self {
            encoding: encoding.to_owned(),
            resolution: *t.some(resolution, "a resolution")?,
            quality: value(options.at("QualityRange"), end, "QualityRange")?,
            frame_rate: value(own.at("FrameRateRange"), end, "FrameRateRange")?,
            interval: value(own.at("EncodingIntervalRange"), end.opposite(), "EncodingIntervalRange")?,
            bitrate: bitrates.and_then(|range| end.of(range)).unwrap_or(BITRATE),
            special,
        })
    }

    /// The configuration with these values, as a setter takes it (`tt:VideoEncoderConfiguration`).
    fn written(&self, configuration: &Element) -> String {
        let kept = |name: &str| configuration.at(name).map(Element::to_xml).unwrap_or_default();
        let special = self.special.as_ref().map(|(length, profile)| {
            let name = if self.encoding == "H264" { "H264Profile" } else { "Mpeg4Profile" };
            format!(
                "<tt:{0}><tt:GovLength>{length}</tt:GovLength><tt:{name}>{profile}</tt:{name}></tt:{0}>",
                self.encoding
            )
        });
        let (width, height) = self.resolution;
        format!(
            "<trt:Configuration token=\"{}\">{}{}<tt:Encoding>{}</tt:Encoding>\
             <tt:Resolution><tt:Width>{width}</tt:Width><tt:Height>{height}</tt:Height></tt:Resolution>\
             <tt:Quality>{}</tt:Quality><tt:RateControl><tt:FrameRateLimit>{}</tt:FrameRateLimit>\
             <tt:EncodingInterval>{}</tt:EncodingInterval><tt:BitrateLimit>{}</tt:BitrateLimit></tt:RateControl>\
             {}{}{}</trt:Configuration>",
            escape(configuration.token()),
            kept("Name"),
            kept("UseCount"),
            self.encoding,
            self.quality,
            self.frame_rate,
            self.interval,
            self.bitrate,
            special.unwrap_or_default(),
            kept("Multicast"),
            kept("SessionTimeout")
        )
    }

    /// Demands that a configuration has the encoding, the resolution and the profile. A device may round the rest.
    fn is_seen(&self, t: &Test<'_>, configuration: &Element) -> Outcome {
        same_text(t, "Encoding", &self.encoding, configuration.text_at("Encoding"))?;
        let resolution = t.some(configuration.at("Resolution").and_then(size), "a resolution")?;
        t.same("Resolution", self.resolution, resolution)?;
        let Some((_, profile)) = &self.special else { return Ok(()) };
        let name = if self.encoding == "H264" { "H264/H264Profile" } else { "MPEG4/Mpeg4Profile" };
        same_text(t, name, profile, configuration.text_at(name))
    }
}

/// The profile of an encoding that is preferred at a place of the options.
fn profile<'a>(t: &Test<'_>, own: &'a Element, end: End) -> Outcome<&'a str> {
    let names = ["H264ProfilesSupported", "Mpeg4ProfilesSupported"];
    let supported: Vec<&str> = names.into_iter().flat_map(|name| own.texts(name)).collect();
    let first = end.preferred().into_iter().find_map(|name| supported.iter().find(|own| **own == name));
    t.some(first.copied(), "a supported profile")
}

/// The resolutions that an encoding offers, from few pixels to many.
fn resolutions(own: &Element) -> Vec<(i64, i64)> {
    let mut all: Vec<_> = own.all("ResolutionsAvailable").filter_map(size).collect();
    all.sort_by_key(|(width, height)| width * height);
    all
}

/// A resolution that no option offers.
fn unavailable(options: &Element, encoding: &str) -> (i64, i64) {
    let sizes = options.at(encoding).map(resolutions).unwrap_or_default();
    let most = |side: fn(&(i64, i64)) -> i64| sizes.iter().map(side).max().unwrap_or_default();
    (beyond(0, most(|size| size.0)), beyond(0, most(|size| size.1)))
}

fn size(element: &Element) -> Option<(i64, i64)> {
    Some((element.number_at("Width")?, element.number_at("Height")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{areas::media1::trial::trial, xml::TT};

    const OPTIONS: &str = "<QualityRange><Min>1</Min><Max>5</Max></QualityRange><H264>\
        <ResolutionsAvailable><Width>64</Width><Height>48</Height></ResolutionsAvailable>\
        <ResolutionsAvailable><Width>32</Width><Height>24</Height></ResolutionsAvailable>\
        <ResolutionsAvailable><Width>50</Width><Height>60</Height></ResolutionsAvailable>\
        <GovLengthRange><Min>1</Min><Max>9</Max></GovLengthRange>\
        <FrameRateRange><Min>2</Min><Max>30</Max></FrameRateRange>\
        <EncodingIntervalRange><Min>1</Min><Max>3</Max></EncodingIntervalRange>\
        <H264ProfilesSupported>High</H264ProfilesSupported><H264ProfilesSupported>Main</H264ProfilesSupported></H264>";

    fn parsed(xml: &str) -> Element {
        Element::parse(format!("<r token=\"e\" xmlns=\"{TT}\">{xml}</r>").as_bytes()).unwrap()
    }

    #[test]
    fn the_ends_of_the_options() {
        let at = |end| {
            let wanted = trial(|t| Wanted::of(t, &parsed(OPTIONS), "H264", end)).unwrap();
            let (length, profile) = wanted.special.unwrap();
            (wanted.resolution, wanted.quality, wanted.frame_rate, wanted.interval, length, profile)
        };
        assert_eq!(at(End::Highest), ((64, 48), 5, 30, 1, 1, "Main".into()));
        assert_eq!(at(End::Lowest), ((32, 24), 1, 2, 3, 9, "Main".into()));
        assert_eq!(at(End::Median), ((50, 60), 3, 16, 2, 5, "High".into()));
        assert_eq!(unavailable(&parsed(OPTIONS), "H264"), (65, 61));
    }

    #[test]
    fn what_was_set_must_be_seen() {
        let wanted = trial(|t| Wanted::of(t, &parsed(OPTIONS), "H264", End::Lowest)).unwrap();
        let xml = wanted.written(&parsed("<Name>n</Name><UseCount>1</UseCount>"));
        let prefixed = xml.replacen("<trt:Configuration", &format!("<x xmlns:tt=\"{TT}\""), 1);
        let prefixed = prefixed.replace("</trt:Configuration>", "</x>");
        let seen = |xml: &str| trial(|t| wanted.is_seen(t, &Element::parse(xml.as_bytes()).unwrap())).is_ok();
        assert!(seen(&prefixed));
        for (old, new) in [("H264</tt:Encoding", "JPEG</tt:Encoding"), (">32<", ">64<"), (">Main<", ">High<")] {
            assert!(!seen(&prefixed.replacen(old, new, 1)), "{new}");
        }
    }

    #[test]
    fn at_most_three_are_chosen() {
        let all = |count: usize| vec![parsed(""); count];
        assert_eq!([1, 2, 3, 7].map(|count| first_last_and_between(&all(count)).len()), [1, 2, 3, 3]);
    }
}
