//! Any site that keeps the rules.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use proptest::option::of;
use proptest::prelude::*;
use rlvs_check::spec::{ServicePolicy, SorryServer};
use rlvs_config::Site;
use rlvs_config::model::vrrp::{Instance, Notify, Vrrp};
use rlvs_config::model::{Alerts, Command, Mail, RealServer, VirtualAddress, VirtualServer};
use rlvs_config::settings::{Api, Listen, Log, LogFormat, LogLevel, Metrics, Settings};
use rlvs_control::model::{Family, Granularity, GueChecksum, Persistence, Tunnel};
use rlvs_control::{
    ClientAddress, Destination, DestinationKey, ForwardingMethod, Protocol, Service, ServiceKey,
    Timeouts,
};

use super::checks::check;

/// A text with what might need quotes.
pub(crate) fn text() -> impl Strategy<Value = String> {
    "[a-z/ \"'\\\\é=#{}.]{1,8}"
}

pub(crate) fn site() -> impl Strategy<Value = Site> {
    let services = prop::collection::vec(server(), 0..4);
    let timeouts = of((1..9999_u32, 1..9999_u32, 1..9999_u32));
    let parts = (services, timeouts, alerts(), vrrp(), settings());
    parts.prop_map(|(mut services, timeouts, alerts, vrrp, settings)| {
        // Each with addresses of its own.
        for (index, server) in services.iter_mut().enumerate() {
            for service in &mut server.services {
                apart(&mut service.key, index as u8);
            }
        }
        Site {
            settings,
            timeouts: timeouts.map(|(tcp, tcp_fin, udp)| Timeouts { tcp, tcp_fin, udp }),
            services,
            alerts,
            addresses: vec![VirtualAddress::new("192.0.2.1/32".parse().unwrap())],
            vrrp,
        }
    })
}

/// Those of the ways in, and of the log.
fn settings() -> impl Strategy<Value = Settings> {
    let ports = prop::collection::btree_set(1..9999_u16, 0..3);
    let format = prop_oneof![Just(LogFormat::Text), Just(LogFormat::Json)];
    (ports, any::<bool>(), format, text()).prop_map(|(ports, destinations, format, name)| {
        let here = |port: &u16| (Ipv4Addr::LOCALHOST, *port).into();
        let listen = Listen(ports.iter().map(here).collect());
        Settings {
            api: Api {
                tokens: (!ports.is_empty()).then(|| format!("/{name}").into()),
                listen: listen.clone(),
                ..Api::default()
            },
            metrics: Metrics {
                listen,
                destinations,
            },
            log: Log {
                format,
                level: LogLevel::Warn,
            },
            ..Settings::default()
        }
    })
}

fn apart(key: &mut ServiceKey, index: u8) {
    match key {
        ServiceKey::Address { address, .. } => *address = Ipv4Addr::new(192, 0, 2, index).into(),
        ServiceKey::Mark { mark, .. } => *mark = *mark * 8 + u32::from(index),
    }
}

fn server() -> impl Strategy<Value = VirtualServer> {
    let real = prop::collection::btree_set(1..200_u8, 0..5).prop_flat_map(reals);
    (
        services(),
        real,
        policy(),
        of(text()),
        of(command()),
        any::<bool>(),
    )
        .prop_map(
            |(services, real, policy, group, quorum_up, smtp_alert)| VirtualServer {
                group,
                services,
                local_addresses: Vec::new(),
                real,
                sorry_server: policy.sorry_server.map(|_| destination(250)),
                policy,
                quorum_up: quorum_up.clone(),
                quorum_down: quorum_up,
                smtp_alert,
            },
        )
}

fn services() -> impl Strategy<Value = Vec<Service>> {
    let ports = prop::collection::btree_set(1..9999_u16, 1..4);
    let marks = prop::collection::btree_set(1..99_u32, 0..3);
    let scheduler = prop::sample::select(vec![("wlc", 0), ("sh", 3), ("mh", 2), ("wrr", 5)]);
    let persistence = of((1..9999_u32, any::<u32>()));
    (ports, marks, scheduler, persistence, 0..3_usize).prop_map(
        |(ports, marks, (scheduler, scheduler_flags), persistence, client)| {
            let service = |key| Service {
                key,
                scheduler: scheduler.to_owned(),
                scheduler_flags,
                persistence: persistence.map(|(timeout, mask)| Persistence {
                    timeout,
                    granularity: Granularity::Mask(mask.into()),
                }),
                one_packet: false,
                persistence_engine: (client == 1).then(|| "sip".to_owned()),
                client_address: [
                    ClientAddress::Toa,
                    ClientAddress::Proxy,
                    ClientAddress::None,
                ][client],
                slow_start: if scheduler == "wlc" { 30 } else { 0 },
            };
            keys(ports, marks).map(service).collect()
        },
    )
}

fn keys(ports: BTreeSet<u16>, marks: BTreeSet<u32>) -> impl Iterator<Item = ServiceKey> {
    let address = Ipv4Addr::UNSPECIFIED.into();
    let protocol = Protocol::Tcp;
    let addresses = ports.into_iter().map(move |port| ServiceKey::Address {
        protocol,
        address,
        port,
    });
    let family = Family::Ipv4;
    addresses.chain(
        marks
            .into_iter()
            .map(move |mark| ServiceKey::Mark { family, mark }),
    )
}

fn reals(last: BTreeSet<u8>) -> impl Strategy<Value = Vec<RealServer>> {
    last.into_iter().map(real).collect::<Vec<_>>()
}

fn real(last: u8) -> impl Strategy<Value = RealServer> {
    let checks = prop_oneof![Just(Vec::new()), prop::collection::vec(check(), 1..3),];
    let numbers = (0..99_u32, 0..99_u32, 0..5_usize);
    (checks, of(command()), numbers, any::<bool>()).prop_map(
        move |(checks, notify_up, (weight, upper, method), flag)| RealServer {
            destination: Destination {
                weight,
                method: methods()[method],
                upper_threshold: upper,
                lower_threshold: upper / 2,
                ..destination(last)
            },
            inhibit_on_failure: flag,
            checks,
            notify_down: notify_up.clone(),
            notify_up,
            smtp_alert: flag,
        },
    )
}

fn methods() -> [ForwardingMethod; 5] {
    let gue = Tunnel::Gue {
        port: 6080,
        checksum: GueChecksum::Remote,
    };
    [
        ForwardingMethod::Masquerade,
        ForwardingMethod::Route,
        ForwardingMethod::FullNat,
        ForwardingMethod::Tunnel(Tunnel::Gre { checksum: true }),
        ForwardingMethod::Tunnel(gue),
    ]
}

fn destination(last: u8) -> Destination {
    Destination {
        key: DestinationKey {
            address: Ipv4Addr::new(10, 0, 0, last).into(),
            port: 80,
        },
        method: ForwardingMethod::Masquerade,
        weight: 1,
        upper_threshold: 0,
        lower_threshold: 0,
    }
}

fn policy() -> impl Strategy<Value = ServicePolicy> {
    (
        10..20_u32,
        0..9_u32,
        any::<bool>(),
        of(any::<bool>()),
        of(0..=100_u8),
    )
        .prop_map(
            |(quorum, hysteresis, omega, sorry, max_down)| ServicePolicy {
                quorum,
                hysteresis,
                omega,
                ha_suspend: omega,
                sorry_server: sorry.map(|inhibit| SorryServer { inhibit }),
                max_down: max_down.map(|percent| percent.try_into().unwrap()),
            },
        )
}

fn command() -> impl Strategy<Value = Command> {
    (prop::collection::vec(text(), 1..4), of(text())).prop_map(|(words, user)| Command {
        words,
        group: user.clone(),
        user,
    })
}

fn alerts() -> impl Strategy<Value = Alerts> {
    let address = "[a-z][a-z=#']{0,4}@[a-z]{1,8}";
    (of(address), any::<bool>()).prop_map(|(from, no_faults)| Alerts {
        mail: from.map(|from| Mail {
            to: vec![from.clone()],
            from: Some(from),
            no_faults,
            ..Mail::default()
        }),
        ..Alerts::default()
    })
}

fn vrrp() -> impl Strategy<Value = Vrrp> {
    let instance = (text(), of(any::<u8>()), of(0.0..99.0), of(command())).prop_map(
        |(name, priority, advert_int, any)| Instance {
            name,
            priority,
            advert_int,
            notify: Notify {
                any,
                ..Notify::default()
            },
            ..Instance::default()
        },
    );
    prop::collection::vec(instance, 0..3).prop_map(|instance| Vrrp {
        instance,
        ..Vrrp::default()
    })
}
