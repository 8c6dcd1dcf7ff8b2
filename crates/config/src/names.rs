//! Names of hosts and services in files that have them.

use std::net::IpAddr;

/// Who knows names.
pub trait Names {
    fn address(&self, host: &str) -> Option<IpAddr>;

    /// `protocol` is `tcp`, `udp` or `sctp`.
    fn port(&self, service: &str, protocol: &str) -> Option<u16>;
}

/// Nobody: addresses and ports have to be numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoNames;

impl Names for NoNames {
    fn address(&self, _: &str) -> Option<IpAddr> {
        None
    }

    fn port(&self, _: &str, _: &str) -> Option<u16> {
        None
    }
}
