//! The kinds of configuration of a media profile: what each is called and what of it has to agree with its copies.

use crate::{
    test::Test,
    verdict::Outcome,
    xml::{Element, escape},
};

/// A kind of configuration.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// Its name in profiles and in `ConfigurationEnumeration`.
    pub(super) name: &'static str,
    /// What the specification compares between a configuration and a copy of it.
    compared: &'static [Field],
}

/// A part of a configuration that is compared.
#[derive(Debug, PartialEq, Eq)]
enum Field {
    /// The element at this path with all that is in it.
    Tree(&'static str),
    /// Whether there is an element at this path.
    There(&'static str),
    /// All elements of a name below this path, in any order.
    All(&'static str, &'static str),
    /// Like `All`, but only `Name` and `Type` of each.
    Named(&'static str, &'static str),
}

use Field::{All, Named, There, Tree};

pub(super) const VIDEO_SOURCE: Kind = Kind {
    name: "VideoSource",
    compared: &[
        Tree("Name"),
        Tree("SourceToken"),
        Tree("Bounds"),
        Tree("Extension/Rotate"),
        All("Extension/Extension", "LensDescription"),
    ],
};
pub(super) const VIDEO_ENCODER: Kind =
    Kind { name: "VideoEncoder", compared: &[Tree("Name"), Tree("Encoding"), Tree("Resolution")] };
pub(super) const AUDIO_SOURCE: Kind = Kind { name: "AudioSource", compared: &[Tree("Name"), Tree("SourceToken")] };
pub(super) const AUDIO_ENCODER: Kind = Kind {
    name: "AudioEncoder",
    compared: &[Tree("Name"), Tree("Encoding"), Tree("Multicast"), Tree("Bitrate"), Tree("SampleRate")],
};
pub(super) const AUDIO_OUTPUT: Kind = Kind {
    name: "AudioOutput",
    compared: &[Tree("Name"), Tree("OutputToken"), Tree("SendPrimacy"), Tree("OutputLevel")],
};
pub(super) const AUDIO_DECODER: Kind = Kind { name: "AudioDecoder", compared: &[Tree("Name")] };
pub(super) const METADATA: Kind = Kind {
    name: "Metadata",
    compared: &[
        Tree("Name"),
        Tree("CompressionType"),
        Tree("GeoLocation"),
        Tree("PTZStatus/Status"),
        Tree("PTZStatus/Position"),
        There("Events/Filter"),
        There("Events/SubscriptionPolicy"),
        Tree("Analytics"),
        Named("AnalyticsEngineConfiguration", "AnalyticsModule"),
    ],
};
pub(super) const ANALYTICS: Kind = Kind {
    name: "Analytics",
    compared: &[
        Tree("Name"),
        Named("AnalyticsEngineConfiguration", "AnalyticsModule"),
        Named("RuleEngineConfiguration", "Rule"),
    ],
};

impl Kind {
    /// Gets configurations: one, those that a profile can take, or all.
    pub(super) fn get(&self, t: &mut Test<'_>, token: Option<&str>, profile: Option<&str>) -> Outcome<Vec<Element>> {
        let answer = t.ask(self.about("Configurations", token, profile))?;
        Ok(answer.all("Configurations").cloned().collect())
    }

    /// Gets all configurations; there must be one (annexes A.7, A.9, A.16 and the like).
    pub(super) fn list(&self, t: &mut Test<'_>) -> Outcome<Vec<Element>> {
        let list = self.get(t, None, None)?;
        t.demand(!list.is_empty(), format!("a configuration of kind {}", self.name), "none")?;
        Ok(list)
    }

    /// Gets one configuration; there must be this one and no other.
    pub(super) fn one(&self, t: &mut Test<'_>, token: &str) -> Outcome<Element> {
        let list = self.get(t, Some(token), None)?;
        t.same("tokens", vec![token], list.iter().map(Element::token).collect())?;
        t.some(list.into_iter().next(), "a configuration")
    }

    /// Gets options: for a configuration, for a profile, or of the device. Encoders have one set for each encoding.
    pub(super) fn options(
        &self,
        t: &mut Test<'_>,
        token: Option<&str>,
        profile: Option<&str>,
    ) -> Outcome<Vec<Element>> {
        let answer = t.ask(self.about("ConfigurationOptions", token, profile))?;
        Ok(answer.all("Options").cloned().collect())
    }

    /// A request for configurations or options.
    pub(super) fn about(&self, what: &str, token: Option<&str>, profile: Option<&str>) -> String {
        let operation = format!("tr2:Get{}{what}", self.name);
        let (token, profile) = (optional("ConfigurationToken", token), optional("ProfileToken", profile));
        format!("<{operation}>{token}{profile}</{operation}>")
    }

    /// A request that sets a configuration; this writes the attributes and what is in it.
    pub(super) fn setter(&self, attributes: &str, content: &str) -> String {
        let operation = format!("tr2:Set{}Configuration", self.name);
        format!("<{operation}><tr2:Configuration{attributes}>{content}</tr2:Configuration></{operation}>")
    }

    /// Has a configuration set to what it is now when the case is over.
    pub(super) fn restore(&self, t: &mut Test<'_>, old: &Element) {
        let operation = format!("tr2:Set{}Configuration", self.name);
        t.afterwards(format!("<{operation}>{}</{operation}>", old.renamed("tr2", "Configuration")));
    }

    /// The configuration of this kind in a profile.
    pub(super) fn within<'a>(&self, profile: &'a Element) -> Option<&'a Element> {
        profile.at("Configurations")?.at(self.name)
    }

    /// What differs between a configuration and a copy of it: how it is in the one, how in the other.
    pub(super) fn difference(&self, one: &Element, other: &Element) -> Option<(String, String)> {
        let told = |field: &Field, of: &Element| match field {
            Tree(path) => of.at(path).map(canonical).unwrap_or_default(),
            There(path) => of.at(path).map(|found| found.name.clone()).unwrap_or_default(),
            All(path, name) => sorted(of.at(path).into_iter().flat_map(|here| here.all(name)).map(canonical)),
            Named(path, name) => sorted(of.at(path).into_iter().flat_map(|here| here.all(name)).map(called)),
        };
        let place = |field: &Field| match field {
            Tree(path) | There(path) => (*path).to_owned(),
            All(path, name) | Named(path, name) => format!("{path}/{name}"),
        };
        self.compared.iter().find_map(|field| {
            let named = |text: String| if text.is_empty() { format!("no {}", place(field)) } else { text };
            let (one, other) = (told(field, one), told(field, other));
            (one != other).then(|| (named(one), named(other)))
        })
    }

    /// Demands that a configuration is seen as it should be.
    pub(super) fn agree(&self, t: &Test<'_>, expected: &Element, seen: &Element) -> Outcome {
        t.same("the token", expected.token(), seen.token())?;
        match self.difference(expected, seen) {
            None => Ok(()),
            Some((expected, other)) => Err(t.failed(format!("{expected} in {} {}", self.name, seen.token()), other)),
        }
    }
}

/// An element of Media2 with text in it, or nothing.
pub(super) fn optional(name: &str, text: Option<&str>) -> String {
    text.map(|text| format!("<tr2:{name}>{}</tr2:{name}>", escape(text))).unwrap_or_default()
}

/// An element as text that is the same for equal elements, whatever the prefixes, the order and how numbers look.
fn canonical(element: &Element) -> String {
    let attributes = element.attributes.iter().map(|(name, value)| format!("{name}={}", plain(value)));
    let text = plain(&element.text);
    let children = element.children.iter().map(|child| format!("({})", canonical(child)));
    let parts = [element.name.clone(), sorted(attributes), text, sorted(children)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Name and type of a module or a rule. The type is a qualified name, whose prefix may be another in each message.
fn called(module: &Element) -> String {
    let kind = module.attribute("Type").unwrap_or_default();
    format!("{} of type {}", module.attribute("Name").unwrap_or_default(), kind.rsplit(':').next().unwrap_or_default())
}

fn sorted(texts: impl Iterator<Item = String>) -> String {
    let mut texts: Vec<String> = texts.collect();
    texts.sort();
    texts.join(",")
}

fn plain(text: &str) -> String {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => number.to_string(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use belvedere_harness::schema;

    use super::*;
    use crate::{soap::Call, xml::TT};

    fn configuration(content: &str) -> Element {
        Element::parse(format!("<C xmlns=\"{TT}\" token=\"a\">{content}</C>").as_bytes()).unwrap()
    }

    #[test]
    fn requests_are_what_the_schemas_allow() {
        let all = [
            &VIDEO_SOURCE,
            &VIDEO_ENCODER,
            &AUDIO_SOURCE,
            &AUDIO_ENCODER,
            &AUDIO_OUTPUT,
            &AUDIO_DECODER,
            &METADATA,
            &ANALYTICS,
        ];
        for kind in all {
            // Of analytics configurations the service tells no options.
            let asked =
                if *kind == ANALYTICS { &["Configurations"][..] } else { &["Configurations", "ConfigurationOptions"] };
            for what in asked {
                let call = Call::new(kind.about(what, Some("a&b"), Some("p")));
                assert_eq!(schema::check(call.text().as_bytes()), Ok(()), "{} {what}", kind.name);
            }
        }
    }

    #[test]
    fn copies_agree_however_they_are_written() {
        let source = |bounds: &str, rest: &str| {
            let name = "<Name>n</Name><UseCount>1</UseCount><SourceToken>s</SourceToken>";
            configuration(&format!("{name}<Bounds {bounds}/>{rest}"))
        };
        let one = source("x=\"0\" width=\"10\"", "");
        assert_eq!(VIDEO_SOURCE.difference(&one, &source("width=\"10.0\" x=\"00\"", "")), None);
        assert!(VIDEO_SOURCE.difference(&one, &source("x=\"1\" width=\"10\"", "")).is_some());
        let turned = |mode: &str| {
            source("x=\"0\" width=\"10\"", &format!("<Extension><Rotate><Mode>{mode}</Mode></Rotate></Extension>"))
        };
        assert!(VIDEO_SOURCE.difference(&one, &turned("ON")).is_some());
        assert_eq!(VIDEO_SOURCE.difference(&turned("ON"), &turned("ON")), None);
        assert!(VIDEO_SOURCE.difference(&turned("OFF"), &turned("ON")).is_some());
    }

    #[test]
    fn modules_are_known_by_name_and_type() {
        let modules = |list: &str| {
            let engine = format!("<AnalyticsEngineConfiguration>{list}</AnalyticsEngineConfiguration>");
            configuration(&format!("<Name>n</Name>{engine}<RuleEngineConfiguration/>"))
        };
        let (a, b) = (r#"<AnalyticsModule Name="a" Type="tt:Cell"/>"#, r#"<AnalyticsModule Name="b" Type="x:Cell"/>"#);
        let other = modules(&format!("{b}{}", a.replace("tt:", "y:")));
        assert_eq!(ANALYTICS.difference(&modules(&format!("{a}{b}")), &other), None);
        assert!(ANALYTICS.difference(&modules(a), &other).is_some());
    }
}
