//! Random packets, changes and clocks: the engine does what the model does.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use rlvs_control::model::Granularity;
use rlvs_control::{Change, ServiceKey};
use rlvs_director::installed::Totals as Counted;
use rlvs_director::sweep;
use rlvs_engine::frame::{Route, Way};
use rlvs_engine::memory::{self, Bytes, Memory};
use rlvs_engine::process::process;
use rlvs_engine::reason::Event;
use rlvs_engine::service::filter;
use rlvs_engine::settings::{TICK_SHIFT, ticks};
use rlvs_engine::sysctl::Sysctl;
use rlvs_engine::{Reason, Tables, V4, V6, Verdict};
use rlvs_testing::Packet;
use rlvs_testing::packet::{
    ACK, DIRECTOR, ETHERNET, FIN, Fragment, GRE, Lie, RST, SYN, Upper, checksum,
};
use rlvs_testing::site::{INTERFACE, Site, changes, clients, mac, real_server, service_addresses};
use rlvs_testing::site::{
    OTHER_INTERFACE, REAL_SERVERS, changes_of, service, service_keys, sysctl,
};
use rlvs_testing::strategy::{dressed, packets};

use crate::model::{Fate, Model, Totals};

#[derive(Clone, Debug)]
enum Step {
    Packet(Packet),
    /// Not for the director, or not a packet.
    Junk(Packet),
    Change(Change),
    Pass(u32),
    Sweep,
    Sysctl(Sysctl, u32),
}

/// Engine and model side by side.
struct Both {
    site: Site<Memory>,
    model: Model,
    now: Instant,
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn engine_and_model_agree(
        first in vec(changes(), 20..40),
        steps in vec(steps(24), 100..400),
    ) {
        let mut both = Both::new();
        for change in first {
            both.take(Step::Change(change));
        }
        for step in steps {
            both.take(step);
        }
        both.check_counts();
        both.end();
    }

    /// Much ado about one service: every choice, through every change.
    #[test]
    fn one_service_chooses_as_the_model_does(
        scheduler in prop::sample::select(vec!["rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf"]),
        steps in vec(steps_of_one(), 100..400),
    ) {
        let mut both = Both::new();
        let key = service_keys()[0];
        both.take(Step::Change(Change::AddService(service(key, scheduler, None))));
        for step in steps {
            // Its scheduler changes, but seldom.
            let is_rare = matches!(step, Step::Change(Change::EditService(_)));
            if !is_rare || both.model.tick.is_multiple_of(5) {
                both.take(step);
            }
        }
        both.check_counts();
        both.end();
    }
}

fn steps_of_one() -> BoxedStrategy<Step> {
    let key = service_keys()[0];
    let client = prop::sample::select(clients(40)).prop_filter("IPv4", SocketAddr::is_ipv4);
    let packet = (
        client,
        prop::sample::select(vec![SYN, SYN, SYN, SYN, ACK, RST, FIN]),
    );
    let packet =
        packet.prop_map(move |(client, flags)| Packet::tcp(client, service_addresses()[0], flags));
    prop_oneof![
        20 => packet.prop_map(Step::Packet),
        6 => changes_of(vec![key]).prop_filter("it stays", |change| {
            !matches!(change, Change::DeleteService(_))
        }).prop_map(Step::Change),
        2 => (0u32..ticks(8)).prop_map(Step::Pass),
        1 => Just(Step::Pass(ticks(10) + 952)),
        2 => Just(Step::Sweep),
    ]
    .boxed()
}

fn steps(of_clients: u16) -> BoxedStrategy<Step> {
    let plain = packets(clients(of_clients), service_addresses());
    let dressed = dressed(plain.clone());
    let junk = (plain.clone(), 0u8..7).prop_map(|(packet, kind)| Step::Junk(junk(packet, kind)));
    let timeouts = (0u32..400, 0u32..400, 0u32..400)
        .prop_map(|(tcp, tcp_fin, udp)| Change::SetTimeouts { tcp, tcp_fin, udp });
    prop_oneof![
        60 => plain.prop_map(Step::Packet),
        20 => dressed.prop_map(Step::Packet),
        4 => junk,
        8 => changes().prop_map(Step::Change),
        1 => timeouts.prop_map(Step::Change),
        6 => prop_oneof![0u32..100, 0u32..ticks(130), 0u32..ticks(1200)].prop_map(Step::Pass),
        4 => Just(Step::Sweep),
        1 => sysctl().prop_map(|(which, value)| Step::Sysctl(which, value)),
    ]
    .boxed()
}

/// Something that the director leaves to the stack.
fn junk(packet: Packet, kind: u8) -> Packet {
    match kind {
        0 => packet.lying(Lie::Version(9)),
        1 => match packet.upper {
            Upper::Tcp { .. } => packet.lying(Lie::DataOffset(4)),
            Upper::Udp => packet.lying(Lie::UdpLength(3)),
            // A byte of the chunk's header is missing.
            _ => Packet {
                cut: Some(ETHERNET + 20 + 15),
                ..packet
            },
        },
        2 => Packet {
            cut: Some(40),
            ..packet
        },
        3 => Packet {
            vlan: Some(3),
            ..packet
        },
        4 => Packet {
            to: [0xff; 6],
            ..packet
        },
        5 => Packet {
            fragment: Some(Fragment {
                offset: 5,
                more: true,
            }),
            ..packet
        },
        _ => Packet {
            upper: Upper::Other(GRE),
            ..packet
        },
    }
}

impl Both {
    fn new() -> Self {
        let sizes = memory::Sizes {
            connections: 4096,
            services: 16,
            destinations: 128,
            nodes: 4096,
        };
        let site = Site::new(Memory::new(sizes));
        // Soon to wrap.
        site.store
            .clock
            .store(u32::MAX - ticks(300), Ordering::Relaxed);
        Self {
            site,
            model: Model::new(),
            now: Instant::now(),
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Packet(packet) => self.send(&packet),
            Step::Junk(packet) => {
                let (verdict, frame) = self.process(&packet);
                assert_eq!(verdict, Verdict::Pass, "{packet:?}");
                assert_eq!(frame, packet.build());
            }
            Step::Change(change) => self.change(change),
            Step::Pass(ticks) => self.pass(ticks),
            Step::Sweep => self.sweep(),
            Step::Sysctl(which, value) => {
                self.site.store.settings.set_sysctl(which, value);
                self.model.sysctls.insert(which.name(), value);
            }
        }
    }

    fn process(&self, packet: &Packet) -> (Verdict, Vec<u8>) {
        // One a tick: senders are told nothing here, drops are just drops.
        let store = &self.site.store;
        store.settings.last_error.store(store.now());
        let mut frame = Bytes {
            bytes: packet.build(),
            interface: INTERFACE,
            route: Route::NONE,
            way: Way::In,
            led: None,
        };
        let verdict = process(&mut frame, &self.site.store);
        (verdict, frame.bytes)
    }

    fn send(&mut self, packet: &Packet) {
        let (verdict, frame) = self.process(packet);
        let fate = self.model.packet(packet);
        let expected = match fate {
            Fate::Pass => (Verdict::Pass, packet.build()),
            Fate::Drop => (Verdict::Drop, packet.build()),
            Fate::To(to) => {
                let address = |number: &u8| real_server(to.address.is_ipv6(), *number);
                let number = (0..REAL_SERVERS).find(|it| address(it) == to.address);
                let number = number.expect("it is one of this world");
                let verdict = match number % 4 {
                    2 => Verdict::Redirect(INTERFACE),
                    3 => Verdict::Redirect(OTHER_INTERFACE),
                    _ => Verdict::Transmit,
                };
                (verdict, routed(packet, number))
            }
        };
        assert_eq!((verdict, frame), expected, "{fate:?}: {packet:?}");
    }

    fn change(&mut self, change: Change) {
        let change = of_one_mask(change);
        // What templates of a removed service live by is not defined.
        if let Change::DeleteService(key) = &change
            && self.is_persistent(key)
        {
            return;
        }
        if self.site.change(change.clone(), self.now).is_ok() {
            self.model.change(&change, self.now);
        }
        self.tidy();
    }

    fn is_persistent(&self, key: &ServiceKey) -> bool {
        let service = self.site.desired.service(key);
        service.is_some_and(|it| it.service().persistence.is_some())
    }

    fn pass(&mut self, ticks: u32) {
        self.site.store.clock.fetch_add(ticks, Ordering::Relaxed);
        self.model.tick += u64::from(ticks);
        self.now += Duration::from_nanos(u64::from(ticks) << TICK_SHIFT);
    }

    fn tidy(&mut self) {
        self.site.tidy(self.now);
        self.model.tidy(self.now);
    }

    /// Twice: templates end after the connections they wait for, wherever those lie.
    fn sweep(&mut self) {
        self.model.sweep();
        self.model.sweep_templates();
        let mut entries = 0;
        for _ in 0..2 {
            let mut filter = vec![0; filter::WORDS as usize];
            let memory = &self.site.store;
            entries = sweep::buckets::<V4, _>(
                memory,
                &memory.v4.buckets,
                &mut filter,
                &mut HashMap::new(),
            ) + sweep::buckets::<V6, _>(
                memory,
                &memory.v6.buckets,
                &mut filter,
                &mut HashMap::new(),
            );
        }
        assert_eq!(entries, self.model.entries() as u64);
        self.tidy();
        self.check_counts();
    }

    fn check_counts(&self) {
        let (store, installed) = (&self.site.store, &self.site.installed);
        for (key, totals) in self.model.services() {
            assert_eq!(same(installed.service_totals(store, &key)), totals, "{key}");
        }
        for ((service, key), totals, counts, templates) in self.model.destinations() {
            let number = installed
                .destination(&service, &key)
                .expect("it is installed");
            let load = &store.loads[number as usize];
            let what = format!("{key} of {service}");
            assert_eq!(
                same(installed.destination_totals(store, &service, &key)),
                totals,
                "{what}"
            );
            assert_eq!(load.counts(), counts, "{what}");
            assert_eq!(load.persistent.load(), templates, "{what}");
        }
        assert_eq!(store.counted(Reason::Internal), 0);
        assert_eq!(
            (store.noted(Event::Evicted), store.noted(Event::Stateless)),
            (0, 0)
        );
    }

    /// All ends: nothing is left of it.
    fn end(&mut self) {
        assert_eq!(self.site.store.counted(Reason::Unresolved), 0);
        for _ in 0..3 {
            self.pass(ticks(100_000));
            self.sweep();
        }
        assert_eq!((self.model.entries(), self.model.connections()), (0, 0));
        for (number, load) in self.site.store.loads.iter().enumerate() {
            let left = (
                load.counts(),
                load.persistent.load(),
                load.overloaded.load(),
            );
            assert_eq!(left, ((0, 0), 0, 0), "destination {number}");
        }
    }
}

fn same(totals: Counted) -> Totals {
    let Counted {
        connections,
        packets,
        bytes,
        packets_back,
        bytes_back,
    } = totals;
    assert_eq!((packets_back, bytes_back), (0, 0), "replies pass elsewhere");
    Totals {
        connections,
        packets,
        bytes,
    }
}

/// The frame as it goes to a real server.
fn routed(packet: &Packet, number: u8) -> Vec<u8> {
    let to = Packet {
        to: mac(number),
        from: DIRECTOR,
        hops: packet.hops - 1,
        ..packet.clone()
    };
    let frame = to.build();
    if packet.source.is_ipv4() {
        let header = &frame[ETHERNET..ETHERNET + 20 + 4 * usize::from(packet.options)];
        assert_eq!(checksum(header), 0);
    }
    frame
}

/// Services keep their persistence mask: a template of another mask is another one's.
fn of_one_mask(mut change: Change) -> Change {
    if let Change::AddService(service) | Change::EditService(service) = &mut change
        && let Some(persistence) = &mut service.persistence
    {
        let place = service_keys().iter().position(|key| *key == service.key);
        persistence.granularity = match (place, persistence.granularity) {
            (Some(0 | 2), Granularity::Mask(_)) => Granularity::Mask([255, 255, 255, 0].into()),
            (_, Granularity::Mask(_)) => Granularity::Mask([255; 4].into()),
            (Some(5 | 7), Granularity::Prefix(_)) => Granularity::Prefix(64),
            (_, Granularity::Prefix(_)) => Granularity::Prefix(128),
        };
        persistence.timeout /= 10;
    }
    change
}
