//! Services by firewall mark.

use std::net::SocketAddr;

use rlvs_control::model::{Family, Granularity, Persistence};
use rlvs_control::{Change, ServiceKey};
use rlvs_director::installed::Installed;
use rlvs_engine::Verdict;
use rlvs_engine::frame::Route;
use rlvs_engine::memory::Bytes;
use rlvs_engine::process::process;
use rlvs_testing::Packet;
use rlvs_testing::packet::{ETHERNET, SYN};
use rlvs_testing::site;

use crate::scene::{Scene, ends, masqueraded, services};

const MARK: u32 = 0x8000_0007;
/// The interface that marked packets are handed to.
const DEVICE: u32 = 11;

/// A masqueraded destination at a port of a service by mark.
fn scene(service: ServiceKey, port: u16, persistence: Option<Persistence>) -> Scene {
    let mut scene = Scene::new();
    scene.change(Change::AddService(site::service(
        service,
        "rr",
        persistence,
    )));
    scene.add(service, &masqueraded(service, 0, port));
    scene
}

fn of_mark(address: SocketAddr) -> ServiceKey {
    let family = match address {
        SocketAddr::V4(_) => Family::Ipv4,
        SocketAddr::V6(_) => Family::Ipv6,
    };
    ServiceKey::Mark { family, mark: MARK }
}

/// What becomes of a SYN with a mark, and where it goes.
fn send(scene: &Scene, from: SocketAddr, to: SocketAddr, mark: u32) -> (Verdict, SocketAddr) {
    let mut frame = Bytes {
        led: Some(mark),
        route: Route::NONE,
        ..Bytes::received(Packet::tcp(from, to, SYN).build(), DEVICE)
    };
    let verdict = process(&mut frame, &scene.site.store);
    (verdict, ends(&frame.bytes[ETHERNET..], to.is_ipv4()).1)
}

#[test]
fn packets_keep_their_port_unless_the_destination_has_one() {
    for (_, client, vip) in services() {
        let service = of_mark(vip);
        let granularity = match vip {
            SocketAddr::V4(_) => Granularity::Mask([255; 4].into()),
            SocketAddr::V6(_) => Granularity::Prefix(128),
        };
        let persistence = Some(Persistence {
            timeout: 300,
            granularity,
        });
        for (port, persistence, wanted) in [
            (0, None, vip.port()),
            (8080, None, 8080),
            // As ip_vs_sched_persist has it.
            (8080, persistence, vip.port()),
        ] {
            let scene = scene(service, port, persistence);
            let (verdict, to) = send(&scene, client, vip, MARK);
            assert!(matches!(verdict, Verdict::Redirect(_)), "{verdict:?}");
            assert_eq!(to.port(), wanted);
            let other = SocketAddr::new(client.ip(), 9);
            assert_eq!(send(&scene, other, vip, 1).0, Verdict::Pass);
        }
    }
}

#[test]
fn the_next_daemon_knows_marks() {
    for (_, client, vip) in services() {
        let service = of_mark(vip);
        let mut scene = scene(service, 0, None);
        let adopted = Installed::adopt(&scene.site.store, scene.now);
        scene.site.installed = adopted.expect("memory can be read");
        assert_eq!(scene.site.installed.keys().collect::<Vec<_>>(), [service]);
        send(&scene, client, vip, MARK);
        let destination = masqueraded(service, 0, 0);
        assert_eq!(scene.totals(service, &destination).connections, 1);
        scene.change(Change::DeleteService(service));
        let other = SocketAddr::new(client.ip(), 9);
        assert_eq!(send(&scene, other, vip, MARK).0, Verdict::Pass);
    }
}

/// What a packet by mark shows to the filter, a sweep keeps for as long as its connection lives.
#[test]
fn addresses_are_virtual_while_they_have_connections() {
    for (_, client, vip) in services() {
        let mut scene = scene(of_mark(vip), 0, None);
        send(&scene, client, vip, MARK);
        scene.pass(1);
        let packet = Packet::tcp(client, vip, rlvs_testing::packet::ACK);
        assert_ne!(scene.send(&packet).verdict, Verdict::Pass);
        (0..5).for_each(|_| scene.pass(1000));
        assert_eq!(scene.send(&packet).verdict, Verdict::Pass);
    }
}
