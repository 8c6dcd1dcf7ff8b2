//! Addresses that packets are not taken for (`no_accept`): who owns an address is another host, and what
//! is for that one is no matter of this host's programs.
//!
//! What is for a virtual service is served all the same. Most of it never comes to the kernel's rules,
//! for the data plane takes it before; what that leaves to this host, as a real server, is let through.
//! So is neighbour discovery, without which nobody would find an address of IPv6, and what routers say
//! of packets that went out (path MTU). One table of nftables has all of it, made anew in one step.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::timeout;

use crate::plan::{Place, Placement};

/// The name of the table, of the family `inet`.
pub(crate) const TABLE: &str = "rlvs_vrrp";
/// How long `nft` may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Before the filters that most machines have.
const PRIORITY: i32 = -1;

/// Packets of a virtual service.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Served {
    /// The protocol's number, and a port; 0 for all.
    Address(IpAddr, u8, u16),
    Mark(u32),
}

/// What is closed, and what the table was made from.
#[derive(Debug, Default)]
pub(crate) struct Closed {
    /// By instance.
    places: BTreeMap<String, Arc<Placement>>,
    served: Vec<Served>,
    made: Option<String>,
}

impl Closed {
    pub(crate) fn hold(&mut self, instance: &str, placement: &Arc<Placement>) {
        match placement.closed {
            true => drop(
                self.places
                    .insert(instance.to_owned(), Arc::clone(placement)),
            ),
            false => drop(self.places.remove(instance)),
        }
    }

    pub(crate) fn release(&mut self, instance: &str) {
        self.places.remove(instance);
    }

    pub(crate) fn serve(&mut self, mut served: Vec<Served>) {
        served.sort();
        self.served = served;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Whether the table is not what it should be, as far as is known.
    pub(crate) fn is_another(&self) -> bool {
        self.made.as_deref() != Some(&self.text())
    }

    /// Makes the table what it should be.
    pub(crate) async fn make(&mut self) -> Result<(), String> {
        let text = self.text();
        nft(&["-f", "-"], &text).await?;
        self.made = Some(text);
        Ok(())
    }

    /// Others may have taken it away (`flush ruleset`).
    pub(crate) async fn look(&mut self) {
        if !self.is_empty() && nft(&["list", "table", "inet", TABLE], "").await.is_err() {
            self.made = None;
        }
    }

    /// In the words of `nft`.
    fn text(&self) -> String {
        let mut text = removal();
        if self.is_empty() {
            return text;
        }
        let places: Vec<&Place> = self.places.values().flat_map(|it| &it.addresses).collect();
        let is_closed = |address: IpAddr| places.iter().any(|it| it.setting.address == address);
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "table inet {TABLE} {{\n chain input {{\n  \
             type filter hook input priority {PRIORITY}; policy accept;\n  \
             icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, destination-unreachable, \
             packet-too-big, time-exceeded, parameter-problem }} accept\n  \
             icmp type {{ destination-unreachable, time-exceeded, parameter-problem }} accept\n"
        );
        for served in &self.served {
            let _ = match served {
                Served::Mark(mark) => writeln!(text, "  meta mark {mark} accept"),
                Served::Address(address, ..) if !is_closed(*address) => Ok(()),
                Served::Address(address, protocol, 0) => writeln!(
                    text,
                    "  {} daddr {address} meta l4proto {protocol} accept",
                    family(*address)
                ),
                Served::Address(address, protocol, port) => writeln!(
                    text,
                    "  {} daddr {address} meta l4proto {protocol} th dport {port} accept",
                    family(*address)
                ),
            };
        }
        for place in &places {
            let address = place.setting.address;
            let family = family(address);
            // Another host may have it, on another link.
            let by = match address {
                IpAddr::V6(it) if it.is_unicast_link_local() => {
                    format!("iifname \"{}\" ", place.interface)
                }
                _ => String::new(),
            };
            let _ = writeln!(text, "  {by}{family} daddr {address} counter drop");
        }
        text.push_str(" }\n}\n");
        text
    }
}

/// Takes the table away; it need not be there.
pub(crate) async fn remove() -> Result<(), String> {
    nft(&["-f", "-"], &removal()).await
}

/// What is not there cannot be deleted, so it is made before.
fn removal() -> String {
    format!("table inet {TABLE}\ndelete table inet {TABLE}\n")
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "ip" } else { "ip6" }
}

async fn nft(words: &[&str], input: &str) -> Result<(), String> {
    let failed = |reason: &str| format!("nft {}: {reason}", words.join(" "));
    let mut command = Command::new("nft");
    command
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command
        .spawn()
        .map_err(|error| failed(&error.to_string()))?;
    let mut stdin = child.stdin.take();
    let work = async {
        if let Some(stdin) = &mut stdin {
            stdin.write_all(input.as_bytes()).await?;
        }
        drop(stdin);
        child.wait_with_output().await
    };
    let output = match timeout(PATIENCE, work).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(failed(&error.to_string())),
        Err(_) => return Err(failed("no end")),
    };
    match output.status.success() {
        true => Ok(()),
        false => Err(failed(String::from_utf8_lossy(&output.stderr).trim())),
    }
}

#[cfg(test)]
mod tests {
    use rlvs_config::model::VirtualAddress;

    use super::*;
    use crate::plan::setting;

    #[test]
    fn services_are_served_and_all_else_is_dropped() {
        let place = |text: &str| Place {
            interface: "eth0".into(),
            setting: setting(&VirtualAddress::new(text.parse().unwrap())),
        };
        let mut closed = Closed::default();
        assert_eq!(closed.text(), removal());
        let placement = Placement {
            addresses: vec![place("192.0.2.1/32"), place("fe80::7/128")],
            closed: true,
            ..Placement::default()
        };
        let placement = Arc::new(placement);
        closed.hold("one", &placement);
        let address = |text: &str| text.parse().unwrap();
        closed.serve(vec![
            Served::Address(address("192.0.2.1"), 6, 80),
            Served::Address(address("192.0.2.1"), 17, 0),
            Served::Address(address("192.0.2.9"), 6, 80),
            Served::Mark(7),
        ]);
        assert!(closed.is_another());
        let text = closed.text();
        let lines: Vec<_> = text.lines().map(str::trim).skip(7).collect();
        assert_eq!(
            lines,
            [
                "ip daddr 192.0.2.1 meta l4proto 6 th dport 80 accept",
                "ip daddr 192.0.2.1 meta l4proto 17 accept",
                "meta mark 7 accept",
                "ip daddr 192.0.2.1 counter drop",
                "iifname \"eth0\" ip6 daddr fe80::7 counter drop",
                "}",
                "}"
            ],
            "{text}"
        );
        let open = Placement {
            closed: false,
            ..Placement::clone(&placement)
        };
        closed.hold("one", &Arc::new(open));
        assert!(closed.is_empty());
    }
}
