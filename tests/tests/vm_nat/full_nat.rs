//! A client and a real server that know nothing of each other's network.

use std::fs;
use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::real_server::{PROXY_PORT, dig};
use rlvs_lab::{Get, Masquerading, wait};
use rlvs_tests::scene::Transfer;

use crate::SOON;

/// Addresses of the director inside that stand for clients.
const LOCALS: [&str; 2] = ["10.0.1.200", "fd00:0:0:1::200"];
/// The virtual services' ports: HTTP whose real server is told the client by TOA, or by the PROXY
/// protocol, and what only counts bytes.
const TOA: u16 = 8080;
const PROXY: u16 = 8081;
const BYTES: u16 = 9100;
/// More than any window.
const LENGTH: usize = 200_000;

pub(crate) struct FullNat<'l>(pub(crate) &'l Masquerading);

impl FullNat<'_> {
    /// Local addresses, and a real server that takes the client's address from them.
    pub(crate) fn prepare(lab: &Masquerading) -> Result<()> {
        let [four, six] = LOCALS;
        lab.director.host.shell(&format!(
            "ip addr add {four}/32 dev eth1 && ip addr add {six}/128 dev eth1 nodad"
        ))?;
        let from = format!("{four},{six}");
        lab.real_servers[0].up_with(&lab.vips(), &["--client-address", "--from", &from])
    }

    /// While there is no way back to the client but by the local addresses.
    pub(crate) fn check(&self) -> Result<()> {
        let server = &self.0.real_servers[0].host;
        let ways = server.shell("ip route show default; ip -6 route show default")?;
        server.shell("ip route del default && ip -6 route del default")?;
        for vip in self.0.vips() {
            self.serve(vip)?;
            self.arrives(vip).with_context(|| vip.to_string())?;
        }
        let [four, six] = ways.lines().collect::<Vec<_>>()[..] else {
            anyhow::bail!("two ways: {ways}");
        };
        server
            .shell(&format!("ip route add {four} && ip -6 route add {six}"))
            .map(drop)
    }

    fn serve(&self, vip: IpAddr) -> Result<()> {
        let local = LOCALS[usize::from(vip.is_ipv6())];
        let real = self.0.real_servers[0].host.address().like(vip);
        let mut rules = String::new();
        for (flag, port, to, options) in [
            ("-t", TOA, 80, ""),
            ("-t", PROXY, PROXY_PORT, "--client-address proxy"),
            ("-t", BYTES, BYTES, ""),
            ("-u", 53, 53, ""),
        ] {
            let (service, real) = (with_port(vip, port), with_port(real, to));
            rules += &format!("-A {flag} {service} -s rr {options}\n");
            rules += &format!("--add-laddr {flag} {service} --laddr {local}\n");
            rules += &format!("-a {flag} {service} -r {real} --fullnat\n");
        }
        let restore = format!("ipvsadm -R <<'END'\n{rules}END");
        self.0.director.host.shell(&restore)?;
        wait::until("the real server is known", SOON, || {
            let get = Get::new(url(vip, TOA, "/who"));
            Ok(get.once(&self.0.client).is_ok())
        })
    }

    fn arrives(&self, vip: IpAddr) -> Result<()> {
        let Masquerading {
            client,
            real_servers,
            ..
        } = self.0;
        for port in [TOA, PROXY] {
            let get = Get::new(url(vip, port, "/client")).limit(SOON);
            let seen = get.once(client)?;
            let (address, _) = seen.trim().split_once(' ').context("two words")?;
            let told = client.address().like(vip).to_string();
            ensure!(address == told, "port {port}: {seen}");
        }
        ensure!(dig(client, vip, "TXT")? == "rs1");
        let transfer = Transfer {
            client,
            server: &real_servers[0].host,
            target: &with_port(vip, BYTES),
            port: BYTES,
        };
        transfer.upload(LENGTH)?;
        transfer.download(LENGTH)?;
        self.proxied(vip)
    }

    /// Behind a header, for which sequence numbers are mended both ways.
    fn proxied(&self, vip: IpAddr) -> Result<()> {
        let file = self.0.client.directory()?.join("part");
        let (output, last) = (file.display().to_string(), LENGTH - 1);
        let (range, url) = (format!("0-{last}"), url(vip, PROXY, "/big"));
        let words = ["-sSfg", "-m", "60", "-r", &range, "-o", &output, &url];
        self.0.client.run("curl", words)?;
        let original = fs::read(self.0.lab.directory().join("big"))?;
        ensure!(fs::read(file)? == original[..LENGTH], "another file came");
        Ok(())
    }
}

fn url(vip: IpAddr, port: u16, path: &str) -> String {
    format!("http://{}{path}", with_port(vip, port))
}
