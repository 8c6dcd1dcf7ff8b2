//! Conversations that go on for as long as a test takes: one connection of TCP or one client's port of
//! UDP, with a question several times a second.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::{Host, Process};

/// Each answer is a line; one that does not come, or a connection that breaks, is the end.
const PROGRAM: &str = r#"
import socket, sys, time
kind, host, port, own = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
family = socket.AF_INET6 if ':' in host else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM if kind == 'tcp' else socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.settimeout(60 if kind == 'tcp' else 1)
s.bind(('', own))
s.connect((host, port))
def http():
    s.sendall(b'GET / HTTP/1.1\r\nHost: lab\r\n\r\n')
    got = b''
    while b'\r\n\r\n' not in got or not got.endswith(b'\n'):
        more = s.recv(4096)
        if not more:
            sys.exit('the connection was closed')
        got += more
    return got.split(b'\r\n\r\n')[1].decode().strip()
def dns():
    # TXT of who.lab; what is lost is asked for again.
    s.send(b'\0\7\1\0\0\1\0\0\0\0\0\0\3who\3lab\0\0\x10\0\1')
    try:
        got = s.recv(4096)
    except TimeoutError:
        return None
    return got[got.rfind(b'rs'):].decode()
while True:
    answer = http() if kind == 'tcp' else dns()
    if answer:
        print('answer', answer, flush=True)
    time.sleep(0.2)
"#;

/// How long one more answer may take.
const PATIENCE: Duration = Duration::from_secs(90);

#[derive(Debug)]
pub struct Talk {
    process: Process,
    /// The client's end.
    pub port: u16,
}

impl Talk {
    /// By HTTP, in one connection; there was an answer when this returns.
    pub fn http(host: &Host, vip: IpAddr, port: u16) -> Result<Self> {
        Self::start(host, "tcp", SocketAddr::new(vip, 80), port)
    }

    /// With a name server.
    pub fn dns(host: &Host, vip: IpAddr, port: u16) -> Result<Self> {
        Self::start(host, "udp", SocketAddr::new(vip, 53), port)
    }

    fn start(host: &Host, kind: &str, to: SocketAddr, port: u16) -> Result<Self> {
        let (address, to, own) = (to.ip().to_string(), to.port().to_string(), port.to_string());
        let words = ["-c", PROGRAM, kind, &address, &to, &own];
        let process = host.spawn(&format!("talk-{port}"), "python3", words)?;
        let mut talk = Self { process, port };
        talk.goes_on()?;
        Ok(talk)
    }

    /// Waits for several more answers; who gives them, which is always the same.
    pub fn goes_on(&mut self) -> Result<String> {
        let before = self.answers().len();
        let enough = |process: &Process| answers(process).len() >= before + 3;
        self.process
            .wait_until(PATIENCE, |process| Ok(enough(process)))
            .with_context(|| format!("of port {}: {}", self.port, self.process.log()))?;
        let answers = self.answers();
        let first = answers.first().context("no answer")?;
        ensure!(
            answers.iter().all(|answer| answer == first),
            "several answer port {}: {answers:?}",
            self.port
        );
        Ok(first.clone())
    }

    fn answers(&self) -> Vec<String> {
        answers(&self.process)
    }
}

fn answers(process: &Process) -> Vec<String> {
    let log = process.log();
    let answers = log.lines().filter_map(|line| line.strip_prefix("answer "));
    answers.map(str::to_owned).collect()
}
