//! What is said of a case in the end, and how a case stops.

use std::{fmt, time::Duration};

use serde::Serialize;

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

fn milliseconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
