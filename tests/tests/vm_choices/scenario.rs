//! What happens in one scenario, without addresses: those come from the [`World`] it runs in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rlvs_control::model::{Family, Granularity, Persistence, Tunnel};
use rlvs_control::{Change, Destination, DestinationKey, ForwardingMethod, Protocol};
use rlvs_control::{Service, ServiceKey};
use rlvs_tests::place::server_address;

/// Real servers there are.
pub(crate) const SERVERS: u8 = 8;
/// Clients there are.
pub(crate) const CLIENTS: u8 = 6;

/// One service or two, and what happens to them.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) ipv6: bool,
    /// Of `net.ipv4.vs`; all others have their default.
    pub(crate) settings: Vec<Setting>,
    pub(crate) steps: Vec<Step>,
}

/// What a setting is in a scenario, and what it is by default.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) value: u8,
    pub(crate) default: u8,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Made one by one by `ipvsadm`, as one transaction by rlvs.
    Edit(Vec<Edit>),
    /// Sent one after another.
    Send(Vec<Packet>),
    /// So many seconds in which nothing comes.
    Wait(u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Edit {
    BeginService(Virtual),
    ChangeService(Virtual),
    EndService(u8),
    Add(Real),
    Change(Real),
    Remove { service: u8, server: u8 },
}

/// A virtual service; its number decides protocol and port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Virtual {
    pub(crate) service: u8,
    pub(crate) scheduler: &'static str,
    /// Of the scheduler: its first bit falls back, its second adds the port.
    pub(crate) flags: u8,
    /// Timeout, and how many bits of the client's address count (of 32, or 128).
    pub(crate) persistence: Option<(u32, u8)>,
    pub(crate) one_packet: bool,
}

/// A destination.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Real {
    pub(crate) service: u8,
    pub(crate) server: u8,
    pub(crate) method: Method,
    pub(crate) weight: u32,
    pub(crate) upper: u32,
    pub(crate) lower: u32,
}

/// How a destination gets its packets.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Method {
    DirectRoute,
    Masquerade,
    Tunnel,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet {
    pub(crate) service: u8,
    pub(crate) client: u8,
    pub(crate) port: u16,
    /// Which of the virtual addresses it is sent to.
    pub(crate) address: u8,
    /// And which port.
    pub(crate) to: u16,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Syn,
    /// A SYN from a port that was used before: the kernel ends a connection a moment later.
    SynAgain,
    Ack,
    Fin,
    Rst,
    /// TCP without a flag.
    Bare,
    Datagram,
    /// SCTP, with a chunk of this type.
    Chunk(u8),
    /// An INIT from a port that was used before.
    InitAgain,
}

impl Virtual {
    /// With nothing but its scheduler.
    pub(crate) fn plain(service: u8, scheduler: &'static str) -> Self {
        Self {
            service,
            scheduler,
            flags: 0,
            persistence: None,
            one_packet: false,
        }
    }
}

impl Real {
    /// By direct routing, of weight 1, without thresholds.
    pub(crate) fn plain(service: u8, server: u8) -> Self {
        Self {
            service,
            server,
            method: Method::DirectRoute,
            weight: 1,
            upper: 0,
            lower: 0,
        }
    }
}

impl Packet {
    /// Of the first client, to where the service is.
    pub(crate) fn plain(service: u8, client_port: u16, kind: Kind) -> Self {
        Self {
            service,
            client: 0,
            port: client_port,
            address: 0,
            to: port(service),
            kind,
        }
    }
}

impl Kind {
    /// The kernel may end a connection for it, a moment later.
    pub(crate) fn begins_again(self) -> bool {
        matches!(self, Self::SynAgain | Self::InitAgain)
    }
}

impl Scenario {
    pub(crate) fn edits(&self) -> impl Iterator<Item = &Edit> {
        let edits = self.steps.iter().map(|step| match step {
            Step::Edit(edits) => edits.as_slice(),
            Step::Send(_) | Step::Wait(_) => &[],
        });
        edits.flatten()
    }

    pub(crate) fn deletes_a_service(&self) -> bool {
        self.edits().any(|edit| matches!(edit, Edit::EndService(_)))
    }

    /// Whether there is a service by mark, which is the same one in all scenarios.
    pub(crate) fn has_mark(&self) -> bool {
        let begins = |edit: &Edit| matches!(edit, Edit::BeginService(it) if it.service == MARKED);
        self.edits().any(begins)
    }

    pub(crate) fn removes_a_destination(&self) -> bool {
        self.edits()
            .any(|edit| matches!(edit, Edit::Remove { .. } | Edit::EndService(_)))
    }

    /// Whether two services remember clients alike: FTP's and that of all other ports.
    pub(crate) fn shares_templates(&self) -> bool {
        let begins = |wanted| {
            let is_it =
                move |edit: &Edit| matches!(edit, Edit::BeginService(it) if it.service == wanted);
            self.edits().any(is_it)
        };
        begins(ALL_TCP) && begins(FTP)
    }

    /// Seconds that all waits take.
    pub(crate) fn waits(&self) -> u64 {
        let waits = self.steps.iter().map(|step| match step {
            Step::Wait(seconds) => *seconds,
            Step::Edit(_) | Step::Send(_) => 0,
        });
        waits.sum()
    }

    pub(crate) fn edits_a_service(&self) -> bool {
        self.edits()
            .any(|edit| matches!(edit, Edit::ChangeService(_)))
    }
}

/// Addresses of one run of a scenario; each run has a virtual address of its own, so that
/// nothing of an earlier one is found again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    pub(crate) ipv6: bool,
    pub(crate) run: u16,
}

/// Services on all ports: of TCP, and of UDP.
pub(crate) const ALL_TCP: u8 = 4;
pub(crate) const ALL_UDP: u8 = 5;
pub(crate) const FTP: u8 = 6;
/// By firewall mark: TCP to [`MARKED_PORTS`] of all [`ADDRESSES`].
pub(crate) const MARKED: u8 = 7;
pub(crate) const MARKED_PORTS: [u16; 2] = [87, 88];
/// Virtual addresses of a run; all services but [`MARKED`] are at the first.
pub(crate) const ADDRESSES: u8 = 4;

/// Service 0 and 2 speak TCP, service 1 UDP, service 3 SCTP.
pub(crate) fn protocol(service: u8) -> Protocol {
    match service {
        1 | ALL_UDP => Protocol::Udp,
        3 => Protocol::Sctp,
        _ => Protocol::Tcp,
    }
}

pub(crate) fn port(service: u8) -> u16 {
    match service {
        ALL_TCP | ALL_UDP | MARKED => 0,
        FTP => 21,
        _ => 80 + u16::from(service),
    }
}

impl World {
    /// The first virtual address.
    pub(crate) fn vip(&self) -> IpAddr {
        self.address(0)
    }

    pub(crate) fn address(&self, number: u8) -> IpAddr {
        let [high, low] = (self.run ^ u16::from(number) << 14).to_be_bytes();
        match self.ipv6 {
            false => Ipv4Addr::new(10, 99, high, low).into(),
            true => Ipv6Addr::new(0xfd99, 0, 0, 0, 0, 0, number.into(), self.run).into(),
        }
    }

    pub(crate) fn has(&self, address: IpAddr) -> bool {
        (0..ADDRESSES).any(|number| self.address(number) == address)
    }

    pub(crate) fn virtual_address(&self, service: u8) -> SocketAddr {
        SocketAddr::new(self.vip(), port(service))
    }

    pub(crate) fn key(&self, service: u8) -> ServiceKey {
        if service == MARKED {
            return ServiceKey::Mark {
                mark: MARKED.into(),
                family: match self.ipv6 {
                    false => Family::Ipv4,
                    true => Family::Ipv6,
                },
            };
        }
        let address = self.virtual_address(service);
        ServiceKey::Address {
            protocol: protocol(service),
            address: address.ip(),
            port: address.port(),
        }
    }

    pub(crate) fn server(&self, server: u8) -> IpAddr {
        server_address(self.ipv6, server)
    }

    /// Clients 0, 1 and 2 are alike in ever fewer leading bits to 3, 4 and 5. Each run has its
    /// own, so that not all templates of large networks meet in the same places of a table.
    pub(crate) fn client(&self, client: u8) -> IpAddr {
        let (a, b, c) = [
            (96, 0, 1),
            (96, 0, 2),
            (96, 0, 77),
            (96, 1, 1),
            (96, 17, 3),
            (97, 0, 9),
        ][usize::from(client % CLIENTS)];
        match self.ipv6 {
            false => Ipv4Addr::new(20 + (self.run % 100) as u8, a, b, c).into(),
            true => {
                let (run, a, b, c) = (0x2100 + self.run, u16::from(a), u16::from(b), u16::from(c));
                Ipv6Addr::new(run, a, 0, 0, b, 0, 0, c).into()
            }
        }
    }

    /// The change as the director's API and [`line`] have it.
    pub(crate) fn change(&self, edit: &Edit) -> Change {
        match *edit {
            Edit::BeginService(service) => Change::AddService(self.service(&service)),
            Edit::ChangeService(service) => Change::EditService(self.service(&service)),
            Edit::EndService(service) => Change::DeleteService(self.key(service)),
            Edit::Add(real) => Change::AddDestination {
                service: self.key(real.service),
                destination: self.destination(&real),
            },
            Edit::Change(real) => Change::EditDestination {
                service: self.key(real.service),
                destination: self.destination(&real),
            },
            Edit::Remove { service, server } => Change::DeleteDestination {
                service: self.key(service),
                destination: self.destination_key(service, server),
            },
        }
    }

    fn service(&self, of: &Virtual) -> Service {
        let granularity = |bits: u8| match self.ipv6 {
            false => Granularity::Mask(Ipv4Addr::from_bits(u32::MAX << (32 - u32::from(bits)))),
            true => Granularity::Prefix(bits),
        };
        Service {
            key: self.key(of.service),
            scheduler: of.scheduler.to_owned(),
            scheduler_flags: of.flags,
            persistence: of.persistence.map(|(timeout, bits)| Persistence {
                timeout,
                granularity: granularity(bits),
            }),
            one_packet: of.one_packet,
            persistence_engine: None,
            client_address: Default::default(),
            slow_start: 0,
        }
    }

    fn destination(&self, of: &Real) -> Destination {
        Destination {
            key: self.destination_key(of.service, of.server),
            method: match of.method {
                Method::DirectRoute => ForwardingMethod::Route,
                Method::Masquerade => ForwardingMethod::Masquerade,
                Method::Tunnel => ForwardingMethod::Tunnel(Tunnel::Ipip),
            },
            weight: of.weight,
            upper_threshold: of.upper,
            lower_threshold: of.lower,
        }
    }

    fn destination_key(&self, service: u8, server: u8) -> DestinationKey {
        DestinationKey {
            address: self.server(server),
            port: self.virtual_address(service).port(),
        }
    }
}
