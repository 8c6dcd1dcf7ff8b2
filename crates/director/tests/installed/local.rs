//! Destinations that are this host: their packets go to its stack.

use std::net::SocketAddr;

use rlvs_director::installed::{Hop, Installed};
use rlvs_engine::Verdict;
use rlvs_testing::Packet;
use rlvs_testing::packet::{ACK, DIRECTOR, SYN};
use rlvs_testing::site::{self, INTERFACE, mac};

use crate::scene::{Scene, masqueraded, services};

#[test]
fn packets_go_to_the_stack_by_either_method() {
    for (service, client, vip) in services() {
        let nat = masqueraded(service, 0, 8080);
        for (destination, to) in [
            (site::destination(service, 0, 1, (0, 0)), vip),
            (nat.clone(), SocketAddr::new(nat.key.address, 8080)),
        ] {
            let mut scene = Scene::with(service, &destination);
            scene.set_hop(&destination, Hop::Local);
            let sent = scene.send(&Packet::tcp(client, vip, SYN));
            assert_eq!(
                (sent.verdict, sent.from, sent.to),
                (Verdict::Pass, client, to)
            );
            let totals = scene.totals(service, &destination);
            assert_eq!((totals.connections, totals.packets), (1, 1));
        }
    }
}

#[test]
fn an_address_that_moves_takes_the_packets_along() {
    for (service, client, vip) in services() {
        let destination = site::destination(service, 0, 1, (0, 0));
        let mut scene = Scene::with(service, &destination);
        let mut verdict_with = |hop: Hop| {
            scene.set_hop(&destination, hop);
            scene.send(&Packet::tcp(client, vip, SYN)).verdict
        };
        let resolved = Hop::Resolved {
            interface: INTERFACE,
            source: DIRECTOR,
            destination: mac(0),
            redirect: false,
            mtu: 1500,
            local: None,
        };
        assert_eq!(verdict_with(Hop::Local), Verdict::Pass);
        assert_eq!(verdict_with(resolved.clone()), Verdict::Transmit);
        assert_eq!(verdict_with(Hop::Local), Verdict::Pass);
        let unresolved = Hop::Unresolved("it is being resolved".to_owned());
        assert_eq!(verdict_with(unresolved), Verdict::Drop);
        assert_eq!(verdict_with(resolved), Verdict::Transmit);
    }
}

#[test]
fn one_that_is_added_or_edited_later_is_local_at_once() {
    for (service, client, vip) in services() {
        let destination = site::destination(service, 0, 1, (0, 0));
        let mut scene = Scene::with(service, &destination);
        scene.set_hop(&destination, Hop::Local);
        let other = masqueraded(service, 0, 8080);
        scene.add(service, &other);
        scene.delete(service, &destination);
        scene.edit(service, &other);
        let sent = scene.send(&Packet::tcp(client, vip, SYN));
        assert_eq!((sent.verdict, sent.to.port()), (Verdict::Pass, 8080));
    }
}

#[test]
fn a_new_daemon_leaves_it_local_until_it_knows_better() {
    for (service, client, vip) in services() {
        let destination = site::destination(service, 0, 1, (0, 0));
        let mut scene = Scene::with(service, &destination);
        scene.set_hop(&destination, Hop::Local);
        let adopted = Installed::adopt(&scene.site.store, scene.now);
        scene.site.installed = adopted.expect("memory can be read");
        scene.edit(service, &destination);
        for flags in [SYN, ACK] {
            let sent = scene.send(&Packet::tcp(client, vip, flags));
            assert_eq!(sent.verdict, Verdict::Pass);
        }
    }
}

impl Scene {
    fn set_hop(&mut self, destination: &rlvs_control::Destination, hop: Hop) {
        let address = destination.key.address;
        self.site.installed.set_hop(&self.site.store, address, hop);
    }
}
