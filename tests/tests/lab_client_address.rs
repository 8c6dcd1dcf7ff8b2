//! Unmodified servers are told the client's address by the director's TCP option.

use std::time::Duration;

use anyhow::{Result, ensure};
use rlvs_lab::{Host, Lab, Process, RealServer, Segment};
use serde_json::Value;

const OPEN: &str = include_str!("lab_client_address/toa.py");
const PEER: &str = include_str!("lab_client_address/peer.py");
const SOON: Duration = Duration::from_secs(60);
const VIP: &str = "192.0.2.100";
/// Addresses that the director sends from, and that no host answers for by itself.
const LOCAL4: &str = "10.0.0.50";
const LOCAL6: &str = "fd00::50";
/// One that is no director's.
const STRANGER: &str = "10.0.0.66";
const DIRECTORS: &str = "10.0.0.50,10.0.0.51,fd00::/64";
const CLIENT4: &str = "203.0.113.7";
const CLIENT6: &str = "2001:db8::7";

struct Site {
    director: Host,
    segment: Segment,
    lab: Lab,
}

/// One connection: from where, in which segments the client is told, and who it is.
struct Opened<'a> {
    local: &'a str,
    port: u16,
    when: &'a str,
    client: &'a str,
}

impl Site {
    fn new() -> Result<Self> {
        let lab = Lab::new()?;
        lab.install_rlvs(&rlvs_lab::director::rlvs_binary())?;
        let segment = Segment::new(&lab, "switch", 0)?;
        let mut director = Host::new(&lab, "director")?;
        director.join(&segment, 1)?;
        Ok(Self {
            director,
            segment,
            lab,
        })
    }

    /// A host that answers the addresses of no host to the director.
    fn server(&self, name: &str, number: u8) -> Result<Host> {
        let mut host = Host::new(&self.lab, name)?;
        host.join(&self.segment, number)?;
        for local in [LOCAL4, LOCAL6, STRANGER] {
            let mac = &self.director.address().mac;
            host.shell(&format!("ip neigh replace {local} lladdr {mac} dev eth0"))?;
        }
        Ok(host)
    }

    /// What the server says to a connection.
    fn ask(&self, server: &Host, path: &str, opened: &Opened<'_>) -> Result<String> {
        let [v4, v6] = server.address().both();
        let remote = if opened.local.contains(':') { v6 } else { v4 };
        let (port, remote) = (opened.port.to_string(), remote.to_string());
        let mac = &server.address().mac;
        let words = [
            "-c",
            OPEN,
            "eth0",
            mac,
            opened.local,
            &port,
            &remote,
            path,
            opened.when,
            opened.client,
            "4242",
        ];
        let said = self.director.run("python3", words)?;
        Ok(said.trim().to_owned())
    }
}

fn peer(host: &Host, family: &str) -> Result<Process> {
    let mut peer = host.spawn("peer", "python3", ["-c", PEER, family])?;
    peer.wait_until(SOON, |peer| Ok(peer.log().contains("ready")))?;
    Ok(peer)
}

fn counts(server: &Host) -> Result<Value> {
    let status = server.run("rlvs", ["realserver", "status", "--json"])?;
    Ok(serde_json::from_str::<Value>(&status)?["clients"].take())
}

#[test]
fn nginx_logs_the_client() -> Result<()> {
    let site = Site::new()?;
    let server = RealServer::start(site.server("server", 11)?)?;
    let vips = [VIP.parse()?];
    let open = |local, port, client| Opened {
        local,
        port,
        when: "both",
        client,
    };
    let plain = site.ask(&server.host, "/client", &open(LOCAL4, 4001, CLIENT4))?;
    ensure!(plain == format!("{LOCAL4} 4001"), "{plain}");
    server.up_with(&vips, &["--client-address", "--from", DIRECTORS])?;
    for (local, port, client) in [(LOCAL4, 4002, CLIENT4), (LOCAL6, 4003, CLIENT6)] {
        let told = site.ask(&server.host, "/client", &open(local, port, client))?;
        ensure!(told == format!("{client} 4242"), "{told}");
    }
    let log = std::fs::read_to_string(server.host.directory()?.join("access.log"))?;
    ensure!(log.contains(CLIENT4) && log.contains(CLIENT6), "{log}");
    server.down(&vips)?;
    let again = site.ask(&server.host, "/client", &open(LOCAL4, 4004, CLIENT4))?;
    ensure!(again == format!("{LOCAL4} 4004"), "{again}");
    Ok(())
}

/// For each listener: which local address, when, who; what accept() and what getpeername() say.
#[test]
fn accept_and_getpeername_tell_what_can_be_told() -> Result<()> {
    let site = Site::new()?;
    let server = site.server("server", 11)?;
    rlvs_lab::warden::tell(&server, "real-servers")?;
    let up = [
        "realserver",
        "up",
        "--vip",
        VIP,
        "--client-address",
        "--from",
        DIRECTORS,
    ];
    server.run("rlvs", up)?;
    let (client4, local4) = (format!("{CLIENT4} 4242"), format!("{LOCAL4} PORT"));
    let four = [
        (LOCAL4, "both", CLIENT4, client4.clone(), client4.clone()),
        (LOCAL4, "data", CLIENT4, local4.clone(), client4.clone()),
        (LOCAL4, "none", CLIENT4, local4.clone(), local4.clone()),
        // What cannot be said in a name of IPv4 is not said.
        (LOCAL4, "both", CLIENT6, local4.clone(), local4.clone()),
        (
            STRANGER,
            "both",
            CLIENT4,
            format!("{STRANGER} PORT"),
            format!("{STRANGER} PORT"),
        ),
    ];
    let (mapped, client6) = (format!("::ffff:{client4}"), format!("{CLIENT6} 4242"));
    let six = [
        (LOCAL4, "both", CLIENT4, mapped.clone(), mapped.clone()),
        (
            LOCAL4,
            "data",
            CLIENT4,
            format!("::ffff:{local4}"),
            mapped.clone(),
        ),
        (LOCAL4, "both", CLIENT6, client6.clone(), client6.clone()),
        (LOCAL6, "both", CLIENT6, client6.clone(), client6.clone()),
        (LOCAL6, "both", CLIENT4, mapped.clone(), mapped.clone()),
    ];
    let mut port = 5000;
    for (family, rows) in [("4", four), ("6", six)] {
        let mut listener = peer(&server, family)?;
        for (local, when, client, accepted, named) in rows {
            port += 1;
            let opened = Opened {
                local,
                port,
                when,
                client,
            };
            let said = site.ask(&server, "/", &opened)?;
            let wanted = format!("{accepted} {named}").replace("PORT", &port.to_string());
            ensure!(said == wanted, "{family} {local} {when} {client}: {said}");
        }
        listener.stop()?;
    }
    let counts = counts(&server)?;
    ensure!(counts["known"] == 6 && counts["late"] == 2, "{counts}");
    ensure!(counts["disbelieved"] == 1, "{counts}");
    Ok(())
}

/// Control groups hold processes of any network namespace.
#[test]
fn other_namespaces_are_left_alone() -> Result<()> {
    let site = Site::new()?;
    let (server, other) = (site.server("server", 11)?, site.server("other", 12)?);
    rlvs_lab::warden::tell(&server, "real-servers")?;
    let up = [
        "realserver",
        "up",
        "--vip",
        VIP,
        "--client-address",
        "--from",
        DIRECTORS,
    ];
    server.run("rlvs", up)?;
    server.run("rlvs", up)?;
    let _listeners = [peer(&server, "4")?, peer(&other, "4")?];
    let opened = Opened {
        local: LOCAL4,
        port: 6001,
        when: "both",
        client: CLIENT4,
    };
    let told = site.ask(&server, "/", &opened)?;
    ensure!(told == format!("{CLIENT4} 4242 {CLIENT4} 4242"), "{told}");
    let untold = site.ask(&other, "/", &opened)?;
    ensure!(untold == format!("{LOCAL4} 6001 {LOCAL4} 6001"), "{untold}");
    // Heard once, by the second set of programs alone.
    let counts = counts(&server)?;
    ensure!(counts["known"] == 1, "{counts}");
    Ok(())
}
