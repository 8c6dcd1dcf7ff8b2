use std::net::IpAddr;

use super::*;
use crate::examples::{numbered, tcp, template};
use crate::message::{Message, largest};
use crate::state::{State, Tcp};

const RECORD: usize = 36;

fn sender(ports: u16, queue: usize) -> Sender {
    let settings = Settings {
        id: 42,
        largest: largest(None, false),
        ports,
        queue,
    };
    Sender::new(settings, Rules::default())
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn records(datagram: &Datagram) -> Vec<Record> {
    let message = Message::read(&datagram.bytes).unwrap();
    message.records.map(Result::unwrap).collect()
}

#[test]
fn a_datagram_waits_two_seconds() {
    let mut sender = sender(1, 8);
    assert_eq!((sender.deadline(), sender.take(seconds(9))), (None, None));
    sender.tell(&numbered(1), seconds(10));
    sender.tell(&numbered(2), seconds(11));
    assert_eq!(sender.deadline(), Some(seconds(12)));
    assert_eq!(sender.take(seconds(11)), None);
    let datagram = sender.take(seconds(12)).unwrap();
    assert_eq!(records(&datagram), [numbered(1), numbered(2)]);
    assert_eq!((sender.deadline(), sender.take(seconds(12))), (None, None));
}

#[test]
fn a_full_datagram_does_not_wait() {
    let mut sender = sender(1, 8);
    let many = (1472 - 8) / RECORD as u16;
    for number in 0..=many {
        assert!(sender.deadline() != Some(Duration::ZERO));
        sender.tell(&numbered(number), seconds(10));
    }
    assert_eq!(sender.deadline(), Some(Duration::ZERO));
    assert_eq!(sender.take(seconds(10)).unwrap().bytes.len(), 1448);
    assert_eq!(sender.deadline(), Some(seconds(12)));
    sender.flush();
    let rest = sender.take(seconds(10)).unwrap();
    assert_eq!(records(&rest), [numbered(many)]);
}

#[test]
fn what_finds_no_room_is_counted() {
    let mut sender = sender(1, 2);
    for number in 0..5 {
        sender.tell(&numbered(number), seconds(10));
        sender.tell(&numbered(number + 10), seconds(10));
        sender.flush();
    }
    assert_eq!(sender.dropped(), 6);
    let first = sender.take(seconds(10)).unwrap();
    assert_eq!(records(&first), [numbered(0), numbered(10)]);
    assert!(sender.take(seconds(10)).is_some() && sender.take(seconds(10)).is_none());
    sender.flush();
    assert_eq!(sender.dropped(), 6);
}

#[test]
fn connections_keep_their_ports_and_ports_take_turns() {
    let mut sender = sender(4, 1000);
    for round in 0..3 {
        for number in 0..100 {
            sender.tell(&numbered(number), seconds(round));
            sender.flush();
        }
    }
    let datagrams: Vec<_> = std::iter::from_fn(|| sender.take(seconds(9))).collect();
    assert_eq!(datagrams.len(), 300);
    let ports: Vec<_> = datagrams.iter().map(|it| it.port).collect();
    assert_eq!(ports[..8], [0, 1, 2, 3, 0, 1, 2, 3]);
    for number in 0..100 {
        let mut its = datagrams
            .iter()
            .filter(|it| records(it) == [numbered(number)]);
        let port = its.next().unwrap().port;
        assert!(port < 4 && its.all(|it| it.port == port));
    }
}

#[test]
fn what_the_rules_want_is_told() {
    let mut sender = sender(1, 8);
    let mut told = Told::nothing(seconds(0));
    for packets in 1..=60 {
        let seen = Seen {
            state: State::Tcp(Tcp::Established),
            packets,
            timeout: seconds(900),
            is_controlled: true,
        };
        sender.see(&seen, &mut told, seconds(1), tcp);
    }
    let rules = Rules {
        period: 10,
        ..Rules::default()
    };
    sender.set_rules(rules);
    let seen = Seen {
        state: State::Template,
        packets: 60,
        timeout: seconds(300),
        is_controlled: false,
    };
    sender.see(&seen, &mut Told::nothing(seconds(0)), seconds(1), template);
    let datagram = sender.take(seconds(3)).unwrap();
    assert_eq!(records(&datagram), [tcp(), tcp(), template()]);
    let client: IpAddr = [203, 0, 113, 7].into();
    assert_eq!(records(&datagram)[0].client(), (client, 1001).into());
}
