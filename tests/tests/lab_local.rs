//! The director itself: as a client of its own services, and as a real server.
//!
//! What works is what works with the kernel's IPVS, which was asked: masquerading and local
//! destinations whatever the client's address, the virtual one included; direct routing only
//! where answers from an address that is the receiver's own are taken, so not here.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::real_server::dig;
use rlvs_lab::{DirectRouting, Director, Get, Host, Masquerading, Process, wait};
use rlvs_tests::scene::{connections, counts, statistics};

const SOON: Duration = Duration::from_secs(60);
const CONFIGURATION: &str = "connections = 65536\n";

#[test]
fn the_director_reaches_real_servers_through_its_own_services() -> Result<()> {
    let mut lab = Masquerading::new(2)?;
    lab.director.start_rlvs_with(CONFIGURATION)?;
    let original = fs::read(lab.lab.directory().join("big"))?;
    for vip in lab.vips() {
        let own = own_address(&lab.director, vip);
        for server in &lab.real_servers {
            serve(&lab.director, vip, server.host.address().like(vip))?;
        }
        for from in [vip, own] {
            let answers = ask(&lab.director.host, vip, from, "/who", 10)?;
            ensure!(answers.iter().any(|it| it == "rs1") && answers.iter().any(|it| it == "rs2"));
            let seen = ask(&lab.director.host, vip, from, "/client", 1)?.concat();
            ensure!(seen.starts_with(&format!("{from} ")), "{from}: {seen}");
        }
        let copy = lab.director.host.directory()?.join("copy");
        Get::new(url(vip, "/big"))
            .to_file(&copy)
            .once(&lab.director.host)?;
        ensure!(fs::read(&copy)? == original, "{vip}: another file came");
        // Others are served as ever.
        ask(&lab.client, vip, lab.client.address().like(vip), "/who", 4)?;
        all_end(&lab.director, vip)?;
    }
    ensure!(accepts_local(&lab.director.host)? == "1");
    lab.director.stop()?;
    lab.director.rlvs("down")?;
    ensure!(accepts_local(&lab.director.host)? == "0", "as it was");
    Ok(())
}

#[test]
fn xdp_leaves_answers_to_the_director_to_the_stack() -> Result<()> {
    let mut lab = DirectRouting::new(1)?;
    lab.director.add_vips(&lab.vips())?;
    lab.director
        .start_rlvs_with("connections = 65536\n[interfaces.modes]\neth0 = \"native\"\n")?;
    for vip in lab.vips() {
        let real = lab.real_servers[0].host.address().like(vip);
        serve(&lab.director, vip, real)?;
        for from in [vip, own_address(&lab.director, vip)] {
            let answers = ask(&lab.director.host, vip, from, "/who", 5)?;
            ensure!(answers == vec!["rs1"; 5], "{answers:?}");
        }
        all_end(&lab.director, vip)?;
        let service = with_port(vip, 81);
        let (own, real) = (own_address(&lab.director, vip), with_port(real, 80));
        for arguments in [
            format!("-A -t {service}"),
            format!("--add-laddr -t {service} --laddr {own}"),
            format!("-a -t {service} -r {real} --fullnat"),
        ] {
            lab.director.ipvsadm(&arguments)?;
        }
        let get = Get::new(format!("http://{service}/who"));
        for from in [vip, own] {
            let answers = get
                .clone()
                .from_address(from)
                .times(&lab.director.host, 5)?;
            ensure!(answers == vec!["rs1"; 5], "full NAT: {answers:?}");
        }
    }
    Ok(())
}

#[test]
fn datagrams_of_the_director_and_their_errors_come_back() -> Result<()> {
    let mut lab = Masquerading::new(1)?;
    lab.director.start_rlvs_with(CONFIGURATION)?;
    for vip in lab.vips() {
        let real = lab.real_servers[0].host.address().like(vip);
        for port in [53, 54] {
            let (service, server) = (with_port(vip, port), with_port(real, port));
            lab.director.ipvsadm(&format!("-A -u {service}"))?;
            lab.director
                .ipvsadm(&format!("-a -u {service} -r {server} -m"))?;
        }
        wait::until("the real server is known", SOON, || {
            Ok(dig(&lab.director.host, vip, "TXT").is_ok_and(|name| name == "rs1"))
        })?;
        refused(&lab.director.host, vip, 54).context("by the real server")?;
    }
    Ok(())
}

#[test]
fn the_director_serves_by_masquerading_to_itself() -> Result<()> {
    let mut lab = Masquerading::new(1)?;
    lab.director.start_rlvs_with(CONFIGURATION)?;
    let _nginx = own_nginx(&lab.director.host)?;
    let original = fs::read(lab.lab.directory().join("big"))?;
    for vip in lab.vips() {
        let own = own_address(&lab.director, vip);
        let service = with_port(vip, 80);
        lab.director.ipvsadm(&format!("-A -t {service} -s rr"))?;
        lab.director
            .ipvsadm(&format!("-a -t {service} -r {} -m", with_port(own, 8080)))?;
        wait::until("nginx on the director", SOON, || {
            Ok(Get::new(url(vip, "/who")).once(&lab.client).is_ok())
        })?;
        let client = lab.client.address().like(vip);
        for (host, from) in [
            (&lab.client, client),
            (&lab.director.host, vip),
            (&lab.director.host, own),
        ] {
            let answers = ask(host, vip, from, "/who", 10)?;
            ensure!(answers == vec!["director"; 10], "{answers:?}");
            let seen = ask(host, vip, from, "/client", 1)?.concat();
            ensure!(seen.starts_with(&format!("{from} ")), "{from}: {seen}");
        }
        let copy = lab.client.directory()?.join("copy");
        Get::new(url(vip, "/big"))
            .to_file(&copy)
            .once(&lab.client)?;
        ensure!(fs::read(&copy)? == original, "{vip}: another file came");
        all_end(&lab.director, vip)?;
        let (_, of_destinations) = statistics(&lab.director, &format!("-t {service}"))?;
        ensure!(of_destinations.values().all(|it| it.connections > 30));
        // nginx itself, past the service, is as it was.
        let direct = Get::new(format!("http://{}/who", with_port(own, 8080)));
        ensure!(direct.once(&lab.client)?.trim() == "director");
        // Nobody listens there: what the director's stack says of it reaches the client's socket.
        lab.director
            .ipvsadm(&format!("-A -u {}", with_port(vip, 99)))?;
        lab.director.ipvsadm(&format!(
            "-a -u {} -r {} -m",
            with_port(vip, 99),
            with_port(own, 9999)
        ))?;
        refused(&lab.client, vip, 99).context("a client")?;
        refused(&lab.director.host, vip, 99).context("the director")?;
    }
    Ok(())
}

/// The service at port 80, with one more real server, once that is known.
fn serve(director: &Director, vip: IpAddr, real: IpAddr) -> Result<()> {
    let service = with_port(vip, 80);
    // It may be there.
    director.try_ipvsadm(&format!("-A -t {service} -s rr"))?;
    director.ipvsadm(&format!("-a -t {service} -r {} -m", with_port(real, 80)))?;
    let get = Get::new(url(vip, "/who"));
    wait::until("the real server is known", SOON, || {
        Ok((0..2).all(|_| get.once(&director.host).is_ok()))
    })
}

fn ask(host: &Host, vip: IpAddr, from: IpAddr, path: &str, times: u32) -> Result<Vec<String>> {
    let get = Get::new(url(vip, path)).from_address(from);
    get.times(host, times)
        .with_context(|| format!("{vip} from {from} on {}", host.name()))
}

/// All connections end, on both sides.
fn all_end(director: &Director, vip: IpAddr) -> Result<()> {
    wait::until("all connections are closed", SOON, || {
        let counts = counts(director, &format!("-t {}", with_port(vip, 80)))?;
        Ok(counts.values().all(|&(active, _)| active == 0))
    })
    .with_context(|| format!("{:#?}", connections(director)))
}

/// An address of the director's that is no virtual one.
fn own_address(director: &Director, vip: IpAddr) -> IpAddr {
    director.host.address().like(vip)
}

fn url(vip: IpAddr, path: &str) -> String {
    format!("http://{}{path}", with_port(vip, 80))
}

fn accepts_local(host: &Host) -> Result<String> {
    let value = host.run("sysctl", ["-n", "net.ipv4.conf.lo.accept_local"])?;
    Ok(value.trim().to_owned())
}

/// A connected UDP socket learns of "port unreachable" with its next call.
fn refused(host: &Host, vip: IpAddr, port: u16) -> Result<()> {
    let family = if vip.is_ipv4() { "INET" } else { "INET6" };
    let program = format!(
        "import socket\n\
         s = socket.socket(socket.AF_{family}, socket.SOCK_DGRAM)\n\
         s.settimeout(3)\n\
         s.connect(('{vip}', {port}))\n\
         s.send(b'anybody?')\n\
         try:\n    s.recv(10)\nexcept ConnectionRefusedError:\n    print('refused')\n"
    );
    let said = host.run("python3", ["-c", &program])?;
    ensure!(said.trim() == "refused", "{said}");
    Ok(())
}

/// At port 8080, with the file that real servers have.
fn own_nginx(host: &Host) -> Result<Process> {
    let directory = host.directory()?;
    let file = directory.join("nginx.conf");
    let big = host.lab().directory().join("big");
    fs::write(
        &file,
        format!(
            "daemon off; user root; worker_processes 1; pid nginx.pid; error_log stderr warn;
             events {{ worker_connections 128; }}
             http {{ access_log off; client_body_temp_path body; proxy_temp_path proxy;
                     fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                     server {{ listen 8080; listen [::]:8080 ipv6only=on;
                               location = /big {{ alias {}; }}
                               location = /client {{ return 200 '$remote_addr $remote_port\\n'; }}
                               location / {{ return 200 'director\\n'; }} }} }}",
            big.display()
        ),
    )?;
    let (directory, file) = (directory.display().to_string(), file.display().to_string());
    host.spawn("nginx", "nginx", ["-p", &directory, "-c", &file])
}
