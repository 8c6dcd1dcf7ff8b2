//! Real servers that change their MAC address or go away, and interfaces that come and go.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rlvs_control::status::{Attachment, NextHop};
use rlvs_lab::address::with_port;
use rlvs_lab::{Address, Get, Host, RealServer, Segment, wait};
use rlvs_tests::in_both_modes;
use rlvs_tests::scene::{
    self, Frames, Mode, SOON, Scene, attachment, dropped, http, statistics, wait_attached,
};

in_both_modes!(
    a_mac_address_that_is_announced_is_followed_at_once,
    a_silent_change_is_followed_within_seconds,
    a_server_that_is_away_is_seen_and_counted,
    the_directors_interface_goes_down_and_up,
    an_interface_that_comes_later_is_attached,
    a_real_server_behind_a_gateway,
);

/// For an announced change.
const AT_ONCE: Duration = Duration::from_secs(2);
/// For a silent one, on a busy machine: two seconds to the next probe, three tries of a second, the new
/// answer.
const SECONDS: Duration = Duration::from_secs(60);

fn a_mac_address_that_is_announced_is_followed_at_once(mode: Mode) -> Result<()> {
    let mut scene = with_one_server(mode)?;
    // The kernel announces new MAC addresses: by gratuitous ARP, by unsolicited advertisements.
    scene.real_servers[0].host.sysctl(&[
        ("net.ipv4.conf.eth0.arp_notify", "1"),
        ("net.ipv6.conf.eth0.ndisc_notify", "1"),
    ])?;
    scene.real_servers[0].host.set_mac("02:00:0a:00:0a:11")?;
    followed(&scene, AT_ONCE)?;

    // It does not, but the server looks for the director itself, as whoever wants to send does.
    let host = &scene.real_servers[0].host;
    host.sysctl(&[
        ("net.ipv4.conf.eth0.arp_notify", "0"),
        ("net.ipv6.conf.eth0.ndisc_notify", "0"),
    ])?;
    scene.real_servers[0].host.set_mac("02:00:0a:00:0b:11")?;
    let host = &scene.real_servers[0].host;
    host.run("ip", ["neigh", "flush", "dev", "eth0"])?;
    for address in scene.director.host.address().both() {
        let family = if address.is_ipv4() { "UDP4" } else { "UDP6" };
        let to = with_port(address, 9);
        host.shell(&format!("echo | socat -u - {family}-DATAGRAM:{to}"))?;
    }
    followed(&scene, AT_ONCE)
}

fn a_silent_change_is_followed_within_seconds(mode: Mode) -> Result<()> {
    let mut scene = with_one_server(mode)?;
    scene.real_servers[0].host.set_mac("02:00:0a:00:0a:11")?;
    followed(&scene, SECONDS)
}

/// One real server in a service of either family, and it answers.
fn with_one_server(mode: Mode) -> Result<Scene> {
    let scene = Scene::new(mode, 1)?;
    for vip in scene.vips() {
        scene.add_http(vip, "rr", &[1])?;
        scene.ask(vip, 2)?;
    }
    Ok(scene)
}

/// Both families know the server's MAC address in time, and frames go there.
fn followed(scene: &Scene, limit: Duration) -> Result<()> {
    let changed = Instant::now();
    for vip in scene.vips() {
        let left = limit.saturating_sub(changed.elapsed());
        scene.wait_mac(vip, 0, left)?;
    }
    for vip in scene.vips() {
        let answers = scene.ask(vip, 3)?;
        ensure!(answers == vec!["rs1"; 3], "{answers:?}");
    }
    Ok(())
}

fn a_server_that_is_away_is_seen_and_counted(mode: Mode) -> Result<()> {
    let mut scene = Scene::new(mode, 2)?;
    for vip in scene.vips() {
        scene.add_http(vip, "rr", &[1, 1])?;
    }
    scene
        .switch
        .set_plugged(&scene.real_servers[0].host, false)?;
    for vip in scene.vips() {
        wait::until("the server is missed", SECONDS, || {
            Ok(matches!(
                scene.next_hop(vip, 0)?,
                NextHop::Unresolved { .. }
            ))
        })?;
        let NextHop::Unresolved { reason } = scene.next_hop(vip, 0)? else {
            continue;
        };
        ensure!(reason.contains("does not answer on eth0"), "{reason}");
        ensure!(matches!(scene.next_hop(vip, 1)?, NextHop::Resolved { .. }));
        let shown = scene.director.rlvs("status")?;
        ensure!(shown.contains("UNRESOLVED"), "{shown}");

        // Until someone gives it weight 0, it has its share, as with IPVS; none is hidden.
        let before = dropped(&scene.director, "unresolved")?;
        let get = scene.get(vip).limit(Duration::from_secs(2));
        let answers: Vec<_> = (0..4).map(|_| get.once(&scene.client).ok()).collect();
        let answered = answers.iter().flatten().filter(|name| *name == "rs2\n");
        ensure!(answered.count() == 2, "{answers:?}");
        ensure!(dropped(&scene.director, "unresolved")? >= before + 2);
    }
    scene.real_servers[0].host.set_mac("02:00:0a:00:0a:11")?;
    scene
        .switch
        .set_plugged(&scene.real_servers[0].host, true)?;
    followed_by_two(&scene)
}

fn followed_by_two(scene: &Scene) -> Result<()> {
    for vip in scene.vips() {
        scene.wait_mac(vip, 0, SECONDS)?;
        let mut answers = scene.ask(vip, 4)?;
        answers.sort();
        ensure!(answers == ["rs1", "rs1", "rs2", "rs2"], "{answers:?}");
    }
    Ok(())
}

fn the_directors_interface_goes_down_and_up(mode: Mode) -> Result<()> {
    let scene = with_one_server(mode)?;
    let host = &scene.director.host;
    host.sysctl(&[("net.ipv6.conf.all.keep_addr_on_down", "1")])?;
    host.run("ip", ["link", "set", "eth0", "down"])?;
    for vip in scene.vips() {
        wait::until("the interface is known to be down", SOON, || {
            Ok(matches!(
                scene.next_hop(vip, 0)?,
                NextHop::Unresolved { .. }
            ))
        })?;
    }
    host.run("ip", ["link", "set", "eth0", "up"])?;
    wait_attached(&scene.director, "eth0", &mode.attachment())?;
    for vip in scene.vips() {
        scene.wait_mac(vip, 0, SOON)?;
        wait::until("the service is back", SOON, || {
            let get = scene.get(vip).limit(Duration::from_secs(1));
            Ok(get.once(&scene.client).is_ok())
        })?;
        ensure!(scene.ask(vip, 3)? == vec!["rs1"; 3]);
    }
    Ok(())
}

/// Requests come in by `eth1`, which was not there when the daemon was started, and go on by
/// `eth0`; answers go round the director, by a router.
fn an_interface_that_comes_later_is_attached(mode: Mode) -> Result<()> {
    let mut scene = Scene::new(mode, 1)?;
    scene.director.stop()?;
    scene
        .director
        .start_rlvs_with(&mode.configuration_of_all())?;
    ensure!(attachment(&scene.director, "eth1")?.is_none());

    let outside = Segment::new(&scene.lab, "outside", 2)?;
    let router = router(&scene, &outside)?;
    scene.director.host.join(&outside, 5)?;
    wait_attached(&scene.director, "eth1", &mode.attachment())?;
    // For connections of the director itself.
    let loopback = attachment(&scene.director, "lo")?;
    ensure!(loopback == Some(Attachment::Tc), "{loopback:?}");

    let mut client = Host::new(&scene.lab, "outsider")?;
    client.join(&outside, 2)?;
    let vips = Address::new(2, 100).both();
    scene.real_servers[0].up(&vips)?;
    let through = router.address().both();
    let nets = ["10.0.2.0/24", "fd00:0:0:2::/64"];
    for ((vip, through), net) in vips.into_iter().zip(through).zip(nets) {
        scene.director.host.add_address(vip, "eth1")?;
        let server = &scene.real_servers[0].host;
        server.run("ip", ["route", "add", net, "via", &through.to_string()])?;
        scene.add_http(vip, "rr", &[1])?;
        let url = format!("http://{}/", with_port(vip, 80));
        let answers = Get::new(url).times(&client, 10)?;
        ensure!(answers == vec!["rs1"; 10], "{answers:?}");
        let (whole, _) = statistics(&scene.director, &http(vip))?;
        ensure!(whole.connections == 10, "{whole:?}");
    }
    // It goes as it came.
    scene
        .director
        .host
        .run("ip", ["link", "del", "dev", "eth1"])?;
    wait::until("eth1 is gone", SOON, || {
        Ok(attachment(&scene.director, "eth1")?.is_none())
    })
}

/// Frames go to the router's MAC address, which knows the way to the server for the virtual one.
fn a_real_server_behind_a_gateway(mode: Mode) -> Result<()> {
    let scene = Scene::new(mode, 1)?;
    let inside = Segment::new(&scene.lab, "inside", 3)?;
    let router = router(&scene, &inside)?;
    let mut far = Host::new(&scene.lab, "far")?;
    far.join(&inside, 11)?;
    let far = RealServer::start(far)?;
    far.up(&scene.vips())?;
    let [back4, back6] = Address::new(3, 1).both();
    let nets = [
        ("10.0.3.0/24", "10.0.0.0/24", back4),
        ("fd00:0:0:3::/64", "fd00::/64", back6),
    ];
    for ((vip, (net, home, back)), through) in scene
        .vips()
        .into_iter()
        .zip(nets)
        .zip(router.address().both())
    {
        let own = if vip.is_ipv4() { 0 } else { 1 };
        let far_address = far.host.address().both()[own];
        let route = |host: &Host, to: &str, via: IpAddr| {
            host.run("ip", ["route", "add", to, "via", &via.to_string()])
        };
        route(&scene.director.host, net, through)?;
        route(&far.host, home, back)?;
        route(&router, &vip.to_string(), far_address)?;

        let service = http(vip);
        let real = with_port(far_address, 80);
        scene.director.ipvsadm(&format!("-A {service} -s rr"))?;
        scene
            .director
            .ipvsadm(&format!("-a {service} -r {real} -g"))?;
        wait::until("the router is the next hop", SOON, || {
            let hop = scene::next_hop(&scene.director, &real)?;
            Ok(matches!(hop, NextHop::Resolved { mac, .. } if mac == router.address().mac))
        })?;
        let to_router = format!("ether dst {} and dst host {vip}", router.address().mac);
        let frames = Frames::count(&router, &to_router)?;
        let answers = scene.ask(vip, 10)?;
        ensure!(answers == vec!["far"; 10], "{answers:?}");
        // SYN, ACK, request, FIN at least.
        frames.finish(10 * 4)?;

        // Its way changes: the server is now said to be nowhere.
        scene
            .director
            .host
            .run("ip", ["route", "replace", "unreachable", net])?;
        wait::until("the route is known to be none", AT_ONCE, || {
            let hop = scene::next_hop(&scene.director, &real)?;
            Ok(matches!(hop, NextHop::Unresolved { .. }))
        })?;
    }
    Ok(())
}

/// Between the first segment and another, as host 1 of both.
fn router(scene: &Scene, other: &Segment) -> Result<Host> {
    let mut router = Host::new(&scene.lab, "router")?;
    router.forward()?;
    router.join(&scene.switch, 1)?;
    router.join(other, 1)?;
    Ok(router)
}
