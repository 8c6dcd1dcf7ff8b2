//! Packets to virtual routers of each kind: heard, or refused by a name, and never more than that.
//!
//! Each step of the input is a head of three bytes, and as many bytes as the third says: which virtual
//! router, how many hundredths of a second go by before it, and the packet.
#![no_main]

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use rlvs_vrrp::packet::{Key, Parsed};
use rlvs_vrrp::spec::{Authentication, Spec};
use rlvs_vrrp::{Action, Datagram, Event, Machine, State, Version};

const GROUP6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

struct Router {
    machine: Machine,
    has: bool,
}

fuzz_target!(|steps: &[u8]| {
    let mut routers = specs().map(Router::new);
    let mut steps = steps;
    let mut now = Duration::ZERO;
    while let [kind, later, length, rest @ ..] = steps {
        let (packet, rest) = rest.split_at(rest.len().min((*length).into()));
        steps = rest;
        now += Duration::from_millis(10 * u64::from(*later));
        let router = &mut routers[usize::from(kind % 4)];
        router.hears(now, kind % 4 == 3, packet);
    }
});

impl Router {
    fn new(spec: Spec) -> Self {
        let address: IpAddr = match spec.version {
            Version::V3 if spec.addresses[0].is_ipv6() => "fe80::5".parse().unwrap(),
            _ => [192, 0, 2, 5].into(),
        };
        let mut machine = Machine::new(spec).unwrap();
        machine.address(Duration::ZERO, Some(address));
        machine.start(Duration::ZERO);
        Self {
            machine,
            has: false,
        }
    }

    fn hears(&mut self, now: Duration, six: bool, packet: &[u8]) {
        let datagram = if six {
            Ok(Datagram::ipv6(Ipv6Addr::LOCALHOST, GROUP6, 255, packet))
        } else {
            Datagram::ipv4(packet)
        };
        if let Ok(datagram) = datagram {
            let actions = self.machine.receive(now, &datagram);
            if Parsed::new(&datagram).is_err() {
                let refused = |it: &Action| matches!(it, Action::Tell(Event::Refused { .. }));
                assert!(actions.iter().all(refused));
            }
            self.take(actions);
        }
        let actions = self.machine.poll(now);
        self.take(actions);
        assert_eq!(self.has, self.machine.state() == State::Master);
        assert!(self.machine.deadline().is_some());
    }

    fn take(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Acquire { .. } => self.has = true,
                Action::Release => self.has = false,
                Action::Send(_) | Action::Announce { .. } | Action::Tell(_) => {}
            }
        }
    }
}

/// Those that the seeds are packets of.
fn specs() -> [Spec; 4] {
    let four = |last: &[u8]| last.iter().map(|it| [192, 0, 2, *it].into()).collect();
    let six = ["fe80::100", "2001:db8::100"].map(|it| it.parse().unwrap());
    [
        Spec::new(1, four(&[100, 101])),
        Spec {
            authentication: Authentication::Header(Key::new("secret")),
            ..Spec::new(3, four(&[103]))
        },
        Spec {
            version: Version::V3,
            interval: Duration::from_millis(200),
            ..Spec::new(4, four(&[104]))
        },
        Spec::new(5, six.to_vec()),
    ]
}
