//! Calls of SIP, a message at a time: which real server gets it.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use rlvs_lab::{DirectRouting, Host, Process, wait};

pub const PORT: u16 = 5060;

/// Says of each message whose it is.
const CALLEE: &str = r#"
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
s.bind(('::', 5060))
print('ready', flush=True)
while True:
    for line in s.recv(4096).decode().split('\r\n'):
        if line.startswith('Call-ID: '):
            print(line, flush=True)
"#;

const CALLER: &str = r#"
import socket, sys
own, to, call = sys.argv[1:]
s = socket.socket(socket.AF_INET6 if ':' in to else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((own, 0))
message = f'INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c\r\nCall-ID: {call}\r\nCSeq: 1 INVITE\r\n\r\n'
s.sendto(message.encode(), (to, 5060))
"#;

const PATIENCE: Duration = Duration::from_secs(90);

/// One at each real server. None of them answers.
#[derive(Debug)]
pub struct Callees(Vec<Process>);

impl Callees {
    pub fn start(lab: &DirectRouting) -> Result<Self> {
        let servers = lab.real_servers.iter();
        let all: Result<Vec<_>> = servers
            .map(|server| server.host.spawn("callee", "python3", ["-c", CALLEE]))
            .collect();
        let mut all = all?;
        for callee in &mut all {
            callee.wait_until(PATIENCE, |callee| Ok(callee.log().contains("ready")))?;
        }
        Ok(Self(all))
    }

    /// The number of the real server that gets messages of a call, which one of the client's addresses
    /// sends until one arrives.
    pub fn reached(&self, client: &Host, own: IpAddr, vip: IpAddr, call: &str) -> Result<usize> {
        let line = format!("Call-ID: {call}");
        let had: Vec<_> = self.0.iter().map(|callee| count(callee, &line)).collect();
        let arrived = || {
            let all = self.0.iter().zip(&had).enumerate();
            let mut all = all.filter(|(_, (callee, had))| count(callee, &line) > **had);
            all.next().map(|(number, _)| number)
        };
        let (own, vip) = (own.to_string(), vip.to_string());
        wait::until("the message arrives", PATIENCE, || {
            client.run("python3", ["-c", CALLER, &own, &vip, call])?;
            Ok(arrived().is_some())
        })?;
        arrived().context("it is there no more")
    }
}

fn count(callee: &Process, line: &str) -> usize {
    callee.log().lines().filter(|it| *it == line).count()
}
