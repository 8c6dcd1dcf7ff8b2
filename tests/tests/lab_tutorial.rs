//! What tutorials of LVS have people type, with rlvs where ipvsadm was: the old scripts on the
//! director and the real servers (tests/scripts), edits while it runs, listings, save and restore,
//! groups by firewall mark.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use rlvs_lab::command::{self, Finished};
use rlvs_lab::{DirectRouting, Get, Host, wait, warden};

/// Three times what one request may take that gets no answer.
const SOON: Duration = Duration::from_secs(60);
const URL: &str = "http://10.0.0.100/who";
const SERVICE: &str = "-t 10.0.0.100:80";
const RULES: &str = "\
# as ipvsadm -Sn prints them
-A -t 10.0.0.100:80 -s wrr
-a -t 10.0.0.100:80 -r 10.0.0.11:80 -g -w 1
-a -t 10.0.0.100:80 -r 10.0.0.12:80 -g -w 2
-a -t 10.0.0.100:80 -r 10.0.0.13:80 -g -w 3
--set 15 16 17
";

#[test]
fn a_tutorial_works_as_it_stands() -> Result<()> {
    let mut lab = begin()?;
    director_starts(&lab)?;
    edits_hold_at_once(&lab)?;
    clients_come_back(&lab)?;
    listings_are_ipvsadms(&lab)?;
    rules_are_saved_and_restored(&lab)?;
    marks_group_ports(&lab)?;
    all_stops(&lab)?;
    one_line_replaces_each_script(&lab)?;
    up_again_says_all_anew(&lab)?;
    down_undoes_what_up_did(&lab)?;
    down_needs_whoever_holds_the_rules(&mut lab)
}

fn begin() -> Result<DirectRouting> {
    let mut lab = DirectRouting::new(3)?;
    lab.director.start_rlvs()?;
    for server in &lab.real_servers {
        script(&server.host, "real-server", "start")?.success()?;
        let status = script(&server.host, "real-server", "status")?.success()?;
        ensure!(status.contains("is running"), "{status}");
    }
    Ok(lab)
}

fn director_starts(lab: &DirectRouting) -> Result<()> {
    let stopped = script(&lab.director.host, "director", "status")?;
    ensure!(stopped.status.code() == Some(3), "{}", stopped.stdout);
    let shown = script(&lab.director.host, "director", "start")?.success()?;
    ensure!(
        shown.contains("TCP  10.0.0.100:http wrr\n  -> 10.0.0.11:http"),
        "{shown}"
    );
    let status = script(&lab.director.host, "director", "status")?.success()?;
    ensure!(
        status.contains("10.0.0.13:80                 Route   3 "),
        "{status}"
    );
    let timeouts = lab.director.ipvsadm("-L --timeout")?;
    ensure!(
        timeouts == "Timeout (tcp tcpfin udp): 11 15 300\n",
        "{timeouts}"
    );
    shares_become(lab, &[2, 4, 6])
}

fn edits_hold_at_once(lab: &DirectRouting) -> Result<()> {
    lab.director
        .ipvsadm(&format!("-e {SERVICE} -r 10.0.0.11 -w 3"))?;
    lab.director
        .ipvsadm(&format!("-e {SERVICE} -r 10.0.0.12 -w 3"))?;
    shares_become(lab, &[4, 4, 4])?;
    lab.director.ipvsadm(&format!("-E {SERVICE} -s rr"))?;
    lab.director
        .ipvsadm(&format!("-d {SERVICE} -r 10.0.0.13"))?;
    shares_become(lab, &[6, 6, 0])?;
    lab.director
        .ipvsadm(&format!("-a {SERVICE} -r 10.0.0.13 -g -w 6"))?;
    lab.director.ipvsadm(&format!("-E {SERVICE} -s wrr"))?;
    shares_become(lab, &[3, 3, 6])
}

/// Which one the client got before does not matter; all that follow go there.
fn clients_come_back(lab: &DirectRouting) -> Result<()> {
    lab.director
        .ipvsadm(&format!("-E {SERVICE} -s wrr -p 600"))?;
    ensure!(shares(lab)?.len() == 1, "{:?}", shares(lab)?);
    let connections = lab.director.ipvsadm("-Lnc")?;
    let template = connections
        .lines()
        .find(|line| line.contains("10.0.0.2:0 "));
    ensure!(
        template.is_some_and(|line| line.starts_with("TCP 09:5") || line.starts_with("TCP 10:00")),
        "{connections}"
    );
    Ok(())
}

fn listings_are_ipvsadms(lab: &DirectRouting) -> Result<()> {
    let statistics = lab.director.ipvsadm("-Ln --stats")?;
    let head = "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n";
    ensure!(statistics.contains(head), "{statistics}");
    let of_service = statistics.lines().find(|line| line.starts_with("TCP"));
    let connections: u64 = of_service
        .and_then(|line| line.split_whitespace().nth(2))
        .unwrap_or_default()
        .parse()?;
    ensure!(connections >= 60, "{statistics}");
    let head = "Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS\n";
    wait::until("there is a rate", SOON, || {
        shares(lab)?;
        let rates = lab.director.ipvsadm("-L --rate")?;
        let line = rates
            .lines()
            .find(|line| line.starts_with("TCP  10.0.0.100:http "));
        let rate = line.and_then(|line| line.split_whitespace().nth(2));
        Ok(rates.contains(head) && rate.is_some_and(|rate| rate != "0"))
    })
}

fn rules_are_saved_and_restored(lab: &DirectRouting) -> Result<()> {
    let host = &lab.director.host;
    let file = host.directory()?.join("ipvsadm.rules");
    let file = file.display();
    host.shell(&format!("ipvsadm-save -n > {file}"))?;
    let saved = lab.director.ipvsadm("-Sn")?;
    script(host, "director", "stop")?.success()?;
    ensure!(lab.director.ipvsadm("-Sn")?.is_empty());
    // Rules alone, then all of it and the rules of then.
    host.shell(&format!("ipvsadm -R < {file}"))?;
    ensure!(lab.director.ipvsadm("-Sn")? == saved);
    script(host, "director", "start")?.success()?;
    host.shell(&format!("ipvsadm-restore < {file}"))?;
    ensure!(lab.director.ipvsadm("-Sn")? == saved);
    ensure!(shares(lab)?.len() == 1, "it is persistent");
    Ok(())
}

fn marks_group_ports(lab: &DirectRouting) -> Result<()> {
    lab.director.host.shell(
        "iptables -t mangle -A PREROUTING -i eth0 -p tcp -d 10.0.0.100 -m multiport \
         --dports 80,443 -j MARK --set-mark 5",
    )?;
    lab.director.ipvsadm("-C")?;
    lab.director.ipvsadm("-A -f 5 -s rr")?;
    for server in &lab.real_servers {
        let server = server.host.address().v4;
        lab.director.ipvsadm(&format!("-a -f 5 -r {server} -g"))?;
    }
    shares_become(lab, &[4, 4, 4])?;
    lab.director.ipvsadm("-E -f 5 -s rr -p 600")?;
    ensure!(shares(lab)?.len() == 1, "it is persistent");
    Ok(())
}

fn all_stops(lab: &DirectRouting) -> Result<()> {
    script(&lab.director.host, "director", "stop")?.success()?;
    for server in &lab.real_servers {
        script(&server.host, "real-server", "stop")?.success()?;
    }
    let servers = lab.real_servers.iter().map(|server| &server.host);
    for host in servers.chain([&lab.director.host]) {
        let addresses = host.run("ip", ["-4", "addr"])?;
        ensure!(!addresses.contains("10.0.0.100"), "{addresses}");
    }
    Ok(())
}

fn one_line_replaces_each_script(lab: &DirectRouting) -> Result<()> {
    let nothing = lab.director.host.try_run("rlvs", ["director", "status"])?;
    ensure!(nothing.status.code() == Some(1), "{}", nothing.stdout);
    warden::tell(&lab.director.host, "director-hosts")?;
    // Of someone else.
    lab.director.ipvsadm("-A -u 10.0.0.100:53 -s rr")?;
    for server in &lab.real_servers {
        server.up(&[lab.vip4().into()])?;
    }
    let file = lab.director.host.directory()?.join("ipvsadm.rules");
    fs::write(&file, RULES)?;
    let up = format!("director up --rules {}", file.display());
    let report = lab.director.rlvs(&up)?;
    let service = "ok     TCP 10.0.0.100:80  wrr, 3 real servers  wrr, 3 real servers\n";
    ensure!(report.contains(service), "{report}");
    ensure!(report.contains("10.0.0.100         on eth0"), "{report}");
    shares_become(lab, &[2, 4, 6])?;
    let before = lab.director.ipvsadm("-Sn")?;
    lab.director.rlvs(&up)?;
    ensure!(lab.director.ipvsadm("-Sn")? == before);
    let timeouts = lab.director.ipvsadm("-L --timeout")?;
    ensure!(timeouts.ends_with(": 15 16 17\n"), "{timeouts}");
    Ok(())
}

/// By masquerading too, for which this host must forward.
fn up_again_says_all_anew(lab: &DirectRouting) -> Result<()> {
    let words = [
        "director",
        "up",
        "--rule=-A -t 10.0.0.100:80 -s rr",
        "--rule=-a -t 10.0.0.100:80 -r 10.0.0.11 -g",
        "--rule=-A -t 10.0.0.102:80 -s rr",
        "--rule=-a -t 10.0.0.102:80 -r 10.0.0.12:80 -m",
        "--vip=10.0.0.101",
        "--vip=fd00::100",
    ];
    let report = lab.director.host.run("rlvs", words)?;
    ensure!(report.contains("net.ipv4.ip_forward  1 "), "{report}");
    let address = lab
        .director
        .host
        .run("ip", ["-6", "addr", "show", "dev", "eth0"])?;
    ensure!(
        address.contains("fd00::100/128 scope global nodad deprecated"),
        "{address}"
    );
    shares_become(lab, &[12, 0, 0])?;
    let timeouts = lab.director.ipvsadm("-L --timeout")?;
    ensure!(
        timeouts.ends_with(": 11 15 300\n"),
        "before all rules: {timeouts}"
    );
    lab.director
        .host
        .run("ip", ["addr", "del", "10.0.0.101/32", "dev", "eth0"])?;
    lab.director.ipvsadm("-D -t 10.0.0.102:80")?;
    let wrong = lab.director.host.try_run("rlvs", ["director", "status"])?;
    let text = &wrong.stdout;
    ensure!(wrong.status.code() == Some(1), "{text}");
    for line in [
        "WRONG  TCP 10.0.0.102:80",
        "WRONG  10.0.0.101",
        "to mend 10.0.0.101: ip address add 10.0.0.101 dev eth0\n",
    ] {
        ensure!(text.contains(line), "{line} in {text}");
    }
    lab.director.host.run("rlvs", words)?;
    lab.director.rlvs("director status").map(drop)
}

fn down_undoes_what_up_did(lab: &DirectRouting) -> Result<()> {
    lab.director.rlvs("director down")?;
    let host = &lab.director.host;
    ensure!(lab.director.ipvsadm("-Sn")? == "-A -u 10.0.0.100:53 -s rr\n");
    let timeouts = lab.director.ipvsadm("-L --timeout")?;
    ensure!(
        timeouts == "Timeout (tcp tcpfin udp): 11 15 300\n",
        "{timeouts}"
    );
    let addresses = host.run("ip", ["-4", "addr"])?;
    ensure!(!addresses.contains("10.0.0.10"), "{addresses}");
    let addresses = host.run("ip", ["-6", "addr"])?;
    ensure!(!addresses.contains("fd00::100"), "{addresses}");
    let forward = host.run("sysctl", ["-n", "net.ipv4.ip_forward"])?;
    ensure!(forward == "0\n", "{forward}");
    lab.director.rlvs("director down").map(drop)
}

fn down_needs_whoever_holds_the_rules(lab: &mut DirectRouting) -> Result<()> {
    let words = ["director", "up", "--rule=-A -t 10.0.0.100:80 -s rr"];
    lab.director.host.run("rlvs", words)?;
    lab.director.stop()?;
    let status = lab.director.host.try_run("rlvs", ["director", "status"])?;
    let text = status.stdout;
    ensure!(
        text.contains("WRONG  director           does not run"),
        "{text}"
    );
    let refused = lab.director.host.try_run("rlvs", ["director", "down"])?;
    ensure!(refused.stderr.contains("`rlvs down'"), "{}", refused.stderr);
    let addresses = lab.director.host.run("ip", ["-4", "addr"])?;
    ensure!(!addresses.contains("10.0.0.100"), "{addresses}");
    lab.director.rlvs("down")?;
    lab.director.rlvs("director down")?;
    let status = lab.director.host.try_run("rlvs", ["director", "status"])?;
    ensure!(
        status.stderr.contains("nothing is set here"),
        "{}",
        status.stderr
    );
    Ok(())
}

/// How many of twelve requests each real server answers, by name.
fn shares(lab: &DirectRouting) -> Result<BTreeMap<String, u32>> {
    let mut shares = BTreeMap::new();
    for name in Get::new(URL).times(&lab.client, 12)? {
        *shares.entry(name).or_insert(0) += 1;
    }
    Ok(shares)
}

/// Once real servers have been found.
fn shares_become(lab: &DirectRouting, expected: &[u32]) -> Result<()> {
    let names = (1..).map(|number| format!("rs{number}"));
    let expected = names.zip(expected.iter().copied());
    let expected: BTreeMap<_, _> = expected.filter(|(_, share)| *share > 0).collect();
    wait::until(&format!("shares are {expected:?}"), SOON, || {
        Ok(shares(lab).is_ok_and(|shares| shares == expected))
    })
}

fn script(host: &Host, name: &str, verb: &str) -> Result<Finished> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scripts")
        .join(name);
    let lock: PathBuf = host.directory()?.join("lock");
    let mut command = host.command(file);
    command::finish(command.arg(verb).env("LOCK", lock), Duration::from_secs(60))
}
