//! Requests from few ports, each of which comes again at once: its next connection may be another
//! server's.

use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::{Host, Process};

const LIMIT: Duration = Duration::from_secs(60);

/// Both ends forget a connection that is reset: nothing keeps its port, and a server resets what
/// goes on of a connection that is not its own.
const CLIENT: &str = "
import os, socket, struct, sys, time
vip, stop, first, limit = sys.argv[1], sys.argv[2], int(sys.argv[3]), 50_000
answered = 0
while answered < limit and not os.path.exists(stop):
    client = socket.socket(socket.AF_INET6 if ':' in vip else socket.AF_INET)
    client.settimeout(20)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    client.bind(('', first + answered % 20))
    client.connect((vip, 80))
    time.sleep(0.02)
    client.sendall(b'GET / HTTP/1.1\\r\\nHost: vip\\r\\n\\r\\n')
    assert client.recv(4096).startswith(b'HTTP/1.1 200 ')
    client.close()
    answered += 1
print(answered)
";

/// Requests that go on.
#[derive(Debug)]
pub struct Reuse {
    clients: Vec<Process>,
    stop: PathBuf,
}

impl Reuse {
    /// Begins to send requests from `host` to port 80 of `vip`; the first that fails ends it.
    pub fn start(host: &Host, vip: IpAddr) -> Result<Self> {
        let stop = host.directory()?.join("reuse.stop");
        let clients = (0..4).map(|number| {
            let (vip, first) = (vip.to_string(), (20_000 + 20 * number).to_string());
            let stop = stop.display().to_string();
            let words = ["-c", CLIENT, &vip, &stop, &first];
            host.spawn(&format!("reuse{number}"), "python3", words)
        });
        Ok(Self {
            clients: clients.collect::<Result<_>>()?,
            stop,
        })
    }

    /// Ends it; how many requests were answered. All must have been.
    pub fn finish(self) -> Result<u64> {
        fs::write(&self.stop, "")?;
        let mut answered = 0;
        for mut client in self.clients {
            let status = client.wait(LIMIT)?;
            let log = client.log();
            ensure!(status.success(), "a request failed: {log}");
            answered += log.trim().parse::<u64>().context(log)?;
        }
        Ok(answered)
    }
}
