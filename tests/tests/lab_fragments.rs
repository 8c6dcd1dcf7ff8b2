//! Datagrams larger than frames, there and back: the real server's and the client's own kernels
//! put them together, and what they get is compared.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::{Director, Host, Masquerading, Process, RealServer, wait};
use rlvs_tests::in_both_modes;
use rlvs_tests::scene::{Mode, SOON, Scene, statistics, status};

in_both_modes!(
    large_datagrams_reach_one_real_server_whole,
    a_large_ping_is_answered_by_the_director,
);

const PORT: u16 = 9000;
/// The real servers' own, under masquerading.
const REAL_PORT: u16 = 9001;
const CLIENTS: u64 = 8;
const EACH: u64 = 5;
/// 8000 bytes in frames of 1500.
const FRAGMENTS: u64 = 6;

/// Sends back what it gets, with its name in front.
const SERVER: &str = "
import socket, sys
name, address, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ':' in address else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
s.bind((address, port))
while True:
    data, client = s.recvfrom(65536)
    s.sendto(name.encode() + data, client)
";

/// Clients with ports of their own send what nobody else does, and want it back from whom the
/// first answer came; prints who answered.
const CLIENT: &str = "
import random, socket, sys
vip, port, clients, each = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
family = socket.AF_INET6 if ':' in vip else socket.AF_INET
names = set()
for client in range(clients):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(5)
    s.connect((vip, port))
    own = set()
    for number in range(each):
        sent = random.Random(client * 1000 + number).randbytes(8000)
        s.send(sent)
        got = s.recv(65536)
        assert got[3:] == sent, 'something else came back'
        own.add(got[:3].decode())
    assert len(own) == 1, own
    names |= own
print(' '.join(sorted(names)))
";

fn serve(server: &RealServer, address: &str, port: u16) -> Result<Process> {
    let host = &server.host;
    let port = port.to_string();
    let process = host.spawn(
        "echo",
        "python3",
        ["-c", SERVER, host.name(), address, &port],
    )?;
    wait::until("the server listens", SOON, || {
        let filter = format!("sport = :{port}");
        let sockets = host.run("ss", ["-lunH", &filter])?;
        Ok(sockets.contains(address))
    })?;
    Ok(process)
}

fn exchange(client: &Host, vip: IpAddr) -> Result<String> {
    let (vip, port) = (vip.to_string(), PORT.to_string());
    let (clients, each) = (CLIENTS.to_string(), EACH.to_string());
    let words = ["-c", CLIENT, &vip, &port, &clients, &each];
    Ok(client.run("python3", words)?.trim().to_owned())
}

/// Every fragment was forwarded and counted, and none was unknown.
fn all_are_counted(director: &Director, vip: IpAddr) -> Result<()> {
    let service = format!("-u {}", with_port(vip, PORT));
    let (whole, _) = statistics(director, &service)?;
    ensure!(whole.connections == CLIENTS, "{whole:?}");
    ensure!(whole.packets == CLIENTS * EACH * FRAGMENTS, "{whole:?}");
    let status = status(director)?;
    let mut of_fragments = status.passed.iter().chain(&status.dropped);
    ensure!(
        of_fragments.all(|it| !it.reason.starts_with("fragment") || it.packets == 0),
        "{status:?}"
    );
    Ok(())
}

fn large_datagrams_reach_one_real_server_whole(mode: Mode) -> Result<()> {
    let scene = Scene::new(mode, 2)?;
    for vip in scene.vips() {
        let service = with_port(vip, PORT);
        scene.director.ipvsadm(&format!("-A -u {service} -s rr"))?;
        scene.add_http(vip, "rr", &[])?;
        let mut servers = Vec::new();
        for (number, server) in scene.real_servers.iter().enumerate() {
            servers.push(serve(server, &vip.to_string(), PORT)?);
            // Which waits until it is known where the server is.
            scene.add_server(vip, number, 1)?;
            let [v4, v6] = server.host.address().both();
            let real = with_port(if vip.is_ipv4() { v4 } else { v6 }, PORT);
            scene
                .director
                .ipvsadm(&format!("-a -u {service} -r {real} -g"))?;
        }
        let names = exchange(&scene.client, vip)?;
        ensure!(names == "rs1 rs2", "{vip}: {names}");
        all_are_counted(&scene.director, vip)?;
        servers.iter_mut().try_for_each(Process::stop)?;
    }
    Ok(())
}

fn a_large_ping_is_answered_by_the_director(mode: Mode) -> Result<()> {
    let scene = Scene::new(mode, 1)?;
    for vip in scene.vips() {
        scene.add_http(vip, "rr", &[1])?;
        let vip = vip.to_string();
        let words = ["-c", "3", "-i", "0.2", "-W", "3", "-s", "8000", &vip];
        scene.client.run("ping", words)?;
    }
    Ok(())
}

#[test]
fn masqueraded_datagrams_go_both_ways_in_parts() -> Result<()> {
    let mut lab = Masquerading::new(2)?;
    lab.director.start_rlvs_with("connections = 65536\n")?;
    for vip in lab.vips() {
        let service = with_port(vip, PORT);
        lab.director.ipvsadm(&format!("-A -u {service} -s rr"))?;
        let mut servers = Vec::new();
        for server in &lab.real_servers {
            let [v4, v6] = server.host.address().both();
            let real = if vip.is_ipv4() { v4 } else { v6 };
            servers.push(serve(server, &real.to_string(), REAL_PORT)?);
            let real = with_port(real, REAL_PORT);
            lab.director
                .ipvsadm(&format!("-a -u {service} -r {real} -m"))?;
        }
        wait::until("the real servers are known", LONG, || {
            Ok(answers(&lab.client, vip)? && answers(&lab.client, vip)?)
        })?;
        lab.director.ipvsadm("-Z")?;
        let names = exchange(&lab.client, vip)?;
        ensure!(names == "rs1 rs2", "{vip}: {names}");
        all_are_counted(&lab.director, vip)?;
        servers.iter_mut().try_for_each(Process::stop)?;
    }
    Ok(())
}

const LONG: Duration = Duration::from_secs(30);

/// Whether a small datagram comes back.
fn answers(client: &Host, vip: IpAddr) -> Result<bool> {
    let address = match vip {
        IpAddr::V4(_) => format!("UDP4:{}", with_port(vip, PORT)),
        IpAddr::V6(_) => format!("UDP6:{}", with_port(vip, PORT)),
    };
    let line = format!("echo hello | timeout 2 socat -T 1 - {address}");
    Ok(client
        .try_run("bash", ["-c", &line])?
        .stdout
        .contains("hello"))
}
