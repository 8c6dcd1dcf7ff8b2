//! Datagrams whose senders are told that nobody is there.

use std::net::SocketAddr;

use anyhow::{Result, ensure};
use rlvs_lab::Host;

/// Sends one and waits for "port unreachable", of which a connected UDP socket learns with its next
/// call.
pub fn ensure_refused(client: &Host, to: SocketAddr) -> Result<()> {
    let family = if to.is_ipv4() { "INET" } else { "INET6" };
    let program = format!(
        "import socket\n\
         s = socket.socket(socket.AF_{family}, socket.SOCK_DGRAM)\n\
         s.settimeout(3)\n\
         s.connect(('{}', {}))\n\
         s.send(b'anybody?')\n\
         try:\n    s.recv(10)\nexcept ConnectionRefusedError:\n    print('refused')\n",
        to.ip(),
        to.port()
    );
    let said = client.run("python3", ["-c", &program])?;
    ensure!(said.trim() == "refused", "{to}: {said}");
    Ok(())
}
