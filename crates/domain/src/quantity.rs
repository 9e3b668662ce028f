//! The manifest's grammar of durations and quantities: `30s`, `1m30s`, `128Mi`, `250m`. Validated here once, the
//! same for the CRD, the API and the CLI.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Why a text is not a duration or a quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    #[error("must be a duration such as \"30s\", \"5m\" or \"1h30m\" (units ms, s, m, h, d), is {:?}", .0)]
    Duration(String),
    #[error("must be an amount of memory such as \"128Mi\" or \"1Gi\" (units Ki, Mi, Gi, k, M, G), is {:?}", .0)]
    Memory(String),
    #[error("must be an amount of CPU such as \"250m\" or \"0.5\", is {:?}", .0)]
    Cpu(String),
}

/// Splits a leading run of digits from the rest.
fn digits(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    Some((number.parse().ok()?, rest))
}

/// Reads `30s`, `1h30m`, `250ms`. No signs, no fractions, each unit at most once, in falling order.
pub fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    try_duration(text).ok_or_else(|| QuantityError::Duration(text.chars().take(64).collect()))
}

fn try_duration(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 5] =
        [("d", 86_400_000), ("h", 3_600_000), ("ms", 1), ("m", 60_000), ("s", 1000)];
    let (mut rest, mut millis, mut last) = (text, 0u64, u64::MAX);
    while !rest.is_empty() {
        let (number, tail) = digits(rest)?;
        let (unit, size) = UNITS.into_iter().find(|(unit, _)| tail.starts_with(unit))?;
        if size >= last {
            return None;
        }
        millis = millis.checked_add(number.checked_mul(size)?)?;
        last = size;
        rest = tail.strip_prefix(unit)?;
    }
    (last != u64::MAX).then(|| Duration::from_millis(millis))
}

/// Prints a duration in the grammar that [`parse_duration`] reads; below a millisecond it is cut off.
pub fn format_duration(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, size) in [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        if millis >= size {
            text.push_str(&(millis / size).to_string());
            text.push_str(unit);
            millis %= size;
        }
    }
    text
}

/// An amount of memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Memory(pub u64);

impl FromStr for Memory {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let error = || QuantityError::Memory(text.chars().take(64).collect());
        let (number, unit) = digits(text).ok_or_else(error)?;
        let size: u64 = match unit {
            "" => 1,
            "Ki" => 1 << 10,
            "Mi" => 1 << 20,
            "Gi" => 1 << 30,
            "k" => 1_000,
            "M" => 1_000_000,
            "G" => 1_000_000_000,
            _ => return Err(error()),
        };
        number.checked_mul(size).map(Self).ok_or_else(error)
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0;
        for (unit, size) in [("Gi", 1u64 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10)] {
            if bytes >= size && bytes.is_multiple_of(size) {
                return write!(f, "{}{unit}", bytes / size);
            }
        }
        write!(f, "{bytes}")
    }
}

/// An amount of CPU in thousandths of a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cpu(pub u32);

impl FromStr for Cpu {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let error = || QuantityError::Cpu(text.chars().take(64).collect());
        let (whole, rest) = digits(text).ok_or_else(error)?;
        let millis = match rest {
            "m" => Some(whole),
            "" => whole.checked_mul(1000),
            _ => {
                let fraction =
                    rest.strip_prefix('.').filter(|f| (1..=3).contains(&f.len())).ok_or_else(error)?;
                let (number, end) = digits(fraction).ok_or_else(error)?;
                let scale = 10u64.pow(3 - fraction.len() as u32);
                whole.checked_mul(1000).filter(|_| end.is_empty()).and_then(|w| w.checked_add(number * scale))
            }
        };
        millis.and_then(|m| u32::try_from(m).ok()).map(Self).ok_or_else(error)
    }
}

impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) { write!(f, "{}", self.0 / 1000) } else { write!(f, "{}m", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_have_one_grammar() {
        let read = |text: &str| parse_duration(text).ok().map(|d| d.as_millis());
        assert_eq!(read("30s"), Some(30_000));
        assert_eq!(read("1h30m"), Some(5_400_000));
        assert_eq!(read("250ms"), Some(250));
        assert_eq!(read("1d"), Some(86_400_000));
        assert_eq!(read("0s"), Some(0));
        for bad in [
            "",
            "5",
            "5x",
            "-1s",
            "1.5s",
            "s",
            "1s1s",
            "1s1m",
            "99999999999999999999s",
            "1 s",
            "18446744073709551615d",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn quantities_print_as_they_are_written() {
        for text in ["128Mi", "1Gi", "1000", "64Ki"] {
            assert_eq!(text.parse::<Memory>().expect(text).to_string(), text);
        }
        for (text, millis) in [("250m", 250), ("1", 1000), ("0.5", 500), ("1.25", 1250)] {
            assert_eq!(text.parse::<Cpu>().expect(text), Cpu(millis));
        }
        for bad in ["12xyz", "-1", "", "1.", "1.2345", "Mi"] {
            assert!(bad.parse::<Memory>().is_err() && bad.parse::<Cpu>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_duration_survives_its_text(millis in 0u64..10_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = (parse_duration(&text), text.parse::<Memory>(), text.parse::<Cpu>());
        }
    }
}
