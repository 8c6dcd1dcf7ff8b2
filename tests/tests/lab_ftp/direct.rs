//! By direct routing: with persistence of the FTP service or of a firewall mark.

use std::net::IpAddr;
use std::ops::Range;

use anyhow::{Result, ensure};
use rlvs_lab::address::{Address, with_port};
use rlvs_lab::{DirectRouting, Get, Process};
use rlvs_tests::scene::connections;

use crate::{server, ways};

const SERVERS: u8 = 3;
const CLIENTS: Range<u8> = 0..4;

/// The lab with an FTP server at each real server.
struct Site {
    _servers: Vec<Process>,
    lab: DirectRouting,
}

impl Site {
    fn new() -> Result<Self> {
        let lab = DirectRouting::ready(SERVERS)?;
        let servers = lab
            .real_servers
            .iter()
            .map(server::start)
            .collect::<Result<_>>()?;
        for vip in lab.vips() {
            for number in CLIENTS {
                lab.client.add_address(client(&lab, vip, number), "eth0")?;
            }
        }
        Ok(Self {
            _servers: servers,
            lab,
        })
    }

    /// Every client is served by one real server, whatever way its data take, and they are balanced.
    fn expect_one_server_each(&self, vip: IpAddr, service: &str) -> Result<()> {
        let mut chosen = Vec::new();
        for number in CLIENTS {
            let from = client(&self.lab, vip, number);
            let names: Vec<_> = ways(vip)
                .map(|way| self.name(vip, from, way))
                .collect::<Result<_>>()?;
            ensure!(
                names.iter().all(|it| *it == names[0]),
                "{service}, {from}: {names:?}"
            );
            chosen.push(names[0].clone());
        }
        chosen.sort();
        chosen.dedup();
        ensure!(
            chosen.len() == usize::from(SERVERS),
            "{service} {vip}: {chosen:?}"
        );
        Ok(())
    }

    /// The name that the file has inside.
    fn name(&self, vip: IpAddr, from: IpAddr, way: &[&str]) -> Result<String> {
        let url = format!("ftp://{}/name", with_port(vip, 21));
        let words = Get::new(&url).from_address(from).arguments();
        let words = words
            .iter()
            .map(String::as_str)
            .chain(way.iter().copied())
            .chain([url.as_str()]);
        Ok(self.lab.client.run("curl", words)?.trim().to_owned())
    }
}

fn client(lab: &DirectRouting, vip: IpAddr, number: u8) -> IpAddr {
    Address::new(lab.switch.number(), 200 + number).like(vip)
}

#[test]
fn by_persistence_of_the_ftp_service() -> Result<()> {
    let site = Site::new()?;
    for vip in site.lab.vips() {
        let service = format!("-t {}", with_port(vip, 21));
        add(&site, vip, &service, 21)?;
        site.expect_one_server_each(vip, &service)?;
    }
    let of_data = |port: u16| port == 20 || (30_000..30_100).contains(&port);
    let ports = connections(&site.lab.director)?
        .into_iter()
        .map(|it| it.virtual_address.port());
    ensure!(
        ports.filter(|&port| of_data(port)).count() > 8,
        "data connections have entries"
    );
    Ok(())
}

#[test]
fn by_a_firewall_mark() -> Result<()> {
    let site = Site::new()?;
    let director = &site.lab.director;
    director.host.forward()?;
    for (vip, tool) in site
        .lab
        .vips()
        .into_iter()
        .zip(["iptables-nft", "ip6tables-nft"])
    {
        director.host.shell(&format!(
            "{tool} -t mangle -A PREROUTING -i eth0 -p tcp -d {vip} -m multiport \
             --dports 20,21,1024:65535 -j MARK --set-mark 21"
        ))?;
        let family = if vip.is_ipv6() { " -6" } else { "" };
        let service = format!("-f 21{family}");
        add(&site, vip, &service, 0)?;
        site.expect_one_server_each(vip, &service)?;
    }
    Ok(())
}

fn add(site: &Site, vip: IpAddr, service: &str, port: u16) -> Result<()> {
    let director = &site.lab.director;
    director.ipvsadm(&format!("-A {service} -s rr -p 300"))?;
    for server in &site.lab.real_servers {
        let real = with_port(server.host.address().like(vip), port);
        director.ipvsadm(&format!("-a {service} -r {real} -g"))?;
    }
    Ok(())
}
