//! Counters and gauges for Prometheus: what there is to tell, in the text format that it reads.
//!
//! Labels come from the configuration and from fixed lists, never from packets, so there are as many
//! series as services and real servers make. `text` is how they are written.

mod synchronisation;
mod text;
mod vrrp;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rlvs_control::listing::Statistics;
use rlvs_control::model::Family;
use rlvs_control::status::{Attachment, ConnectionTable, Counter, SiteState};
use rlvs_control::{DestinationStatus, Overall, ServiceKey, Services, Status};

use crate::core::Core;
pub(crate) use text::MEDIA;
use text::{Kind, Text};

/// What the core knows at one moment.
#[derive(Clone, Debug)]
pub struct Figures {
    pub status: Status,
    pub services: Services,
    pub overall: Overall,
    pub servers: Vec<CheckedServer>,
    /// Health checks, by kind: how many there are, and how many fail.
    pub checks: BTreeMap<&'static str, [usize; 2]>,
    /// How long the last sweep took.
    pub swept: Duration,
    pub drains: usize,
}

/// A real server of a virtual server with health checks.
#[derive(Clone, Copy, Debug)]
pub struct CheckedServer {
    /// The first service of its virtual server.
    pub service: ServiceKey,
    pub server: SocketAddr,
    pub up: bool,
}

/// What only the API's server knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outside {
    /// Whether real servers of services are shown one by one.
    pub(crate) with_destinations: bool,
    /// What was refused at the API's door, by reason.
    pub(crate) refused: [(&'static str, u64); 3],
}

impl Core {
    pub(crate) fn figures(&self) -> Figures {
        Figures {
            status: self.status(),
            services: self.services(),
            overall: self.overall(),
            servers: self.managed.checked_servers(),
            checks: self.managed.checks(),
            swept: self.swept.took,
            drains: self.draining().count(),
        }
    }
}

/// A counter, what it counts, and where it is.
type Count<T> = (&'static str, &'static str, fn(&T) -> u64);

/// What is counted of services, of real servers, and of all together.
const STATISTICS: [Count<Statistics>; 5] = [
    (
        "connections_total",
        "Connections that were scheduled",
        |it| it.connections,
    ),
    ("packets_in_total", "Packets from clients", |it| {
        it.packets_in
    }),
    (
        "packets_out_total",
        "Packets to clients, where they come back by the director",
        |it| it.packets_out,
    ),
    ("bytes_in_total", "Bytes from clients", |it| it.bytes_in),
    (
        "bytes_out_total",
        "Bytes to clients, where they come back by the director",
        |it| it.bytes_out,
    ),
];

const OF_DESTINATIONS: [Count<DestinationStatus>; 4] = [
    (
        "active_connections",
        "Connections that are established",
        |it| it.active_connections.into(),
    ),
    (
        "inactive_connections",
        "Connections that begin or end, and all of UDP",
        |it| it.inactive_connections.into(),
    ),
    (
        "persistent_connections",
        "Clients that persistence sends there",
        |it| it.persistent_connections.into(),
    ),
    ("weight", "Weight; 0 takes no new connections", |it| {
        it.destination.weight.into()
    }),
];

const OF_TABLES: [Count<ConnectionTable>; 4] = [
    ("entries", "Connections and templates that live", |it| {
        it.entries
    }),
    ("size", "Connections that the table is made for", |it| {
        it.size
    }),
    ("slots", "Places in the table", |it| it.slots),
    ("bytes", "Bytes of kernel memory that the table has", |it| {
        it.bytes
    }),
];

const ENDED_EARLY: [Count<ConnectionTable>; 3] = [
    (
        "evicted_total",
        "Connections that ended early to make room",
        |it| it.evicted,
    ),
    (
        "thinned_total",
        "Connections and templates that ended early because memory was short",
        |it| it.thinned,
    ),
    (
        "stateless_total",
        "Packets that were forwarded without an entry, for want of room",
        |it| it.stateless,
    ),
];

/// Writes all of it.
pub(crate) fn write(out: &mut dyn io::Write, it: &Figures, outside: &Outside) -> io::Result<()> {
    let mut text = Text(out);
    daemon(&mut text, it, outside)?;
    for (name, help, of) in STATISTICS {
        let value = of(&it.overall.statistics);
        let help = format!("{help}, of all services, also those that are gone");
        text.one(&format!("rlvs_{name}"), Kind::Counter, &help, value)?;
    }
    services(&mut text, &it.services)?;
    if outside.with_destinations {
        destinations(&mut text, &it.services)?;
    }
    health(&mut text, it)?;
    vrrp::write(&mut text, &it.status.vrrp)?;
    tables(&mut text, it)?;
    if let Some(now) = &it.status.synchronisation {
        synchronisation::write(&mut text, now)?;
    }
    packets(
        &mut text,
        "dropped",
        "Packets that were dropped",
        &it.status.dropped,
    )?;
    packets(
        &mut text,
        "passed",
        "Packets that went on to the stack",
        &it.status.passed,
    )
}

fn daemon(text: &mut Text<'_>, it: &Figures, outside: &Outside) -> io::Result<()> {
    let version = it.status.daemon.version.clone();
    text.family(
        "rlvs_build_info",
        Kind::Gauge,
        "The director that runs; always 1",
        [([("version", version)], 1)],
    )?;
    text.one(
        "rlvs_uptime_seconds",
        Kind::Gauge,
        "Seconds since the daemon began",
        it.status.daemon.uptime_seconds,
    )?;
    text.one(
        "rlvs_rules_number",
        Kind::Gauge,
        "Number of the transaction that made the rules what they are",
        it.status.number,
    )?;
    let interfaces = it.status.interfaces.iter().map(|it| {
        let mode = mode(it.attachment).to_owned();
        ([("interface", it.name.clone()), ("mode", mode)], 1)
    });
    text.family(
        "rlvs_interface_info",
        Kind::Gauge,
        "How the program sits on an interface; always 1",
        interfaces,
    )?;
    let refused = outside.refused.into_iter();
    text.family(
        "rlvs_api_refused_total",
        Kind::Counter,
        "What was refused at the API over TCP",
        refused.map(|(reason, count)| ([("reason", reason.to_owned())], count)),
    )
}

fn services(text: &mut Text<'_>, it: &Services) -> io::Result<()> {
    let services = &it.services;
    for (name, help, of) in STATISTICS {
        let samples = services.iter().map(|it| {
            let service = it.service.key.to_string();
            ([("service", service)], of(&it.statistics))
        });
        let help = format!("{help}, by virtual service");
        text.family(
            &format!("rlvs_service_{name}"),
            Kind::Counter,
            &help,
            samples,
        )?;
    }
    let samples = services.iter().map(|it| {
        let service = it.service.key.to_string();
        ([("service", service)], it.destinations.len())
    });
    text.family(
        "rlvs_service_destinations",
        Kind::Gauge,
        "Real servers of a virtual service",
        samples,
    )
}

fn destinations(text: &mut Text<'_>, it: &Services) -> io::Result<()> {
    let all = |of: fn(&DestinationStatus, usize) -> u64, index| {
        it.services.iter().flat_map(move |service| {
            service.destinations.iter().map(move |it| {
                let labels = [
                    ("service", service.service.key.to_string()),
                    ("destination", it.destination.key.to_string()),
                ];
                (labels, of(it, index))
            })
        })
    };
    for (index, (name, help, _)) in STATISTICS.iter().enumerate() {
        let samples = all(|it, index| STATISTICS[index].2(&it.statistics), index);
        let help = format!("{help}, by virtual service and real server");
        text.family(
            &format!("rlvs_destination_{name}"),
            Kind::Counter,
            &help,
            samples,
        )?;
    }
    for (index, (name, help, _)) in OF_DESTINATIONS.iter().enumerate() {
        let samples = all(|it, index| OF_DESTINATIONS[index].2(it), index);
        text.family(
            &format!("rlvs_destination_{name}"),
            Kind::Gauge,
            help,
            samples,
        )?;
    }
    Ok(())
}

fn health(text: &mut Text<'_>, it: &Figures) -> io::Result<()> {
    let servers = it.servers.iter().map(|it| {
        let labels = [
            ("service", it.service.to_string()),
            ("destination", it.server.to_string()),
        ];
        (labels, u8::from(it.up))
    });
    text.family(
        "rlvs_real_server_up",
        Kind::Gauge,
        "Whether a real server's health checks succeed, by the first service of its virtual server",
        servers,
    )?;
    for (index, (name, help)) in [
        ("rlvs_checks", "Health checks that are made, by kind"),
        ("rlvs_checks_failing", "Health checks that fail, by kind"),
    ]
    .into_iter()
    .enumerate()
    {
        let samples = it.checks.iter();
        let samples = samples.map(|(kind, counts)| ([("kind", (*kind).to_owned())], counts[index]));
        text.family(name, Kind::Gauge, help, samples)?;
    }
    if let Some(site) = &it.status.site {
        site_state(text, site)?;
    }
    text.one(
        "rlvs_drains",
        Kind::Gauge,
        "Real servers of services that are being drained",
        it.drains,
    )
}

fn site_state(text: &mut Text<'_>, site: &SiteState) -> io::Result<()> {
    text.one(
        "rlvs_site_number",
        Kind::Gauge,
        "Number of the site that was applied last",
        site.number,
    )?;
    let without = site.troubled.iter().filter(|it| !it.quorum).count();
    text.one(
        "rlvs_virtual_servers_without_quorum",
        Kind::Gauge,
        "Virtual servers that have lost their quorum",
        without,
    )?;
    let sorry = site.troubled.iter().filter(|it| it.sorry).count();
    text.one(
        "rlvs_virtual_servers_sorry",
        Kind::Gauge,
        "Virtual servers whose sorry server serves",
        sorry,
    )
}

fn tables(text: &mut Text<'_>, it: &Figures) -> io::Result<()> {
    let tables = &it.status.connections;
    let samples = |of: fn(&ConnectionTable) -> u64| {
        let tables = tables.iter();
        tables.map(move |it| ([("family", family(it.family).to_owned())], of(it)))
    };
    for (name, help, of) in OF_TABLES {
        let help = format!("{help}, by IP version");
        text.family(
            &format!("rlvs_table_{name}"),
            Kind::Gauge,
            &help,
            samples(of),
        )?;
    }
    for (name, help, of) in ENDED_EARLY {
        let help = format!("{help}, by IP version");
        text.family(
            &format!("rlvs_table_{name}"),
            Kind::Counter,
            &help,
            samples(of),
        )?;
    }
    text.one(
        "rlvs_sweep_seconds",
        Kind::Gauge,
        "Seconds that the last sweep over the connection tables took",
        it.swept.as_secs_f64(),
    )
}

fn packets(text: &mut Text<'_>, name: &str, help: &str, counters: &[Counter]) -> io::Result<()> {
    let samples = counters.iter();
    let samples = samples.map(|it| ([("reason", it.reason.clone())], it.packets));
    text.family(
        &format!("rlvs_{name}_packets_total"),
        Kind::Counter,
        &format!("{help}, by reason; `rlvs status` says what each means"),
        samples,
    )
}

fn family(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ipv4",
        Family::Ipv6 => "ipv6",
    }
}

fn mode(attachment: Attachment) -> &'static str {
    match attachment {
        Attachment::Native => "native",
        Attachment::Generic => "generic",
        Attachment::Tc => "tc",
        Attachment::Detached => "detached",
    }
}
