//! Names that the files have, by what this host knows.

use std::net::IpAddr;

use crate::ipvsadm::{Names, SystemNames};

#[derive(Debug, Default)]
pub(super) struct HostNames(SystemNames);

impl rlvs_config::names::Names for HostNames {
    fn address(&self, host: &str) -> Option<IpAddr> {
        self.0.ipv4(host).map(IpAddr::V4)
    }

    fn port(&self, service: &str, protocol: &str) -> Option<u16> {
        self.0.port(service, protocol)
    }
}
