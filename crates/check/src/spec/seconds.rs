//! Times in JSON and TOML: "1m 30s", "250ms", or a number of seconds.

use core::fmt;
use core::time::Duration;

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

pub fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*time))
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_any(Time)
}

/// The same for times that may be absent.
pub mod option {
    use core::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(
        time: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => super::serialize(time, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        #[derive(Deserialize)]
        struct Present(#[serde(with = "super")] Duration);
        Ok(Option::<Present>::deserialize(deserializer)?.map(|present| present.0))
    }
}

struct Time;

impl Visitor<'_> for Time {
    type Value = Duration;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a time such as \"2s\" or \"500ms\", or a number of seconds")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        humantime::parse_duration(text).map_err(|error| E::custom(format!("\"{text}\": {error}")))
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Duration, E> {
        Ok(Duration::from_secs(seconds))
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Duration, E> {
        u64::try_from(seconds)
            .map(Duration::from_secs)
            .map_err(|_| E::custom(format!("{seconds}: a time is not negative")))
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Duration, E> {
        Duration::try_from_secs_f64(seconds)
            .map_err(|error| E::custom(format!("{seconds}: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, serde::Serialize)]
    struct Times {
        #[serde(with = "super")]
        time: Duration,
        #[serde(default, with = "super::option")]
        other: Option<Duration>,
    }

    #[test]
    fn times_are_read_in_each_form() {
        for (text, milliseconds) in [("\"1500ms\"", 1500), ("2", 2000), ("0.25", 250)] {
            let times: Times =
                serde_json::from_str(&format!("{{\"time\":{text},\"other\":{text}}}")).unwrap();
            assert_eq!(times.time, Duration::from_millis(milliseconds));
            assert_eq!(times.other, Some(times.time));
        }
        let times: Times = serde_json::from_str("{\"time\":1}").unwrap();
        assert_eq!(times.other, None);
        assert_eq!(
            serde_json::to_string(&times).unwrap(),
            "{\"time\":\"1s\",\"other\":null}"
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["-1", "\"soon\"", "-0.5", "true"] {
            assert!(serde_json::from_str::<Times>(&format!("{{\"time\":{text}}}")).is_err());
        }
    }
}
