//! What keepalived calls virtual and real servers, in logs and in `lvs_notify_fifo`.
//!
//! A line of the FIFO is one of
//!
//! ```text
//! VS [192.168.201.15]:tcp:80 UP
//! RS [1.2.3.4]:tcp:80 [192.168.201.15]:tcp:80 DOWN
//! ```
//!
//! Scripts of `notify_up`, `notify_down`, `quorum_up` and `quorum_down` get the arguments that the
//! configuration gives them, and no others.

use std::net::SocketAddr;

/// A virtual or real server by address: `[192.0.2.1]:tcp:80`.
pub fn by_address(address: SocketAddr, protocol: &str) -> String {
    format!("[{}]:{protocol}:{}", address.ip(), address.port())
}

/// A virtual server by firewall mark. Its real servers have the protocol "none" and port 0.
pub fn by_mark(mark: u32) -> String {
    format!("FWM {mark}")
}

/// A virtual server that is a group.
pub fn by_group(group: &str, port: u16) -> String {
    format!("[{group}]:{port}")
}

/// The FIFO's line about a virtual server, of the name that it has here.
pub fn service_line(service: &str, up: bool) -> String {
    format!("VS {service} {}\n", state(up))
}

/// The FIFO's line about a real server.
pub fn server_line(server: &str, service: &str, up: bool) -> String {
    format!("RS {server} {service} {}\n", state(up))
}

fn state(up: bool) -> &'static str {
    if up { "UP" } else { "DOWN" }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// keepalived.conf(5), `lvs_notify_fifo`.
    #[test]
    fn lines_are_as_the_manual_has_them() {
        let service = by_address("192.168.201.15:80".parse().unwrap(), "tcp");
        let server = by_address("1.2.3.4:80".parse().unwrap(), "tcp");
        assert_eq!(
            service_line(&service, true),
            "VS [192.168.201.15]:tcp:80 UP\n"
        );
        assert_eq!(
            server_line(&server, &service, false),
            "RS [1.2.3.4]:tcp:80 [192.168.201.15]:tcp:80 DOWN\n"
        );
        let address = "[2001:db8::1]:53".parse().unwrap();
        assert_eq!(by_address(address, "udp"), "[2001:db8::1]:udp:53");
    }
}
