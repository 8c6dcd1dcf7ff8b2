//! A real server's side on Debian's stock kernel: its verifier takes the programs, `clsact` holds
//! them, and packets of the kernel's own IPVS come out of every kind of tunnel that it has.

use std::fs;
use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::masquerading::restore_offloads;
use rlvs_lab::{Address, Host, Lab, Segment, Vm, command, vm, wait, warden};
use rlvs_tests::tunnel_site::TunnelSite;

/// The real one, not rlvs by that name.
const IPVSADM: &str = "/usr/sbin/ipvsadm";
const SOON: Duration = Duration::from_secs(180);
/// For the whole machine.
const LIMIT: Duration = Duration::from_secs(900);
const PORT: u16 = 9000;
const VIP: u8 = 100;
/// Larger than any packet, even of several made one.
const BYTES: usize = 1 << 20;
const TUNNELS: [&str; 6] = [
    "ipip",
    "gre --tun-nocsum",
    "gre --tun-csum",
    "gue --tun-port 6080 --tun-nocsum",
    "gue --tun-port 6080 --tun-csum",
    "gue --tun-port 6080 --tun-remcsum",
];

#[test]
fn packets_leave_their_tunnels() -> Result<()> {
    if !vm::inside() {
        return Vm::new()
            .limit(LIMIT)
            .run_test("packets_leave_their_tunnels");
    }
    by_hand()?;
    from_ipvs()
}

fn by_hand() -> Result<()> {
    let site = TunnelSite::new()?;
    site.check()?;
    let filters = || site.server.shell("tc filter show dev eth0 ingress");
    ensure!(filters()?.contains("rlvs_decapsulate"), "{}", filters()?);
    let one = filters()?.matches("handle").count();
    site.up("--from any")?;
    ensure!(
        filters()?.matches("handle").count() == one,
        "{}",
        filters()?
    );
    site.realserver("down")?;
    ensure!(filters()?.is_empty(), "{}", filters()?);
    Ok(())
}

/// A client, the kernel's director, and a real server, with all offloads of veth.
struct Ipvs {
    client: Host,
    director: Host,
    server: Host,
    _segment: Segment,
}

fn from_ipvs() -> Result<()> {
    for module in ["ip_vs", "ip_vs_rr"] {
        command::finish(Command::new("modprobe").arg(module), SOON)?.success()?;
    }
    let site = Ipvs::new()?;
    let received = site.server.directory()?.join("received");
    let line = format!(
        "exec socat -u TCP6-LISTEN:{PORT},fork,reuseaddr 'SYSTEM:sha256sum >> {}'",
        received.display()
    );
    let _sink = site.server.spawn("sink", "bash", ["-c", &line])?;
    let sent = site.client.directory()?.join("sent");
    fs::write(&sent, content())?;
    let sum = site
        .client
        .shell(&format!("sha256sum < {}", sent.display()))?;
    let mut transfers = 0;
    for tunnel in TUNNELS {
        for vip in Address::new(0, VIP).both() {
            for real in site.server.address().both() {
                site.balance(vip, real, tunnel)?;
                site.client.shell(&format!(
                    "socat -u FILE:{} TCP:{}",
                    sent.display(),
                    with_port(vip, PORT)
                ))?;
                transfers += 1;
                let what = format!("{vip} through {tunnel} to {real}");
                wait::until(&what, SOON, || {
                    let text = fs::read_to_string(&received).unwrap_or_default();
                    Ok(text == sum.repeat(transfers))
                })?;
            }
        }
    }
    let status = site.server.run("rlvs", ["realserver", "status"])?;
    ensure!(
        !status.contains("malformed") && !status.contains("failed"),
        "{status}"
    );
    Ok(())
}

fn content() -> Vec<u8> {
    (0..BYTES / 8)
        .flat_map(|number| number.to_be_bytes())
        .collect()
}

impl Ipvs {
    fn new() -> Result<Self> {
        let lab = Lab::new()?;
        lab.install_rlvs(&rlvs_lab::director::rlvs_binary())?;
        let segment = Segment::new(&lab, "switch", 0)?;
        let host = |name: &str, number| {
            let mut host = Host::new(&lab, name)?;
            host.join(&segment, number)?;
            restore_offloads(&segment, &host, "eth0")?;
            anyhow::Ok(host)
        };
        let (client, director) = (host("client", 2)?, host("director", 1)?);
        let server = host("server", 11)?;
        warden::tell(&server, "real-servers")?;
        let vips = Address::new(0, VIP).both();
        let mut words = vec!["realserver".to_owned(), "up".to_owned()];
        for vip in vips {
            director.add_address(vip, "eth0")?;
            words.extend(["--vip".to_owned(), vip.to_string()]);
        }
        let options = ["--tunnel", "ipip,gre,gue", "--from", "10.0.0.1,fd00::/64"];
        words.extend(options.map(str::to_owned));
        server.run("rlvs", words)?;
        Ok(Self {
            client,
            director,
            server,
            _segment: segment,
        })
    }

    /// One service with one destination, in place of all there was.
    fn balance(&self, vip: IpAddr, real: IpAddr, tunnel: &str) -> Result<()> {
        let (service, real) = (with_port(vip, PORT), with_port(real, PORT));
        self.director.shell(&format!(
            "{IPVSADM} -C && {IPVSADM} -A -t {service} -s rr && \
             {IPVSADM} -a -t {service} -r {real} -i --tun-type {tunnel}"
        ))?;
        Ok(())
    }
}
