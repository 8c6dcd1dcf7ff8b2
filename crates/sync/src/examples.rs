//! Records for tests.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::flags::Flags;
use crate::record::{Addresses, Ends, Engine, LocalEnd, Ports, Record, Sequence, Sequences};

/// An established connection of TCP, masqueraded.
pub(crate) fn tcp() -> Record {
    Record {
        protocol: 6,
        flags: Flags(0),
        state: 1,
        addresses: Addresses::V4(Ends {
            client: [203, 0, 113, 7].into(),
            virtual_address: [192, 0, 2, 1].into(),
            destination: [10, 0, 0, 1].into(),
        }),
        ports: Ports {
            client: 1001,
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

/// Numbered by its client's port.
pub(crate) fn numbered(client: u16) -> Record {
    let mut record = tcp();
    record.ports.client = client;
    record
}

pub(crate) fn template() -> Record {
    Record {
        flags: Flags::TEMPLATE,
        ..numbered(0)
    }
}

pub(crate) fn sequences() -> Sequences {
    let sequence = |initial| Sequence {
        initial,
        delta: 3,
        previous_delta: u32::MAX,
    };
    Sequences {
        inward: sequence(7),
        outward: sequence(0x8000_0001),
    }
}

/// What a message can say, whether it means something or not.
pub(crate) fn any_record() -> impl Strategy<Value = Record> {
    let numbers = (
        any::<(u8, u32, u16, u32, u32)>(),
        any_addresses(),
        any::<[u16; 3]>(),
    );
    let parameters = (
        option::of(any_sequences()),
        option::of(any_engine()),
        option::of(any_local_end()),
        option::of(any::<IpAddr>()),
    );
    (numbers, parameters).prop_map(
        |((said, addresses, ports), (sequences, engine, local, across))| {
            let (protocol, flags, state, mark, timeout) = said;
            let [client, virtual_port, destination] = ports;
            Record {
                protocol,
                flags: Flags(flags),
                state,
                addresses,
                ports: Ports {
                    client,
                    virtual_port,
                    destination,
                },
                mark,
                timeout,
                sequences,
                engine,
                local,
                across,
            }
        },
    )
}

fn any_addresses() -> impl Strategy<Value = Addresses> {
    prop_oneof![
        any::<[Ipv4Addr; 3]>().prop_map(|all| Addresses::V4(ends(all))),
        any::<[Ipv6Addr; 3]>().prop_map(|all| Addresses::V6(ends(all))),
    ]
}

fn ends<A>([client, virtual_address, destination]: [A; 3]) -> Ends<A> {
    Ends {
        client,
        virtual_address,
        destination,
    }
}

fn any_sequences() -> impl Strategy<Value = Sequences> {
    any::<[[u32; 3]; 2]>().prop_map(|both| {
        let [inward, outward] = both.map(|[initial, delta, previous_delta]| Sequence {
            initial,
            delta,
            previous_delta,
        });
        Sequences { inward, outward }
    })
}

fn any_engine() -> impl Strategy<Value = Engine> {
    (vec(any::<u8>(), 1..=16), vec(any::<u8>(), 1..=255))
        .prop_map(|(name, data)| Engine::new(&name, &data).expect("it is short enough"))
}

fn any_local_end() -> impl Strategy<Value = LocalEnd> {
    any::<(IpAddr, u16, u32, bool)>().prop_map(|(address, port, begins, is_told)| LocalEnd {
        address,
        port,
        begins,
        is_told,
    })
}
