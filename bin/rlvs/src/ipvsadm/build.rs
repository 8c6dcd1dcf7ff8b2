//! From what was typed to the [`Command`] that it means.

use std::net::IpAddr;

use rlvs_control::model::{Family, GueChecksum, Persistence, Tunnel};
use rlvs_control::{
    Change, Destination, DestinationKey, ForwardingMethod, Protocol, Service, ServiceKey,
};

use super::command::{Columns, Command, Listing, ServiceListing, Subject};
use super::failure::Failure;
use super::flags::{Method, Verb};
use super::options::{Opt, missing};
use super::typed::{TunnelType, Typed};

/// The scheduler unless one is named.
const USUAL_SCHEDULER: &str = "wlc";
/// What only tunnels have.
const TUNNEL_OPTIONS: [Opt; 5] = [
    Opt::TunnelType,
    Opt::TunnelPort,
    Opt::TunnelNoChecksum,
    Opt::TunnelChecksum,
    Opt::TunnelRemoteChecksum,
];

impl Typed {
    /// `timeouts` are those of `--set`.
    pub(super) fn command(&self, verb: Verb, timeouts: &[u32]) -> Result<Command, Failure> {
        self.given.check(verb)?;
        Ok(match verb {
            Verb::Help => Command::Help,
            Verb::List => Command::List(self.listing()),
            Verb::Restore => Command::Restore,
            Verb::Save => Command::Save {
                numeric: self.given.has(Opt::Numeric),
            },
            Verb::GetLocalAddresses => Command::LocalAddresses {
                only: self.service,
                numeric: self.given.has(Opt::Numeric),
            },
            Verb::Version => Command::Version,
            verb => Command::Change(self.change(verb, timeouts)?),
        })
    }

    fn change(&self, verb: Verb, timeouts: &[u32]) -> Result<Change, Failure> {
        Ok(match (verb, timeouts) {
            (Verb::AddService, _) => Change::AddService(self.virtual_service()?),
            (Verb::EditService, _) => Change::EditService(self.virtual_service()?),
            (Verb::DeleteService, _) => Change::DeleteService(self.key()?),
            (Verb::AddLocalAddress, _) => Change::AddLocalAddress {
                service: self.key()?,
                address: self.local_address()?,
            },
            (Verb::DeleteLocalAddress, _) => Change::DeleteLocalAddress {
                service: self.key()?,
                address: self.local_address()?,
            },
            (Verb::AddServer, _) => {
                let (service, destination) = self.destination()?;
                Change::AddDestination {
                    service,
                    destination,
                }
            }
            (Verb::EditServer, _) => {
                let (service, destination) = self.destination()?;
                Change::EditDestination {
                    service,
                    destination,
                }
            }
            (Verb::DeleteServer, _) => {
                let (service, destination) = (self.key()?, self.server()?);
                Change::DeleteDestination {
                    service,
                    destination,
                }
            }
            (Verb::Set, &[tcp, tcp_fin, udp]) => Change::SetTimeouts { tcp, tcp_fin, udp },
            (Verb::StartDaemon, _) => Change::StartDaemon(self.daemon.clone()),
            (Verb::StopDaemon, _) => Change::StopDaemon(self.daemon.role),
            (Verb::Zero, _) => Change::Zero {
                service: self.service,
            },
            _ => Change::Flush,
        })
    }

    fn virtual_service(&self) -> Result<Service, Failure> {
        let key = self.key()?;
        self.check_service(&key)?;
        let scheduler = if self.scheduler.is_empty() {
            USUAL_SCHEDULER
        } else {
            &self.scheduler
        };
        let persistence = Persistence {
            timeout: self.timeout,
            granularity: self.granularity,
        };
        Ok(Service {
            key,
            scheduler: scheduler.to_owned(),
            scheduler_flags: self.scheduler_bits,
            persistence: self.given.has(Opt::Persistent).then_some(persistence),
            one_packet: self.given.has(Opt::OnePacket),
            persistence_engine: self.engine.clone(),
            client_address: self.client_address,
            slow_start: self.slow_start,
        })
    }

    fn check_service(&self, key: &ServiceKey) -> Result<(), Failure> {
        let ServiceKey::Address { protocol, port, .. } = *key else {
            return Ok(());
        };
        if port == 0 && !self.given.has(Opt::Persistent) {
            return Err(Failure::usage(
                "Zero port specified for non-persistent service",
            ));
        }
        if self.given.has(Opt::OnePacket) && protocol != Protocol::Udp {
            let text = "One-Packet Scheduling is only for UDP virtual services";
            return Err(Failure::usage(text));
        }
        Ok(())
    }

    fn destination(&self) -> Result<(ServiceKey, Destination), Failure> {
        let (service, key) = (self.key()?, self.server()?);
        let method = self.forwarding(&service, key.address)?;
        let destination = Destination {
            key,
            method,
            weight: self.weight,
            upper_threshold: self.upper,
            lower_threshold: self.lower,
        };
        Ok((service, destination))
    }

    fn forwarding(
        &self,
        service: &ServiceKey,
        server: IpAddr,
    ) -> Result<ForwardingMethod, Failure> {
        if self.method == Method::Tunnel {
            return Ok(ForwardingMethod::Tunnel(self.tunnel()?));
        }
        if server.is_ipv6() != (service.family() == Family::Ipv6) {
            return Err(Failure::usage(
                "Different address family is allowed only for tunneling servers",
            ));
        }
        if self.given.any(&TUNNEL_OPTIONS) {
            return Err(Failure::usage(
                "Tunnel options conflict with forward method",
            ));
        }
        Ok(match self.method {
            Method::FullNat => ForwardingMethod::FullNat,
            Method::Masquerade => ForwardingMethod::Masquerade,
            Method::Route | Method::Tunnel => ForwardingMethod::Route,
        })
    }

    fn tunnel(&self) -> Result<Tunnel, Failure> {
        let kind = "tunnel type";
        let checksum = self.given.has(Opt::TunnelChecksum);
        match self.tunnel_type {
            TunnelType::Ipip => {
                self.given.forbid(&TUNNEL_OPTIONS[1..], "ipip", kind)?;
                Ok(Tunnel::Ipip)
            }
            TunnelType::Gre => {
                let others = [Opt::TunnelPort, Opt::TunnelRemoteChecksum];
                self.given.forbid(&others, "gre", kind)?;
                self.one_checksum("'gre' tunnel type")?;
                Ok(Tunnel::Gre { checksum })
            }
            TunnelType::Gue => {
                if !self.given.has(Opt::TunnelPort) {
                    return Err(missing("tun-port", "gue", kind));
                }
                self.one_checksum("'gue' tunnel type")?;
                Ok(Tunnel::Gue {
                    port: self.tunnel_port,
                    checksum: self.gue_checksum(),
                })
            }
        }
    }

    /// Of the three options on checksums at most one.
    fn one_checksum(&self, with: &str) -> Result<(), Failure> {
        use Opt::{TunnelChecksum, TunnelNoChecksum, TunnelRemoteChecksum};
        self.given.exclude(
            TunnelNoChecksum,
            &[TunnelChecksum, TunnelRemoteChecksum],
            with,
        )?;
        self.given
            .exclude(TunnelChecksum, &[TunnelRemoteChecksum], with)
    }

    fn gue_checksum(&self) -> GueChecksum {
        if self.given.has(Opt::TunnelRemoteChecksum) {
            GueChecksum::Remote
        } else if self.given.has(Opt::TunnelChecksum) {
            GueChecksum::Full
        } else {
            GueChecksum::None
        }
    }

    fn listing(&self) -> Listing {
        let given = self.given;
        let subject = if given.has(Opt::Connection) {
            let persistence_engines = given.has(Opt::PersistentConnections);
            Subject::Connections {
                persistence_engines,
            }
        } else if given.has(Opt::Timeout) {
            Subject::Timeouts
        } else if given.has(Opt::Daemon) {
            Subject::Daemons
        } else {
            Subject::Services(ServiceListing {
                columns: self.columns(),
                only: self.service,
                exact: given.has(Opt::Exact),
                sorted: !given.has(Opt::NoSort),
            })
        };
        Listing {
            subject,
            numeric: given.has(Opt::Numeric),
        }
    }

    /// The first of those asked for.
    fn columns(&self) -> Columns {
        [
            (Opt::Statistics, Columns::Statistics),
            (Opt::Rate, Columns::Rates),
            (Opt::Thresholds, Columns::Thresholds),
            (Opt::PersistentConnections, Columns::Persistence),
            (Opt::TunnelInfo, Columns::Tunnels),
        ]
        .into_iter()
        .find_map(|(option, columns)| self.given.has(option).then_some(columns))
        .unwrap_or(Columns::Usual)
    }

    fn key(&self) -> Result<ServiceKey, Failure> {
        self.service
            .ok_or_else(|| missing("service-address", "service", "command"))
    }

    fn local_address(&self) -> Result<IpAddr, Failure> {
        self.local_address
            .ok_or_else(|| missing("laddr", "local address", "command"))
    }

    fn server(&self) -> Result<DestinationKey, Failure> {
        self.server
            .ok_or_else(|| missing("real-server", "server", "command"))
    }
}
