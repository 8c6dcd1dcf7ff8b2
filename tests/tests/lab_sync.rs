//! Two directors at one switch, each of which tells the other its connections: virtual addresses move
//! from one to the other, and what goes on by them goes on.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_control::sync::{DaemonState, PeerState};
use rlvs_control::{Status, SyncRole};
use rlvs_lab::real_server::PROXY_PORT;
use rlvs_lab::{DirectRouting, Director, Host, wait};
use rlvs_tests::scene::{Download, connections};
use rlvs_tests::sip::{self, Callees};
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

fn state(director: &Director, role: SyncRole) -> Result<DaemonState> {
    let status: Status = serde_json::from_str(&director.rlvs("status --json")?)?;
    let shown = status.synchronisation.context("nothing is synchronised")?;
    let mut daemons = shown.daemons.into_iter();
    daemons
        .find(|it| it.daemon.role == role)
        .with_context(|| format!("no {role}"))
}

#[test]
fn connections_go_on_at_another_director() -> Result<()> {
    let pair = Pair::new()?;
    let [first, second] = pair.both();
    for director in pair.both() {
        for role in SyncRole::ALL {
            director.ipvsadm(&format!(
                "--start-daemon {role} --mcast-interface eth0 --syncid 5"
            ))?;
        }
    }
    let [four, six] = pair.lab.vips();
    pair.take(four, None, first)?;
    pair.take(six, None, second)?;
    let client = &pair.lab.client;
    let mut talks = [
        Talk::http(client, four, 5001)?,
        Talk::dns(client, four, 5002)?,
        Talk::http(client, six, 5003)?,
        Talk::dns(client, six, 5004)?,
    ];
    wait_learned(second, &[5001, 5002])?;
    wait_learned(first, &[5003, 5004])?;
    // Templates, too.
    for director in pair.both() {
        wait::until("templates are learned", SOON, || {
            let templates = connections(director)?.into_iter();
            Ok(templates.filter(|it| it.client.port() == 0).count() == 2)
        })?;
    }
    let shown = second.rlvs("proc ip_vs_conn_sync")?;
    ensure!(shown.contains("SYNC") && shown.contains("LOCAL"), "{shown}");
    pair.take(four, Some(first), second)?;
    pair.take(six, Some(second), first)?;
    go_on(&mut talks)?;
    // And back again.
    pair.take(four, Some(second), first)?;
    go_on(&mut talks)?;
    for director in pair.both() {
        for role in SyncRole::ALL {
            let state = state(director, role)?;
            ensure!(state.problem.is_none() && state.records > 0, "{state:?}");
        }
    }
    Ok(())
}

/// What comes from others than those who are allowed, and what is no message, is counted, and that is all.
#[test]
fn strangers_are_not_heard() -> Result<()> {
    let pair = Pair::new()?;
    let [first, second] = pair.both();
    first.ipvsadm("--start-daemon backup --mcast-interface eth0 --syncid 5")?;
    let send = |host: &Host, bytes: &str| {
        let program = format!(
            "import socket\n\
             s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
             s.setsockopt(socket.SOL_SOCKET, 25, b'eth0')\n\
             s.sendto(bytes.fromhex('{bytes}'), ('224.0.0.81', 8848))\n"
        );
        host.run("python3", ["-c", &program]).map(drop)
    };
    // An established connection of 10.0.0.2:1001 with the virtual address.
    let record = "00060024000000000001\
                  03e900500050000000000000038\
                  40a0000020a0000640a00000b";
    let message = format!("0005002c01010000{record}");
    let short = "0005";
    let other = format!("0006002c01010000{record}");
    let counted = |reason: &str| {
        let dropped = state(first, SyncRole::Backup)?.dropped;
        let found = dropped.into_iter().find(|it| it.reason == reason);
        anyhow::Ok(found.map_or(0, |it| it.count))
    };
    let wait_for = |reason: &str| wait::until(reason, SOON, || Ok(counted(reason)? == 1));
    send(&pair.lab.client, &message)?;
    wait_for("stranger")?;
    send(&second.host, short)?;
    wait_for("too-short")?;
    send(&second.host, &other)?;
    wait_for("other-syncid")?;
    ensure!(connections(first)?.is_empty());
    send(&second.host, &message)?;
    wait_learned(first, &[1001])?;
    ensure!(connections(first)?[0].destination == "10.0.0.11:80");
    Ok(())
}

/// What was started goes on with the next daemon, and ends when it is told to.
#[test]
fn daemons_outlive_the_director() -> Result<()> {
    let mut pair = Pair::new()?;
    let start = "--start-daemon master --mcast-interface eth0 --syncid 5 --mcast-ttl 3";
    pair.other.ipvsadm(start)?;
    let again = pair.other.try_ipvsadm(start)?;
    ensure!(again.stderr == "Daemon has already run\n", "{again:?}");
    let listed = "master sync daemon (mcast=eth0, syncid=5, maxlen=1472, group=224.0.0.81, \
                  port=8848, ttl=3)\n";
    ensure!(pair.other.ipvsadm("-L --daemon")? == listed);
    pair.other.kill9()?;
    pair.other.start_rlvs_with(CONFIGURATION)?;
    ensure!(pair.other.ipvsadm("-L --daemon")? == listed);
    pair.other.ipvsadm("--stop-daemon master")?;
    ensure!(pair.other.ipvsadm("-L --daemon")?.is_empty());
    let none = pair.other.try_ipvsadm("--stop-daemon master")?;
    ensure!(none.stderr == "No daemon is running\n", "{none:?}");
    let nowhere = pair
        .other
        .try_ipvsadm("--start-daemon backup --mcast-interface nope")?;
    ensure!(nowhere.stderr == "No such device\n", "{nowhere:?}");
    Ok(())
}

/// `lvs_sync_daemon`: both daemons are the file's, and go with it.
#[test]
fn daemons_are_those_of_a_keepalived_conf() -> Result<()> {
    let lab = DirectRouting::ready(0)?;
    let director = &lab.director;
    let file = director.host.directory()?.join("keepalived.conf");
    let apply = |text: &str| {
        std::fs::write(&file, text)?;
        director.rlvs(&format!("apply {}", file.display()))
    };
    apply("global_defs {\n    lvs_sync_daemon eth0 id 9 ttl 2\n}\n")?;
    let line = |role| {
        format!(
            "{role} sync daemon (mcast=eth0, syncid=9, maxlen=1472, group=224.0.0.81, port=8848, \
             ttl=2)\n"
        )
    };
    let both = line("master") + &line("backup");
    ensure!(director.ipvsadm("-L --daemon")? == both);
    let again = director.try_ipvsadm("--start-daemon master --mcast-interface eth0")?;
    ensure!(again.stderr == "Daemon has already run\n", "{again:?}");
    let stop = director.try_ipvsadm("--stop-daemon backup")?;
    ensure!(stop.stderr.contains("the file's"), "{stop:?}");
    let followed = "global_defs {\n    lvs_sync_daemon eth0 VI_1 id 9 ttl 2\n}\n";
    let instance = "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 5\n    \
                    advert_int 1\n    virtual_ipaddress {\n        10.0.0.99/32\n    }\n}\n";
    apply(&format!("{followed}{instance}"))?;
    wait::until("it is master", SOON, || {
        Ok(director.ipvsadm("-L --daemon")? == line("master"))
    })?;
    apply("global_defs {\n    router_id none\n}\n")?;
    ensure!(director.ipvsadm("-L --daemon")?.is_empty());
    Ok(())
}

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
    for director in pair.both() {
        let mut dropped = peer(director)?.dropped;
        dropped.retain(|it| it.reason != "known-better-here");
        ensure!(dropped.is_empty(), "{dropped:?}");
    }
    Ok(())
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

fn go_on(talks: &mut [Talk]) -> Result<()> {
    talks
        .iter_mut()
        .try_for_each(|talk| talk.goes_on().map(drop))
}

/// With `backup_only` what is for a service of a backup goes to its stack, where nobody listens.
#[test]
fn a_backup_may_balance_nothing() -> Result<()> {
    let lab = DirectRouting::ready(1)?;
    let director = &lab.director;
    let vip = lab.vips()[0];
    let at = |address| rlvs_lab::address::with_port(address, 80);
    let real = lab.real_servers[0].host.address().like(vip);
    director.ipvsadm(&format!("-A -t {} -s rr", at(vip)))?;
    director.ipvsadm(&format!("-a -t {} -r {} -g", at(vip), at(real)))?;
    let url = format!("http://{}/", at(vip));
    let wait_for = |status: i32| {
        wait::until(&format!("curl ends with {status}"), SOON, || {
            let curl = lab.client.try_run("curl", ["-s", "-m", "5", &url])?;
            Ok(curl.status.code() == Some(status))
        })
    };
    wait_for(0)?;
    director.rlvs("sysctl -w net.ipv4.vs.backup_only=1")?;
    wait_for(0)?;
    director.ipvsadm("--start-daemon backup --mcast-interface eth0")?;
    wait_for(7)?;
    // What is added is not balanced either.
    director.ipvsadm(&format!("-A -t {} -s rr", at(lab.vips()[1])))?;
    wait_for(7)?;
    director.ipvsadm("--stop-daemon backup")?;
    wait_for(0)
}
