//! What the kernel tests its own IPVS with (tools/testing/selftests/net/netfilter/ipvs.sh), with
//! rlvs in place of it: three namespaces, a bridge in the client's, and two interfaces of the
//! director, so that answers take another way than requests.
//!
//! ```text
//!   client                 director
//!     br0 10.0.0.2  ── 10.0.0.1 veth10      VIP 207.175.44.110 on lo
//!      │                   172.16.0.1 veth12
//!      │                        │
//!      │                   172.16.0.2 veth21
//!      └────────────── 10.0.0.3 veth20
//!                        server
//! ```
//!
//! All offloads of veth are as the kernel has them, and nobody waits for next hops.

use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use rlvs_lab::{Director, Host, Lab, Vm, command, vm};
use rlvs_tests::scene::Transfer;

const VIP: &str = "207.175.44.110";
const PORT: u16 = 8080;
const SERVER: &str = "172.16.0.2";
const LIMIT: Duration = Duration::from_secs(180);
/// As the kernel's test sends; and more than any window, in more packets than one.
const SIZES: [usize; 2] = [32, 1 << 20];

#[test]
fn the_kernels_own_test_passes() -> Result<()> {
    if !vm::inside() {
        let machine = Vm::new().limit(Duration::from_secs(800));
        return machine.run_test("the_kernels_own_test_passes");
    }
    let mut site = Site::new()?;
    site.director.start_rlvs_with("connections = 65536\n")?;
    site.add_vip_to_server()?;
    for (flag, prepare) in [
        ("-g", route as fn(&Site) -> Result<()>),
        ("-i", tunnel),
        ("-m", masquerade),
    ] {
        prepare(&site)
            .and_then(|()| site.direct(flag))
            .and_then(|()| site.transfer())
            .with_context(|| format!("{flag}\n{}", site.seen()))?;
    }
    Ok(())
}

fn route(site: &Site) -> Result<()> {
    site.director.host.sysctl(&[("net.ipv4.ip_forward", "1")])
}

/// With a device of the kernel at the tunnel's end, and a director that does not forward.
fn tunnel(site: &Site) -> Result<()> {
    site.director.host.sysctl(&[
        ("net.ipv4.ip_forward", "0"),
        ("net.ipv4.conf.all.send_redirects", "0"),
        ("net.ipv4.conf.default.send_redirects", "0"),
    ])?;
    site.server.shell(&format!(
        "modprobe ipip && ip link add in0 type ipip local {SERVER} && ip link set in0 up"
    ))?;
    site.server.sysctl(&[("net.ipv4.conf.in0.rp_filter", "0")])
}

/// The server knows nothing of the virtual address, and has no other way to the client than by the
/// director.
fn masquerade(site: &Site) -> Result<()> {
    site.director.host.sysctl(&[("net.ipv4.ip_forward", "1")])?;
    site.server
        .shell(&format!(
            "set -e
             ip addr del {VIP}/32 dev lo
             ip link del veth20
             ip route add default via 172.16.0.1 dev veth21"
        ))
        .map(drop)
}

struct Site {
    director: Director,
    client: Host,
    server: Host,
}

impl Site {
    fn new() -> Result<Self> {
        let lab = Lab::new()?;
        let host = |name| Host::new(&lab, name);
        let (client, director, server) = (host("client")?, host("director")?, host("server")?);
        for [near, near_end, far, far_end] in [
            [
                &client.namespace(),
                "veth01",
                &director.namespace(),
                "veth10",
            ],
            [&client.namespace(), "veth02", &server.namespace(), "veth20"],
            [
                &director.namespace(),
                "veth12",
                &server.namespace(),
                "veth21",
            ],
        ] {
            let line = format!(
                "link add {near_end} netns {near} type veth peer name {far_end} netns {far}"
            );
            let mut ip = Command::new("ip");
            command::finish(ip.args(line.split(' ')), LIMIT)?.success()?;
        }
        client.shell(&format!(
            "set -e
             ip link add br0 type bridge
             for d in veth01 veth02; do ip link set $d master br0; ip link set $d up; done
             ip link set br0 up
             ip addr add 10.0.0.2/24 dev br0
             ip route add {VIP} via 10.0.0.1 dev br0"
        ))?;
        add_addresses(
            &director,
            [("veth10", "10.0.0.1"), ("veth12", "172.16.0.1")],
        )?;
        director.add_address(VIP.parse::<IpAddr>()?, "lo")?;
        add_addresses(&server, [("veth20", "10.0.0.3"), ("veth21", SERVER)])?;
        Ok(Self {
            director: Director::new(director)?,
            client,
            server,
        })
    }

    /// The server takes packets to the virtual address from any side, and answers directly.
    fn add_vip_to_server(&self) -> Result<()> {
        self.server.sysctl(&[
            ("net.ipv4.conf.all.arp_ignore", "1"),
            ("net.ipv4.conf.all.arp_announce", "2"),
            ("net.ipv4.conf.all.rp_filter", "0"),
            ("net.ipv4.conf.veth21.rp_filter", "0"),
        ])?;
        self.server.add_address(VIP.parse::<IpAddr>()?, "lo")
    }

    fn direct(&self, flag: &str) -> Result<()> {
        self.director.ipvsadm("-C")?;
        let service = format!("-t {VIP}:{PORT}");
        self.director.ipvsadm(&format!("-A {service} -s rr"))?;
        self.director
            .ipvsadm(&format!("-a {flag} {service} -r {SERVER}:{PORT}"))
            .map(drop)
    }

    fn transfer(&self) -> Result<()> {
        let transfer = Transfer {
            client: &self.client,
            server: &self.server,
            target: &format!("{VIP}:{PORT}"),
            port: PORT,
        };
        for bytes in SIZES {
            transfer.upload(bytes)?;
            transfer.download(bytes)?;
        }
        Ok(())
    }

    /// What the director says, for an error.
    fn seen(&self) -> String {
        let said = |line: Result<String>| line.unwrap_or_default();
        said(self.director.rlvs("status")) + &said(self.director.ipvsadm("-Lnc"))
    }
}

fn add_addresses(host: &Host, all: [(&str, &str); 2]) -> Result<()> {
    for (device, address) in all {
        host.shell(&format!(
            "ip addr add {address}/24 dev {device} && ip link set {device} up"
        ))?;
    }
    Ok(())
}
