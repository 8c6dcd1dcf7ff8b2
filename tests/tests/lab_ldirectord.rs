//! ldirectord as Debian ships it, with rlvs where it finds ipvsadm: real checks of real servers that
//! die and return, with and without quiescence, the fallback server, a firewall mark, DNS over UDP,
//! a configuration that is reloaded, and the end.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::real_server::dig;
use rlvs_lab::{DirectRouting, Get, Process, director, wait};

/// ldirectord looks once a second, and waits two for those that are dead.
const SOON: Duration = Duration::from_secs(60);

/// A destination that fails its checks keeps its place with weight 0.
const QUIESCENT: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);
/// One that fails is removed.
const REMOVING: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 101);
/// Packets to it have the mark.
const MARKED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 102);
const VIPS: [IpAddr; 3] = [
    IpAddr::V4(QUIESCENT),
    IpAddr::V4(REMOVING),
    IpAddr::V4(MARKED),
];

#[test]
fn ldirectord_does_not_notice() -> Result<()> {
    let mut site = Site::new()?;
    site.all_are_up()?;
    site.a_server_dies_and_returns()?;
    site.the_fallback_serves()?;
    site.a_name_server_dies()?;
    site.the_configuration_is_reloaded()?;
    site.nothing_is_left()
}

/// Two real servers, and a third to fall back on.
struct Site {
    // Ends before its director does.
    ldirectord: Process,
    lab: DirectRouting,
}

impl Site {
    fn new() -> Result<Self> {
        let mut lab = DirectRouting::new(3)?;
        lab.director.add_vips(&VIPS)?;
        lab.director.host.forward()?;
        lab.director.start_rlvs()?;
        for server in &lab.real_servers {
            server.up(&VIPS)?;
        }
        lab.director.host.shell(&format!(
            "iptables -t mangle -A PREROUTING -i eth0 -p tcp -d {MARKED} --dport 80 \
             -j MARK --set-mark 5"
        ))?;
        let ldirectord = start(&lab)?;
        Ok(Self { ldirectord, lab })
    }

    fn all_are_up(&mut self) -> Result<()> {
        self.rules_become(
            "all are up",
            "\
            -A -t 10.0.0.100:80 -s wrr
            -a -t 10.0.0.100:80 -r 10.0.0.11:80 -g -w 2
            -a -t 10.0.0.100:80 -r 10.0.0.12:80 -g -w 1
            -A -t 10.0.0.101:80 -s rr -p 60
            -a -t 10.0.0.101:80 -r 10.0.0.11:80 -g -w 1
            -a -t 10.0.0.101:80 -r 10.0.0.12:80 -g -w 1
            -A -u 10.0.0.100:53 -s rr
            -a -u 10.0.0.100:53 -r 10.0.0.11:53 -g -w 1
            -a -u 10.0.0.100:53 -r 10.0.0.12:53 -g -w 1 -x 50 -y 40
            -A -f 5 -s rr
            -a -f 5 -r 10.0.0.11:0 -g -w 1
            -a -f 5 -r 10.0.0.12:0 -g -w 1",
        )?;
        self.answer(QUIESCENT, &[("rs1", 4), ("rs2", 2)])?;
        self.answer(MARKED, &[("rs1", 3), ("rs2", 3)])?;
        let name = dig(&self.lab.client, QUIESCENT, "TXT")?;
        ensure!(["rs1", "rs2"].contains(&name.as_str()), "{name}");
        Ok(())
    }

    fn a_server_dies_and_returns(&mut self) -> Result<()> {
        let before = self.rules()?;
        self.lab.real_servers[0].nginx.stop()?;
        self.has("-a -t 10.0.0.100:80 -r 10.0.0.11:80 -g -w 0")?;
        self.lacks("-t 10.0.0.101:80 -r 10.0.0.11")?;
        self.lacks("-f 5 -r 10.0.0.11")?;
        for vip in [QUIESCENT, REMOVING, MARKED] {
            self.answer(vip, &[("rs2", 6)])?;
        }
        self.lab.real_servers[0].restart_nginx()?;
        self.rules_become("it is back", &before)?;
        self.answer(QUIESCENT, &[("rs1", 4), ("rs2", 2)])
    }

    fn the_fallback_serves(&mut self) -> Result<()> {
        let before = self.rules()?;
        for server in &mut self.lab.real_servers[..2] {
            server.nginx.stop()?;
        }
        self.has("-a -t 10.0.0.100:80 -r 10.0.0.13:80 -g -w 1")?;
        self.has("-a -t 10.0.0.101:80 -r 10.0.0.13:80 -g -w 1")?;
        for vip in [QUIESCENT, REMOVING] {
            self.answer(vip, &[("rs3", 6)])?;
        }
        for server in &mut self.lab.real_servers[..2] {
            server.restart_nginx()?;
        }
        self.rules_become("both are back", &before)?;
        self.answer(QUIESCENT, &[("rs1", 4), ("rs2", 2)])
    }

    fn a_name_server_dies(&mut self) -> Result<()> {
        self.lab.real_servers[1].dns.stop()?;
        self.lacks("-u 10.0.0.100:53 -r 10.0.0.12")?;
        let name = dig(&self.lab.client, QUIESCENT, "TXT")?;
        ensure!(name == "rs1", "{name}");
        Ok(())
    }

    fn the_configuration_is_reloaded(&mut self) -> Result<()> {
        let file = configuration_file(&self.lab)?;
        let text = fs::read_to_string(&file)?;
        let text = text
            .replacen("gate 2", "gate 5", 1)
            .replacen("wrr", "wlc", 1);
        fs::write(&file, text)?;
        self.has("-A -t 10.0.0.100:80 -s wlc")?;
        self.has("-a -t 10.0.0.100:80 -r 10.0.0.11:80 -g -w 5")
    }

    /// Told to end, it takes its services with it.
    fn nothing_is_left(&mut self) -> Result<()> {
        self.ldirectord.stop()?;
        self.rules_become("all are gone", "")
    }

    /// As `ipvsadm -Sn` has them.
    fn rules(&self) -> Result<String> {
        self.lab.director.ipvsadm("-Sn")
    }

    fn rules_become(&mut self, what: &str, expected: &str) -> Result<()> {
        let lines = |text: &str| -> Vec<String> {
            let mut lines: Vec<_> = text.lines().map(|line| line.trim().to_owned()).collect();
            lines.sort();
            lines
        };
        let expected = lines(expected);
        self.wait(what, |rules| lines(rules) == expected)
    }

    fn has(&mut self, rule: &str) -> Result<()> {
        self.wait(rule, |rules| rules.lines().any(|line| line == rule))
    }

    fn lacks(&mut self, words: &str) -> Result<()> {
        self.wait(&format!("no {words}"), |rules| !rules.contains(words))
    }

    fn wait(&mut self, what: &str, holds: impl Fn(&str) -> bool) -> Result<()> {
        let waited = wait::until(what, SOON, || Ok(holds(&self.rules()?)));
        waited.with_context(|| {
            let log = fs::read_to_string(log_file(&self.lab).unwrap_or_default());
            let (rules, own) = (self.rules().unwrap_or_default(), self.ldirectord.log());
            format!("{rules}\n{own}\n{}", log.unwrap_or_default())
        })
    }

    /// Who answers six requests.
    fn answer(&self, vip: Ipv4Addr, expected: &[(&str, u32)]) -> Result<()> {
        let mut shares = BTreeMap::new();
        for name in Get::new(format!("http://{vip}/who")).times(&self.lab.client, 6)? {
            *shares.entry(name).or_insert(0) += 1;
        }
        let expected = expected
            .iter()
            .map(|&(name, share)| (name.to_owned(), share));
        ensure!(shares == expected.collect(), "{vip}: {shares:?}");
        Ok(())
    }
}

/// In a mount namespace of its own, where /usr/sbin/ipvsadm is rlvs: ldirectord looks nowhere else.
fn start(lab: &DirectRouting) -> Result<Process> {
    let file = configuration_file(lab)?;
    fs::write(&file, configuration(lab)?)?;
    let line = format!(
        "mount --bind {} /usr/sbin/ipvsadm && exec ldirectord {} start",
        director::rlvs_binary().canonicalize()?.display(),
        file.display()
    );
    let words = ["--mount", "sh", "-c", &line];
    lab.director.host.spawn("ldirectord", "unshare", words)
}

fn configuration_file(lab: &DirectRouting) -> Result<PathBuf> {
    Ok(lab.director.host.directory()?.join("ldirectord.cf"))
}

fn log_file(lab: &DirectRouting) -> Result<PathBuf> {
    Ok(lab.director.host.directory()?.join("ldirectord-checks.log"))
}

fn configuration(lab: &DirectRouting) -> Result<String> {
    let log = log_file(lab)?;
    Ok(format!(
        "checktimeout=2
negotiatetimeout=2
checkinterval=1
autoreload=yes
supervised=yes
quiescent=no
logfile=\"{}\"

virtual={QUIESCENT}:80
\treal=10.0.0.11:80 gate 2
\treal=10.0.0.12:80 gate 1
\tfallback=10.0.0.13:80 gate
\tservice=http
\tscheduler=wrr
\tprotocol=tcp
\tchecktype=negotiate
\trequest=\"who\"
\treceive=\"rs[12]\"
\tquiescent=yes

virtual={REMOVING}:80
\treal=10.0.0.11:80 gate
\treal=10.0.0.12:80 gate 1
\tfallback=10.0.0.13:80 gate
\tservice=http
\tscheduler=rr
\tpersistent=60
\tprotocol=tcp
\tchecktype=negotiate
\trequest=\"who\"
\treceive=\"rs[12]\"

virtual=5
\treal=10.0.0.11 gate
\treal=10.0.0.12 gate
\tservice=http
\tscheduler=rr
\tprotocol=fwm
\tcheckport=80
\tchecktype=negotiate
\trequest=\"who\"
\treceive=\"rs[12]\"

virtual={QUIESCENT}:53
\treal=10.0.0.11:53 gate
\treal=10.0.0.12:53 gate 1 l:40 u:50
\tservice=dns
\tscheduler=rr
\tprotocol=udp
\tchecktype=negotiate
\trequest=\"who.lab\"
\treceive=\"10\\.0\\.0\"
",
        log.display()
    ))
}
