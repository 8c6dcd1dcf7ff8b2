//! Whatever the director is wired with: jumbo frames, a bridge, a macvlan, containers. What goes
//! through is compared byte by byte.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use rlvs_control::status::{Attachment, NextHop};
use rlvs_lab::address::with_port;
use rlvs_lab::{Address, DirectRouting, Director, Host, Masquerading, Segment, wait};
use rlvs_tests::scene::{Frames, Mode, SOON, Transfer, dropped, next_hop, status, wait_attached};

const AUTOMATIC: &str = "connections = 65536\n";
const PORT: u16 = 9000;
const LARGE: usize = 50_000_000;
const SMALL: usize = 4_000_000;

/// A service at [`PORT`] of `vip`, with this one destination.
fn serve(director: &Director, vip: IpAddr, real: IpAddr, method: &str) -> Result<()> {
    let (service, real) = (with_port(vip, PORT), with_port(real, PORT));
    director.ipvsadm(&format!("-A -t {service} -s rr"))?;
    director.ipvsadm(&format!("-a -t {service} -r {real} {method}"))?;
    wait::until("the server is known", SOON, || {
        Ok(matches!(
            next_hop(director, &real)?,
            NextHop::Resolved { .. }
        ))
    })
}

/// Frames of 9000 bytes at both ends of the cable, with checksums filled in: as XDP wants them.
fn enlarge(segment: &Segment, host: &Host, interface: &str) -> Result<()> {
    let port = segment.port(host, interface);
    for (host, interface) in [(host, interface), (segment.host(), &port)] {
        host.shell(&format!(
            "ip link set {interface} mtu 9000 && ethtool -K {interface} tx off gro on"
        ))?;
    }
    Ok(())
}

/// Uploads, of which frames larger than a page arrive. The receiver may see up to 64 kB of them as
/// one.
fn carry_jumbo(client: &Host, server: &Host, vip: IpAddr) -> Result<()> {
    let frames = Frames::count(server, &format!("tcp dst port {PORT} and greater 8000"))?;
    let transfer = Transfer {
        client,
        server,
        target: &with_port(vip, PORT),
        port: PORT,
    };
    transfer.upload(LARGE)?;
    let (_, bytes) = frames.finish(LARGE as u64 / 100_000)?;
    ensure!(bytes > LARGE as u64 / 2, "{bytes} bytes in large frames");
    Ok(())
}

#[test]
fn jumbo_frames_in_the_driver_by_direct_routing() -> Result<()> {
    let mut lab = DirectRouting::new(1)?;
    for host in [&lab.client, &lab.director.host, &lab.real_servers[0].host] {
        enlarge(&lab.switch, host, "eth0")?;
    }
    lab.director.add_vips(&lab.vips())?;
    let configuration = Mode::Native.configuration();
    lab.director.start_rlvs_with(&configuration)?;
    wait_attached(&lab.director, "eth0", &Attachment::Native)?;
    let server = &lab.real_servers[0];
    server.up(&lab.vips())?;
    for vip in lab.vips() {
        let real = server.host.address().like(vip);
        serve(&lab.director, vip, real, "-g")?;
        carry_jumbo(&lab.client, &server.host, vip)?;
    }
    nothing_was_dropped(&lab.director)
}

#[test]
fn jumbo_frames_in_the_driver_by_masquerading() -> Result<()> {
    let mut lab = Masquerading::new(1)?;
    enlarge(&lab.outside, &lab.client, "eth0")?;
    enlarge(&lab.outside, &lab.director.host, "eth0")?;
    enlarge(&lab.inside, &lab.director.host, "eth1")?;
    enlarge(&lab.inside, &lab.real_servers[0].host, "eth0")?;
    let configuration = Mode::Native.configuration_of_all();
    lab.director.start_rlvs_with(&configuration)?;
    for interface in ["eth0", "eth1"] {
        wait_attached(&lab.director, interface, &Attachment::Native)?;
    }
    let server = &lab.real_servers[0].host;
    for vip in lab.vips() {
        let real = server.address().like(vip);
        serve(&lab.director, vip, real, "-m")?;
        carry_jumbo(&lab.client, server, vip)?;
    }
    nothing_was_dropped(&lab.director)
}

/// But for what a receiver on a busy machine had no room for: TCP sends that again.
fn nothing_was_dropped(director: &Director) -> Result<()> {
    let mut dropped = status(director)?.dropped;
    dropped.retain(|it| it.packets > 0 && it.reason != "transmit-full");
    ensure!(dropped.is_empty(), "{dropped:?}");
    Ok(())
}

/// The director's addresses move from eth0 to a new interface, which `ip` makes of it.
fn move_addresses(lab: &DirectRouting, interface: &str, make: &str) -> Result<()> {
    let host = &lab.director.host;
    let address = host.address();
    host.shell(&format!(
        "ip address flush dev eth0 && {make} && ip link set {interface} up && \
         ip address add {}/24 dev {interface} && ip address add {}/64 dev {interface} nodad",
        address.v4, address.v6
    ))?;
    lab.vips()
        .iter()
        .try_for_each(|&vip| host.add_address(vip, interface))
}

/// By direct routing, in at `interface` and out at it.
fn carry_through(lab: &DirectRouting, interface: &str) -> Result<()> {
    wait_attached(&lab.director, interface, &Attachment::Tc)?;
    let server = &lab.real_servers[0];
    server.up(&lab.vips())?;
    for vip in lab.vips() {
        let real = server.host.address().like(vip);
        serve(&lab.director, vip, real, "-g")?;
        let target = with_port(vip, PORT);
        let transfer = Transfer {
            client: &lab.client,
            server: &server.host,
            target: &target,
            port: PORT,
        };
        transfer.upload(SMALL)?;
        transfer.download(SMALL)?;
    }
    nothing_was_dropped(&lab.director)
}

#[test]
fn a_bridge_has_the_virtual_addresses() -> Result<()> {
    let mut lab = DirectRouting::new(1)?;
    let make = "ip link add br0 type bridge forward_delay 0 mcast_snooping 0 && \
                ip link set eth0 master br0";
    move_addresses(&lab, "br0", make)?;
    lab.director.start_rlvs_with(AUTOMATIC)?;
    carry_through(&lab, "br0")?;
    let interfaces = status(&lab.director)?.interfaces;
    let of = |name: &str| {
        let found = interfaces.iter().find(|it| it.name == name);
        found.map(|it| it.reason.as_str()).context("not there")
    };
    ensure!(of("br0")? == "a bridge carries unfinished checksums");
    ensure!(of("eth0")? == "part of br0");
    Ok(())
}

#[test]
fn a_macvlan_has_the_virtual_addresses() -> Result<()> {
    let mut lab = DirectRouting::new(1)?;
    let make = "ip link add link eth0 name mac0 type macvlan mode bridge";
    move_addresses(&lab, "mac0", make)?;
    lab.director.start_rlvs_with(AUTOMATIC)?;
    carry_through(&lab, "mac0")?;
    // Its frames are for another address than the device's below.
    wait_attached(&lab.director, "eth0", &Attachment::Tc)
}

/// A container of the director's own, behind the veth `c0`, and its addresses. `prepare` is run in
/// it.
fn contain(lab: &DirectRouting, prepare: &str) -> Result<(Host, Address)> {
    let container = Host::new(&lab.lab, "box")?;
    let (above, inside) = (Address::new(9, 1), Address::new(9, 2));
    lab.director.host.shell(&format!(
        "ip link add c0 type veth peer name eth0 netns {space} && ip link set c0 up && \
         ip address add {a4}/24 dev c0 && ip address add {a6}/64 dev c0 nodad && \
         sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
        space = container.namespace(),
        a4 = above.v4,
        a6 = above.v6,
    ))?;
    container.shell(&format!(
        "ip link set eth0 up && {prepare} && \
         ip address add {i4}/24 dev eth0 && ip address add {i6}/64 dev eth0 nodad && \
         ip route add default via {a4} && ip -6 route add default via {a6}",
        i4 = inside.v4,
        i6 = inside.v6,
        a4 = above.v4,
        a6 = above.v6,
    ))?;
    lab.director.add_vips(&lab.vips())?;
    Ok((container, inside))
}

fn start(lab: &mut DirectRouting, mode: Mode) -> Result<()> {
    let configuration = mode.configuration_of_all();
    lab.director.start_rlvs_with(&configuration)?;
    for interface in ["eth0", "c0"] {
        wait_attached(&lab.director, interface, &mode.attachment())?;
    }
    Ok(())
}

#[test]
fn containers_are_behind_veth() -> Result<()> {
    // As the driver's XDP wants the other end; traffic control takes all.
    let prepared = "ethtool -K eth0 tx off gro on";
    for (mode, prepare) in [(Mode::Tc, "true"), (Mode::Native, prepared)] {
        let mut lab = DirectRouting::new(0)?;
        let (container, inside) = contain(&lab, prepare)?;
        start(&mut lab, mode)?;
        for vip in lab.vips() {
            serve(&lab.director, vip, inside.like(vip), "-m")?;
            let target = with_port(vip, PORT);
            let transfer = Transfer {
                client: &lab.client,
                server: &container,
                target: &target,
                port: PORT,
            };
            transfer.upload(SMALL)?;
            transfer.download(SMALL)?;
        }
        nothing_was_dropped(&lab.director)?;
    }
    Ok(())
}

/// A veth takes frames of XDP only if its other end receives as a driver does.
#[test]
fn frames_that_cannot_be_sent_are_counted() -> Result<()> {
    let mut lab = DirectRouting::new(0)?;
    let (_container, inside) = contain(&lab, "ethtool -K eth0 gro off")?;
    start(&mut lab, Mode::Native)?;
    let vip = lab.vips()[0];
    serve(&lab.director, vip, inside.like(vip), "-m")?;
    nothing_was_dropped(&lab.director)?;
    let target = format!("TCP:{},connect-timeout=3", with_port(vip, PORT));
    let socat = lab.client.try_run("socat", ["-u", "/dev/null", &target])?;
    ensure!(!socat.status.success(), "it was sent");
    let unsent = ["transmit-unsupported", "transmit-not-ready"]
        .map(|reason| dropped(&lab.director, reason))
        .into_iter()
        .sum::<Result<u64>>()?;
    ensure!(unsent >= 1, "{:?}", status(&lab.director)?.dropped);
    Ok(())
}
