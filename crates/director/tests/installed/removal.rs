//! What is removed leaves nothing behind, and what comes back finds what it had.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rlvs_control::model::{Granularity, Persistence};
use rlvs_control::{Change, ServiceKey};
use rlvs_director::installed::{Installed, Totals};
use rlvs_director::sweep;
use rlvs_engine::frame::{Route, Way};
use rlvs_engine::memory::{Bytes, Memory, Sizes};
use rlvs_engine::process::process;
use rlvs_engine::service::filter;
use rlvs_engine::settings::ticks;
use rlvs_engine::{V4, V6, Verdict};
use rlvs_testing::Packet;
use rlvs_testing::packet::{ACK, RST, SYN};
use rlvs_testing::site::{self, INTERFACE, Site, clients, destination, service_keys};

/// A site with a clock.
struct Town {
    site: Site<Memory>,
    now: Instant,
}

impl Town {
    fn new(sizes: Sizes) -> Self {
        Self {
            site: Site::new(Memory::new(sizes)),
            now: Instant::now(),
        }
    }

    fn add_service(&mut self, key: ServiceKey, persistence: Option<u32>) {
        let granularity = Granularity::Mask([255; 4].into());
        let persistence = persistence.map(|timeout| Persistence {
            timeout,
            granularity,
        });
        self.change(Change::AddService(site::service(key, "rr", persistence)));
    }

    fn add(&mut self, service: ServiceKey, number: u8) {
        let destination = destination(service, number, 1, (0, 0));
        self.change(Change::AddDestination {
            service,
            destination,
        });
    }

    fn delete(&mut self, service: ServiceKey, number: u8) {
        let destination = destination(service, number, 1, (0, 0)).key;
        self.change(Change::DeleteDestination {
            service,
            destination,
        });
    }

    fn change(&mut self, change: Change) {
        self.site
            .change(change, self.now)
            .expect("it is a change that can be made");
    }

    /// Sends TCP of a client's port to the first service; the real server that the last went to.
    fn send(&self, client: usize, flags: &[u8]) -> Option<u8> {
        let client = clients(100)[2 * client];
        let mut to = None;
        for &flags in flags {
            let packet = Packet::tcp(client, site::service_addresses()[0], flags);
            let mut frame = Bytes {
                bytes: packet.build(),
                interface: INTERFACE,
                route: Route::NONE,
                way: Way::In,
                led: None,
            };
            to = match process(&mut frame, &self.site.store) {
                Verdict::Pass | Verdict::Drop => None,
                Verdict::Transmit
                | Verdict::Redirect(_)
                | Verdict::Neighbour(_)
                | Verdict::Deliver => Some(frame.bytes[5]),
            };
        }
        to
    }

    /// Seconds pass, and the daemon does what it does in them; how many entries are left.
    fn pass(&mut self, seconds: u32) -> u64 {
        self.site
            .store
            .clock
            .fetch_add(ticks(seconds), Ordering::Relaxed);
        self.now += Duration::from_secs(seconds.into());
        let mut filter = vec![0; filter::WORDS as usize];
        let memory = &self.site.store;
        let entries =
            sweep::buckets::<V4, _>(memory, &memory.v4.buckets, &mut filter, &mut HashMap::new())
                + sweep::buckets::<V6, _>(
                    memory,
                    &memory.v6.buckets,
                    &mut filter,
                    &mut HashMap::new(),
                );
        self.site.tidy(self.now);
        entries
    }

    /// What all count together, and each CPU, of which there is one.
    fn all(&self) -> (Totals, Vec<Totals>) {
        let (store, installed) = (&self.site.store, &self.site.installed);
        (installed.all_totals(store), installed.cpu_totals(store))
    }

    fn totals(&self, service: ServiceKey) -> Totals {
        self.site
            .installed
            .service_totals(&self.site.store, &service)
    }
}

fn first() -> ServiceKey {
    service_keys()[0]
}

#[test]
fn records_are_given_back() {
    let mut town = Town::new(Sizes::default());
    let room = town.site.installed.room();
    town.add_service(first(), None);
    (0..4).for_each(|number| town.add(first(), number));
    town.send(0, &[SYN, ACK]);
    town.change(Change::DeleteService(first()));
    town.pass(3);
    assert_eq!(
        town.site.installed.room(),
        (room.0, room.1 - 4),
        "they may come back"
    );
    town.pass(130);
    assert_eq!(
        town.site.installed.room(),
        (room.0, room.1 - 1),
        "one has a connection"
    );
    assert_eq!(town.pass(1000), 0);
    town.pass(130);
    assert_eq!(town.site.installed.room(), room);
}

/// Connections of a persistent service hold its templates; when both are gone nothing does.
#[test]
fn templates_of_a_removed_service_end() {
    let mut town = Town::new(Sizes::default());
    let room = town.site.installed.room();
    town.add_service(first(), Some(50));
    (0..4).for_each(|number| town.add(first(), number));
    for client in 0..10 {
        assert!(town.send(client, &[SYN, ACK]).is_some());
    }
    town.change(Change::DeleteService(first()));
    town.pass(10);
    // Another service with the number that the first one had.
    let other = service_keys()[1];
    town.add_service(other, None);
    town.pass(1000);
    town.pass(500);
    assert_eq!(town.pass(500), 0);
    town.change(Change::DeleteService(other));
    town.pass(130);
    town.pass(130);
    assert_eq!(town.site.installed.room(), room);
}

/// A connection that another template began does not count as this one's.
#[test]
fn a_template_is_held_by_its_own_connections() {
    let mut town = Town::new(Sizes::default());
    town.add_service(first(), Some(50));
    town.add(first(), 0);
    assert_eq!(town.send(0, &[SYN, ACK]), Some(0));
    town.delete(first(), 0);
    town.add(first(), 1);
    // Of the same client, a second later in the list.
    assert_eq!(town.send(7, &[SYN, ACK]), Some(1));
    town.pass(800);
    assert_eq!(town.send(7, &[ACK]), Some(1));
    town.pass(200);
    assert_eq!(
        town.send(7, &[ACK]),
        Some(1),
        "the first connection has ended, this one not"
    );
    town.add(first(), 2);
    town.add(first(), 3);
    assert_eq!(town.send(14, &[SYN]), Some(1), "its template was held");
}

#[test]
fn a_destination_comes_back_with_connections_and_counters() {
    let mut town = Town::new(Sizes::default());
    town.add_service(first(), None);
    town.add(first(), 0);
    assert_eq!(town.send(0, &[SYN, ACK]), Some(0));
    town.delete(first(), 0);
    assert_eq!(town.send(0, &[ACK]), None);
    town.pass(300);
    town.add(first(), 0);
    assert_eq!(town.send(0, &[ACK]), Some(0));
    let key = destination(first(), 0, 1, (0, 0)).key;
    let totals = town
        .site
        .installed
        .destination_totals(&town.site.store, &first(), &key);
    assert_eq!(
        totals,
        Totals {
            connections: 1,
            packets: 3,
            bytes: 120,
            ..Totals::default()
        }
    );
    assert_eq!(town.totals(first()), totals);
}

#[test]
fn a_service_counts_what_its_removed_destinations_counted() {
    let mut town = Town::new(Sizes::default());
    town.add_service(first(), None);
    town.add(first(), 0);
    town.send(0, &[SYN, ACK, RST]);
    town.delete(first(), 0);
    let expected = Totals {
        connections: 1,
        packets: 3,
        bytes: 120,
        ..Totals::default()
    };
    for _ in 0..5 {
        assert_eq!(town.totals(first()), expected);
        town.pass(100);
    }
    assert_eq!(
        town.totals(first()),
        expected,
        "also when its record is another's"
    );
}

#[test]
fn a_new_service_begins_at_zero_whatever_was_before() {
    let mut town = Town::new(Sizes {
        services: 2,
        ..Sizes::default()
    });
    town.add_service(first(), None);
    town.add(first(), 0);
    town.send(0, &[SYN, ACK]);
    town.change(Change::DeleteService(first()));
    town.add_service(first(), None);
    town.add(first(), 0);
    assert_eq!(town.totals(first()), Totals::default());
    assert_eq!(town.send(0, &[ACK]), Some(0), "the connection came back");
    assert_eq!(
        town.totals(first()),
        Totals {
            connections: 0,
            packets: 1,
            bytes: 40,
            ..Totals::default()
        }
    );
    // One that takes the number of a removed service is not credited with its end.
    let other = service_keys()[1];
    town.change(Change::DeleteService(first()));
    town.pass(3);
    town.add_service(other, None);
    (0..12).for_each(|_| {
        town.pass(100);
    });
    assert_eq!(town.totals(other), Totals::default());
}

#[test]
fn destinations_can_be_added_one_by_one_at_once() {
    let mut town = Town::new(Sizes {
        destinations: 64,
        nodes: 600,
        ..Sizes::default()
    });
    town.add_service(first(), None);
    for _ in 0..200 {
        (0..site::REAL_SERVERS).for_each(|number| town.add(first(), number));
        (0..site::REAL_SERVERS).for_each(|number| town.delete(first(), number));
    }
}

/// As IPVS's totals: whatever is removed, and whoever has its record then.
#[test]
fn all_that_was_counted_stays_counted() {
    let mut town = Town::new(Sizes::default());
    let counted = |packets| Totals {
        connections: packets,
        packets,
        bytes: 40 * packets,
        ..Totals::default()
    };
    for round in 1..=3 {
        town.add_service(first(), None);
        town.add(first(), 0);
        town.send(round as usize, &[SYN]);
        town.change(Change::DeleteService(first()));
        assert_eq!(town.all(), (counted(round), vec![counted(round)]));
        // Its record is given back, and the next one's.
        town.pass(1000);
        town.pass(130);
        assert_eq!(town.all(), (counted(round), vec![counted(round)]));
    }
    town.site.installed.zero_all(&town.site.store);
    assert_eq!(town.all(), (counted(0), vec![counted(3)]), "CPUs go on");
    town.add_service(first(), None);
    town.add(first(), 0);
    town.send(7, &[SYN]);
    let adopted = Installed::adopt(&town.site.store, town.now).expect("memory can be read");
    town.site.installed = adopted;
    assert_eq!(town.all(), (counted(1), vec![counted(4)]));
}

#[test]
fn a_new_daemon_reads_back_what_an_old_one_wrote() {
    let mut town = Town::new(Sizes::default());
    for key in service_keys() {
        town.add_service(key, None);
        (0..3).for_each(|number| town.add(key, number));
    }
    town.send(0, &[SYN, ACK]);
    town.delete(service_keys()[1], 1);
    let store = &town.site.store;
    let adopted = Installed::adopt(store, town.now).expect("memory can be read");
    assert_eq!(adopted.room(), town.site.installed.room());
    let keys = |of: &Installed| {
        let mut keys: Vec<_> = of.keys().collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&adopted), keys(&town.site.installed));
    for service in service_keys() {
        assert_eq!(
            adopted.service_totals(store, &service),
            town.totals(service)
        );
        for number in 0..site::REAL_SERVERS {
            let key = destination(service, number, 1, (0, 0)).key;
            let of = |installed: &Installed| installed.destination(&service, &key);
            assert_eq!(of(&adopted), of(&town.site.installed));
        }
    }
    // And goes on with it.
    let to = town.send(0, &[ACK]);
    town.site.installed = adopted;
    town.add(service_keys()[1], 1);
    town.add(first(), 5);
    assert_eq!(town.send(0, &[ACK]), to);
}
