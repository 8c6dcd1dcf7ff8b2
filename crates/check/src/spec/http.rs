//! HTTP and HTTPS checks.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Digest, Regex, Tls};

/// `HTTP_GET` and `SSL_GET`: one URL after the other must be answered as it shall be.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// `http_protocol`.
    #[serde(default)]
    pub version: Version,
    /// Speak TLS; without it plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// The Host header of URLs that name none (`virtualhost` of the check, the real server or the
    /// virtual server); without it, the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_host: Option<String>,
    /// At least one.
    pub urls: Vec<Url>,
    /// `fast_recovery`: no pause between URLs at the start, and on the way up.
    #[serde(default)]
    pub fast_recovery: bool,
}

impl Http {
    /// Plain HTTP/1.0, as keepalived speaks it by default.
    pub fn new(urls: Vec<Url>) -> Self {
        Self {
            version: Version::Http10,
            tls: None,
            virtual_host: None,
            urls,
            fast_recovery: false,
        }
    }
}

/// The version of HTTP that is spoken.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub enum Version {
    #[default]
    #[serde(rename = "1.0")]
    Http10,
    /// 1.0 with "Connection: close".
    #[serde(rename = "1.0C")]
    Http10Close,
    #[serde(rename = "1.1")]
    Http11,
    /// With TLS by ALPN, without it by prior knowledge (RFC 9113, 3.3).
    #[serde(rename = "2")]
    Http2,
}

/// One page that is asked for, and what it shall be.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Url {
    /// Path and query.
    pub path: String,
    #[serde(default)]
    pub method: Method,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub virtual_host: Option<String>,
    /// `status_code`; none: 200 to 299.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<StatusRange>,
    /// MD5 of the body, as `genhash` prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// What the body shall match, or shall not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<Regex>,
}

impl Url {
    /// A page that shall be answered by 200 to 299.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            method: Method::Get,
            virtual_host: None,
            status: Vec::new(),
            digest: None,
            regex: None,
        }
    }

    /// Whether an answer's status is among those wanted.
    pub fn accepts(&self, status: u16) -> bool {
        if self.status.is_empty() {
            return (200..300).contains(&status);
        }
        self.status
            .iter()
            .any(|range| (range.first..=range.last).contains(&status))
    }
}

/// ldirectord's `httpmethod`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    #[default]
    Get,
    Head,
}

/// Status codes from `first` to `last`: in text "200" or "200-299".
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct StatusRange {
    first: u16,
    last: u16,
}

impl StatusRange {
    /// `None` if these are no status codes (100 to 599), or in the wrong order.
    pub fn new(first: u16, last: u16) -> Option<Self> {
        let valid = first <= last && first >= 100 && last < 600;
        valid.then_some(Self { first, last })
    }
}

impl core::str::FromStr for StatusRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let number = |text: &str| text.trim().parse().ok();
        number(first)
            .zip(number(last))
            .and_then(|(first, last)| Self::new(first, last))
            .ok_or_else(|| format!("\"{text}\" is no status code: write 200 or 200-299"))
    }
}

impl fmt::Display for StatusRange {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        if self.first == self.last {
            return write!(formatter, "{}", self.first);
        }
        write!(formatter, "{}-{}", self.first, self.last)
    }
}

impl Serialize for StatusRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StatusRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StatusText)
    }
}

struct StatusText;

impl de::Visitor<'_> for StatusText {
    type Value = StatusRange;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a status code such as 200, or \"200-299\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<StatusRange, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, code: u64) -> Result<StatusRange, E> {
        self.visit_str(&code.to_string())
    }

    fn visit_i64<E: de::Error>(self, code: i64) -> Result<StatusRange, E> {
        self.visit_str(&code.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_codes() {
        let mut url = Url::new("/");
        assert!(url.accepts(200) && url.accepts(299) && !url.accepts(300) && !url.accepts(199));
        url.status = serde_json::from_str("[404, \"500-502\"]").unwrap();
        assert!(url.accepts(404) && url.accepts(501) && !url.accepts(200));
        assert_eq!(
            serde_json::to_string(&url.status).unwrap(),
            "[\"404\",\"500-502\"]"
        );
        for text in ["", "99", "600", "300-200", "200-", "ok"] {
            assert!(text.parse::<StatusRange>().is_err(), "{text}");
        }
    }
}
