//! Masquerading with real servers behind the director, on veth with all its offloads: packets come
//! larger than frames and without checksums.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::real_server::dig;
use rlvs_lab::{Get, Masquerading, wait};
use rlvs_tests::datagram::ensure_refused;
use rlvs_tests::scene::{Transfer, connections, counts, statistics};

const SOON: Duration = Duration::from_secs(60);
/// The port of the virtual service; the real servers' is 80.
const PORT: u16 = 8080;

/// A director of a service at [`PORT`] of both virtual addresses, with all real servers.
fn site(real_servers: u8) -> Result<Masquerading> {
    let mut lab = Masquerading::new(real_servers)?;
    lab.director.start_rlvs_with("connections = 65536\n")?;
    for vip in lab.vips() {
        lab.director
            .ipvsadm(&format!("-A -t {} -s rr", with_port(vip, PORT)))?;
        for number in 0..real_servers {
            let real = with_port(real(&lab, vip, number.into()), 80);
            lab.director
                .ipvsadm(&format!("-a -t {} -r {real} -m", with_port(vip, PORT)))?;
        }
        wait::until("the real servers are known", SOON, || {
            Ok(Get::new(url(vip, "/")).once(&lab.client).is_ok())
        })?;
    }
    Ok(lab)
}

fn real(lab: &Masquerading, vip: IpAddr, number: usize) -> IpAddr {
    lab.real_servers[number].host.address().like(vip)
}

fn url(vip: IpAddr, path: &str) -> String {
    format!("http://{}{path}", with_port(vip, PORT))
}

#[test]
fn every_real_server_answers_as_the_virtual_one() -> Result<()> {
    let lab = site(2)?;
    for vip in lab.vips() {
        let answers: BTreeSet<_> = Get::new(url(vip, "/"))
            .times(&lab.client, 20)?
            .into_iter()
            .collect();
        ensure!(answers.len() == 2, "{vip}: {answers:?}");
        // The real server sees the client itself.
        let seen = Get::new(url(vip, "/client")).once(&lab.client)?;
        let client = lab.client.address().like(vip);
        ensure!(seen.starts_with(&client.to_string()), "{seen}");
        let known = connections(&lab.director)?;
        let of_port_80 = known.iter().filter(|it| it.destination.ends_with(":80"));
        ensure!(of_port_80.count() >= 20, "{known:?}");
    }
    Ok(())
}

#[test]
fn large_transfers_arrive_whole_in_both_directions() -> Result<()> {
    let lab = site(1)?;
    let original = fs::read(lab.lab.directory().join("big"))?;
    for vip in lab.vips() {
        let file = lab.client.directory()?.join("copy");
        for _ in 0..4 {
            Get::new(url(vip, "/big"))
                .to_file(&file)
                .once(&lab.client)
                .with_context(|| format!("from {vip}"))?;
            ensure!(fs::read(&file)? == original, "{vip}: another file came");
        }
        upload(&lab, vip, 50_000_000)?;
        let service = format!("-t {}", with_port(vip, 9000));
        let (whole, _) = statistics(&lab.director, &service)?;
        ensure!(whole.bytes > original.len() as u64, "{whole:?}");
    }
    Ok(())
}

/// To a server of another kind, which writes down what it gets.
fn upload(lab: &Masquerading, vip: IpAddr, bytes: usize) -> Result<()> {
    let (service, target) = (with_port(vip, 9000), with_port(real(lab, vip, 0), 9000));
    lab.director.ipvsadm(&format!("-A -t {service}"))?;
    lab.director
        .ipvsadm(&format!("-a -t {service} -r {target} -m"))?;
    let transfer = Transfer {
        client: &lab.client,
        server: &lab.real_servers[0].host,
        target: &service,
        port: 9000,
    };
    transfer.upload(bytes)
}

#[test]
fn connections_end_on_both_sides() -> Result<()> {
    let lab = site(2)?;
    for vip in lab.vips() {
        let service = format!("-t {}", with_port(vip, PORT));
        lab.director.ipvsadm("-Z")?;
        let answers = Get::new(url(vip, "/")).times(&lab.client, 200)?;
        ensure!(answers.len() == 200);
        let (whole, _) = statistics(&lab.director, &service)?;
        ensure!(whole.connections == 200, "{whole:?}");
        for (destination, (active, _)) in counts(&lab.director, &service)? {
            ensure!(active == 0, "{destination}: {active} active");
        }
    }
    // The servers' last packets may be under way.
    let mut open = Vec::new();
    wait::until("all connections are over on both sides", SOON, || {
        open = connections(&lab.director)?;
        open.retain(|connection| connection.state != "TIME_WAIT");
        Ok(open.is_empty())
    })
    .with_context(|| format!("of these, one side is open: {open:?}"))
}

#[test]
fn datagrams_and_their_errors_come_back() -> Result<()> {
    let lab = site(1)?;
    for vip in lab.vips() {
        let service = with_port(vip, 53);
        lab.director.ipvsadm(&format!("-A -u {service}"))?;
        let server = with_port(real(&lab, vip, 0), 53);
        lab.director
            .ipvsadm(&format!("-a -u {service} -r {server} -m"))?;
        let name = dig(&lab.client, vip, "TXT")?;
        ensure!(name == "rs1", "{vip}: {name}");

        // Nobody listens at the real server's port: its ICMP error reaches the client's socket.
        let closed = with_port(vip, 54);
        lab.director.ipvsadm(&format!("-A -u {closed}"))?;
        let server = with_port(real(&lab, vip, 0), 54);
        lab.director
            .ipvsadm(&format!("-a -u {closed} -r {server} -m"))?;
        ensure_refused(&lab.client, SocketAddr::new(vip, 54))
            .with_context(|| format!("by the real server, {vip}"))?;

        // No destination takes it: the director says so.
        lab.director
            .ipvsadm(&format!("-d -u {closed} -r {server}"))?;
        ensure_refused(&lab.client, SocketAddr::new(vip, 54))
            .with_context(|| format!("by the director, {vip}"))?;
    }
    Ok(())
}

#[test]
fn what_real_servers_do_besides_is_their_own() -> Result<()> {
    let lab = site(1)?;
    let server = &lab.real_servers[0].host;
    for client in lab.client.address().both() {
        let client = client.to_string();
        server.run("ping", ["-c", "2", "-W", "3", &client])?;
    }
    // And the other way: to a real server's own address, past the service.
    for address in server.address().both() {
        let own = Get::new(format!("http://{}/", with_port(address, 80)));
        ensure!(own.once(&lab.client)?.trim() == "rs1");
    }
    Ok(())
}
