//! Whether a configuration is one that its options offer.

use crate::{test::Test, verdict::Outcome, xml::Element};

use super::compare::unique;

/// A video source configuration: its source and its bounds.
pub(super) fn video_source(t: &mut Test<'_>, configuration: &Element, options: &Element) -> Outcome {
    t.step("7", "the source and the bounds are among the options");
    listed(t, "SourceToken", configuration.text_at("SourceToken"), &options.texts("VideoSourceTokensAvailable"))?;
    let bounds = t.some(configuration.at("Bounds"), "bounds")?;
    for (name, range) in [("x", "XRange"), ("y", "YRange"), ("width", "WidthRange"), ("height", "HeightRange")] {
        let range = options.at(&format!("BoundsRange/{range}"));
        within(t, &format!("Bounds/@{name}"), bounds.attribute(name), range)?;
    }
    Ok(())
}

/// A video encoder configuration: all that its encoding has options for.
pub(super) fn video_encoder(t: &mut Test<'_>, configuration: &Element, options: &Element) -> Outcome {
    t.step("7", "everything is among the options of the encoding");
    let encoding = configuration.text_or_empty("Encoding");
    let own = t.some(options.at(encoding), &format!("options for {encoding}"))?;
    let side = |element: &Element| (element.number_at::<i64>("Width"), element.number_at::<i64>("Height"));
    let resolution = t.some(configuration.at("Resolution"), "a resolution").map(side)?;
    let holds = own.all("ResolutionsAvailable").any(|available| side(available) == resolution);
    t.demand(holds, format!("a resolution of the options of {encoding}"), format!("{resolution:?}"))?;
    within(t, "Quality", configuration.text_at("Quality"), options.at("QualityRange"))?;
    if let Some(rate) = configuration.at("RateControl") {
        within(t, "FrameRateLimit", rate.text_at("FrameRateLimit"), own.at("FrameRateRange"))?;
        within(t, "EncodingInterval", rate.text_at("EncodingInterval"), own.at("EncodingIntervalRange"))?;
        // The range of bit rates came later, as an extension.
        if let Some(range) = options.at(&format!("Extension/{encoding}/BitrateRange")) {
            within(t, "BitrateLimit", rate.text_at("BitrateLimit"), Some(range))?;
        }
    }
    let profile = match encoding {
        "H264" => ("H264Profile", "H264ProfilesSupported"),
        "MPEG4" => ("Mpeg4Profile", "Mpeg4ProfilesSupported"),
        _ => return Ok(()),
    };
    let special = t.some(configuration.at(encoding), &format!("an element {encoding}"))?;
    listed(t, profile.0, special.text_at(profile.0), &own.texts(profile.1))?;
    within(t, "GovLength", special.text_at("GovLength"), own.at("GovLengthRange"))
}

/// An audio source configuration: its source.
pub(super) fn audio_source(t: &mut Test<'_>, configuration: &Element, options: &Element) -> Outcome {
    t.step("7", "the options list each source once");
    let tokens = options.texts("InputTokensAvailable");
    unique(t, "InputTokensAvailable", tokens.iter().copied())?;
    t.step("8", "the source is among the options");
    listed(t, "SourceToken", configuration.text_at("SourceToken"), &tokens)
}

/// An audio encoder configuration: its encoding, with its bit rate and its sample rate.
pub(super) fn audio_encoder(t: &mut Test<'_>, configuration: &Element, options: &Element) -> Outcome {
    t.step("7", "the encoding is among the options, and with it the bit rate and the sample rate");
    let told = |name: &str| configuration.text_or_empty(name);
    let (encoding, bitrate, sample_rate) = (told("Encoding"), told("Bitrate"), told("SampleRate"));
    let of_encoding: Vec<_> =
        options.all("Options").filter(|option| option.text_or_empty("Encoding") == encoding).collect();
    t.demand(!of_encoding.is_empty(), "an encoding of the options", encoding)?;
    let holds = of_encoding.iter().any(|option| {
        rates(option, "BitrateList").contains(&bitrate) && rates(option, "SampleRateList").contains(&sample_rate)
    });
    t.demand(
        holds,
        format!("a bit rate and a sample rate of the options of {encoding}"),
        format!("{bitrate} kbit/s, {sample_rate} kHz"),
    )
}

/// The items of a list of rates.
pub(super) fn rates<'a>(option: &'a Element, list: &str) -> Vec<&'a str> {
    option.at(list).map(|list| list.texts("Items")).unwrap_or_default()
}

fn listed(t: &Test<'_>, what: &str, value: Option<&str>, available: &[&str]) -> Outcome {
    let value = t.some(value, what)?;
    t.demand(available.contains(&value), format!("{what} out of {available:?}"), value)
}

/// Demands that a number lies between `Min` and `Max` of a range.
fn within(t: &Test<'_>, what: &str, value: Option<&str>, range: Option<&Element>) -> Outcome {
    let value = t.some(value, what)?;
    let range = t.some(range, &format!("options for {what}"))?;
    let (least, most) = (range.number_at::<f64>("Min"), range.number_at::<f64>("Max"));
    let number = value.parse::<f64>().ok();
    let holds = least.zip(most).zip(number).is_some_and(|((least, most), number)| (least..=most).contains(&number));
    let text = |path| range.text_or_empty(path);
    t.demand(holds, format!("{what} between {} and {}", text("Min"), text("Max")), value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{areas::media1::trial::trial, xml::TT};

    type Judge = fn(&mut Test<'_>, &Element, &Element) -> Outcome;

    fn judged(judge: Judge, configuration: &str, options: &str) -> Result<(), String> {
        let of = |xml: &str| Element::parse(format!("<r xmlns=\"{TT}\">{xml}</r>").as_bytes()).unwrap();
        trial(|t| judge(t, &of(configuration), &of(options))).map_err(|stop| stop.to_string())
    }

    /// Demands that the configuration is good as it is, and not with any of these replacements.
    fn faults(judge: Judge, configuration: &str, options: &str, replacements: &[(&str, &str)]) {
        assert_eq!(judged(judge, configuration, options), Ok(()));
        for (old, new) in replacements {
            let changed = configuration.replace(old, new);
            assert_ne!(changed, configuration, "{old} is there");
            assert!(judged(judge, &changed, options).is_err(), "{new}");
        }
    }

    #[test]
    fn a_video_source_stays_within_its_bounds() {
        let range = |name: &str| format!("<{name}><Min>1</Min><Max>9</Max></{name}>");
        let ranges: String = ["XRange", "YRange", "WidthRange", "HeightRange"].map(range).concat();
        let options =
            format!("<BoundsRange>{ranges}</BoundsRange><VideoSourceTokensAvailable>v</VideoSourceTokensAvailable>");
        let configuration = "<SourceToken>v</SourceToken><Bounds x=\"1\" y=\"2\" width=\"8\" height=\"9\"/>";
        let replacements = [
            (">v<", ">w<"),
            ("x=\"1\"", "x=\"0\""),
            ("y=\"2\"", "y=\"10\""),
            ("\"8\"", "\"88\""),
            ("height=\"9\"", ""),
        ];
        faults(video_source, configuration, &options, &replacements);
    }

    #[test]
    fn a_video_encoder_keeps_to_its_encoding() {
        let range = |name: &str, least: u32| format!("<{name}><Min>{least}</Min><Max>90</Max></{name}>");
        let options = format!(
            "{}<JPEG/><H264><ResolutionsAvailable><Width>64</Width><Height>48</Height></ResolutionsAvailable>\
             <ResolutionsAvailable><Width>32</Width><Height>24</Height></ResolutionsAvailable>{}{}{}\
             <H264ProfilesSupported>Main</H264ProfilesSupported></H264><Extension><H264>{}</H264></Extension>",
            range("QualityRange", 1),
            range("GovLengthRange", 2),
            range("FrameRateRange", 3),
            range("EncodingIntervalRange", 4),
            range("BitrateRange", 5)
        );
        let configuration = "<Encoding>H264</Encoding><Resolution><Width>32</Width><Height>24</Height></Resolution>\
            <Quality>1.5</Quality><RateControl><FrameRateLimit>3</FrameRateLimit><EncodingInterval>4</EncodingInterval>\
            <BitrateLimit>5</BitrateLimit></RateControl>\
            <H264><GovLength>2</GovLength><H264Profile>Main</H264Profile></H264>";
        let replacements = [
            ("<Encoding>H264", "<Encoding>MPEG4"),
            // A width and a height that are there, yet not together.
            ("<Width>32", "<Width>64"),
            (">1.5<", ">0.5<"),
            (">3<", ">2<"),
            (">4<", ">91<"),
            (">5<", ">4<"),
            (">2<", ">1<"),
            (">Main<", ">High<"),
            ("<H264><GovLength>2</GovLength><H264Profile>Main</H264Profile></H264>", ""),
        ];
        faults(video_encoder, configuration, &options, &replacements);
    }

    #[test]
    fn an_audio_source_is_one_of_those_listed_once() {
        let options = "<InputTokensAvailable>a</InputTokensAvailable><InputTokensAvailable>b</InputTokensAvailable>";
        faults(audio_source, "<SourceToken>b</SourceToken>", options, &[("b", "c")]);
        assert!(judged(audio_source, "<SourceToken>a</SourceToken>", &options.replace(">b<", ">a<")).is_err());
    }

    #[test]
    fn an_audio_encoder_has_rates_of_its_own_encoding() {
        let option = |encoding: &str, bitrate: u32, sample_rate: u32| {
            format!(
                "<Options><Encoding>{encoding}</Encoding><BitrateList><Items>{bitrate}</Items></BitrateList>\
                 <SampleRateList><Items>{sample_rate}</Items></SampleRateList></Options>"
            )
        };
        let options = option("G711", 64, 8) + &option("AAC", 32, 16) + &option("AAC", 24, 16);
        let configuration = "<Encoding>AAC</Encoding><Bitrate>24</Bitrate><SampleRate>16</SampleRate>";
        let replacements = [(">AAC<", ">G726<"), (">24<", ">64<"), (">16<", ">8<")];
        faults(audio_encoder, configuration, &options, &replacements);
    }
}
