//! TLS of a check.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How a check speaks TLS. Like keepalived's and ldirectord's, checks ask whether a server serves;
/// its certificate is looked at only where `verify` says so.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The name that is asked for (SNI).
    pub server_name: ServerName,
    /// The certificate must be valid: signed by `ca`, not expired, and for the name that is asked
    /// for, or the address if none is.
    pub verify: bool,
    /// File with certificates that may have signed it, PEM; without it, those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// File with the certificate that the check shows, PEM, the chain after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// File with its key, PEM, not encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}

/// The name that a check asks for when TLS begins.
#[derive(Clone, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerName {
    /// None; what keepalived does without `enable_sni`.
    #[default]
    None,
    /// The virtual host of the URL, or of the check (`enable_sni`).
    VirtualHost,
    /// This one (`sni_name`).
    Name(String),
}
