//! A real server's side: packets come out of every kind of tunnel, and nothing else does.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::{Host, Lab, Process, Segment, warden};
use serde_json::Value;

const SEND: &str = include_str!("lab_realserver/send.py");
const RECEIVE: &str = include_str!("lab_realserver/receive.py");
/// Prints the cookie of its network namespace (SO_NETNS_COOKIE).
const COOKIE: &str = "import socket, struct
print(struct.unpack('Q', socket.socket().getsockopt(socket.SOL_SOCKET, 71, 8))[0])";
const SOON: Duration = Duration::from_secs(20);
const VIPS: [&str; 2] = ["192.0.2.100", "2001:db8:1::100"];

/// A director, which only sends, and a real server.
struct Site {
    director: Host,
    server: Host,
    _segment: Segment,
}

impl Site {
    fn new() -> Result<Self> {
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

    fn realserver(&self, line: &str) -> Result<String> {
        let words = ["realserver"].into_iter().chain(line.split_whitespace());
        self.server.run("rlvs", words)
    }

    fn up(&self, options: &str) -> Result<String> {
        self.realserver(&format!("up --vip {} --vip {} {options}", VIPS[0], VIPS[1]))
    }

    /// Sends what `send.py` calls so.
    fn send(&self, what: &str) -> Result<()> {
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

    /// What became of packets in tunnels.
    fn counts(&self) -> Result<BTreeMap<String, u64>> {
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

#[test]
fn packets_come_out_of_every_tunnel_and_nothing_else_does() -> Result<()> {
    let site = Site::new()?;
    let from = site.director.address().both().map(|it| it.to_string());
    site.up(&format!("--tunnel ipip,gre,gue --from {}", from.join(",")))?;
    let mut receiver = site.receiver()?;
    for what in ["right", "wrong", "end"] {
        site.send(what)?;
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
    let counts = site.counts()?;
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

#[test]
fn what_is_said_anew_holds_at_once_and_down_undoes_all() -> Result<()> {
    let site = Site::new()?;
    let refused = site.up("--tunnel ipip").unwrap_err().to_string();
    ensure!(refused.contains("--from"), "{refused}");
    site.up("--tunnel gre --from 198.51.100.1")?;
    site.send("end")?;
    ensure!(site.counts()?.is_empty(), "ipip was looked at");
    site.up("--tunnel ipip")?;
    site.send("end")?;
    ensure!(site.counts()? == [("wrong_sender".to_owned(), 1)].into());
    site.up("--from any")?;
    site.send("end")?;
    // What was counted goes on.
    ensure!(site.counts()?.get("decapsulated") == Some(&1));
    ensure!(site.counts()?.get("wrong_sender") == Some(&1));
    site.realserver(&format!("down --vip {}", VIPS[0]))?;
    site.send("end")?;
    ensure!(site.counts()?.get("not_a_vip") == Some(&1));
    site.realserver("down")?;
    let cookie = site.server.run("python3", ["-c", COOKIE])?;
    let pinned = Path::new("/sys/fs/bpf/rlvs-realserver").join(cookie.trim());
    ensure!(!pinned.exists(), "{} is left", pinned.display());
    ensure!(
        site.realserver("status").is_err(),
        "there is a status of nothing"
    );
    Ok(())
}
