//! Regular expressions on what a server answers: PCRE2's, as in keepalived.

use serde::{Deserialize, Serialize};

/// What an answer shall match, or shall not.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Regex {
    pub pattern: String,
    /// `regex_no_match`: a match is a failure.
    #[serde(default)]
    pub no_match: bool,
    /// `regex_options`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<RegexOption>,
    /// `regex_min_offset`: a match begins at this byte or later.
    #[serde(default)]
    pub min_offset: usize,
    /// `regex_max_offset`: a match begins at this byte or earlier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_offset: Option<usize>,
}

impl Regex {
    /// An expression that the answer shall match.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self {
            pattern: pattern.into(),
            no_match: false,
            options: Vec::new(),
            min_offset: 0,
            max_offset: None,
        }
    }
}

/// keepalived's `regex_options`: PCRE2's compile options (pcre2api(3)).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RegexOption {
    AllowEmptyClass,
    AltBsux,
    AltCircumflex,
    AltVerbnames,
    AutoCallout,
    Caseless,
    DollarEndonly,
    Dotall,
    Dupnames,
    Extended,
    Firstline,
    MatchUnsetBackref,
    Multiline,
    NeverBackslashC,
    NeverUcp,
    NeverUtf,
    NoAutoCapture,
    NoAutoPossess,
    NoDotstarAnchor,
    NoStartOptimize,
    Ucp,
    Ungreedy,
    UseOffsetLimit,
    Utf,
}
