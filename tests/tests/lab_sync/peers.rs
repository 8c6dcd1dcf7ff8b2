//! Directors of rlvs as each other's peers: all is told to one that joins, and then what is new.

use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use rlvs_control::Status;
use rlvs_control::sync::PeerState;
use rlvs_lab::real_server::PROXY_PORT;
use rlvs_lab::{Director, Host, wait};
use rlvs_tests::scene::Download;
use rlvs_tests::sip::{self, Callees};
use rlvs_tests::talk::Talk;

use super::{CONFIGURATION, Pair, SOON, go_on, wait_learned};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const PORT: u16 = 8849;

/// The pair as peers of each other, with a secret each.
fn peers(secrets: [&str; 2]) -> Result<Pair> {
    let pair = peers_without_services(secrets)?;
    pair.serve_all()?;
    Ok(pair)
}

fn peers_without_services(secrets: [&str; 2]) -> Result<Pair> {
    let mut pair = Pair::bare()?;
    let addresses = pair.both().map(|it| it.host.address().v4);
    let Pair { lab, other } = &mut pair;
    let [first, second] = addresses;
    let sides = [(&mut lab.director, first, second), (other, second, first)];
    for ((director, own, peer), secret) in sides.into_iter().zip(secrets) {
        let file = director.host.directory()?.join("secret");
        std::fs::write(&file, secret)?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&file, mode)?;
        director.start_rlvs_with(&format!(
            "{CONFIGURATION}listen = \"{own}:{PORT}\"\npeers = [\"{peer}:{PORT}\"]\n\
             secret = \"{}\"\n",
            file.display()
        ))?;
    }
    Ok(pair)
}

fn peer(director: &Director) -> Result<PeerState> {
    let status: Status = serde_json::from_str(&director.rlvs("status --json")?)?;
    let shown = status.synchronisation.context("nothing is synchronised")?;
    shown.peers.into_iter().next().context("no peer")
}

fn wait_met(director: &Director) -> Result<()> {
    wait::until("the peer is met", SOON, || {
        let peer = peer(director)?;
        Ok(peer.problem.is_none() && peer.caught_up)
    })
}

/// Both balance, one of them dies and comes back with nothing: it gets everything back, and takes over.
#[test]
fn a_peer_that_lost_everything_gets_it_back() -> Result<()> {
    let mut pair = peers([SECRET; 2])?;
    for director in pair.both() {
        wait_met(director)?;
    }
    let [four, six] = pair.lab.vips();
    pair.take(four, None, pair.both()[0])?;
    pair.take(six, None, pair.both()[1])?;
    let client = &pair.lab.client;
    let mut talks = vec![
        Talk::http(client, four, 5001)?,
        Talk::dns(client, four, 5002)?,
        Talk::http(client, six, 5003)?,
        Talk::dns(client, six, 5004)?,
    ];
    wait_learned(&pair.other, &[5001, 5002])?;
    wait_learned(&pair.lab.director, &[5003, 5004])?;
    pair.take(four, Some(&pair.lab.director), &pair.other)?;
    go_on(&mut talks)?;
    // It has everything; the first has nothing any more.
    let file = pair.lab.director.configuration_file()?;
    let configuration = std::fs::read_to_string(file)?;
    let mut events = pair
        .other
        .host
        .spawn("events", "rlvs", ["events", "--json"])?;
    let mut wait_told =
        |event: &str| events.wait_until(SOON, |events| Ok(events.log().contains(event)));
    pair.lab.director.stop()?;
    pair.lab.director.rlvs("down")?;
    wait_told("sync-left")?;
    talks.push(Talk::http(client, four, 5005)?);
    pair.lab.director.start_rlvs_with(&configuration)?;
    for vip in pair.lab.vips() {
        pair.serve(&pair.lab.director, vip)?;
    }
    wait_told("sync-joined")?;
    wait_told("sync-caught-up")?;
    wait_met(&pair.lab.director)?;
    wait_learned(&pair.lab.director, &[5001, 5002, 5003, 5004, 5005])?;
    for vip in [four, six] {
        pair.take(vip, Some(&pair.other), &pair.lab.director)?;
    }
    go_on(&mut talks)
}

/// Calls of SIP, each a template alone.
fn serve_calls(pair: &Pair, director: &Director, vip: IpAddr) -> Result<()> {
    let service = format!("-u {}", rlvs_lab::address::with_port(vip, sip::PORT));
    director.ipvsadm(&format!("-A {service} -s rr -p 300 -o --pe sip"))?;
    for server in &pair.lab.real_servers {
        let real = server.host.address().like(vip);
        let real = rlvs_lab::address::with_port(real, sip::PORT);
        director.ipvsadm(&format!("-a {service} -r {real} -g"))?;
    }
    Ok(())
}

fn wait_calls(director: &Director, count: usize) -> Result<()> {
    wait::until("calls are learned", SOON, || {
        let listed = director.ipvsadm("-Lnc --persistent-conn")?;
        let is_call = |line: &&str| line.split_whitespace().any(|it| it == "sip");
        Ok(listed.lines().filter(is_call).count() == count)
    })
}

/// They are known by their Call-IDs, which each director hashes with a secret of its own: one whose tables
/// moved, and who was told them itself, tells them to one that has lost everything.
#[test]
fn calls_go_on_at_another_director() -> Result<()> {
    let mut pair = peers([SECRET; 2])?;
    for director in pair.both() {
        wait_met(director)?;
    }
    let vip = pair.lab.vip4().into();
    for director in pair.both() {
        serve_calls(&pair, director, vip)?;
    }
    pair.take(vip, None, &pair.lab.director)?;
    let callees = Callees::start(&pair.lab)?;
    let own = pair.lab.client.address().v4.into();
    let mut calls = ["1@c", "2@c", "3@c"]
        .map(|call| anyhow::Ok((callees.reached(&pair.lab.client, own, vip, call)?, call)))
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    // Those at one real server one after the other: whoever knew none of them would send them in turn.
    calls.sort_unstable();
    let go_on = |pair: &Pair| {
        calls.iter().try_for_each(|&(server, call)| {
            let now = callees.reached(&pair.lab.client, own, vip, call)?;
            ensure!(now == server, "{call} went to {server}, and now to {now}");
            Ok(())
        })
    };
    wait_calls(&pair.other, calls.len())?;
    let configuration =
        |director: &Director| anyhow::Ok(std::fs::read_to_string(director.configuration_file()?)?);
    let larger = configuration(&pair.other)?.replace("connections = 4096", "connections = 65536");
    pair.other.kill9()?;
    pair.other.start_rlvs_with(&larger)?;
    pair.take(vip, Some(&pair.lab.director), &pair.other)?;
    go_on(&pair).context("where they were told")?;

    let first = configuration(&pair.lab.director)?;
    pair.lab.director.stop()?;
    pair.lab.director.rlvs("down")?;
    pair.lab.director.start_rlvs_with(&first)?;
    serve_calls(&pair, &pair.lab.director, vip)?;
    wait_calls(&pair.lab.director, calls.len())?;
    pair.take(vip, Some(&pair.other), &pair.lab.director)?;
    go_on(&pair).context("where they were told back")
}

/// As long as connections are idle, or full of bytes that are on their way.
#[test]
fn a_download_goes_on_at_another_director() -> Result<()> {
    let pair = peers([SECRET; 2])?;
    let [first, second] = pair.both();
    for director in pair.both() {
        wait_met(director)?;
    }
    for vip in pair.lab.vips() {
        pair.take(vip, None, first)?;
    }
    let vips = pair.lab.vips();
    let client = &pair.lab.client;
    let mut downloads = Vec::new();
    for (vip, port) in vips.into_iter().zip([5001, 5002]) {
        let server = rlvs_lab::address::with_port(vip, 80);
        downloads.push(Download::start(client, &server, port)?);
    }
    for (from, to) in [(first, second), (second, first)] {
        wait_learned(to, &[5001, 5002])?;
        for vip in vips {
            pair.take(vip, Some(from), to)?;
        }
        for download in &mut downloads {
            ensure!(download.is_running()?, "it was over before");
            download.wait_for(download.received() + (256 << 10))?;
        }
    }
    downloads.into_iter().try_for_each(Download::finish)
}

/// Addresses that stand for clients, and go with the virtual addresses.
const LOCALS: [&str; 2] = ["10.0.0.200", "fd00::200"];
/// The service whose real servers want the PROXY protocol, which moves sequence numbers.
const PROXIED: u16 = 8081;

impl Pair {
    fn locals(&self) -> [IpAddr; 2] {
        LOCALS.map(|it| it.parse().expect("it is an address"))
    }

    /// Services by full NAT.
    fn serve_full_nat(&self, director: &Director) -> Result<()> {
        for (vip, local) in self.lab.vips().into_iter().zip(self.locals()) {
            for (port, to, option) in [(80, 80, "toa"), (PROXIED, PROXY_PORT, "proxy")] {
                let service = format!("-t {}", rlvs_lab::address::with_port(vip, port));
                director.ipvsadm(&format!("-A {service} -s rr --client-address {option}"))?;
                director.ipvsadm(&format!("--add-laddr {service} --laddr {local}"))?;
                for server in &self.lab.real_servers {
                    let real = server.host.address().like(vip);
                    let real = rlvs_lab::address::with_port(real, to);
                    director.ipvsadm(&format!("-a {service} -r {real} --fullnat"))?;
                }
            }
        }
        Ok(())
    }

    /// As [`Pair::take`], with what stands for clients, for which real servers ask anew.
    fn take_all(&self, from: Option<&Director>, to: &Director) -> Result<()> {
        for (vip, local) in self.lab.vips().into_iter().zip(self.locals()) {
            self.take(local, from, to)?;
            self.take(vip, from, to)?;
        }
        for server in &self.lab.real_servers {
            let words = ["neigh", "flush", "dev", "eth0"];
            server.host.run("ip", words)?;
        }
        Ok(())
    }
}

/// The real server knows the client by the director's address and port, and has its bytes a header later
/// than it sends them: both go on elsewhere.
#[test]
fn full_nat_goes_on_at_another_director() -> Result<()> {
    let pair = peers_without_services([SECRET; 2])?;
    let [first, second] = pair.both();
    for director in pair.both() {
        // Answers leave as the kernel would route them.
        director.host.forward()?;
        pair.serve_full_nat(director)?;
        wait_met(director)?;
    }
    pair.take_all(None, first)?;
    let [four, six] = pair.lab.vips();
    let client = &pair.lab.client;
    wait_answered(client, &pair.lab.vips())?;
    let mut talks = vec![
        Talk::http(client, four, 5001)?,
        Talk::http(client, six, 5002)?,
    ];
    let server = rlvs_lab::address::with_port(four, PROXIED);
    let mut download = Download::start(client, &server, 5003)?;
    for (number, (from, to)) in [(first, second), (second, first)].into_iter().enumerate() {
        let ports: Vec<_> = talks.iter().map(|talk| talk.port).chain([5003]).collect();
        wait_learned(to, &ports)?;
        pair.take_all(Some(from), to)?;
        go_on(&mut talks)?;
        ensure!(download.is_running()?, "it was over before");
        download.wait_for(download.received() + (256 << 10))?;
        // New ones have local ports of their own.
        talks.push(Talk::http(client, four, 5010 + number as u16)?);
    }
    go_on(&mut talks)?;
    download.finish()?;
    all_taken(&pair)
}

impl Pair {
    /// Services whose real servers are reached at addresses of the other IP version.
    fn serve_across(&self, director: &Director) -> Result<()> {
        let [four, six] = self.lab.vips();
        for (vip, other) in [(four, six), (six, four)] {
            let service = format!("-t {}", rlvs_lab::address::with_port(vip, 80));
            director.ipvsadm(&format!("-A {service} -s rr"))?;
            for server in &self.lab.real_servers {
                let real = server.host.address().like(other);
                let real = rlvs_lab::address::with_port(real, 80);
                director.ipvsadm(&format!("-a {service} -r {real} -i"))?;
            }
        }
        Ok(())
    }
}

/// IPVS has no word for these; peers do.
#[test]
fn tunnels_to_the_other_ip_version_go_on_at_another_director() -> Result<()> {
    let pair = peers_without_services([SECRET; 2])?;
    let [first, second] = pair.both();
    let vips = pair.lab.vips();
    let directors = pair.both().map(|it| it.host.address());
    let directors = directors.map(|it| format!("{},{}", it.v4, it.v6)).join(",");
    for server in &pair.lab.real_servers {
        server.up_tunnel(&vips, "ipip", &directors)?;
    }
    for director in pair.both() {
        pair.serve_across(director)?;
        wait_met(director)?;
    }
    for vip in vips {
        pair.take(vip, None, first)?;
    }
    let client = &pair.lab.client;
    wait_answered(client, &vips)?;
    let [four, six] = vips;
    let ports = [5001, 5002];
    let mut talks = [
        Talk::http(client, four, ports[0])?,
        Talk::http(client, six, ports[1])?,
    ];
    for (from, to) in [(first, second), (second, first)] {
        wait_learned(to, &ports)?;
        for vip in vips {
            pair.take(vip, Some(from), to)?;
        }
        go_on(&mut talks)?;
    }
    all_taken(&pair)
}

/// What they told each other was taken, but for what the other had seen itself.
fn all_taken(pair: &Pair) -> Result<()> {
    for director in pair.both() {
        let mut dropped = peer(director)?.dropped;
        dropped.retain(|it| it.reason != "known-better-here");
        ensure!(dropped.is_empty(), "{dropped:?}");
    }
    Ok(())
}

/// Neighbours have to be found first.
fn wait_answered(client: &Host, vips: &[IpAddr]) -> Result<()> {
    wait::until("the real servers are known", SOON, || {
        Ok(vips.iter().all(|&vip| {
            let url = format!("http://{}/", rlvs_lab::address::with_port(vip, 80));
            rlvs_lab::Get::new(url).once(client).is_ok()
        }))
    })
}

#[test]
fn a_peer_with_another_secret_is_told_nothing() -> Result<()> {
    let other = SECRET.replace('0', "x");
    let pair = peers([SECRET, &other])?;
    for director in pair.both() {
        wait::until("the peer is refused", SOON, || {
            let peer = peer(director)?;
            let refused = peer.dropped.iter().any(|it| it.reason == "wrong-secret");
            Ok(peer.problem.is_some() && refused && !peer.caught_up)
        })?;
    }
    Ok(())
}
