//! Calls of SIP, all from one socket, balanced by their Call-ID; with sipp at both ends.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::{DirectRouting, Process};
use rlvs_tests::scene::statistics;

const READY: Duration = Duration::from_secs(60);
const LIMIT: Duration = Duration::from_secs(60);
const PORT: u16 = 5060;
/// An odd number, so that packets in turn would not be calls in turn.
const CALLS: u64 = 11;
/// INVITE, ACK and BYE; who is called answers past the director.
const PACKETS: u64 = 3;

#[test]
fn every_packet_of_a_call_reaches_one_real_server() -> Result<()> {
    let lab = DirectRouting::ready(2)?;
    for vip in lab.vips() {
        let servers: Vec<_> = (0..2)
            .map(|number| answerer(&lab, number, vip))
            .collect::<Result<_>>()?;
        let service = format!("-u {}", with_port(vip, PORT));
        let director = &lab.director;
        director.ipvsadm(&format!("-A {service} -s rr -p 60 -o --pe sip"))?;
        for server in &lab.real_servers {
            let real = with_port(server.host.address().like(vip), PORT);
            director.ipvsadm(&format!("-a {service} -r {real} -g"))?;
        }
        call(&lab, vip)?;

        let (whole, each) = statistics(director, &service)?;
        ensure!(whole.packets == CALLS * PACKETS, "{whole:?}");
        let mut packets: Vec<_> = each.values().map(|it| it.packets).collect();
        packets.sort_unstable();
        let fair = [CALLS / 2, CALLS / 2 + 1].map(|calls| calls * PACKETS);
        ensure!(packets == fair, "{packets:?}");
        let templates = director.ipvsadm("-Lnc --persistent-conn")?;
        let of_calls = templates.lines().filter(|line| line.contains(" sip "));
        ensure!(of_calls.count() as u64 >= CALLS, "{templates}");
        drop(servers);
    }
    Ok(())
}

/// sipp as who is called, at the virtual address of a real server.
fn answerer(lab: &DirectRouting, number: usize, vip: IpAddr) -> Result<Process> {
    let (port, address) = (PORT.to_string(), vip.to_string());
    let host = &lab.real_servers[number].host;
    let words = [
        "-sn",
        "uas",
        "-i",
        &address,
        "-p",
        &port,
        "-nostdin",
        "-trace_err",
    ];
    let mut sipp = host.spawn("sipp", "sipp", words)?;
    let bound = format!("ss -lunH sport = {PORT}");
    sipp.wait_until(READY, |_| {
        Ok(host.shell(&bound)?.contains(&vip.to_string()))
    })?;
    Ok(sipp)
}

/// Calls at ten a second, each answered and ended; all must go well.
fn call(lab: &DirectRouting, vip: IpAddr) -> Result<()> {
    let own = lab.client.address().like(vip).to_string();
    let (calls, to) = (CALLS.to_string(), with_port(vip, PORT));
    let words = [
        "-sn",
        "uac",
        "-i",
        &own,
        "-m",
        &calls,
        "-r",
        "10",
        "-d",
        "100",
        "-nr",
        "-nostdin",
        "-timeout",
        "30s",
        "-timeout_error",
        &to,
    ];
    let mut sipp = lab.client.spawn("calls", "sipp", words)?;
    let status = sipp.wait(LIMIT)?;
    ensure!(status.success(), "{status}: {}", sipp.log());
    Ok(())
}
