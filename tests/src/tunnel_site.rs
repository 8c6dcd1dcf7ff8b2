//! A director that only sends, packets in tunnels made by hand, and a real server.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::{Host, Lab, Process, Segment, warden};
use serde_json::Value;

const SEND: &str = include_str!("tunnel_site/send.py");
const RECEIVE: &str = include_str!("tunnel_site/receive.py");
/// Virtual machines are slow.
const SOON: Duration = Duration::from_secs(180);
pub const VIPS: [&str; 2] = ["192.0.2.100", "2001:db8:1::100"];

/// A director, which only sends, and a real server.
#[derive(Debug)]
pub struct TunnelSite {
    pub director: Host,
    pub server: Host,
    _segment: Segment,
}

impl TunnelSite {
    pub fn new() -> Result<Self> {
        let lab = Lab::new()?;
        lab.install_rlvs(&rlvs_lab::director::rlvs_binary())?;
        let segment = Segment::new(&lab, "switch", 0)?;
        let mut director = Host::new(&lab, "director")?;
        director.join(&segment, 1)?;
        let mut server = Host::new(&lab, "server")?;
        server.join(&segment, 11)?;
        warden::tell(&server, "real-servers")?;
        Ok(Self {
            director,
            server,
            _segment: segment,
        })
    }

    pub fn realserver(&self, line: &str) -> Result<String> {
        let words = ["realserver"].into_iter().chain(line.split_whitespace());
        self.server.run("rlvs", words)
    }

    pub fn up(&self, options: &str) -> Result<String> {
        self.realserver(&format!("up --vip {} --vip {} {options}", VIPS[0], VIPS[1]))
    }

    /// Sends what `send.py` calls so.
    pub fn send(&self, what: &str) -> Result<()> {
        let [director, server] = [&self.director, &self.server].map(|host| host.address());
        let mut words = ["-c", SEND, "eth0", &server.mac, what]
            .map(str::to_owned)
            .to_vec();
        words.extend(director.both().iter().map(IpAddr::to_string));
        words.extend(server.both().iter().map(IpAddr::to_string));
        words.extend(VIPS.map(str::to_owned));
        self.director.run("python3", words).map(drop)
    }

    fn receiver(&self) -> Result<Process> {
        let words = ["-c", RECEIVE, VIPS[0], VIPS[1]];
        let mut receiver = self.server.spawn("receiver", "python3", words)?;
        receiver.wait_until(SOON, |receiver| Ok(receiver.log().contains("ready")))?;
        Ok(receiver)
    }

    /// Every kind of packet, right and wrong: what comes out, and what is counted.
    pub fn check(&self) -> Result<()> {
        let from = self.director.address().both().map(|it| it.to_string());
        self.up(&format!("--tunnel ipip,gre,gue --from {}", from.join(",")))?;
        let mut receiver = self.receiver()?;
        for what in ["right", "wrong", "end"] {
            self.send(what)?;
        }
        receiver.wait_until(SOON, |receiver| Ok(receiver.log().contains("end 0 0")))?;
        let log = receiver.log();
        let received: Vec<_> = log
            .lines()
            .filter(|line| !["ready", "end 0 0"].contains(line))
            .map(str::to_owned)
            .collect();
        let wanted = wanted();
        ensure!(received.len() == wanted.len(), "{log}");
        ensure!(
            received.into_iter().collect::<BTreeSet<_>>() == wanted,
            "{log}"
        );
        let counts = self.counts()?;
        let mut expected = BTreeMap::from(
            [
                "congestion",
                "fragment",
                "not_a_vip",
                "unsupported",
                "wrong_sender",
            ]
            .map(|name| (name.to_owned(), 1)),
        );
        expected.insert("decapsulated".into(), wanted.len() as u64 + 1);
        // One shorter than it says, and one whose checksum says otherwise.
        expected.insert("malformed".into(), 2);
        ensure!(counts == expected, "{counts:?}");
        Ok(())
    }

    /// What became of packets in tunnels.
    pub fn counts(&self) -> Result<BTreeMap<String, u64>> {
        let status: Value = serde_json::from_str(&self.realserver("status --json")?)?;
        let counts = status["tunnels"].as_object().context("no tunnels")?;
        let counts = counts
            .iter()
            .filter_map(|(name, count)| Some((name.clone(), count.as_u64()?)));
        Ok(counts.filter(|(_, count)| *count > 0).collect())
    }
}

/// The lines that the receiver is to print, but for `end`.
fn wanted() -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    let kinds = [
        "ipip",
        "gre",
        "gre-checksum",
        "gue",
        "gue-checksum",
        "gue-remote-checksum",
    ];
    for kind in kinds {
        for (outer, inner) in [(4, 4), (4, 6), (6, 4), (6, 6)] {
            for size in [0, 1, 1300] {
                wanted.insert(format!("{kind} {inner}in{outer} {size} {size} 0"));
            }
        }
    }
    let marked = 0xb8 | 3;
    wanted.extend(["options 0 0", "limit 0 0"].map(str::to_owned));
    wanted.extend([4, 6].map(|family| format!("marked {family} 0 {marked}")));
    wanted
}
