//! SCTP by masquerading and by direct routing on Debian's stock kernel, whose SCTP verifies every
//! checksum that is there.
//!
//! Files go both ways through the director: by its tc program and by XDP in a veth's driver, with
//! checksums that the stacks compute, and with such as they leave to a device.

use std::fs;
use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_control::Status;
use rlvs_control::status::NextHop;
use rlvs_lab::address::with_port;
use rlvs_lab::{DirectRouting, Director, Host, Masquerading, Vm, command, vm, wait};
use rlvs_tests::scene::connections;

/// The emulated machine is slow.
const SOON: Duration = Duration::from_secs(180);
/// The virtual service's port.
const PORT: u16 = 9000;
/// Another one of the real server, so that there is a checksum to mend.
const REAL_PORT: u16 = 9899;
const LENGTH: usize = 100_000;

#[test]
fn files_go_both_ways() -> Result<()> {
    if !vm::inside() {
        let machine = Vm::new().limit(Duration::from_secs(1200));
        return machine.run_test("files_go_both_ways");
    }
    command::finish(Command::new("modprobe").arg("sctp"), SOON)?.success()?;
    by_direct_routing()?;
    by_masquerading("native", COMPUTED, COMPUTED)?;
    by_masquerading("auto", COMPUTED, COMPUTED)?;
    // Nobody computes them; then the director's device does, after the ports have changed.
    by_masquerading("auto", IN_SEGMENTS, IN_SEGMENTS)?;
    by_masquerading("auto", LEFT, COMPUTED)
}

fn by_direct_routing() -> Result<()> {
    let mut lab = DirectRouting::new(1)?;
    lab.director.add_vips(&lab.vips())?;
    lab.real_servers[0].up(&lab.vips())?;
    let server = &lab.real_servers[0].host;
    let (director, switch) = (&lab.director.host, lab.switch.host());
    offload(&[&lab.client, server, director, switch], COMPUTED)?;
    lab.director.start_rlvs_with(&configuration("native"))?;
    for vip in lab.vips() {
        let way = Way {
            client: &lab.client,
            server,
            director: &lab.director,
            vip,
            listens: vip,
            port: PORT,
        };
        way.serve("-g", server.address().like(vip))?;
        way.check()
            .with_context(|| format!("{vip} by direct routing"))?;
    }
    lab.director.stop()?;
    lab.director.rlvs("down").map(drop)
}

fn by_masquerading(mode: &str, of_ends: &str, of_director: &str) -> Result<()> {
    let mut lab = Masquerading::new(1)?;
    let server = &lab.real_servers[0].host;
    let segments = [lab.outside.host(), lab.inside.host()];
    offload(&[&lab.client, server, segments[0], segments[1]], of_ends)?;
    offload(&[&lab.director.host], of_director)?;
    lab.director.start_rlvs_with(&configuration(mode))?;
    for vip in lab.vips() {
        let way = Way {
            client: &lab.client,
            server,
            director: &lab.director,
            vip,
            listens: server.address().like(vip),
            port: REAL_PORT,
        };
        way.serve("-m", way.listens)?;
        way.check()
            .with_context(|| format!("{vip}, {mode}, {of_ends}, {of_director}"))?;
    }
    lab.director.stop()?;
    lab.director.rlvs("down").map(drop)
}

fn configuration(mode: &str) -> String {
    format!("connections = 4096\n[interfaces]\nloopback = false\nmode = \"{mode}\"\n")
}

/// Checksums that the stack computes, in packets of their final size.
const COMPUTED: &str = "tx-checksum-sctp off gso off";
/// Checksums, but not segments, that are left to the device.
const LEFT: &str = "tx-checksum-sctp on gso off";
/// Both.
const IN_SEGMENTS: &str = "tx-checksum-sctp on gso on";

/// What is left to devices, on all cables that end there.
fn offload(hosts: &[&Host], words: &str) -> Result<()> {
    for host in hosts {
        host.shell(&format!(
            "for device in $(ip -o link show type veth | cut -d : -f 2 | cut -d @ -f 1); do \
             ethtool -K $device {words} || exit 1; done"
        ))?;
    }
    Ok(())
}

/// Client, director and real server of one virtual address.
struct Way<'l> {
    client: &'l Host,
    server: &'l Host,
    director: &'l Director,
    vip: IpAddr,
    listens: IpAddr,
    port: u16,
}

impl Way<'_> {
    /// Adds the service.
    fn serve(&self, method: &str, real: IpAddr) -> Result<()> {
        let service = format!("--sctp-service {}", with_port(self.vip, PORT));
        let real = with_port(real, self.port);
        self.director.ipvsadm(&format!("-A {service} -s rr"))?;
        self.director
            .ipvsadm(&format!("-a {service} -r {real} {method}"))?;
        wait::until("the next hop is known", SOON, || {
            let status: Status = serde_json::from_str(&self.director.rlvs("status --json")?)?;
            let mut all = status.services.iter().flat_map(|it| &it.destinations);
            Ok(all.all(|it| matches!(it.next_hop, NextHop::Resolved { .. })))
        })
    }

    /// A file each way, and what is listed of it.
    fn check(&self) -> Result<()> {
        let file = self.client.directory()?.join("original");
        let original: Vec<u8> = (0..LENGTH).map(|i| ((i * i) >> 7) as u8).collect();
        fs::write(&file, &original)?;
        let source = format!("OPEN:{}", file.display());
        for to_client in [true, false] {
            let copy = self.server.directory()?.join("copy");
            let sink = format!("CREATE:{}", copy.display());
            match to_client {
                true => self.transfer([&source, &self.listen()], [&self.connect(), &sink])?,
                false => self.transfer([&self.listen(), &sink], [&source, &self.connect()])?,
            }
            wait::until("all has arrived", SOON, || {
                Ok(fs::metadata(&copy)?.len() == LENGTH as u64)
            })?;
            ensure!(fs::read(&copy)? == original, "another file arrived");
            fs::remove_file(copy)?;
        }
        self.check_listing()?;
        for host in [self.client, self.server] {
            let wrong = self.snmp(host, "SctpChecksumErrors")?;
            ensure!(wrong == 0, "{wrong} wrong checksums at {}", host.name());
            ensure!(self.snmp(host, "SctpInSCTPPacks")? > 40, "few packets");
        }
        Ok(())
    }

    /// Runs the server's socat, then the client's; both end.
    fn transfer(&self, server: [&str; 2], client: [&str; 2]) -> Result<()> {
        let words = ["-u", server[0], server[1]];
        let mut listener = self.server.spawn("socat", "socat", words)?;
        wait::until("the server listens", SOON, || {
            ensure!(listener.exited()?.is_none(), "{}", listener.log());
            let known = self.server.run("cat", ["/proc/net/sctp/eps"])?;
            Ok(known.contains(&format!(" {} ", self.port)))
        })?;
        self.client.run("socat", ["-u", client[0], client[1]])?;
        ensure!(listener.wait(SOON)?.success(), "{}", listener.log());
        Ok(())
    }

    /// Bound to one address: SCTP tells the other side of all that a socket has.
    fn listen(&self) -> String {
        let (version, address) = (version(self.vip), bracketed(self.listens));
        format!("SCTP{version}-LISTEN:{},bind={address}", self.port)
    }

    fn connect(&self) -> String {
        let from = bracketed(self.client.address().like(self.vip));
        let to = with_port(self.vip, PORT);
        format!("SCTP{}-CONNECT:{to},bind={from}", version(self.vip))
    }

    /// Two associations that are over.
    fn check_listing(&self) -> Result<()> {
        let mut known = connections(self.director)?;
        known.retain(|it| it.virtual_address.ip() == self.vip);
        ensure!(known.len() == 2, "{known:?}");
        for it in known {
            ensure!(it.protocol == "SCTP" && it.state == "CLOSED", "{it:?}");
            ensure!(it.destination.ends_with(&format!(":{}", self.port)));
        }
        Ok(())
    }

    /// A counter of the host's SCTP.
    fn snmp(&self, host: &Host, name: &str) -> Result<u64> {
        let text = host.run("cat", ["/proc/net/sctp/snmp"])?;
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(value.context("no such counter")?.parse()?)
    }
}

fn version(address: IpAddr) -> u8 {
    if address.is_ipv4() { 4 } else { 6 }
}

fn bracketed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}
