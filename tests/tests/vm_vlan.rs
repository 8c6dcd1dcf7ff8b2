//! Services and real servers in VLANs, on Debian's stock kernel, which has such interfaces.
//!
//! One trunk carries everything: the client's VLAN, another within it, and the real servers'. Each
//! of them has HTTP with content: by programs on the VLAN interfaces, and by XDP on the trunk, which
//! sees the tags in the frames.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::{Director, Get, Host, Lab, RealServer, Segment, Vm, vm, wait};

/// The emulated machine is slow.
const SOON: Duration = Duration::from_secs(120);
const REQUESTS: u32 = 10;

/// Interfaces by what their addresses have in common: `eth0` has the trunk's own, without tags.
const CLIENTS: [&str; 3] = ["eth0", "eth0.10", "eth0.10.20"];
const SERVERS: &str = "eth0.30";

#[test]
fn http_is_balanced_between_vlans() -> Result<()> {
    if !vm::inside() {
        let limit = Duration::from_secs(800);
        return Vm::new()
            .limit(limit)
            .run_test("http_is_balanced_between_vlans");
    }
    let mut trunk = Trunk::new()?;
    for (mode, below) in [("tc", false), ("native", true)] {
        trunk.walk(mode, below).with_context(|| mode.to_owned())?;
    }
    Ok(())
}

struct Trunk {
    director: Director,
    _server: RealServer,
    client: Host,
    _segment: Segment,
    _lab: Lab,
}

impl Trunk {
    fn new() -> Result<Self> {
        let lab = Lab::new()?;
        let segment = Segment::new(&lab, "trunk", 0)?;
        let [client, director, server] = [
            host(&lab, &segment, "client", 2)?,
            host(&lab, &segment, "director", 5)?,
            host(&lab, &segment, "rs1", 11)?,
        ];
        director.forward()?;
        for interface in CLIENTS {
            for vip in addresses(interface, 100) {
                director.add_address(vip, interface)?;
            }
        }
        let [gateway4, gateway6] = addresses(SERVERS, 5);
        let server = RealServer::start(server)?;
        // Only the way through the director leads back to clients.
        server.host.shell(&format!(
            "ip addr flush dev eth0 scope global && ip link del eth0.10 && \
             ip route add default via {gateway4} && ip -6 route add default via {gateway6}"
        ))?;
        Ok(Self {
            director: Director::new(director)?,
            _server: server,
            client,
            _segment: segment,
            _lab: lab,
        })
    }

    /// From no director to none.
    fn walk(&mut self, mode: &str, below: bool) -> Result<()> {
        let configuration =
            format!("connections = 4096\n\n[interfaces.modes]\neth0 = \"{mode}\"\n");
        self.director.start_rlvs_with(&configuration)?;
        for interface in CLIENTS {
            for vip in addresses(interface, 100) {
                self.balance(vip).with_context(|| format!("{vip}"))?;
            }
        }
        // Where XDP takes the frames, VLAN interfaces see next to nothing of the same traffic.
        let before = self.received()?;
        let [vip, _] = addresses("eth0.10", 100);
        Get::new(url(vip))
            .limit(SOON)
            .times(&self.client, REQUESTS)?;
        let seen = self.received()? - before;
        let took = seen < u64::from(REQUESTS);
        ensure!(took == below, "eth0.10 has received {seen} packets");
        self.director.stop()?;
        self.director.rlvs("down").map(drop)
    }

    fn balance(&self, vip: IpAddr) -> Result<()> {
        let service = with_port(vip, 80);
        let number = usize::from(vip.is_ipv6());
        let server = with_port(addresses(SERVERS, 11)[number], 80);
        self.director.ipvsadm(&format!("-A -t {service} -s rr"))?;
        self.director
            .ipvsadm(&format!("-a -t {service} -r {server} -m"))?;
        wait::until("the real server is known", SOON, || {
            Ok(Get::new(url(vip)).once(&self.client).is_ok())
        })?;
        let answers = Get::new(url(vip))
            .limit(SOON)
            .times(&self.client, REQUESTS)?;
        ensure!(answers == vec!["rs1"; REQUESTS as usize], "{answers:?}");
        Ok(())
    }

    /// Packets that the interface of clients with one tag has received.
    fn received(&self) -> Result<u64> {
        let file = "/sys/class/net/eth0.10/statistics/rx_packets";
        // /sys is that of the namespace that mounted it.
        let line = format!("mount -t sysfs sysfs /sys && cat {file}");
        let host = &self.director.host;
        let packets = host.run("unshare", ["--mount", "bash", "-c", &line])?;
        Ok(packets.trim().parse()?)
    }
}

/// A host with all VLANs, whose frames have their tags in them.
fn host(lab: &Lab, segment: &Segment, name: &str, number: u8) -> Result<Host> {
    let mut host = Host::new(lab, name)?;
    host.join(segment, number)?;
    let off = ["txvlan", "off", "tx-vlan-stag-hw-insert", "off"];
    let stays = ["rxvlan", "off"];
    host.run(
        "ethtool",
        ["-K", "eth0"].into_iter().chain(off).chain(stays),
    )?;
    let port = segment.port(&host, "eth0");
    segment
        .host()
        .run("ethtool", ["-K", &port].into_iter().chain(off))?;
    let mut lines = vec![
        "ip link add link eth0 name eth0.10 type vlan id 10".to_owned(),
        "ip link add link eth0.10 name eth0.10.20 type vlan id 20".to_owned(),
        "ip link add link eth0 name eth0.30 type vlan id 30".to_owned(),
    ];
    for interface in ["eth0.10", "eth0.10.20", "eth0.30"] {
        let [v4, v6] = addresses(interface, number);
        lines.push(format!("ip addr add {v4}/24 dev {interface}"));
        lines.push(format!("ip addr add {v6}/64 dev {interface} nodad"));
        lines.push(format!("ip link set {interface} up"));
    }
    host.shell(&lines.join(" && "))?;
    Ok(host)
}

/// The addresses of host `number` on an interface.
fn addresses(interface: &str, number: u8) -> [IpAddr; 2] {
    let vlan = interface.rsplit_once('.').map_or(0, |(_, vlan)| {
        vlan.parse().expect("interfaces are named after VLANs")
    });
    rlvs_lab::Address::new(vlan, number).both()
}

fn url(vip: IpAddr) -> String {
    format!("http://{}/", with_port(vip, 80))
}
