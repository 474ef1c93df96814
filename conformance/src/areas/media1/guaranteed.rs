//! How many video encoders a device promises to run at once.

use crate::{
    case::{Case, When::Reads, case},
    test::Test,
    verdict::Outcome,
    xml::Element,
};

use super::kind::{For, VIDEO_ENCODER, VIDEO_SOURCE, request};

pub(super) fn cases() -> Vec<Case> {
    vec![case("MEDIA-2-1-6", Reads, told), case("MEDIA-2-1-7", Reads, in_keeping_with_options)]
}

fn told(t: &mut Test<'_>) -> Outcome {
    t.step("4", "the list of video source configurations");
    let sources = VIDEO_SOURCE.all(t)?;
    t.some(sources.first(), "a video source configuration")?;
    for source in &sources {
        t.step("6", "the promise for each of them");
        promise(t, source)?;
    }
    Ok(())
}

fn in_keeping_with_options(t: &mut Test<'_>) -> Outcome {
    t.step("4", "GetCapabilities tells the greatest number of profiles, if it is there");
    let limits = [by_get_capabilities(t)?, by_service_capabilities(t)?];
    t.step("8", "the list of video encoder configurations");
    let encoders = VIDEO_ENCODER.all(t)?.len() as i64;
    t.step("10", "the list of video source configurations");
    let sources = VIDEO_SOURCE.all(t)?;
    t.some(sources.first(), "a video source configuration")?;
    let mut promises = Vec::new();
    for source in &sources {
        t.step("12", "the promise for each of them");
        let (promise, total) = promise(t, source)?;
        t.step("13", "no more is promised than there are encoder configurations");
        t.demand(total <= encoders, format!("{encoders} or fewer"), total.to_string())?;
        for (step, limit) in ["14", "15"].into_iter().zip(limits) {
            t.step(step, "no more is promised than there can be profiles");
            let limit = limit.unwrap_or(i64::MAX);
            t.demand(total <= limit, format!("{limit} or fewer"), total.to_string())?;
        }
        promises.push(promise);
    }
    t.step("18", "the options of all encoders");
    let options = VIDEO_ENCODER.options(t, For::default())?;
    for (codec, promised, kept) in [("JPEG", "19", "22"), ("MPEG4", "20", "23"), ("H264", "21", "24")] {
        agree(t, codec, (promised, kept), &promises, &options)?;
    }
    Ok(())
}

/// A codec is among the options if one is promised, and only if one may be.
fn agree(t: &mut Test<'_>, codec: &str, steps: (&str, &str), promises: &[Element], options: &Element) -> Outcome {
    let offered = options.at(codec).is_some();
    let number = |promise: &Element| promise.number_at::<i64>(codec);
    t.step(steps.0, "a codec that is promised is among the options");
    let promised = promises.iter().any(|promise| number(promise).is_some_and(|number| number > 0));
    t.demand(offered || !promised, format!("options for {codec}, which is promised"), "none")?;
    t.step(steps.1, "a codec that is never promised is not among the options");
    // Where nothing is said of a codec there may be as many as there are in all.
    let possible = promises.iter().any(|promise| number(promise).is_none_or(|number| number > 0));
    t.demand(possible || !offered, format!("no options for {codec}, of which none are promised"), "options")
}

/// What is promised for a video source configuration, and the number in all.
fn promise(t: &mut Test<'_>, source: &Element) -> Outcome<(Element, i64)> {
    let tokens = [("ConfigurationToken", source.token())];
    let answer = t.ask(request("GetGuaranteedNumberOfVideoEncoderInstances", &tokens))?;
    let total = t.some(answer.number_at("TotalNumber"), "a TotalNumber")?;
    Ok((answer, total))
}

fn by_get_capabilities(t: &mut Test<'_>) -> Outcome<Option<i64>> {
    let answer = t.attempt("<tds:GetCapabilities><tds:Category>Media</tds:Category></tds:GetCapabilities>")?;
    let path = "Capabilities/Media/Extension/ProfileCapabilities/MaximumNumberOfProfiles";
    Ok(answer.ok().and_then(|answer| answer.number_at(path)))
}

fn by_service_capabilities(t: &mut Test<'_>) -> Outcome<Option<i64>> {
    t.step("6", "GetServiceCapabilities tells the greatest number of profiles");
    let answer = t.ask("<trt:GetServiceCapabilities/>")?;
    let capabilities = answer.at("Capabilities/ProfileCapabilities");
    Ok(capabilities.and_then(|all| all.attribute("MaximumNumberOfProfiles")?.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::areas::media1::trial::trial;

    fn agreed(promises: &[&str], options: &str) -> Result<(), String> {
        let of = |xml: &&str| Element::parse(xml.as_bytes()).unwrap();
        let promises: Vec<_> = promises.iter().map(of).collect();
        trial(|t| agree(t, "JPEG", ("19", "22"), &promises, &of(&options))).map_err(|stop| stop.to_string())
    }

    #[test]
    fn promises_and_options_agree() {
        let [one, none, silent] = ["<r><JPEG>1</JPEG></r>", "<r><JPEG>0</JPEG></r>", "<r/>"];
        let [offered, not] = ["<o><JPEG/></o>", "<o/>"];
        for (promises, options) in [(&[none, one][..], offered), (&[none, silent], offered), (&[none, silent], not)] {
            assert_eq!(agreed(promises, options), Ok(()), "{promises:?} {options}");
        }
        assert!(agreed(&[none, one], not).unwrap_err().starts_with("step 19"));
        assert!(agreed(&[none, none], offered).unwrap_err().starts_with("step 22"));
    }
}
