//! Every tunnel of LVS to a real server of Debian's stock kernel, which takes packets out with its
//! own devices: ipip, sit, ip6tnl, gre, ip6gre, and fou with GUE.
//!
//! All in one run: the destinations of all services are edited from one tunnel to the next while
//! clients come. HTTP and DNS answers, and an upload whose packets are too large for the tunnel at
//! first, as fragments of datagrams are, show that what arrives is what was sent.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::{DirectRouting, Host, Vm, vm};
use rlvs_tests::tunnels::{
    GUE_PORT, Kind, Upload, add_services, answers, datagram, direct, dropped,
};

const UPLOAD: usize = 50_000;

#[test]
fn the_kernel_takes_out_what_was_put_in() -> Result<()> {
    if !vm::inside() {
        let machine = Vm::new().limit(Duration::from_secs(900));
        return machine.run_test("the_kernel_takes_out_what_was_put_in");
    }
    let lab = DirectRouting::ready(2)?;
    for module in [
        "ipip",
        "sit",
        "ip6_tunnel",
        "ip_gre",
        "ip6_gre",
        "fou",
        "fou6",
    ] {
        lab.director.host.run("modprobe", [module])?;
    }
    for (server, checksum) in lab.real_servers.iter().zip(["", "icsum"]) {
        open_tunnels(&server.host, checksum)?;
    }
    add_services(&lab)?;
    let upload = Upload::new(&lab, UPLOAD)?;
    for vip in lab.vips() {
        for outer6 in [false, true] {
            for kind in Kind::ALL {
                // A GRE device takes packets with a checksum, or those without.
                let server = &lab.real_servers[usize::from(kind == Kind::GreSummed)];
                let real = server.host.address().both()[usize::from(outer6)];
                let walk = || {
                    direct(&lab, vip, kind, real)?;
                    answers(&lab, vip, server.name())?;
                    if !matches!(kind, Kind::Gre | Kind::Gue) {
                        upload.send(&lab, vip, &server.host)?;
                    }
                    // Fragments go without the checksum that a GRE device insists on.
                    match kind {
                        Kind::Ipip | Kind::Gre | Kind::GueSummed => {
                            datagram(&lab, vip, &server.host)
                        }
                        _ => Ok(()),
                    }
                };
                walk().with_context(|| format!("{vip} to {real} by {kind}"))?;
            }
        }
    }
    ensure!(dropped(&lab, "too-long")? > 0, "nothing was too large");
    ensure!(dropped(&lab, "encapsulation")? == 0);
    Ok(())
}

/// Devices for packets of all kinds, from anybody.
fn open_tunnels(host: &Host, checksum: &str) -> Result<()> {
    let [v4, v6] = host.address().both();
    host.shell(&format!(
        "set -e
         sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
         ip link set tunl0 up
         ip link set sit0 up
         ip link add gre4 type gre local {v4} {checksum}
         ip link set gre4 up
         ip link add in6 type ip6tnl mode any local {v6} encaplimit none
         ip link set in6 up
         ip link add gre6 type ip6gre local {v6} encaplimit none {checksum}
         ip link set gre6 up
         ip fou add port {GUE_PORT} gue
         ip -6 fou add port {GUE_PORT} gue
         for d in tunl0 sit0 gre4 in6 gre6; do
            sysctl -qw net.ipv4.conf.$d.rp_filter=0 net.ipv6.conf.$d.disable_ipv6=0
         done"
    ))
    .map(drop)
}
