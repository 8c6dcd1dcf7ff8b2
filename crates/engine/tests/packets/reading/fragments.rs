//! Of fragments the first has the ports; the others follow it, see `crate::fragments`.

use rlvs_engine::Reason::{FragmentUnknown, Malformed};
use rlvs_testing::Packet;
use rlvs_testing::packet::{Extension, Fragment, Lie};

use super::{check, plain, query, query6};

#[test]
fn fragments_are_read_where_the_ports_are() {
    let first = Fragment {
        offset: 0,
        more: true,
    };
    let parts = [
        ("first", first, None),
        (
            "middle",
            Fragment { offset: 5, ..first },
            Some(FragmentUnknown),
        ),
        (
            "last",
            Fragment {
                offset: 0x1fff,
                more: false,
            },
            Some(FragmentUnknown),
        ),
    ];
    for (what, fragment, reason) in parts {
        for (_, packet) in plain() {
            let fragment = Some(fragment);
            let packet = Packet { fragment, ..packet };
            check([(what, packet.clone(), reason)]);
            if packet.source.is_ipv6() {
                let extensions = vec![Extension::HopByHop(0)];
                let packet = Packet {
                    extensions,
                    ..packet
                };
                check([(what, packet, reason)]);
            }
        }
    }
    // Neither an offset nor more: that is no fragment, in IPv6 an "atomic" one.
    let fragment = Some(Fragment {
        offset: 0,
        more: false,
    });
    for (what, packet) in plain() {
        check([(what, Packet { fragment, ..packet }, None)]);
    }
}

#[test]
fn a_first_fragment_may_promise_more_than_it_has() {
    let fragment = Some(Fragment {
        offset: 0,
        more: true,
    });
    for packet in [query(), query6()] {
        let whole = packet.clone().lying(Lie::UdpLength(8000));
        let first = Packet {
            fragment,
            ..whole.clone()
        };
        check([("whole", whole, Some(Malformed)), ("first", first, None)]);
    }
}
