//! Full NAT: real servers that have no route to the client answer it, and know who it is.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::real_server::{PROXY_PORT, dig};
use rlvs_lab::{Get, Masquerading, wait};
use rlvs_tests::datagram::ensure_refused;
use rlvs_tests::scene::{connections, counts, dropped, statistics};

const SOON: Duration = Duration::from_secs(60);
/// The port of the virtual service; the real servers' is 80.
const PORT: u16 = 8080;
/// Addresses of the director inside that stand for clients.
const LOCALS: [&str; 2] = ["10.0.1.200", "fd00:0:0:1::200"];

/// A director with real servers that know no way out of their own network.
fn site(real_servers: u8) -> Result<Masquerading> {
    let mut lab = Masquerading::new(real_servers)?;
    for server in &lab.real_servers {
        let host = &server.host;
        host.shell("ip route del default && ip -6 route del default")?;
    }
    let [four, six] = LOCALS;
    lab.director.host.shell(&format!(
        "ip addr add {four}/32 dev eth1 && ip addr add {six}/128 dev eth1 nodad"
    ))?;
    lab.director.start_rlvs_with("connections = 65536\n")?;
    Ok(lab)
}

/// Makes the service at `port` of all virtual addresses, to port `to` of the real servers.
fn serve(lab: &Masquerading, flag: &str, port: u16, to: u16, options: &str) -> Result<()> {
    for vip in lab.vips() {
        let service = format!("{flag} {}", with_port(vip, port));
        lab.director
            .ipvsadm(&format!("-A {service} -s rr {options}"))?;
        let local = LOCALS[usize::from(vip.is_ipv6())];
        lab.director
            .ipvsadm(&format!("--add-laddr {service} --laddr {local}"))?;
        for number in 0..lab.real_servers.len() {
            let real = with_port(real(lab, vip, number), to);
            lab.director
                .ipvsadm(&format!("-a {service} -r {real} --fullnat"))?;
        }
    }
    Ok(())
}

fn wait_for(lab: &Masquerading, port: u16) -> Result<()> {
    for vip in lab.vips() {
        wait::until("the real servers are known", SOON, || {
            Ok(Get::new(url(vip, port, "/client"))
                .once(&lab.client)
                .is_ok())
        })?;
    }
    Ok(())
}

fn real(lab: &Masquerading, vip: IpAddr, number: usize) -> IpAddr {
    lab.real_servers[number].host.address().like(vip)
}

fn url(vip: IpAddr, port: u16, path: &str) -> String {
    format!("http://{}{path}", with_port(vip, port))
}

#[test]
fn answers_find_back_without_a_route() -> Result<()> {
    let lab = site(2)?;
    serve(&lab, "-t", PORT, 80, "")?;
    serve(&lab, "-u", 53, 53, "")?;
    wait_for(&lab, PORT)?;
    for vip in lab.vips() {
        let answers: BTreeSet<_> = Get::new(url(vip, PORT, "/"))
            .times(&lab.client, 20)?
            .into_iter()
            .collect();
        ensure!(answers.len() == 2, "{vip}: {answers:?}");
        let seen = Get::new(url(vip, PORT, "/client")).once(&lab.client)?;
        let local = LOCALS[usize::from(vip.is_ipv6())];
        ensure!(seen.starts_with(local), "{vip}: {seen}");
        ensure!(dig(&lab.client, vip, "TXT")?.starts_with("rs"), "{vip}");
        let known = connections(&lab.director)?;
        let of_port_80 = known.iter().filter(|it| it.destination.ends_with(":80"));
        ensure!(of_port_80.count() >= 20, "{known:?}");
    }
    listings(&lab)
}

fn listings(lab: &Masquerading) -> Result<()> {
    let services = lab.director.ipvsadm("-Ln")?;
    ensure!(services.matches(" FullNat ").count() == 8, "{services}");
    // Counted by the sweep, once a second.
    wait::until("local addresses have connections", SOON, || {
        let text = lab.director.ipvsadm("--get-laddr -n")?;
        let counts = text.lines().filter_map(|line| {
            let mut words = line.strip_prefix("  -> ")?.split_whitespace();
            let (_, count) = (words.next()?, words.next()?);
            count.parse::<u64>().ok()
        });
        let counts: Vec<_> = counts.collect();
        Ok(counts.len() == 4 && counts.iter().all(|count| *count >= 10))
    })?;
    // What is saved is what makes all this.
    let saved = lab.director.ipvsadm("-S -n")?;
    let file = lab.director.host.directory()?.join("rules");
    fs::write(&file, &saved)?;
    lab.director.ipvsadm("-C")?;
    lab.director
        .host
        .shell(&format!("ipvsadm -R < {}", file.display()))?;
    let again = lab.director.ipvsadm("-S -n")?;
    ensure!(saved == again, "{saved}{again}");
    Ok(())
}

#[test]
fn large_transfers_arrive_whole_however_the_client_is_told() -> Result<()> {
    let lab = site(1)?;
    serve(&lab, "-t", PORT, 80, "")?;
    serve(&lab, "-t", PORT + 1, PROXY_PORT, "--client-address proxy")?;
    wait_for(&lab, PORT)?;
    wait_for(&lab, PORT + 1)?;
    let original = fs::read(lab.lab.directory().join("big"))?;
    for vip in lab.vips() {
        for port in [PORT, PORT + 1] {
            let file = lab.client.directory()?.join("copy");
            for _ in 0..4 {
                Get::new(url(vip, port, "/big"))
                    .to_file(&file)
                    .once(&lab.client)
                    .with_context(|| format!("from {vip}"))?;
                ensure!(fs::read(&file)? == original, "{vip}: another file came");
            }
        }
        // 16 MB each.
        for options in ["", "--client-address proxy"] {
            for _ in 0..4 {
                upload(&lab, vip, &original, options)?;
            }
        }
        let service = format!("-t {}", with_port(vip, PORT));
        let (whole, _) = statistics(&lab.director, &service)?;
        ensure!(whole.bytes > original.len() as u64 / 1000, "{whole:?}");
    }
    Ok(())
}

/// To a server that writes down what it gets, the PROXY protocol's header included.
fn upload(lab: &Masquerading, vip: IpAddr, content: &[u8], options: &str) -> Result<()> {
    let server = &lab.real_servers[0].host;
    let got = server.directory()?.join("got");
    let (kind, flag) = match vip {
        IpAddr::V4(_) => ("TCP4-LISTEN", "-4"),
        IpAddr::V6(_) => ("TCP6-LISTEN", "-6"),
    };
    let listen = format!("{kind}:9000,reuseaddr");
    let to = format!("CREATE:{}", got.display());
    let _socat = server.spawn("socat", "socat", ["-u", &listen, &to])?;
    let service = with_port(vip, 9000);
    let target = with_port(real(lab, vip, 0), 9000);
    let local = LOCALS[usize::from(vip.is_ipv6())];
    for command in [
        format!("-A -t {service} {options}"),
        format!("--add-laddr -t {service} --laddr {local}"),
        format!("-a -t {service} -r {target} --fullnat"),
    ] {
        lab.director.ipvsadm(&command)?;
    }
    wait::until("the server listens", SOON, || {
        let listening = server.run("ss", [flag, "-ltnH", "sport = :9000"])?;
        Ok(!listening.is_empty())
    })?;
    let from = format!("OPEN:{}", lab.lab.directory().join("big").display());
    let connect = format!("TCP:{service}");
    lab.client.run("socat", ["-u", &from, &connect])?;
    let header = match (options.is_empty(), vip) {
        (true, _) => 0,
        (false, IpAddr::V4(_)) => 28,
        (false, IpAddr::V6(_)) => 52,
    };
    // It ends when it has everything.
    wait::until("the server got all", SOON, || {
        Ok(fs::metadata(&got).is_ok_and(|file| file.len() as usize == header + content.len()))
    })?;
    let all = fs::read(&got)?;
    ensure!(all[header..] == *content, "{vip}: another file arrived");
    ensure!(header == 0 || all.starts_with(b"\r\n\r\n\0\r\nQUIT\n\x21"));
    fs::remove_file(&got)?;
    lab.director.ipvsadm(&format!("-D -t {service}"))?;
    Ok(())
}

#[test]
fn errors_of_real_servers_reach_the_client() -> Result<()> {
    let lab = site(1)?;
    serve(&lab, "-t", PORT, 80, "")?;
    wait_for(&lab, PORT)?;
    // Nobody listens at the real server's port.
    serve(&lab, "-u", 54, 54, "")?;
    for vip in lab.vips() {
        ensure_refused(&lab.client, SocketAddr::new(vip, 54))?;
    }
    Ok(())
}

#[test]
fn real_servers_know_who_the_client_is() -> Result<()> {
    let lab = site(1)?;
    let [four, six] = LOCALS;
    lab.real_servers[0].up_with(
        &lab.vips(),
        &["--client-address", "--from", &format!("{four},{six}")],
    )?;
    serve(&lab, "-t", PORT, 80, "")?;
    serve(&lab, "-t", PORT + 1, PROXY_PORT, "--client-address proxy")?;
    serve(&lab, "-t", PORT + 2, 80, "--client-address none")?;
    for port in [PORT, PORT + 1, PORT + 2] {
        wait_for(&lab, port)?;
    }
    for vip in lab.vips() {
        let client = lab.client.address().like(vip);
        for port in [PORT, PORT + 1] {
            for _ in 0..10 {
                let seen = Get::new(url(vip, port, "/client")).once(&lab.client)?;
                let (address, number) = seen.trim().split_once(' ').context("two words")?;
                ensure!(
                    address == client.to_string(),
                    "port {port} of {vip}: {seen}"
                );
                let end = SocketAddr::new(client, number.parse()?);
                let known = connections(&lab.director)?;
                ensure!(
                    known.iter().any(|it| it.client == end),
                    "nobody of the connections is {end}"
                );
            }
        }
        let seen = Get::new(url(vip, PORT + 2, "/client")).once(&lab.client)?;
        ensure!(
            seen.starts_with(LOCALS[usize::from(vip.is_ipv6())]),
            "{seen}"
        );
    }
    Ok(())
}

#[test]
fn a_thousand_connections_end_and_give_their_ports_back() -> Result<()> {
    let lab = site(1)?;
    serve(&lab, "-t", PORT, 80, "")?;
    wait_for(&lab, PORT)?;
    for vip in lab.vips() {
        let service = format!("-t {}", with_port(vip, PORT));
        lab.director.ipvsadm("-Z")?;
        let answers = Get::new(url(vip, PORT, "/")).times(&lab.client, 1000)?;
        ensure!(answers.len() == 1000);
        let (whole, _) = statistics(&lab.director, &service)?;
        ensure!(whole.connections == 1000, "{whole:?}");
        for (destination, (active, _)) in counts(&lab.director, &service)? {
            ensure!(active == 0, "{destination}: {active} active");
        }
    }
    Ok(())
}

#[test]
fn what_is_missing_is_said() -> Result<()> {
    let lab = site(1)?;
    serve(&lab, "-t", PORT, 80, "")?;
    wait_for(&lab, PORT)?;
    let [vip, _] = lab.vips();
    let service = format!("-t {}", with_port(vip, PORT));
    let [four, six] = LOCALS;
    for (command, words) in [
        (format!("--add-laddr {service} --laddr {four}"), "already"),
        (format!("--add-laddr {service} --laddr {six}"), "IP version"),
        (
            format!("--add-laddr {service} --laddr 224.0.0.1"),
            "single host",
        ),
        (
            format!("--del-laddr {service} --laddr 10.9.9.9"),
            "is not a local address",
        ),
        (format!("--add-laddr {service}"), "laddr"),
        (
            format!("-E {service} --client-address magic"),
            "toa, proxy and none",
        ),
    ] {
        let refused = lab.director.try_ipvsadm(&command)?;
        ensure!(!refused.status.success(), "{command} was taken");
        ensure!(
            refused.stderr.contains(words),
            "{command}: {}",
            refused.stderr
        );
    }
    lab.director
        .ipvsadm(&format!("--del-laddr {service} --laddr {four}"))?;
    let curl = ["-sS", "-m", "2", &url(vip, PORT, "/")];
    ensure!(!lab.client.try_run("curl", curl)?.status.success());
    ensure!(dropped(&lab.director, "no-local-address")? > 0);
    Ok(())
}
