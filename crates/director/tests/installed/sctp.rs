//! SCTP by masquerading: ports and checksums both ways, and states.

use std::net::SocketAddr;

use rlvs_control::{Protocol, ServiceKey};
use rlvs_director::connections;
use rlvs_engine::{V4, V6, Verdict};
use rlvs_testing::Packet;
use rlvs_testing::packet::chunk::{
    COOKIE_ACK, COOKIE_ECHO, DATA, INIT, INIT_ACK, SHUTDOWN, SHUTDOWN_ACK, SHUTDOWN_COMPLETE,
};
use rlvs_testing::packet::{Crc, ROUTER, Upper};
use rlvs_testing::site::mac;

use crate::scene::{Scene, UPLINK, leaves, left, masqueraded, services_of};

struct Association {
    scene: Scene,
    client: SocketAddr,
    vip: SocketAddr,
    server: SocketAddr,
}

/// One of each IP version, with a real server at another port, or the same.
fn associations(port: u16) -> Vec<Association> {
    let of = |(service, client, vip): (ServiceKey, SocketAddr, SocketAddr)| {
        let destination = masqueraded(service, 0, port);
        Association {
            scene: Scene::with(service, &destination),
            client,
            vip,
            server: SocketAddr::new(destination.key.address, port),
        }
    };
    services_of(Protocol::Sctp, 80)
        .into_iter()
        .map(of)
        .collect()
}

impl Association {
    fn client_sends(&self, chunk: u8, payload: usize, checksum: Crc) {
        let upper = Upper::Sctp {
            chunk,
            second: None,
            checksum,
        };
        let sent = |to| Packet {
            upper,
            payload,
            ..Packet::sctp(self.client, to, chunk)
        };
        let (verdict, frame) = self.scene.process(sent(self.vip).build());
        assert_eq!(verdict, leaves(0));
        assert_eq!(frame, left(&sent(self.server), mac(0)), "{chunk}");
    }

    fn server_sends(&self, chunk: u8, payload: usize, checksum: Crc) {
        let upper = Upper::Sctp {
            chunk,
            second: None,
            checksum,
        };
        let sent = |from| Packet {
            upper,
            payload,
            ..Packet::sctp(from, self.client, chunk)
        };
        let (verdict, frame) = self.scene.process(sent(self.server).build());
        assert_eq!(verdict, Verdict::Redirect(UPLINK));
        assert_eq!(frame, left(&sent(self.vip), ROUTER), "{chunk}");
    }

    fn state(&self) -> String {
        let store = &self.scene.site.store;
        let mut states = Vec::new();
        connections::buckets::<V4, _>(store, &store.v4.buckets, &mut |it| {
            states.push(it);
            true
        });
        connections::buckets::<V6, _>(store, &store.v6.buckets, &mut |it| {
            states.push(it);
            true
        });
        assert_eq!(states.len(), 1);
        assert_eq!(states[0].protocol, "SCTP");
        assert_eq!(states[0].destination, self.server);
        states.remove(0).state
    }
}

#[test]
fn checksums_are_right_at_any_length() {
    for port in [5009, 80] {
        for association in associations(port) {
            association.client_sends(INIT, 0, Crc::Right);
            for payload in [0, 1, 3, 4, 60, 255, 1000, 1433, 8000] {
                association.client_sends(DATA, payload, Crc::Right);
                association.server_sends(DATA, payload, Crc::Right);
            }
        }
    }
}

#[test]
fn a_checksum_that_is_left_to_the_device_stays_so() {
    for association in associations(5009) {
        association.client_sends(INIT, 16, Crc::Zero);
        association.server_sends(INIT_ACK, 300, Crc::Zero);
    }
}

#[test]
fn states_are_walked_by_both_sides() {
    for association in associations(5009) {
        let by_client = |chunk| {
            association.client_sends(chunk, 16, Crc::Right);
            association.state()
        };
        let by_server = |chunk| {
            association.server_sends(chunk, 16, Crc::Right);
            association.state()
        };
        assert_eq!(by_client(INIT), "INIT1");
        assert_eq!(by_server(INIT_ACK), "C-SENT");
        assert_eq!(by_client(COOKIE_ECHO), "C-REPLIED");
        assert_eq!(by_server(COOKIE_ACK), "ESTABLISHED");
        assert_eq!(by_client(DATA), "ESTABLISHED");
        assert_eq!(by_server(SHUTDOWN), "S-SENT");
        assert_eq!(by_client(SHUTDOWN_ACK), "CLOSED");
        assert_eq!(by_server(SHUTDOWN_COMPLETE), "CLOSED");
    }
}
