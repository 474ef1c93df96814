//! What is said of a case in the end, and how a case stops.

use std::{fmt, time::Duration};

use serde::Serialize;

use crate::secret::without_userinfo;

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// Every step held.
    Passed,
    /// A step did not hold.
    Failed(Failed),
    /// The case is not for this device.
    NotApplicable {
        /// The rule that says so, and what was found.
        rule: String,
    },
    /// The case is for this device, and nobody has written it yet, or it is known to fail.
    KnownGap {
        /// What is missing.
        gap: String,
    },
    /// The case could not be judged on this device or at this place.
    Skipped {
        /// Why.
        reason: String,
    },
}

/// A step that did not hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// The step, by its number in the specification.
    pub step: String,
    /// What should have been.
    pub expected: String,
    /// What was.
    pub seen: String,
}

/// Why a case ends before its last step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// A step did not hold.
    Failed(Failed),
    /// There is nothing to judge, for this reason.
    Skipped(String),
    /// The person at the keyboard wants to stop.
    Interrupted,
}

/// What a case or a step of it returns.
pub type Outcome<T = ()> = Result<T, Stop>;

impl From<anyhow::Error> for Stop {
    /// The step's own name says what should have been.
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(Failed { seen: format!("{error:#}"), ..Failed::default() })
    }
}

impl From<std::io::Error> for Stop {
    fn from(error: std::io::Error) -> Self {
        anyhow::Error::from(error).into()
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { step, expected, seen } = self;
        if expected.is_empty() {
            write!(formatter, "step {step}: {seen}")
        } else {
            write!(formatter, "step {step}: expected {expected}; seen: {seen}")
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failed) => failed.fmt(formatter),
            Self::Skipped(reason) => formatter.write_str(reason),
            Self::Interrupted => formatter.write_str("interrupted"),
        }
    }
}

/// One message and the answer to it.
#[derive(Debug, Clone, Serialize)]
pub struct Exchange {
    /// The step it belongs to.
    pub step: String,
    /// Where it went.
    pub to: String,
    /// What was sent.
    pub request: String,
    /// The status of the answer, or what happened instead.
    pub status: String,
    /// What came back.
    pub response: String,
    /// How long it took.
    #[serde(serialize_with = "milliseconds")]
    pub took: Duration,
}

/// A case with all that is told of it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The official identifier.
    pub id: String,
    /// The official title.
    pub title: String,
    /// The area.
    pub area: &'static str,
    /// What became of it.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// The steps that were taken.
    pub steps: Vec<String>,
    /// What else is worth telling.
    pub notes: Vec<String>,
    /// The messages exchanged.
    pub messages: Vec<Exchange>,
    /// How long it took.
    #[serde(serialize_with = "milliseconds")]
    pub took: Duration,
}

impl Report {
    /// The same without the credentials that may stand in addresses. Messages were kept without them.
    #[must_use]
    pub fn without_userinfo(self) -> Self {
        let hidden = |text: String| without_userinfo(&text);
        let verdict = match self.verdict {
            Verdict::Passed => Verdict::Passed,
            Verdict::Failed(Failed { step, expected, seen }) => {
                Verdict::Failed(Failed { step, expected: hidden(expected), seen: hidden(seen) })
            }
            Verdict::NotApplicable { rule } => Verdict::NotApplicable { rule: hidden(rule) },
            Verdict::KnownGap { gap } => Verdict::KnownGap { gap: hidden(gap) },
            Verdict::Skipped { reason } => Verdict::Skipped { reason: hidden(reason) },
        };
        let all = |texts: Vec<String>| texts.into_iter().map(hidden).collect();
        Self { verdict, steps: all(self.steps), notes: all(self.notes), ..self }
    }
}

fn milliseconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_addresses_are_not_told() {
        let address = "rtsp://admin:secret@192.0.2.1/1";
        let failed = Failed { step: "5".into(), expected: format!("not {address}"), seen: address.into() };
        let kinds = [
            Verdict::Failed(failed),
            Verdict::NotApplicable { rule: address.into() },
            Verdict::KnownGap { gap: address.into() },
            Verdict::Skipped { reason: address.into() },
        ];
        for verdict in kinds {
            let report = Report {
                id: "MEDIA2-1-1-1".into(),
                title: String::new(),
                area: "Media2",
                verdict,
                steps: vec![address.into()],
                notes: vec![address.into()],
                messages: Vec::new(),
                took: Duration::ZERO,
            };
            let told = format!("{:?}", report.without_userinfo());
            assert!(!told.contains("secret") && told.contains("rtsp://***@192.0.2.1/1"), "{told}");
        }
    }
}
