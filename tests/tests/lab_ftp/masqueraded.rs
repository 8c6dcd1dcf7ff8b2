//! By masquerading: files arrive whole, in both directions, from real servers that are not reached
//! but by the director.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::{Get, Masquerading, Process, wait};
use rlvs_tests::scene::{Mode, SOON, connections};

use crate::server::{self, INCOMING};
use crate::ways;

const SIZE: usize = 300_000;

struct Site {
    _servers: Vec<Process>,
    lab: Masquerading,
    /// What is sent.
    original: Vec<u8>,
}

impl Site {
    /// Two real servers that clients have no way to, and a service without persistence.
    fn new(mode: Mode) -> Result<Self> {
        let mut lab = Masquerading::new(2)?;
        if mode == Mode::Native {
            finish_checksums(&lab)?;
        }
        lab.client.shell(
            "ip route del 10.0.1.0/24 && ip -6 route del fd00:0:0:1::/64 && \
             ip route add blackhole 10.0.1.0/24 && ip -6 route add blackhole fd00:0:0:1::/64",
        )?;
        let servers = lab.real_servers.iter();
        let servers = servers.map(server::start).collect::<Result<_>>()?;
        let original: Vec<u8> = (0..SIZE).map(|at| (at ^ at >> 8) as u8).collect();
        for server in &lab.real_servers {
            fs::write(server::root(server)?.join("file"), &original)?;
        }
        fs::write(lab.client.directory()?.join("file"), &original)?;
        lab.director.start_rlvs_with(&mode.configuration_of_all())?;
        let site = Self {
            _servers: servers,
            lab,
            original,
        };
        site.lab
            .vips()
            .into_iter()
            .try_for_each(|vip| site.serve(vip))?;
        Ok(site)
    }

    fn serve(&self, vip: IpAddr) -> Result<()> {
        let director = &self.lab.director;
        let service = with_port(vip, 21);
        director.ipvsadm(&format!("-A -t {service} -s rr"))?;
        for server in &self.lab.real_servers {
            let real = with_port(server.host.address().like(vip), 21);
            director.ipvsadm(&format!("-a -t {service} -r {real} -m"))?;
        }
        wait::until("the real servers are known", SOON, || {
            let listing = Get::new(format!("ftp://{service}/name"));
            Ok((0..2).all(|_| listing.once(&self.lab.client).is_ok()))
        })
    }

    fn curl(&self, way: &[&str], words: &[&str]) -> Result<String> {
        let common = ["--silent", "--show-error", "--verbose", "--max-time", "15"];
        // Else it would not look at the address in the answer to PASV.
        let trusting = ["--no-ftp-skip-pasv-ip"];
        let words = common.iter().chain(&trusting).chain(way).chain(words);
        self.lab.client.run("curl", words)
    }

    fn download(&self, vip: IpAddr, way: &[&str]) -> Result<()> {
        let copy = self.lab.client.directory()?.join("copy");
        let url = format!("ftp://{}/file", with_port(vip, 21));
        self.curl(way, &["--output", text(&copy)?, &url])?;
        ensure!(fs::read(&copy)? == self.original, "another file came");
        Ok(fs::remove_file(copy)?)
    }

    /// To one of the real servers, whole.
    fn upload(&self, vip: IpAddr, way: &[&str], name: &str) -> Result<()> {
        let file = self.lab.client.directory()?.join("file");
        let url = format!("ftp://{}/{INCOMING}/{name}", with_port(vip, 21));
        self.curl(way, &["--upload-file", text(&file)?, &url])?;
        let mut copies = Vec::new();
        for server in &self.lab.real_servers {
            copies.extend(fs::read(server::root(server)?.join(INCOMING).join(name)));
        }
        ensure!(copies == [self.original.clone()], "{} copies", copies.len());
        Ok(())
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("a path of text")
}

/// XDP in the driver sees what veth carries, which then has to be what a cable would.
fn finish_checksums(lab: &Masquerading) -> Result<()> {
    let off = ["tx", "off", "tso", "off", "gso", "off"];
    let hosts = lab
        .real_servers
        .iter()
        .map(|it| (&it.host, "eth0", &lab.inside));
    let hosts = hosts.chain([
        (&lab.client, "eth0", &lab.outside),
        (&lab.director.host, "eth0", &lab.outside),
        (&lab.director.host, "eth1", &lab.inside),
    ]);
    for (host, interface, segment) in hosts {
        host.run("ethtool", ["-K", interface].into_iter().chain(off))?;
        let port = segment.port(host, interface);
        let words = ["-K", &port].into_iter().chain(off);
        segment.host().run("ethtool", words)?;
    }
    Ok(())
}

fn transfers(mode: Mode) -> Result<()> {
    let site = Site::new(mode)?;
    for vip in site.lab.vips() {
        for (number, way) in ways(vip).enumerate() {
            let what = || format!("{vip} by {way:?}");
            // Each of the two real servers has its turn.
            for turn in 0..2 {
                site.download(vip, way).with_context(what)?;
                let name = format!("{}-{number}-{turn}", vip.is_ipv6());
                site.upload(vip, way, &name).with_context(what)?;
            }
        }
    }
    let known = connections(&site.lab.director)?;
    let of_data = known.iter().filter(|it| it.virtual_address.port() != 21);
    ensure!(
        of_data.count() >= 20,
        "data connections have entries: {known:?}"
    );
    Ok(())
}

#[test]
fn in_traffic_control() -> Result<()> {
    transfers(Mode::Tc)
}

#[test]
fn in_the_driver() -> Result<()> {
    transfers(Mode::Native)
}
