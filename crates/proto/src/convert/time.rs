use eventflow_domain::{Error, Result, Timestamp};
use prost_types::{Duration as WireDuration, Timestamp as WireTimestamp};
use std::time::Duration;

pub fn timestamp_to_wire(time: Timestamp) -> WireTimestamp {
    let micros = time.as_micros();
    WireTimestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: (micros.rem_euclid(1_000_000) * 1000) as i32,
    }
}

/// `field` names it in the refusal.
pub fn timestamp_from_wire(field: &str, time: &WireTimestamp) -> Result<Timestamp> {
    let valid = (0..1_000_000_000).contains(&time.nanos);
    let micros =
        time.seconds.checked_mul(1_000_000).and_then(|m| m.checked_add(i64::from(time.nanos / 1000)));
    match micros {
        Some(micros) if valid => Ok(Timestamp::from_micros(micros)),
        _ => Err(Error::invalid(field, "is not a time")),
    }
}

pub fn duration_to_wire(duration: Duration) -> WireDuration {
    WireDuration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}

/// A duration from zero to `max`; `field` names it in the refusal.
pub fn duration_from_wire(field: &str, duration: &WireDuration, max: Duration) -> Result<Duration> {
    let read = || {
        let seconds = u64::try_from(duration.seconds).ok()?;
        let nanos = u32::try_from(duration.nanos).ok().filter(|&nanos| nanos < 1_000_000_000)?;
        Some(Duration::new(seconds, nanos))
    };
    match read() {
        Some(duration) if duration <= max => Ok(duration),
        _ => {
            let max = eventflow_domain::quantity::format_duration(max);
            Err(Error::invalid(field, format!("must be from 0s to {max}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_time_survives_the_wire(micros in -1_000_000_000_000_000i64..4_000_000_000_000_000) {
            let time = Timestamp::from_micros(micros);
            prop_assert_eq!(timestamp_from_wire("t", &timestamp_to_wire(time)).expect("a time"), time);
        }
    }

    #[test]
    fn durations_out_of_range_name_the_range() {
        let max = Duration::from_secs(600);
        let read = |seconds, nanos| duration_from_wire("wait", &WireDuration { seconds, nanos }, max);
        assert_eq!(read(1, 500_000_000).expect("fine"), Duration::from_millis(1500));
        for (seconds, nanos) in [(-1, 0), (0, -1), (601, 0), (i64::MAX, 0), (0, 1_000_000_000)] {
            let refused = read(seconds, nanos).expect_err("refused");
            assert_eq!(refused.field_violations()[0].description, "must be from 0s to 10m");
        }
    }
}
