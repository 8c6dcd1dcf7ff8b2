//! Datagrams larger than frames, there and back: the real server's and the client's own kernels
//! put them together, and what they get is compared.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::{DirectRouting, Director, Host, Masquerading, Process, RealServer, wait};
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

/// Sends back what it gets, so many times in one, with its name in front.
const SERVER: &str = "
import socket, sys
name, address, port, times = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
family = socket.AF_INET6 if ':' in address else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
s.bind((address, port))
while True:
    data, client = s.recvfrom(65536)
    s.sendto(name.encode() + data * times, client)
";

/// Clients with ports of their own send what nobody else does, and want it back from whom the
/// first answer came; prints who answered.
const CLIENT: &str = "
import random, socket, sys
vip, (port, clients, each, size, times) = sys.argv[1], map(int, sys.argv[2:])
family = socket.AF_INET6 if ':' in vip else socket.AF_INET
names = set()
for client in range(clients):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(5)
    s.connect((vip, port))
    own = set()
    for number in range(each):
        sent = random.Random(client * 1000 + number).randbytes(size)
        s.send(sent)
        got = s.recv(65536)
        assert got[3:] == sent * times, 'something else came back'
        own.add(got[:3].decode())
    assert len(own) == 1, own
    names |= own
print(' '.join(sorted(names)))
";

/// How large datagrams are, and how many times larger what comes back.
#[derive(Clone, Copy)]
struct Size {
    bytes: u32,
    times: u32,
}

const LARGE: Size = Size {
    bytes: 8000,
    times: 1,
};
const LARGE_BACK: Size = Size {
    bytes: 100,
    times: 80,
};

fn serve(host: &Host, address: IpAddr, port: u16, size: Size) -> Result<Process> {
    let [address, port, times] = [
        address.to_string(),
        port.to_string(),
        size.times.to_string(),
    ];
    let name = &host.name()[..3];
    let words = ["-c", SERVER, name, &address, &port, &times];
    let process = host.spawn("echo", "python3", words)?;
    wait::until("the server listens", SOON, || {
        let filter = format!("sport = :{port}");
        let sockets = host.run("ss", ["-lunH", &filter])?;
        Ok(sockets.contains(&address))
    })?;
    Ok(process)
}

fn exchange(client: &Host, vip: IpAddr, size: Size) -> Result<String> {
    let Size { bytes, times } = size;
    let line = format!("{vip} {PORT} {CLIENTS} {EACH} {bytes} {times}");
    let words = ["-c", CLIENT].into_iter().chain(line.split(' '));
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
        let service = add_service(&scene.director, vip)?;
        scene.add_http(vip, "rr", &[])?;
        let mut servers = Vec::new();
        for (number, server) in scene.real_servers.iter().enumerate() {
            servers.push(serve(&server.host, vip, PORT, LARGE)?);
            // Which waits until it is known where the server is.
            scene.add_server(vip, number, 1)?;
            let real = with_port(server.host.address().like(vip), PORT);
            scene
                .director
                .ipvsadm(&format!("-a -u {service} -r {real} -g"))?;
        }
        let names = exchange(&scene.client, vip, LARGE)?;
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
    let lab = masquerading(2)?;
    for vip in lab.vips() {
        add_service(&lab.director, vip)?;
        let mut servers = Vec::new();
        for server in &lab.real_servers {
            servers.push(masquerade(&lab.director, &server.host, vip, LARGE)?);
        }
        wait::until("the real servers are known", LONG, || {
            Ok(answers(&lab.client, vip)? && answers(&lab.client, vip)?)
        })?;
        lab.director.ipvsadm("-Z")?;
        let names = exchange(&lab.client, vip, LARGE)?;
        ensure!(names == "rs1 rs2", "{vip}: {names}");
        all_are_counted(&lab.director, vip)?;
        servers.iter_mut().try_for_each(Process::stop)?;
    }
    Ok(())
}

/// The director as real server: its stack gets fragments, and sends fragments.
#[test]
fn what_the_director_itself_answers_leaves_in_parts() -> Result<()> {
    let lab = masquerading(1)?;
    for vip in lab.vips() {
        add_service(&lab.director, vip)?;
        let mut server = masquerade(&lab.director, &lab.director.host, vip, LARGE)?;
        wait::until("the director answers", LONG, || answers(&lab.client, vip))?;
        lab.director.ipvsadm("-Z")?;
        let names = exchange(&lab.client, vip, LARGE)?;
        ensure!(names == "dir", "{vip}: {names}");
        all_are_counted(&lab.director, vip)?;
        server.stop()?;
    }
    Ok(())
}

/// The director as client: what comes back in parts reaches its socket, by tc and behind XDP.
#[test]
fn the_director_itself_gets_answers_in_parts() -> Result<()> {
    let lab = masquerading(1)?;
    for vip in lab.vips() {
        ask_in_small(&lab.director, &lab.real_servers[0], vip)?;
    }
    Ok(())
}

#[test]
fn the_director_itself_gets_answers_in_parts_behind_xdp() -> Result<()> {
    let mut lab = DirectRouting::new(1)?;
    lab.director.add_vips(&lab.vips())?;
    let modes = "[interfaces.modes]\neth0 = \"native\"\n";
    let configuration = format!("connections = 65536\n{modes}");
    lab.director.start_rlvs_with(&configuration)?;
    for vip in lab.vips() {
        ask_in_small(&lab.director, &lab.real_servers[0], vip)?;
    }
    Ok(())
}

fn ask_in_small(director: &Director, server: &RealServer, vip: IpAddr) -> Result<()> {
    add_service(director, vip)?;
    let mut server = masquerade(director, &server.host, vip, LARGE_BACK)?;
    wait::until("the real server answers", LONG, || {
        answers(&director.host, vip)
    })?;
    let names = exchange(&director.host, vip, LARGE_BACK)?;
    ensure!(names == "rs1", "{vip}: {names}");
    server.stop()
}

/// With a director that runs.
fn masquerading(real_servers: u8) -> Result<Masquerading> {
    let mut lab = Masquerading::new(real_servers)?;
    lab.director.start_rlvs_with("connections = 65536\n")?;
    Ok(lab)
}

/// A service without real servers; what `ipvsadm` calls it.
fn add_service(director: &Director, vip: IpAddr) -> Result<String> {
    let service = with_port(vip, PORT);
    director.ipvsadm(&format!("-A -u {service} -s rr"))?;
    Ok(service)
}

/// A masqueraded real server of the service.
fn masquerade(director: &Director, host: &Host, vip: IpAddr, size: Size) -> Result<Process> {
    let real = host.address().like(vip);
    let server = serve(host, real, REAL_PORT, size)?;
    let (service, real) = (with_port(vip, PORT), with_port(real, REAL_PORT));
    director.ipvsadm(&format!("-a -u {service} -r {real} -m"))?;
    Ok(server)
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
