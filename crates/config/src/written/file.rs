//! The whole file, and a file that it includes.

use std::collections::BTreeMap;

use rlvs_control::Timeouts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::options::with_options;
use super::service::WrittenService;
use crate::model::{Alerts, VirtualAddress, Vrrp};
use crate::settings::doors::api;
use crate::settings::sync::sync;
use crate::settings::sysctls::{sysctls, sysctls_schema};
use crate::settings::{
    Api, Control, Interfaces, Ipvsadm, Log, MOST_CONNECTIONS, MOST_DESTINATIONS, MOST_SERVICES,
    Metrics, Settings, Stop, Sync, interfaces, perhaps_within, within,
};

/// rlvs.toml
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(crate) struct WrittenFile {
    /// Files with more services, real servers and VRRP instances; "conf.d/*.toml", beside this one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) include: Vec<String>,
    /// Connections that the table of each IP version is made for.
    #[serde(deserialize_with = "within::<1, MOST_CONNECTIONS, _>")]
    #[schemars(range(min = 1, max = MOST_CONNECTIONS))]
    pub(crate) connections: u32,
    /// The same for IPv6, where it differs.
    #[serde(
        deserialize_with = "perhaps_within::<1, MOST_CONNECTIONS, _>",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(range(min = 1, max = MOST_CONNECTIONS))]
    pub(crate) connections_ipv6: Option<u32>,
    /// How many virtual services there is room for.
    #[serde(deserialize_with = "within::<1, MOST_SERVICES, _>")]
    #[schemars(range(min = 1, max = MOST_SERVICES))]
    pub(crate) services: u32,
    /// How many real servers of all of them together there is room for.
    #[serde(deserialize_with = "within::<1, MOST_DESTINATIONS, _>")]
    #[schemars(range(min = 1, max = MOST_DESTINATIONS))]
    pub(crate) destinations: u32,
    #[serde(deserialize_with = "interfaces")]
    pub(crate) interfaces: Interfaces,
    pub(crate) control: Control,
    #[serde(deserialize_with = "api")]
    pub(crate) api: Api,
    pub(crate) metrics: Metrics,
    pub(crate) log: Log,
    /// What `ipvsadm` looks up.
    pub(crate) ipvsadm: Ipvsadm,
    /// What becomes of forwarding when the daemon ends.
    pub(crate) stop: Stop,
    /// Synchronisation of connections with other directors.
    #[serde(deserialize_with = "sync")]
    pub(crate) sync: Sync,
    /// Settings of IPVS, without `net.ipv4.vs.`
    #[serde(deserialize_with = "sysctls")]
    #[schemars(schema_with = "sysctls_schema")]
    pub(crate) sysctl: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) timeouts: Option<WrittenTimeouts>,
    /// What checks are like that say nothing else.
    pub(crate) check: Defaults,
    pub(crate) alerts: Alerts,
    /// Addresses that this machine has, whoever is master.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) address: Vec<VirtualAddress>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) service: Vec<WrittenService>,
    pub(crate) vrrp: Vrrp,
}

/// A file that another includes.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(crate) struct Part {
    /// For its own services.
    pub(crate) check: Defaults,
    pub(crate) address: Vec<VirtualAddress>,
    pub(crate) service: Vec<WrittenService>,
    pub(crate) vrrp: Vrrp,
}

with_options! {
    /// Options of checks.
    #[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
    #[serde(default, deny_unknown_fields, expecting = "a table")]
    pub(crate) struct Defaults {}
}

/// `[timeouts]`: of connections, in seconds, as `ipvsadm --set` has them.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(crate) struct WrittenTimeouts {
    /// Connections that are established.
    pub(crate) tcp: u32,
    /// Connections after a FIN.
    pub(crate) tcp_fin: u32,
    pub(crate) udp: u32,
}

impl Default for WrittenTimeouts {
    fn default() -> Self {
        Timeouts::default().into()
    }
}

impl From<Timeouts> for WrittenTimeouts {
    fn from(timeouts: Timeouts) -> Self {
        let Timeouts { tcp, tcp_fin, udp } = timeouts;
        Self { tcp, tcp_fin, udp }
    }
}

impl From<WrittenTimeouts> for Timeouts {
    fn from(written: WrittenTimeouts) -> Self {
        let WrittenTimeouts { tcp, tcp_fin, udp } = written;
        Self { tcp, tcp_fin, udp }
    }
}

impl Default for WrittenFile {
    fn default() -> Self {
        Self::of(Settings::default())
    }
}

impl WrittenFile {
    pub(crate) fn of(settings: Settings) -> Self {
        Self {
            include: Vec::new(),
            connections: settings.connections,
            connections_ipv6: settings.connections_ipv6,
            services: settings.services,
            destinations: settings.destinations,
            interfaces: settings.interfaces,
            control: settings.control,
            api: settings.api,
            metrics: settings.metrics,
            log: settings.log,
            ipvsadm: settings.ipvsadm,
            stop: settings.stop,
            sync: settings.sync,
            sysctl: settings.sysctl,
            timeouts: None,
            check: Defaults::default(),
            alerts: Alerts::default(),
            address: Vec::new(),
            service: Vec::new(),
            vrrp: Vrrp::default(),
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            connections: self.connections,
            connections_ipv6: self.connections_ipv6,
            services: self.services,
            destinations: self.destinations,
            interfaces: self.interfaces.clone(),
            control: self.control.clone(),
            api: self.api.clone(),
            metrics: self.metrics.clone(),
            log: self.log.clone(),
            ipvsadm: self.ipvsadm.clone(),
            stop: self.stop,
            sync: self.sync.clone(),
            sysctl: self.sysctl.clone(),
        }
    }
}
