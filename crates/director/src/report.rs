//! What clients are shown: listings and status.

use std::fs;

use rlvs_control::listing::Statistics;
use rlvs_control::model::{Family, ForwardingMethod};
use rlvs_control::status::{
    Attachment, ConnectionTable, Counter, Daemon, DestinationState, Interface, NetworkNamespace,
    NextHop, ServiceState, SlowStart, Status,
};
use rlvs_control::{Destination, DestinationKey, DestinationStatus, ServiceKey, ServiceStatus};
use rlvs_control::{Overall, Services, endpoint};
use rlvs_engine::Verdict;
use rlvs_engine::connection::WAYS;
use rlvs_engine::failure::Failure;
use rlvs_engine::reason::{Event, Reason};
use rlvs_network::Link;
use rlvs_plane::{Role, Store};

use crate::core::Core;
use crate::desired::{DesiredDestination, DesiredService};
use crate::drains::{now, shown};
use crate::estimator::Rates;
use crate::installed::{Hop, Totals};

impl Core {
    /// All services with their counters.
    pub(crate) fn services(&self) -> Services {
        Services {
            number: self.number(),
            table_size: u64::from(self.plane.sizes().connections[0]),
            services: self
                .desired
                .services()
                .map(|service| self.service(service))
                .collect(),
        }
    }

    /// What all services count together, those that are gone too.
    pub(crate) fn overall(&self) -> Overall {
        let totals = self.installed.all_totals(&*self.tables);
        let cpus = self.installed.cpu_totals(&*self.tables).into_iter();
        Overall {
            statistics: statistics(totals, self.rates_of_all.rates(&())),
            cpus: cpus
                .map(|totals| statistics(totals, Rates::default()))
                .collect(),
        }
    }

    fn service(&self, desired: &DesiredService) -> ServiceStatus {
        let key = desired.service().key;
        let totals = self.installed.service_totals(&*self.tables, &key);
        ServiceStatus {
            service: desired.service().clone(),
            statistics: statistics(totals, self.rates.rates(&(key, None))),
            destinations: desired
                .destinations()
                .map(|it| self.destination(&key, it))
                .collect(),
            local_addresses: self.installed.local_addresses(&*self.tables, desired),
        }
    }

    fn destination(&self, service: &ServiceKey, desired: &Destination) -> DestinationStatus {
        let totals = self
            .installed
            .destination_totals(&*self.tables, service, &desired.key);
        let rates = self.rates.rates(&(*service, Some(desired.key)));
        let (active, inactive, persistent) = self.counts(service, &desired.key);
        DestinationStatus {
            destination: desired.clone(),
            active_connections: active,
            inactive_connections: inactive,
            persistent_connections: persistent,
            statistics: statistics(totals, rates),
        }
    }

    pub(crate) fn counts(&self, service: &ServiceKey, key: &DestinationKey) -> (u32, u32, u32) {
        let number = self.installed.destination(service, key);
        let load = number.and_then(|number| self.tables.loads().get(number as usize));
        load.map_or((0, 0, 0), |load| {
            let (active, inactive) = load.counts();
            (active, inactive, load.persistent.load())
        })
    }

    /// How the director fares.
    pub(crate) fn status(&self) -> Status {
        Status {
            daemon: self.daemon(),
            number: self.number(),
            listening: self.doors.listening(),
            interfaces: self.links.iter().map(|link| self.interface(link)).collect(),
            marks: self.marked_way.status(),
            synchronisation: Some(self.synchronisation())
                .filter(|it| !it.daemons.is_empty() || !it.peers.is_empty()),
            site: self.managed.status(),
            vrrp: self.vrrp.view(),
            services: self
                .desired
                .services()
                .map(|service| self.state(service))
                .collect(),
            connections: [Family::Ipv4, Family::Ipv6]
                .map(|family| self.table(family))
                .into(),
            passed: self.counters(Verdict::Pass),
            dropped: self.dropped(),
        }
    }

    fn daemon(&self) -> Daemon {
        let namespace = NetworkNamespace {
            cookie: self.cookie,
            name: namespace_name(),
        };
        Daemon {
            version: endpoint::Version::own().version,
            pid: std::process::id(),
            uptime_seconds: self.begun.elapsed().as_secs(),
            network_namespace: namespace,
        }
    }

    fn interface(&self, link: &Link) -> Interface {
        let is_marked = self.plane.interfaces.is_attached(link.index, Role::Marked);
        let (attachment, reason) = match is_marked {
            true => (
                Attachment::Tc,
                "for packets with firewall marks of services".to_owned(),
            ),
            false => self
                .attachments
                .state(&self.plane, &self.config, link, &self.links),
        };
        Interface {
            name: link.name.clone(),
            index: link.index,
            attachment,
            reason,
        }
    }

    fn state(&self, desired: &DesiredService) -> ServiceState {
        let service = desired.service();
        ServiceState {
            key: service.key,
            scheduler: service.scheduler.clone(),
            from_file: self.managed.owns(&service.key),
            destinations: desired
                .members()
                .map(|member| self.destination_state(desired, member))
                .collect(),
            local_addresses: self.installed.local_addresses(&*self.tables, desired),
        }
    }

    fn destination_state(
        &self,
        of: &DesiredService,
        member: &DesiredDestination,
    ) -> DestinationState {
        let (service, desired) = (&of.service().key, member.destination());
        let now = now();
        let (active_connections, inactive_connections, _) = self.counts(service, &desired.key);
        DestinationState {
            key: desired.key,
            method: desired.method,
            weight: desired.weight,
            active_connections,
            inactive_connections,
            next_hop: self.next_hop(desired),
            draining: member.draining().map(|it| shown(it, now)),
            slow_start: of
                .starting(member, now)
                .map(|(percent, seconds_left)| SlowStart {
                    percent,
                    seconds_left,
                }),
            path_mtu: self.path_mtu(service, &desired.key),
        }
    }

    fn path_mtu(&self, service: &ServiceKey, key: &DestinationKey) -> Option<u32> {
        let number = self.installed.destination(service, key)?;
        let record = self.tables.destinations().get(number as usize)?;
        Some(record.mtu.load()).filter(|mtu| *mtu != 0)
    }

    fn next_hop(&self, desired: &Destination) -> NextHop {
        let is_tunnel = matches!(desired.method, ForwardingMethod::Tunnel(_));
        match self.installed.hop(&desired.key.address) {
            Some(Hop::Resolved { local: None, .. }) if is_tunnel => NextHop::Unresolved {
                reason: "this host has no address of that IP version for the tunnel's packets to \
                         come from"
                    .to_owned(),
            },
            Some(Hop::Resolved {
                interface,
                destination,
                ..
            }) => NextHop::Resolved {
                interface: self.link_name(*interface),
                mac: mac(*destination),
            },
            Some(Hop::Local) => NextHop::Local,
            Some(Hop::Unresolved(reason)) => NextHop::Unresolved {
                reason: reason.clone(),
            },
            None => NextHop::Unresolved {
                reason: "it is being looked up".to_owned(),
            },
        }
    }

    fn link_name(&self, index: u32) -> String {
        let link = self.links.iter().find(|link| link.index == index);
        link.map_or_else(|| format!("interface {index}"), |link| link.name.clone())
    }

    fn table(&self, family: Family) -> ConnectionTable {
        let (index, buckets, bucket_size) = match family {
            Family::Ipv4 => (0, self.tables.buckets4().len(), BUCKET4),
            Family::Ipv6 => (1, self.tables.buckets6().len(), BUCKET6),
        };
        // Beside a bucket, a word that counts what it had no room for.
        let bytes = buckets * (bucket_size + size_of::<u64>());
        ConnectionTable {
            family,
            entries: self.swept.entries[index],
            size: u64::from(self.plane.sizes().connections[index]),
            slots: (buckets * WAYS) as u64,
            bytes: bytes as u64,
            evicted: self.tables.noted(Event::Evicted),
            thinned: self.tables.noted(Event::Thinned),
            stateless: self.tables.noted(Event::Stateless),
        }
    }

    /// By verdict, and what the kernel could not send afterwards.
    fn dropped(&self) -> Vec<Counter> {
        let failures = Failure::ALL.iter().map(|&failure| Counter {
            reason: failure.name().to_owned(),
            meaning: failure.meaning().to_owned(),
            packets: self.tables.failed(failure),
        });
        let dropped = self.counters(Verdict::Drop).into_iter();
        dropped.chain(failures).collect()
    }

    fn counters(&self, verdict: Verdict) -> Vec<Counter> {
        Reason::ALL
            .iter()
            .filter(|reason| reason.verdict() == verdict)
            .map(|&reason| Counter {
                reason: reason.name().to_owned(),
                meaning: reason.meaning().to_owned(),
                packets: self.tables.counted(reason),
            })
            .collect()
    }
}

const BUCKET4: usize = 256;
const BUCKET6: usize = 512;

fn statistics(totals: Totals, rates: Rates) -> Statistics {
    Statistics {
        connections: totals.connections,
        packets_in: totals.packets,
        packets_out: totals.packets_back,
        bytes_in: totals.bytes,
        bytes_out: totals.bytes_back,
        connections_rate: rates.connections,
        packets_in_rate: rates.packets,
        packets_out_rate: rates.packets_back,
        bytes_in_rate: rates.bytes,
        bytes_out_rate: rates.bytes_back,
    }
}

fn mac(bytes: [u8; 6]) -> String {
    bytes.map(|byte| format!("{byte:02x}")).join(":")
}

/// The name that `ip netns` gave this network namespace.
fn namespace_name() -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let own = fs::metadata("/proc/self/ns/net").ok()?;
    let named = fs::read_dir("/run/netns").ok()?.flatten();
    named
        .filter(|entry| {
            fs::metadata(entry.path())
                .is_ok_and(|it| it.ino() == own.ino() && it.dev() == own.dev())
        })
        .find_map(|entry| entry.file_name().into_string().ok())
}
