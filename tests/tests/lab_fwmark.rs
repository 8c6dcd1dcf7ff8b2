//! Services by firewall mark, with the rules of real iptables and nft, as tutorials of LVS have them.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_control::status::NextHop;
use rlvs_lab::address::{Address, with_port};
use rlvs_lab::{DirectRouting, Director, Get, Host, Masquerading, Process, wait};
use rlvs_tests::scene::{Mode, connections, next_hop, status, wait_attached};

const SOON: Duration = Duration::from_secs(60);

/// An operator's tool for marks, and the same for IPv6.
const IPTABLES: [&str; 2] = ["iptables-nft", "ip6tables-nft"];
const LEGACY: [&str; 2] = ["iptables-legacy", "ip6tables-legacy"];

/// Real servers with two virtual addresses of each family, and a director that forwards.
fn site(mode: Mode) -> Result<DirectRouting> {
    let mut lab = DirectRouting::new(2)?;
    let vips: Vec<_> = pairs(&lab).concat();
    lab.director.add_vips(&vips)?;
    lab.director.host.forward()?;
    lab.director.start_rlvs_with(&mode.configuration())?;
    wait_attached(&lab.director, "eth0", &mode.attachment())?;
    for server in &lab.real_servers {
        let directors = lab.director.host.address().both();
        let directors = directors.map(|address| address.to_string()).join(",");
        server.up_tunnel(&vips, "ipip", &directors)?;
    }
    Ok(lab)
}

/// Two virtual addresses of each family.
fn pairs(lab: &DirectRouting) -> [[IpAddr; 2]; 2] {
    lab.vips().map(|vip| [vip, second(vip)])
}

fn second(vip: IpAddr) -> IpAddr {
    match vip {
        IpAddr::V4(vip) => IpAddr::from((vip.to_bits() + 1).to_be_bytes()),
        IpAddr::V6(vip) => IpAddr::from((vip.to_bits() + 1).to_be_bytes()),
    }
}

/// As `ipvsadm` names the service by a mark.
fn service(mark: u32, vip: IpAddr) -> String {
    match vip {
        IpAddr::V4(_) => format!("-f {mark}"),
        IpAddr::V6(_) => format!("-f {mark} -6"),
    }
}

/// Marks TCP to these ports, as far as `vip` says to where.
fn mark(director: &Director, tools: [&str; 2], vip: IpAddr, ports: &str, mark: u32) -> Result<()> {
    let tool = tools[usize::from(vip.is_ipv6())];
    director
        .host
        .shell(&format!(
            "{tool} -t mangle -A PREROUTING -i eth0 -p tcp -d {vip} -m multiport --dports {ports} \
             -j MARK --set-mark {mark}"
        ))
        .map(drop)
}

fn url(vip: IpAddr, port: u16) -> String {
    format!("http://{}/who", with_port(vip, port))
}

fn ask(host: &Host, vip: IpAddr, port: u16, count: u32) -> Result<Vec<String>> {
    Get::new(url(vip, port))
        .times(host, count)
        .with_context(|| format!("{vip}, port {port}"))
}

fn who(answers: Vec<String>) -> BTreeSet<String> {
    answers.into_iter().collect()
}

fn both() -> BTreeSet<String> {
    ["rs1".to_owned(), "rs2".to_owned()].into()
}

/// Real servers behind the director, by methods that translate.
#[test]
fn marked_packets_are_translated() -> Result<()> {
    let mut lab = Masquerading::new(2)?;
    lab.director.start_rlvs_with("connections = 65536\n")?;
    for vip in lab.vips() {
        mark(&lab.director, IPTABLES, vip, "80,8000:8010", 3)?;
        let director = &lab.director;
        director.ipvsadm(&format!("-A {} -s rr", service(3, vip)))?;
        let [first, second] = [0, 1].map(|n| lab.real_servers[n].host.address().like(vip));
        // A port of its own for all; the packet's own.
        for (words, port, name) in [
            (format!("{} -m", with_port(first, 80)), 8003, "rs1"),
            (format!("{first} -m"), 80, "rs1"),
            (format!("{} --fullnat", with_port(second, 80)), 8010, "rs2"),
        ] {
            if words.ends_with("--fullnat") {
                let local = inside().like(vip);
                director.ipvsadm(&format!("--add-laddr {} --laddr {local}", service(3, vip)))?;
            }
            director.ipvsadm(&format!("-a {} -r {words}", service(3, vip)))?;
            wait::until(&format!("{words} answers"), SOON, || {
                Ok(ask(&lab.client, vip, port, 1).is_ok_and(|it| it == [name]))
            })?;
            let answers = ask(&lab.client, vip, port, 5)?;
            ensure!(answers == vec![name; 5], "{words}: {answers:?}");
            let real = words.split(' ').next().unwrap_or_default();
            director.ipvsadm(&format!("-d {} -r {real}", service(3, vip)))?;
        }
    }
    lab.director.stop()?;
    lab.director.rlvs("down")?;
    let left = routing(&lab.director.host)?;
    ensure!(!left.contains("lvs0"), "{left}");
    Ok(())
}

/// A cache that does not serve is passed by: packets go to the server they were sent to.
#[test]
fn without_a_cache_the_origin_answers() -> Result<()> {
    let mut lab = Masquerading::new(2)?;
    lab.director.start_rlvs_with("connections = 65536\n")?;
    for vip in lab.vips() {
        let director = &lab.director;
        let [origin, cache] = [0, 1].map(|n| lab.real_servers[n].host.address().like(vip));
        mark(director, IPTABLES, origin, "80", 9)?;
        let service = service(9, vip);
        director.rlvs("sysctl -qw cache_bypass=0")?;
        director.ipvsadm(&format!("-A {service} -s wlc"))?;
        director.ipvsadm(&format!("-a {service} -r {cache} -m -w 1"))?;
        let answers = |name: &str| {
            wait::until(&format!("{name} answers"), SOON, || {
                Ok(ask(&lab.client, origin, 80, 1).is_ok_and(|it| it == [name]))
            })
        };
        answers("rs2")?;
        director.ipvsadm(&format!("-e {service} -r {cache} -m -w 0"))?;
        ensure!(ask(&lab.client, origin, 80, 1).is_err(), "nobody is there");
        director.rlvs("sysctl -qw cache_bypass=1")?;
        answers("rs1")?;
    }
    Ok(())
}

/// The director's address among the real servers.
fn inside() -> Address {
    Address::new(1, 5)
}

fn add_real(lab: &DirectRouting, mark: u32, vip: IpAddr, method: &str) -> Result<()> {
    for server in &lab.real_servers {
        let real = server.host.address().like(vip);
        let words = format!("-a {} -r {real} {method}", service(mark, vip));
        lab.director.ipvsadm(&words)?;
        wait::until(&format!("{real} is known"), SOON, || {
            let hop = next_hop(&lab.director, &with_port(real, 0))?;
            Ok(matches!(hop, NextHop::Resolved { .. }))
        })?;
    }
    Ok(())
}

/// Rules of routing, of both families, and the interfaces there are.
fn routing(host: &Host) -> Result<String> {
    host.shell("ip rule; ip -6 rule; ip -o link show type ifb | cut -d: -f2")
}

/// Answers with its host's name at a port.
fn serve(host: &Host, port: u16) -> Result<Process> {
    let file = host.directory()?.join("answer");
    fs::write(&file, format!("HTTP/1.0 200 OK\r\n\r\n{}\n", host.name()))?;
    let answer = format!("SYSTEM:head -n 1 >/dev/null; cat {}", file.display());
    let listen = format!("TCP6-LISTEN:{port},ipv6only=0,fork,reuseaddr");
    host.spawn("socat", "socat", [listen, answer])
}

#[test]
fn marks_of_ports_and_addresses_are_balanced_and_leave_no_trace() -> Result<()> {
    for (mode, tools, method) in [(Mode::Tc, IPTABLES, "-g"), (Mode::Native, LEGACY, "-i")] {
        let mut lab = site(mode)?;
        let before = routing(&lab.director.host)?;
        for [vip, other] in pairs(&lab) {
            // One mark for a port of two addresses, another for ports of the first.
            mark(&lab.director, tools, vip, "80", 1)?;
            mark(&lab.director, tools, other, "80", 1)?;
            mark(&lab.director, tools, vip, "81:90,443", 2)?;
            for number in [1, 2] {
                let words = format!("-A {} -s rr", service(number, vip));
                lab.director.ipvsadm(&words)?;
            }
            add_real(&lab, 1, vip, method)?;
            for vip in [vip, other] {
                ensure!(who(ask(&lab.client, vip, 80, 6)?) == both(), "{vip}");
            }
            stays_local(&lab, vip)?;
            is_refused_without_destinations(&lab, vip)?;
            only_begins_by_its_mark(&lab, other)?;
        }
        let listed = lab.director.ipvsadm("-Ln")?;
        for line in ["FWM  1 rr", "FWM  1 IPv6 rr", "FWM  2 rr", "FWM  2 IPv6 rr"] {
            ensure!(listed.lines().any(|it| it == line), "{listed}");
        }
        outlives_the_daemon(&mut lab, mode)?;
        ensure!(status(&lab.director)?.marks.is_some());
        for [vip, _] in pairs(&lab) {
            for number in [1, 2] {
                ensure!(routing(&lab.director.host)? != before);
                let words = format!("-D {}", service(number, vip));
                lab.director.ipvsadm(&words)?;
            }
        }
        ensure!(routing(&lab.director.host)? == before);
        ensure!(status(&lab.director)?.marks.is_none());
    }
    Ok(())
}

/// What is not balanced gets to the director itself: other protocols, and connections to it as a
/// destination.
fn stays_local(lab: &DirectRouting, vip: IpAddr) -> Result<()> {
    let vip_text = vip.to_string();
    lab.client.run("ping", ["-c", "1", "-W", "5", &vip_text])?;
    let _server = serve(&lab.director.host, 85)?;
    let own = lab.director.host.address().like(vip);
    let destination = format!("{} -r {own}", service(2, vip));
    lab.director.ipvsadm(&format!("-a {destination} -g"))?;
    wait::until("the director serves itself", SOON, || {
        Ok(ask(&lab.client, vip, 85, 1).is_ok_and(|it| it == ["director"]))
    })?;
    lab.director.ipvsadm(&format!("-d {destination}")).map(drop)
}

fn is_refused_without_destinations(lab: &DirectRouting, vip: IpAddr) -> Result<()> {
    let url = url(vip, 90);
    let curl = lab.client.try_run("curl", ["-sS", "-g", "-m", "5", &url])?;
    ensure!(
        curl.status.code() == Some(7),
        "not refused: {}",
        curl.stderr
    );
    Ok(())
}

/// All but the first packets go by the connection, past the mark's device.
fn only_begins_by_its_mark(lab: &DirectRouting, vip: IpAddr) -> Result<()> {
    let sent = || -> Result<u64> {
        let passed = status(&lab.director)?.passed;
        let counter = passed.iter().find(|it| it.reason == "no-service");
        Ok(counter.context("no such counter")?.packets)
    };
    let before = sent()?;
    let url = format!("http://{}/big", with_port(vip, 80));
    Get::new(url)
        .to_file(lab.client.directory()?.join("copy"))
        .once(&lab.client)?;
    let begun = sent()? - before;
    ensure!(begun <= 3, "{begun} packets were looked up by their mark");
    Ok(())
}

/// Marked packets are balanced while there is no daemon, and the next one takes the rules up.
fn outlives_the_daemon(lab: &mut DirectRouting, mode: Mode) -> Result<()> {
    let before = routing(&lab.director.host)?;
    lab.director.kill9()?;
    for vip in lab.vips() {
        ensure!(who(ask(&lab.client, vip, 80, 4)?) == both());
    }
    lab.director.start_rlvs_with(&mode.configuration())?;
    ensure!(routing(&lab.director.host)? == before);
    for vip in lab.vips() {
        ensure!(who(ask(&lab.client, vip, 80, 4)?) == both());
    }
    Ok(())
}

#[test]
fn a_client_stays_with_its_real_server_for_all_ports_of_a_mark() -> Result<()> {
    let lab = site(Mode::Tc)?;
    let servers = lab.real_servers.iter();
    let _https: Vec<_> = servers
        .map(|server| serve(&server.host, 443))
        .collect::<Result<_>>()?;
    let chain = "type filter hook prerouting priority mangle;";
    lab.director.host.shell(&format!(
        "nft add table inet lvs && nft 'add chain inet lvs marks {{ {chain} }}' && \
         nft add rule inet lvs marks iif eth0 tcp dport '{{ 80, 443 }}' meta mark set 7"
    ))?;
    for [vip, other] in pairs(&lab) {
        let words = format!("-A {} -s rr -p 60", service(7, vip));
        lab.director.ipvsadm(&words)?;
        add_real(&lab, 7, vip, "-g")?;
        let mut chosen = BTreeSet::new();
        for from in [lab.client.address().like(vip), third(&lab, vip)?] {
            let mut answers = BTreeSet::new();
            for (vip, port) in [(vip, 80), (vip, 443), (other, 443), (other, 80)] {
                let get = Get::new(url(vip, port)).from_address(from);
                answers.extend(get.times(&lab.client, 3)?);
            }
            ensure!(answers.len() == 1, "{from}: {answers:?}");
            chosen.extend(answers);
        }
        ensure!(chosen == both(), "each client has its own");
        let known = connections(&lab.director)?;
        let templates = known.iter().filter(|it| it.protocol == "IP");
        ensure!(
            templates.count() == if vip.is_ipv4() { 2 } else { 4 },
            "{known:?}"
        );
    }
    lab.director.host.shell("nft delete table inet lvs")?;
    Ok(())
}

/// Another address of the client.
fn third(lab: &DirectRouting, vip: IpAddr) -> Result<IpAddr> {
    let own = second(lab.client.address().like(vip));
    lab.client.add_address(own, "eth0")?;
    Ok(own)
}

/// As in IPVS: an address's service takes what no mark's does.
#[test]
fn a_mark_comes_before_an_address() -> Result<()> {
    for (mode, method) in [(Mode::Tc, "-g"), (Mode::Native, "-i")] {
        let mut lab = site(mode)?;
        let before = routing(&lab.director.host)?;
        let mut marked_clients = Vec::new();
        for [vip, other] in pairs(&lab) {
            let marked = third(&lab, vip)?;
            mark_from(&lab.director, marked, 5)?;
            let [first, second] = [0, 1].map(|n| lab.real_servers[n].host.address().like(vip));
            for (service, persistence, real) in [
                (
                    format!("-t {}", with_port(vip, 80)),
                    "",
                    with_port(first, 80),
                ),
                (
                    format!("-t {}", with_port(other, 0)),
                    "-p 60",
                    with_port(first, 0),
                ),
                (service(5, vip), "", with_port(second, 0)),
            ] {
                lab.director
                    .ipvsadm(&format!("-A {service} {persistence}"))?;
                lab.director
                    .ipvsadm(&format!("-a {service} -r {real} {method}"))?;
                wait::until(&format!("{real} is known"), SOON, || {
                    let hop = next_hop(&lab.director, &real)?;
                    Ok(matches!(hop, NextHop::Resolved { .. }))
                })?;
            }
            marked_clients.push((marked, [vip, other]));
        }
        for (marked, vips) in &marked_clients {
            chosen_by_mark_and_address(&lab, *marked, *vips)?;
            stays_local_beside(&lab, vips[0])?;
        }
        lab.director.kill9()?;
        for (marked, vips) in &marked_clients {
            chosen_by_mark_and_address(&lab, *marked, *vips)?;
        }
        lab.director.start_rlvs_with(&mode.configuration())?;
        // What cannot be led must not wait.
        for (marked, [vip, _]) in &marked_clients {
            forwarding(&lab.director.host, *vip, false)?;
            wait::until("addresses do without marks", SOON, || {
                Ok(ask(&lab.client, *vip, 80, 1).is_ok_and(|it| it == ["rs1"]))
            })?;
            forwarding(&lab.director.host, *vip, true)?;
            wait::until("marks are first again", SOON, || {
                Ok(ask_from(&lab.client, *marked, *vip)? == ["rs2"])
            })?;
        }
        for (marked, [vip, other]) in &marked_clients {
            lab.director.ipvsadm(&format!("-D {}", service(5, *vip)))?;
            for vip in [*vip, *other] {
                ensure!(ask_from(&lab.client, *marked, vip)? == ["rs1"], "{vip}");
            }
        }
        let after = routing(&lab.director.host)?;
        ensure!(after == before, "{after}");
    }
    Ok(())
}

/// Marks all TCP of a client.
fn mark_from(director: &Director, client: IpAddr, mark: u32) -> Result<()> {
    let tool = IPTABLES[usize::from(client.is_ipv6())];
    director
        .host
        .shell(&format!(
            "{tool} -t mangle -A PREROUTING -i eth0 -p tcp -s {client} -j MARK --set-mark {mark}"
        ))
        .map(drop)
}

fn ask_from(client: &Host, from: IpAddr, vip: IpAddr) -> Result<Vec<String>> {
    Get::new(url(vip, 80)).from_address(from).times(client, 1)
}

fn chosen_by_mark_and_address(
    lab: &DirectRouting,
    marked: IpAddr,
    vips: [IpAddr; 2],
) -> Result<()> {
    for vip in vips {
        let (by_mark, by_address) = (
            ask_from(&lab.client, marked, vip)?,
            ask(&lab.client, vip, 80, 2)?,
        );
        ensure!(by_mark == ["rs2"], "{vip}: {by_mark:?}");
        ensure!(by_address == ["rs1", "rs1"], "{vip}: {by_address:?}");
    }
    Ok(())
}

/// What no service takes gets to the director itself, also at addresses of services.
fn stays_local_beside(lab: &DirectRouting, vip: IpAddr) -> Result<()> {
    lab.client
        .run("ping", ["-c", "1", "-W", "5", &vip.to_string()])?;
    let _server = serve(&lab.director.host, 85)?;
    wait::until("the director answers", SOON, || {
        Ok(ask(&lab.client, vip, 85, 1).is_ok_and(|it| it == ["director"]))
    })
}

fn forwarding(host: &Host, vip: IpAddr, is_on: bool) -> Result<()> {
    let name = match vip {
        IpAddr::V4(_) => "net.ipv4.ip_forward",
        IpAddr::V6(_) => "net.ipv6.conf.all.forwarding",
    };
    host.shell(&format!("sysctl -qw {name}={}", u8::from(is_on)))
        .map(drop)
}
