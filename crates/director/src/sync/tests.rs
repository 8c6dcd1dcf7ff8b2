//! What is told by one director's tables is learned by another's, both in memory.

mod across;
mod director;
mod full_nat;
mod sip;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use rlvs_control::model::Family as IpVersion;
use rlvs_control::{Protocol, ServiceKey};
use rlvs_engine::connection::{Key, Meta, State};
use rlvs_engine::family::Endpoints;
use rlvs_engine::settings::ticks;
use rlvs_engine::table::{self, Seat, slot_at};
use rlvs_engine::{Family, Tables as _, V4, V6};
use rlvs_sync::receiver::Entry;
use rlvs_sync::{Addresses, Ends, Flags, Forwarding, Ports, Record};

use super::teller::Manner;
use director::{Director, at, http, others};

const VIP: [u8; 4] = [192, 0, 2, 1];
const CLIENT: [u8; 4] = [203, 0, 113, 7];
const MARK: u32 = 7;

pub(super) fn tcp(client: u16) -> Record {
    Record {
        protocol: 6,
        flags: Flags(0),
        state: 1,
        addresses: Addresses::V4(Ends {
            client: CLIENT.into(),
            virtual_address: VIP.into(),
            destination: [10, 0, 0, 1].into(),
        }),
        ports: Ports {
            client,
            virtual_port: 80,
            destination: 8080,
        },
        mark: 0,
        timeout: 900,
        sequences: None,
        engine: None,
        local: None,
        across: None,
    }
}

pub(super) fn entry(record: Record) -> Entry {
    Entry::try_from(record).unwrap()
}

const MANNER: Manner = Manner {
    threshold: 3,
    period: 50,
    refresh_period: Duration::ZERO,
    retries: 0,
    persist_mode: false,
};

#[test]
fn what_is_told_is_learned() {
    let (a, mut b) = (Director::new(), Director::new());
    a.begin(1001, State::Established);
    a.begin(1002, State::SynRecv);
    let told = a.tells();
    assert_eq!(told.len(), 1, "what only begins is not told");
    assert_eq!(told[0].record, tcp(1001));
    b.hear(told[0].record.clone());
    assert_eq!(b.found(1001), Some((State::Established, 900)));
    assert_eq!(b.loads(b.http()), (1, 0, 0));
    assert_eq!(b.counts.records.get(), 1);
    a.set_state(1001, State::FinWait);
    let told = a.tells();
    assert!(told[0].record.flags.has(Flags::INACTIVE));
    b.hear(told[0].record.clone());
    assert_eq!(b.found(1001), Some((State::FinWait, 120)));
    assert_eq!(b.loads(b.http()), (0, 1, 0));
    assert_eq!(b.dropped(), []);
}

#[test]
fn nothing_is_told_twice_before_its_end_moves() {
    let a = Director::new();
    a.begin(1001, State::Established);
    assert_eq!(a.tells().len(), 1);
    for (time, count) in [(0, 0), (59, 0), (2, 1), (30, 0)] {
        a.pass(time);
        a.touch(1001);
        assert_eq!(a.tells().len(), count, "after {time} s");
    }
    a.pass(200);
    assert_eq!(a.tells(), [], "it is idle");
    a.touch(1001);
    let once = Manner {
        period: 0,
        ..MANNER
    };
    assert_eq!(a.tells_as(&once), []);
    let seldom = Manner {
        refresh_period: Duration::from_secs(300),
        ..MANNER
    };
    assert_eq!(a.tells_as(&seldom), []);
    assert_eq!(a.tells().len(), 1);
    a.memory.forget(|_| true);
    assert_eq!(a.tells().len(), 1, "to those who are new");
}

#[test]
fn datagrams_of_one_moment_are_not_told() {
    let a = Director::new();
    let dns = a.number(at(Protocol::Udp, "192.0.2.1:53"), "10.0.0.1:53");
    let begin = |port: u16| {
        let key = V4::key(&Endpoints {
            client: CLIENT,
            virtual_address: VIP,
            client_port: port.to_be_bytes(),
            virtual_port: 53u16.to_be_bytes(),
            protocol: 17,
        });
        let meta = Meta::new(dns, State::Udp, 0);
        table::learn::<V4, _>(&*a.tables, &key, meta, a.tables.now()).unwrap()
    };
    let seats = [begin(1), begin(2)];
    assert_eq!(a.tells(), []);
    a.pass(1);
    let slot = slot_at::<V4, _>(&*a.tables, seats[1]).unwrap();
    slot.seen.store(a.tables.now());
    let told = a.tells();
    assert_eq!(told.len(), 1);
    let record = &told[0].record;
    assert_eq!((record.ports.client, record.ports.destination), (2, 53));
    assert_eq!(record.flags.forwarding(), Some(Forwarding::DirectRoute));
    assert!(record.flags.has(Flags::NO_OUTPUT));
    let at_once = Manner {
        threshold: 1,
        ..MANNER
    };
    assert_eq!(a.tells_as(&at_once).len(), 1, "the other");
}

#[test]
fn what_was_learned_is_not_told_back_until_packets_come() {
    let (a, mut b) = (Director::new(), Director::new());
    a.begin(1001, State::Established);
    for due in a.tells() {
        b.hear(due.record);
    }
    b.memory.forget(|known| !known.is_learned());
    b.pass(300);
    assert_eq!(b.tells(), []);
    b.touch(1001);
    assert_eq!(b.tells().len(), 1, "it is this director's now");
    b.memory.forget(|_| true);
    assert_eq!(b.tells().len(), 1, "to those who are new");
}

#[test]
fn a_connection_whose_packets_come_here_is_left_alone() {
    let mut b = Director::new();
    b.begin(1001, State::Established);
    let ends = Record {
        state: 4,
        flags: Flags::INACTIVE,
        timeout: 120,
        ..tcp(1001)
    };
    b.hear(ends.clone());
    assert_eq!(b.found(1001), Some((State::Established, 900)));
    assert_eq!(b.dropped(), [("known-better-here".to_owned(), 1)]);
    b.pass(10);
    b.hear(ends);
    assert_eq!(b.found(1001), Some((State::FinWait, 120)));
}

/// Between directors of rlvs, whoever says it.
#[test]
fn the_later_news_counts() {
    let mut b = Director::new().hearing_peers();
    b.pass(1000);
    b.begin(1001, State::Established);
    b.pass(10);
    let over = Record {
        state: 4,
        flags: Flags::INACTIVE,
        timeout: 120,
        ..tcp(1001)
    };
    let mut hear = |seconds| b.learner.hear(over.clone(), ticks(seconds), Instant::now());
    hear(11);
    hear(10);
    assert_eq!(b.found(1001), Some((State::Established, 890)));
    assert_eq!(b.dropped(), [("known-better-here".to_owned(), 2)]);
    b.learner.hear(over, ticks(5), Instant::now());
    assert_eq!(b.found(1001), Some((State::FinWait, 115)));
    // What was told is told anew, however little has changed.
    b.learner.hear(tcp(1001), ticks(5), Instant::now());
    assert_eq!(b.found(1001), Some((State::Established, 895)));
}

#[test]
fn a_connection_that_went_elsewhere_is_replaced() {
    let mut b = Director::new();
    b.hear(tcp(1001));
    let Addresses::V4(ends) = tcp(1001).addresses else {
        unreachable!();
    };
    let other = Addresses::V4(Ends {
        destination: [10, 0, 0, 2].into(),
        ..ends
    });
    let record = Record {
        addresses: other,
        ..tcp(1001)
    };
    let over = Record {
        flags: Flags::INACTIVE,
        state: 5,
        ..record.clone()
    };
    b.hear(over);
    assert_eq!(b.loads(b.http()), (1, 0, 0));
    b.hear(record);
    let second = b.number(at(Protocol::Tcp, "192.0.2.1:80"), "10.0.0.2:8080");
    assert_eq!((b.loads(b.http()), b.loads(second)), ((0, 0, 0), (1, 0, 0)));
    assert_eq!(b.dropped(), [("ended-elsewhere".to_owned(), 1)]);
}

#[test]
fn it_lasts_as_long_as_was_told() {
    for (timeout, lasts) in [(900, 900), (30, 30), (3600, 3600), (0, 900)] {
        let mut b = Director::new();
        b.pass(1_000_000);
        b.hear(Record {
            timeout,
            ..tcp(1001)
        });
        assert_eq!(b.found(1001), Some((State::Established, lasts)));
        let context = rlvs_engine::tables::Context::new(&*b.tables).unwrap();
        let slot = slot_at::<V4, _>(&*b.tables, b.seat(1001).unwrap()).unwrap();
        assert!(!table::sweep::<V4, _>(context, slot), "{timeout}");
        b.pass(lasts + 3);
        let context = rlvs_engine::tables::Context::new(&*b.tables).unwrap();
        assert!(table::sweep::<V4, _>(context, slot), "{timeout}");
        assert_eq!(b.loads(b.http()), (0, 0, 0));
    }
    // So long nothing lasts; the present does not wrap.
    let mut b = Director::new();
    b.hear(Record {
        timeout: u32::MAX,
        ..tcp(1001)
    });
    assert_eq!(b.found(1001), Some((State::Established, 12 * 86_400)));
}

#[test]
fn templates_and_marks_and_ipv6_are_told_and_learned() {
    let (a, mut b) = (Director::new(), Director::new());
    let marked = ServiceKey::Mark {
        family: IpVersion::Ipv4,
        mark: MARK,
    };
    let third = a.number(marked, "10.0.0.3:0");
    let six = a.number(at(Protocol::Tcp, "[2001:db8::1]:80"), "[2001:db8::b]:80");
    let template = V4::key(&Endpoints {
        client: [203, 0, 113, 0],
        virtual_address: V4::marked(MARK),
        client_port: [0, 0],
        virtual_port: [0, 0],
        protocol: 0,
    });
    let connection = V4::key(&Endpoints {
        client: CLIENT,
        virtual_address: [198, 51, 100, 1],
        client_port: [4, 4],
        virtual_port: 443u16.to_be_bytes(),
        protocol: 6,
    });
    let address = |text: &str| match text.parse().unwrap() {
        IpAddr::V6(address) => address.octets(),
        IpAddr::V4(_) => unreachable!(),
    };
    let key6 = V6::key(&Endpoints {
        client: address("2001:db8:c::7"),
        virtual_address: address("2001:db8::1"),
        client_port: [4, 4],
        virtual_port: 80u16.to_be_bytes(),
        protocol: 6,
    });
    let now = a.tables.now();
    let assured = Meta::new(third, State::Assured, 0);
    let open = |number| Meta::new(number, State::Established, Meta::CONTROLLED);
    table::learn::<V4, _>(&*a.tables, &template, assured, now).unwrap();
    table::learn::<V4, _>(&*a.tables, &connection, open(third), now).unwrap();
    table::learn::<V6, _>(&*a.tables, &key6, open(six), now).unwrap();
    let alone = Manner {
        persist_mode: true,
        ..MANNER
    };
    let told = a.tells_as(&alone);
    assert_eq!(told.len(), 1, "the template does for its connections");
    a.memory.forget(|_| true);
    let told = a.tells();
    assert_eq!(told.len(), 3);
    for due in &told {
        let record = due.record.clone();
        let is_template = record.flags.has(Flags::TEMPLATE);
        assert_eq!(record.timeout, if is_template { 600 } else { 900 });
        let is_ipv6 = matches!(record.addresses, Addresses::V6(_));
        assert_eq!(record.mark, if is_ipv6 { 0 } else { MARK });
        b.hear(record);
    }
    assert_eq!(b.dropped(), []);
    assert_eq!(b.loads(third), (1, 0, 1));
    assert_eq!(b.loads(six), (1, 0, 0));
    let found = table::locate::<V4, _>(&*b.tables, &template, false, Seat::NONE).unwrap();
    let slot = slot_at::<V4, _>(&*b.tables, found).unwrap();
    assert_eq!(Meta(slot.meta.load()).state(), State::Assured);
    assert_eq!(slot.key.load(), template);
    // A template is told again as its end moves, whatever its connections do to its slot.
    let seat = table::locate::<V4, _>(&*a.tables, &template, false, Seat::NONE).unwrap();
    let slot = slot_at::<V4, _>(&*a.tables, seat).unwrap();
    let meta = Meta(slot.meta.load());
    slot.meta.store(meta.succeeded_by(meta).0);
    assert_eq!(a.tells(), []);
    a.pass(61);
    slot.seen.store(a.tables.now());
    assert_eq!(a.tells().len(), 1);
}

#[test]
fn what_has_no_destination_here_waits_for_it() {
    let mut b = Director::empty();
    b.hear(tcp(1001));
    b.hear(tcp(1002));
    assert_eq!((b.found(1001), b.counts.waiting.get()), (None, 2));
    b.change(others());
    b.learner.follow(Instant::now());
    assert_eq!(b.counts.waiting.get(), 2, "another service");
    b.change(http().into());
    b.learner.follow(Instant::now() + Duration::from_secs(100));
    assert_eq!(b.found(1001), Some((State::Established, 800)));
    assert_eq!((b.counts.waiting.get(), b.counts.records.get()), (0, 2));
    assert_eq!(b.loads(b.http()), (2, 0, 0));
}

#[test]
fn what_cannot_be_followed_is_dropped_by_name() {
    let mut b = Director::new();
    let sequence = rlvs_sync::Sequence {
        initial: 1,
        delta: 4,
        previous_delta: 0,
    };
    b.hear(Record {
        sequences: Some(rlvs_sync::Sequences {
            inward: sequence,
            outward: sequence,
        }),
        ..tcp(1)
    });
    b.hear(Record {
        flags: Flags::NO_CLIENT_PORT,
        ..tcp(2)
    });
    b.hear(Record {
        flags: Flags::TEMPLATE,
        engine: rlvs_sync::Engine::new(b"sip", b"a@b"),
        ..tcp(3)
    });
    b.hear(Record {
        protocol: 99,
        ..tcp(4)
    });
    let reasons: Vec<_> = b.dropped().into_iter().map(|it| it.0).collect();
    let expected = [
        "no-client-port",
        "persistence-engine",
        "sequence-numbers-moved",
        "unknown-protocol",
    ];
    assert_eq!(reasons, expected);
    assert_eq!(b.counts.records.get(), 0);
}

/// Whatever comes, established connections stay, and no more come than there is room.
#[test]
fn a_full_table_takes_no_more() {
    let mut b = Director::new();
    for port in 1..=40_000 {
        b.hear(tcp(port));
    }
    let (active, inactive, _) = b.loads(b.http());
    let full = b.dropped();
    assert_eq!(full[0].0, "table-full");
    assert_eq!(u64::from(active + inactive) + full[0].1, 40_000);
    assert!(b.found(1).is_some());
}
