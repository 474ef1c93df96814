//! What a fault is: a few rules that change what the device says, and what the judge has to say of that.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use wildmatch::WildMatch;

/// A row of a table of faults.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fault {
    /// What is wrong, in words.
    pub what: String,
    /// What the proxy does for it.
    pub rules: Vec<Rule>,
    /// Which cases are run.
    pub run: Vec<String>,
    /// Whether judge and device are on networks of their own, though no case listens to WS-Discovery.
    #[serde(default)]
    pub apart: bool,
    /// The profiles to judge by; without, those that the device claims.
    #[serde(default)]
    pub profiles: BTreeSet<String>,
    /// Why it is no fault: then all cases that are run must pass.
    pub harmless: Option<String>,
    /// The cases that must fail, and a part of what they must say.
    #[serde(default)]
    pub fails: BTreeMap<String, String>,
    /// The cases that fail, too, since they need what is broken.
    #[serde(default)]
    pub follows: Vec<Consequence>,
}

/// Cases that fail as a consequence.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Consequence {
    /// Their identifiers.
    pub cases: Vec<String>,
    /// Why they fail.
    pub why: String,
}

impl Fault {
    /// Whether it needs networks: its cases listen to WS-Discovery, those that restart the device or set its interfaces among
    /// them, or it says so.
    pub(crate) fn is_of_discovery(&self) -> bool {
        let listens = |pattern: &String| LISTENING.iter().any(|start| pattern.starts_with(start));
        self.apart || self.run.iter().any(listens)
    }

    /// All cases that fail of those that are not named for a reason.
    pub(crate) fn following(&self) -> impl Iterator<Item = &String> {
        self.follows.iter().flat_map(|consequence| &consequence.cases)
    }

    /// Whether a case is run that must not fail.
    pub(crate) fn must_pass(&self, id: &str) -> bool {
        let is_run = self.run.iter().any(|pattern| WildMatch::new(pattern).matches(id));
        is_run && !self.fails.contains_key(id) && self.following().all(|other| other != id)
    }
}

/// How the identifiers begin of the cases that hear what the device says to everybody.
const LISTENING: [&str; 6] =
    ["DISCOVERY-", "DEVICE-3-1-6", "DEVICE-3-1-7", "DEVICE-3-1-8", "DEVICE-2-1-19", "IPCONFIG-2-"];

/// The tables, by what their faults are about.
const TABLES: [(&str, &str); 7] = [
    ("base.toml", include_str!("base.toml")),
    ("security.toml", include_str!("security.toml")),
    ("network.toml", include_str!("network.toml")),
    ("discovery.toml", include_str!("discovery.toml")),
    ("media1.toml", include_str!("media1.toml")),
    ("media2.toml", include_str!("media2.toml")),
    ("streaming.toml", include_str!("streaming.toml")),
];

/// Reads the tables.
pub(crate) fn table() -> Result<BTreeMap<String, Fault>> {
    let mut all = BTreeMap::new();
    for (file, text) in TABLES {
        let rows: BTreeMap<String, Fault> = toml::from_str(text).context(file)?;
        for (name, fault) in rows {
            ensure!(!all.contains_key(&name), "{file}: {name} is there already");
            all.insert(name, fault);
        }
    }
    Ok(all)
}

/// One change of what the device says.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// What is changed: the answer to an operation (`tds:GetHostname`) or to an RTSP method (`RTSP SETUP`), any answer to a
    /// GET (`GET`), any answer that asks who it is (`challenge`), a message of discovery (`Hello`, `Bye`, `Probe`,
    /// `ProbeMatches`), or the packets of a medium: `RTP video`, `RTCP video`.
    pub on: String,
    /// Only where the request has this text in it.
    pub asked: Option<String>,
    /// Only where the request does not have this text in it.
    pub lacks: Option<String>,
    /// Only as soon as this operation or method was answered.
    pub after: Option<String>,
    /// Only until this operation or method was answered.
    pub until: Option<String>,
    /// Only where the device refuses (`true`) or does not (`false`).
    pub refused: Option<bool>,
    /// What is done.
    #[serde(rename = "do")]
    pub action: Action,
}

/// What is done to an answer or to a packet. A path is made of local names below the response: `Profiles[2]/Name`,
/// `Profiles/@token`; with `//` before it, it begins at any element, with `/` at the envelope. What it finds is changed
/// everywhere.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    /// Takes an element or an attribute away.
    Drop(String),
    /// Gives an element another text, or an attribute another value.
    Set(String, String),
    /// Puts this XML behind what an element holds. Of the prefixes that the judge knows.
    Add(String, String),
    /// Gives an element twice.
    Repeat(String),
    /// Replaces a text wherever it stands, in an answer's head or in its body.
    Replace(String, String),
    /// Says something else: this XML is the content of the response.
    Answer(String),
    /// Refuses with these codes: `env:Sender/ter:InvalidArgVal`.
    Refuse(String),
    /// Does something else than was asked: this text of a request of HTTP or of discovery is replaced by that.
    Ask(String, String),
    /// Does not do what was asked, and says that it was done.
    Swallow,
    /// Gives the first answer for ever.
    Freeze,
    /// Lets nobody's request pass for the administrator's.
    Admit,
    /// Another status; of RTSP, with its reason.
    Status(u16),
    /// Another value of a header; an empty one takes it away.
    Header(String, String),
    /// Takes away the lines of a body that begin so.
    DropLines(String),
    /// Says nothing and hangs up.
    HangUp,
    /// Loses every packet, or every message of discovery, be it a question.
    Silence,
    /// Gives one packet in so many the number of the one before it.
    RepeatSequence(u64),
    /// Loses one packet in so many.
    Lose(u64),
    /// Another source for the second half of every so many packets.
    ChangeSource(u64),
    /// Another payload type.
    PayloadType(u8),
    /// No packet is the last of its frame.
    NoMarker,
    /// A header extension of this type with nothing in it, where there is none.
    Extension(u16),
    /// The time stands still.
    StopTime,
    /// The RTP time passes so many times as fast, in packets or in reports; in both, as one clock.
    RtpPace(f64),
    /// The NTP time of reports passes so many times as fast.
    NtpPace(f64),
    /// The version of RTP.
    Version(u8),
    /// No key frame for so many seconds, counted from the first packet.
    LateKeyFrame(u64),
    /// Sender reports that speak of another source.
    OtherSource,
}

impl Rule {
    /// Whether it is for this answer.
    pub(crate) fn concerns(&self, name: &str, request: &str, refused: bool, seen: impl Fn(&str) -> bool) -> bool {
        let bare = name.split_once(':').map_or(name, |(_, local)| local);
        (self.on == name || self.on == bare)
            && self.asked.as_ref().is_none_or(|text| request.contains(text))
            && self.lacks.as_ref().is_none_or(|text| !request.contains(text))
            && self.after.as_ref().is_none_or(|first| seen(first))
            && self.until.as_ref().is_none_or(|last| !seen(last))
            && self.refused.is_none_or(|wanted| wanted == refused)
    }

    /// What the device is asked instead of this.
    pub(crate) fn asked_instead(&self, request: String) -> String {
        match &self.action {
            Action::Ask(from, to) => request.replace(from, to),
            _ => request,
        }
    }
}
