//! Two directors at one switch, each of which tells the other its connections: virtual addresses move
//! from one to the other, and what goes on by them goes on.

mod daemons;
mod peers;

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Result;
use rlvs_lab::{DirectRouting, Director, Host, wait};
use rlvs_tests::scene::connections;
use rlvs_tests::talk::Talk;

const SOON: Duration = Duration::from_secs(90);
const CONFIGURATION: &str = "connections = 4096\n[interfaces]\nnames = [\"eth0\"]\n[sync]\n";

struct Pair {
    lab: DirectRouting,
    other: Director,
}

impl Pair {
    /// Two directors with the same services; no virtual address yet.
    fn new() -> Result<Self> {
        let mut pair = Self::bare()?;
        let [first, second] = pair.both().map(|it| it.host.address().v4);
        let Self { lab, other } = &mut pair;
        for (director, peer) in [(&mut lab.director, second), (other, first)] {
            director.start_rlvs_with(&format!("{CONFIGURATION}allow = [\"{peer}\"]\n"))?;
        }
        pair.serve_all()?;
        Ok(pair)
    }

    /// Before they run.
    fn bare() -> Result<Self> {
        let lab = DirectRouting::new(2)?;
        let mut host = Host::new(&lab.lab, "other")?;
        host.join(&lab.switch, 6)?;
        let other = Director::new(host)?;
        for server in &lab.real_servers {
            server.up(&lab.vips())?;
        }
        Ok(Self { lab, other })
    }

    fn serve_all(&self) -> Result<()> {
        let vips = self.lab.vips();
        self.both()
            .iter()
            .try_for_each(|director| vips.iter().try_for_each(|&vip| self.serve(director, vip)))
    }

    fn both(&self) -> [&Director; 2] {
        [&self.lab.director, &self.other]
    }

    fn serve(&self, director: &Director, vip: IpAddr) -> Result<()> {
        let at = |port| rlvs_lab::address::with_port(vip, port);
        for (service, port) in [("-t", 80), ("-u", 53)] {
            let service = format!("{service} {}", at(port));
            let persistent = if port == 80 { "-p 300" } else { "" };
            director.ipvsadm(&format!("-A {service} -s rr {persistent}"))?;
            for server in &self.lab.real_servers {
                let real = server.host.address().like(vip);
                let real = rlvs_lab::address::with_port(real, port);
                director.ipvsadm(&format!("-a {service} -r {real} -g"))?;
            }
        }
        Ok(())
    }

    /// From one director, or none, to another; the client asks anew who has it.
    fn take(&self, vip: IpAddr, from: Option<&Director>, to: &Director) -> Result<()> {
        let length = if vip.is_ipv4() { 32 } else { 128 };
        if let Some(from) = from {
            let address = format!("{vip}/{length}");
            from.host
                .run("ip", ["addr", "del", &address, "dev", "eth0"])?;
        }
        to.add_vips(&[vip])?;
        let client = &self.lab.client;
        client
            .run("ip", ["neigh", "flush", "dev", "eth0"])
            .map(drop)
    }
}

/// Waits until a director has the client's connections, with what their state is elsewhere.
fn wait_learned(director: &Director, ports: &[u16]) -> Result<()> {
    wait::until("the connections are learned", SOON, || {
        let known = connections(director)?;
        let is_known = |port: &u16| {
            let mut known = known.iter();
            known.any(|it| {
                it.client.port() == *port && matches!(it.state.as_str(), "ESTABLISHED" | "UDP")
            })
        };
        Ok(ports.iter().all(is_known))
    })
}

fn go_on(talks: &mut [Talk]) -> Result<()> {
    talks
        .iter_mut()
        .try_for_each(|talk| talk.goes_on().map(drop))
}
