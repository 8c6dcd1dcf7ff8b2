//! `auth_hmac`: how advertisements are signed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Advertisements are signed, and those of others have to be.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub struct AuthHmac {
    /// The same on all directors; several, while one takes another's place.
    pub key: Vec<HmacKey>,
    /// The number of the key that is signed with; the first one's by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_key: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anti_replay: Option<AntiReplay>,
    /// Seconds, 1 to 300; three intervals by default, and at least 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_window: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<HmacMode>,
}

/// A key, and its number.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub struct HmacKey {
    /// 1 to 255.
    pub id: u8,
    /// 32 to 64 bytes: text, or "hex:" and digits, or "file:" and the name of a file with either.
    pub secret: String,
}

/// What is heard late.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AntiReplay {
    /// Nothing that was signed longer ago than `time_window`: clocks have to agree. The default.
    Time,
    /// Whatever was signed later than what was heard before.
    Monotonic,
}

/// What is asked of others, so that a site can begin to sign.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HmacMode {
    /// What is not signed is not heard. The default.
    Enforce,
    /// It is.
    Permissive,
    /// It is, and nothing is signed here.
    ReceiveOnly,
}
