//! SCTP by masquerading and by direct routing.
//!
//! Files go both ways through the director, with checksums that the stacks compute, and with such
//! as they leave to a device.

use std::fs;
use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, ensure};
use rlvs_control::Status;
use rlvs_control::status::NextHop;
use rlvs_lab::address::with_port;
use rlvs_lab::{DirectRouting, Director, Host, Masquerading, wait};
use rlvs_tests::scene::connections;

use crate::{COMPUTED, SOON, configuration, offload};

/// The virtual service's port, or the first of several.
const PORT: u16 = 9000;
/// Another one of the real server, so that there is a checksum to mend.
const REAL_PORT: u16 = 9899;
const LENGTH: usize = 100_000;

pub(crate) fn by_direct_routing() -> Result<()> {
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
            ports: [PORT; 2],
        };
        way.serve("-g", server.address().like(vip))?;
        way.check()
            .with_context(|| format!("{vip} by direct routing"))?;
    }
    lab.director.stop()?;
    lab.director.rlvs("down").map(drop)
}

/// With services of another port than in other runs.
pub(crate) fn by_masquerading(lab: &Masquerading, run: u16) -> Result<()> {
    let server = &lab.real_servers[0].host;
    for vip in lab.vips() {
        let way = Way {
            client: &lab.client,
            server,
            director: &lab.director,
            vip,
            listens: server.address().like(vip),
            ports: [PORT + run, REAL_PORT + run],
        };
        way.serve("-m", way.listens)?;
        way.check()
            .with_context(|| format!("{vip} by masquerading"))?;
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
    /// Of the virtual service, and of the real server.
    ports: [u16; 2],
}

impl Way<'_> {
    /// Adds the service.
    fn serve(&self, method: &str, real: IpAddr) -> Result<()> {
        let service = format!("--sctp-service {}", with_port(self.vip, self.ports[0]));
        let real = with_port(real, self.ports[1]);
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
        let hosts = [self.client, self.server];
        let before = [snmp(hosts[0])?, snmp(hosts[1])?].map(|[_, packets]| packets);
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
        for (host, before) in hosts.into_iter().zip(before) {
            let [wrong, packets] = snmp(host)?;
            ensure!(wrong == 0, "{wrong} wrong checksums at {}", host.name());
            ensure!(packets > before + 40, "few packets");
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
            Ok(known.contains(&format!(" {} ", self.ports[1])))
        })?;
        self.client.run("socat", ["-u", client[0], client[1]])?;
        ensure!(listener.wait(SOON)?.success(), "{}", listener.log());
        Ok(())
    }

    /// Bound to one address: SCTP tells the other side of all that a socket has.
    fn listen(&self) -> String {
        let (version, address) = (version(self.vip), bracketed(self.listens));
        format!("SCTP{version}-LISTEN:{},bind={address}", self.ports[1])
    }

    fn connect(&self) -> String {
        let from = bracketed(self.client.address().like(self.vip));
        let to = with_port(self.vip, self.ports[0]);
        format!("SCTP{}-CONNECT:{to},bind={from}", version(self.vip))
    }

    /// Two associations that are over.
    fn check_listing(&self) -> Result<()> {
        let mut known = connections(self.director)?;
        let service = SocketAddr::new(self.vip, self.ports[0]);
        known.retain(|it| it.protocol == "SCTP" && it.virtual_address == service);
        ensure!(known.len() == 2, "{known:?}");
        for it in known {
            ensure!(it.state == "CLOSED", "{it:?}");
            ensure!(it.destination.ends_with(&format!(":{}", self.ports[1])));
        }
        Ok(())
    }
}

/// What the host's SCTP counts: wrong checksums, and packets.
fn snmp(host: &Host) -> Result<[u64; 2]> {
    let text = host.run("cat", ["/proc/net/sctp/snmp"])?;
    let counter = |name: &str| -> Result<u64> {
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split_whitespace().nth(1));
        Ok(value.context("no such counter")?.parse()?)
    };
    Ok([counter("SctpChecksumErrors")?, counter("SctpInSCTPPacks")?])
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
