//! Ranges and lists of options, and whether a value keeps to them.

use std::fmt;

use crate::{test::Test, verdict::Outcome, xml::Element};

/// A range with both its ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Range {
    /// The range at a path, with its `Min` and `Max`.
    pub(super) fn at(t: &Test<'_>, options: &Element, path: &str) -> Outcome<Self> {
        let range = t.some(options.at(path), path)?;
        match (range.number_at("Min"), range.number_at("Max")) {
            (Some(min), Some(max)) => Ok(Self { min, max }),
            _ => Err(t.failed(format!("{path} with Min and Max"), range.to_xml())),
        }
    }

    /// Whether a value, as it is written, is in it.
    pub(super) fn has(&self, value: &str) -> bool {
        value.parse().is_ok_and(|value: f64| (self.min..=self.max).contains(&value))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}..{}", self.min, self.max)
    }
}

/// Demands that a value is in a range.
pub(super) fn inside(t: &Test<'_>, value: &str, range: &Range, what: &str) -> Outcome {
    t.demand(range.has(value), format!("{what} in {range}"), value)
}

/// Demands that a value is in a list.
pub(super) fn is_one_of(t: &Test<'_>, value: &str, list: &[&str], what: &str) -> Outcome {
    let holds = list.iter().any(|item| same_value(item, value));
    t.demand(holds, format!("{what} of {}", list.join(", ")), value)
}

/// Whether two values are the same, however numbers are written.
pub(super) fn same_value(one: &str, other: &str) -> bool {
    match (one.parse::<f64>(), other.parse::<f64>()) {
        (Ok(one), Ok(other)) => (one - other).abs() < 1e-3,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_to_ranges_and_lists() {
        let range = Range { min: 1.0, max: 5.0 };
        assert!(range.has("1") && range.has("5.0") && !range.has("5.1") && !range.has("") && !range.has("x"));
        assert!(same_value("15", "15.0") && same_value("Main", "Main"));
        assert!(!same_value("15", "14") && !same_value("Main", "High") && !same_value("15", "x"));
    }
}
