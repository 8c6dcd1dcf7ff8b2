//! A director from a file: health checks take real servers out and bring them back, a changed file
//! changes what changed, and a wrong one nothing.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::director::CONFIGURATION;
use rlvs_lab::real_server::dig;
use rlvs_lab::{Get, Masquerading, RealServer, wait};
use rlvs_tests::scene::status;
use rustix::process::Signal;

const SOON: Duration = Duration::from_secs(60);
/// More than a second, on a busy machine.
const WRITTEN: Duration = Duration::from_secs(3);

/// Real servers behind a director whose file has a service for each virtual address.
struct Site {
    lab: Masquerading,
    text: String,
}

impl Site {
    fn begin() -> Result<Self> {
        let mut lab = Masquerading::new(3)?;
        let text = file(&lab);
        lab.director.start_rlvs_with(&text)?;
        Ok(Self { lab, text })
    }

    fn path(&self) -> Result<PathBuf> {
        self.lab.director.configuration_file()
    }

    /// Another file, not applied yet.
    fn write(&self, text: &str) -> Result<()> {
        fs::write(self.path()?, text).context("rlvs.toml")
    }

    fn rlvs(&self, verb: &str) -> Result<String> {
        let file = self.path()?;
        self.lab
            .director
            .rlvs(&format!("{verb} {}", file.display()))
    }

    fn reload(&mut self) -> Result<()> {
        let daemon = self.lab.director.daemon().context("no daemon")?;
        daemon.signal(Signal::HUP)
    }

    /// Who answers to a client of a virtual address.
    fn who(&self, vip: IpAddr) -> Result<BTreeSet<String>> {
        let url = format!("http://{}/who", with_port(vip, 80));
        let answers = Get::new(url).times(&self.lab.client, 6)?;
        Ok(answers.into_iter().collect())
    }

    fn wait_for(&self, names: &[&str]) -> Result<()> {
        let names: BTreeSet<String> = names.iter().map(ToString::to_string).collect();
        for vip in self.lab.vips() {
            wait::until(&format!("{names:?} serve {vip}"), SOON, || {
                Ok(self.who(vip).is_ok_and(|who| who == names))
            })?;
        }
        Ok(())
    }
}

/// A service for each virtual address with two real servers and a sorry server.
fn file(lab: &Masquerading) -> String {
    let mut text = "connections = 65536\n\n[interfaces]\nnames = [\"eth0\", \"eth1\"]\n".to_owned();
    for vip in lab.vips() {
        let [first, second, sorry] =
            [0, 1, 2].map(|n| with_port(lab.real_servers[n].host.address().like(vip), 80));
        text += &format!(
            "\n[[service]]\ntcp = \"{}\"\nscheduler = \"rr\"\nmethod = \"nat\"\n\
             sorry_server = \"{sorry}\"\n\
             check = {{ http = \"/who\", delay_loop = 1, delay_before_retry = 1, connect_timeout = 1 }}\n\
             real = [{{ address = \"{first}\" }}, {{ address = \"{second}\", weight = 1 }}]\n",
            with_port(vip, 80),
        );
    }
    text
}

#[test]
fn checks_take_real_servers_out_and_bring_them_back() -> Result<()> {
    let mut site = Site::begin()?;
    site.wait_for(&["rs1", "rs2"])?;
    // It dies; it hangs.
    site.lab.real_servers[0].nginx.stop()?;
    site.wait_for(&["rs2"])?;
    let state = status(&site.lab.director)?.site.context("no site")?;
    ensure!(
        state.troubled.len() == 2 && state.failing.len() == 2,
        "{state:?}"
    );
    // What is known of it outlives the daemon, which writes it down within a second.
    std::thread::sleep(WRITTEN);
    site.lab.director.kill9()?;
    site.lab.director.start_rlvs_with(&site.text)?;
    for vip in site.lab.vips() {
        ensure!(site.who(vip)? == BTreeSet::from(["rs2".to_owned()]));
    }
    signal_workers(&site.lab.real_servers[1], "STOP")?;
    site.wait_for(&["rs3"])?;
    signal_workers(&site.lab.real_servers[1], "CONT")?;
    site.wait_for(&["rs2"])?;
    site.lab.real_servers[0].restart_nginx()?;
    site.wait_for(&["rs1", "rs2"])?;
    let state = status(&site.lab.director)?.site.context("no site")?;
    ensure!(state.troubled.is_empty() && state.checks == 4, "{state:?}");
    Ok(())
}

#[test]
fn a_file_changes_what_is_another_in_it_and_nothing_else() -> Result<()> {
    let mut site = Site::begin()?;
    site.wait_for(&["rs1", "rs2"])?;
    let [vip, _] = site.lab.vips();
    ensure!(site.rlvs("plan")? == "nothing would change\n");
    let by_hand = with_port(vip, 25);
    site.lab
        .director
        .ipvsadm(&format!("-A -t {by_hand} -s rr"))?;
    let before = connections(&site, vip)?;

    let heavier = site.text.replace("weight = 1", "weight = 7");
    site.write(&heavier)?;
    let plan = site.rlvs("plan")?;
    ensure!(plan.contains("-m -w 1 → -m -w 7"), "{plan}");
    ensure!(!site.lab.director.ipvsadm("-Sn")?.contains("-w 7"));
    ensure!(site.rlvs("apply")? == plan);
    let saved = site.lab.director.ipvsadm("-Sn")?;
    ensure!(saved.matches("-w 7").count() == 2, "{saved}");
    ensure!(saved.contains(&by_hand), "{saved}");
    ensure!(connections(&site, vip)? >= before, "counters begin anew");

    // Wrong files: a word nobody knows, a file that is none.
    for wrong in [
        heavier.replace("scheduler", "sheduler"),
        "[[service]".to_owned(),
    ] {
        site.write(&wrong)?;
        let path = site.path()?.display().to_string();
        let refused = site.lab.director.host.try_run("rlvs", ["apply", &path])?;
        ensure!(!refused.status.success(), "{}", refused.stdout);
        site.reload()?;
        std::thread::sleep(Duration::from_secs(1));
        ensure!(site.lab.director.ipvsadm("-Sn")? == saved);
    }

    // At SIGHUP; the first address alone is left.
    let (first, _) = site
        .text
        .rsplit_once("\n[[service]]")
        .context("two services")?;
    site.write(first)?;
    site.reload()?;
    wait::until("the second service is gone", SOON, || {
        let saved = site.lab.director.ipvsadm("-Sn")?;
        Ok(saved.matches("-A -t").count() == 2 && saved.contains(&by_hand))
    })?;
    ensure!(site.who(vip)?.len() == 2);
    let shown = site.lab.director.rlvs("status")?;
    ensure!(shown.contains("by hand"), "{shown}");
    Ok(())
}

/// Connections that a service has counted.
fn connections(site: &Site, vip: IpAddr) -> Result<u64> {
    let listed = site.lab.director.ipvsadm("-Ln --stats --exact")?;
    let address = with_port(vip, 80);
    let line = listed.lines().find(|line| line.contains(&address));
    let line = line.with_context(|| listed.clone())?;
    let count = line.split_whitespace().nth(2).context("no column")?;
    Ok(count.parse()?)
}

#[test]
fn a_reload_is_missed_by_nobody() -> Result<()> {
    let mut site = Site::begin()?;
    site.wait_for(&["rs1", "rs2"])?;
    let [vip, _] = site.lab.vips();
    let url = format!("http://{}/who", with_port(vip, 80));
    for round in 0..6 {
        let weight = format!("weight = {}", 1 + round % 2);
        site.write(&site.text.replace("weight = 1", &weight))?;
        site.reload()?;
        let answers = Get::new(&url).times(&site.lab.client, 20)?;
        ensure!(answers.len() == 20, "round {round}");
    }
    Ok(())
}

/// Stops nginx as it is, or lets it go on: those who serve, not their master.
fn signal_workers(server: &RealServer, signal: &str) -> Result<()> {
    let id = server.nginx.id();
    let command = format!("kill -{signal} $(cat /proc/{id}/task/{id}/children)");
    server.host.shell(&command).map(drop)
}

/// keepalived.conf as it is: a script's weight, DNS, notifiers and the FIFO.
#[test]
fn a_site_of_keepalived_is_done() -> Result<()> {
    let mut lab = Masquerading::new(3)?;
    lab.director.start_rlvs_with(CONFIGURATION)?;
    let directory = lab.director.host.directory()?;
    let (file, notes) = (directory.join("keepalived.conf"), directory.join("notes"));
    fs::write(&file, keepalived_conf(&lab, &directory)?)?;
    fs::write(directory.join("weight"), "5")?;
    lab.director.rlvs(&format!("apply {}", file.display()))?;
    let fifo = directory.join("fifo");
    let reader = lab.director.host.spawn("reader", "cat", [&fifo])?;
    let events = lab.director.host.spawn("events", "rlvs", ["events"])?;
    let saved = |words: &str| {
        wait::until(words, SOON, || {
            Ok(lab.director.ipvsadm("-Sn")?.contains(words))
        })
    };
    // A script's status less 2.
    saved("-r 10.0.1.12:80 -m -w 3")?;
    fs::write(directory.join("weight"), "9")?;
    saved("-r 10.0.1.12:80 -m -w 7")?;
    wait::until("names are told", SOON, || {
        let vip = lab.vips()[0];
        Ok(dig(&lab.client, vip, "TXT").is_ok_and(|name| name == "rs1" || name == "rs2"))
    })?;

    let servers = &mut lab.real_servers;
    servers[1].dns.stop()?;
    servers[0].nginx.stop()?;
    fs::write(directory.join("weight"), "1")?;
    let note = |words: &str| {
        wait::until(words, SOON, || {
            Ok(fs::read_to_string(&notes).is_ok_and(|notes| notes.contains(words)))
        })
    };
    note("down 10.0.1.11\n")?;
    note("quorum lost\n")?;
    wait::until("the FIFO has it", SOON, || {
        let lines = reader.log();
        Ok(
            lines.contains("RS [10.0.1.11]:tcp:80 [10.0.0.100]:tcp:80 DOWN\n")
                && lines.contains("VS [10.0.0.100]:tcp:80 DOWN\n"),
        )
    })?;
    let told = events.log();
    ensure!(
        told.contains("TCP 10.0.0.100:80: real server 10.0.1.11:80 is down"),
        "{told}"
    );
    let listed = || lab.director.ipvsadm("-Sn");
    wait::until("the sorry server serves", SOON, || {
        let listed = listed()?;
        let names = listed.matches("-a -u").count();
        Ok(listed.contains("-a -t 10.0.0.100:80 -r 10.0.1.13:80") && names == 1)
    })?;
    // The next daemon has its own file, and does what was applied.
    lab.director.stop()?;
    lab.director.start_rlvs_with(CONFIGURATION)?;
    ensure!(lab.director.ipvsadm("-Sn")?.contains("-r 10.0.1.13:80"));
    servers[0].restart_nginx()?;
    note("up 10.0.1.11\n")?;
    note("quorum gained\n")
}

fn keepalived_conf(lab: &Masquerading, directory: &Path) -> Result<String> {
    let [vip, ..] = lab.vips();
    let real: Vec<_> = lab
        .real_servers
        .iter()
        .map(|it| it.host.address().v4)
        .collect();
    let directory = directory.display();
    let note = |words: &str| format!("\"/bin/sh -c 'echo {words} >> {directory}/notes'\"");
    Ok(format!(
        "! As sites have it.
global_defs {{
    lvs_notify_fifo {directory}/fifo
    script_user root
}}
virtual_server {vip} 80 {{
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
    quorum_up {}
    quorum_down {}
    sorry_server {} 80
    real_server {} 80 {{
        weight 1
        notify_up {}
        notify_down {}
        TCP_CHECK {{
            connect_timeout 1
            retry 0
        }}
    }}
    real_server {} 80 {{
        weight 1
        MISC_CHECK {{
            misc_path \"/bin/sh -c 'exit $(cat {directory}/weight)'\"
            misc_dynamic
        }}
    }}
}}
virtual_server {vip} 53 {{
    delay_loop 1
    lb_kind NAT
    protocol UDP
    real_server {} 53 {{
        DNS_CHECK {{
            type A
            name who.lab
            retry 0
            connect_timeout 1
        }}
    }}
    real_server {} 53 {{
        DNS_CHECK {{
            type A
            name who.lab
            retry 0
            connect_timeout 1
        }}
    }}
}}
",
        note("quorum gained"),
        note("quorum lost"),
        real[2],
        real[0],
        note(&format!("up {}", real[0])),
        note(&format!("down {}", real[0])),
        real[1],
        real[0],
        real[1],
    ))
}
