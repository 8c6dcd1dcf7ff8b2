//! The daemons of IPVS's protocol, which whoever hears the group may follow.

use anyhow::{Context, Result, ensure};
use rlvs_control::sync::DaemonState;
use rlvs_control::{Status, SyncRole};
use rlvs_lab::{DirectRouting, Director, Host, wait};
use rlvs_tests::scene::connections;
use rlvs_tests::talk::Talk;

use super::{CONFIGURATION, Pair, SOON, go_on, wait_learned};

fn state(director: &Director, role: SyncRole) -> Result<DaemonState> {
    let status: Status = serde_json::from_str(&director.rlvs("status --json")?)?;
    let shown = status.synchronisation.context("nothing is synchronised")?;
    let mut daemons = shown.daemons.into_iter();
    daemons
        .find(|it| it.daemon.role == role)
        .with_context(|| format!("no {role}"))
}

#[test]
fn connections_go_on_at_another_director() -> Result<()> {
    let pair = Pair::new()?;
    let [first, second] = pair.both();
    for director in pair.both() {
        for role in SyncRole::ALL {
            director.ipvsadm(&format!(
                "--start-daemon {role} --mcast-interface eth0 --syncid 5"
            ))?;
        }
    }
    let [four, six] = pair.lab.vips();
    pair.take(four, None, first)?;
    pair.take(six, None, second)?;
    let client = &pair.lab.client;
    let mut talks = [
        Talk::http(client, four, 5001)?,
        Talk::dns(client, four, 5002)?,
        Talk::http(client, six, 5003)?,
        Talk::dns(client, six, 5004)?,
    ];
    wait_learned(second, &[5001, 5002])?;
    wait_learned(first, &[5003, 5004])?;
    // Templates, too.
    for director in pair.both() {
        wait::until("templates are learned", SOON, || {
            let templates = connections(director)?.into_iter();
            Ok(templates.filter(|it| it.client.port() == 0).count() == 2)
        })?;
    }
    let shown = second.rlvs("proc ip_vs_conn_sync")?;
    ensure!(shown.contains("SYNC") && shown.contains("LOCAL"), "{shown}");
    pair.take(four, Some(first), second)?;
    pair.take(six, Some(second), first)?;
    go_on(&mut talks)?;
    // And back again.
    pair.take(four, Some(second), first)?;
    go_on(&mut talks)?;
    for director in pair.both() {
        for role in SyncRole::ALL {
            let state = state(director, role)?;
            ensure!(state.problem.is_none() && state.records > 0, "{state:?}");
        }
    }
    Ok(())
}

/// What comes from others than those who are allowed, and what is no message, is counted, and that is all.
#[test]
fn strangers_are_not_heard() -> Result<()> {
    let pair = Pair::new()?;
    let [first, second] = pair.both();
    first.ipvsadm("--start-daemon backup --mcast-interface eth0 --syncid 5")?;
    let send = |host: &Host, bytes: &str| {
        let program = format!(
            "import socket\n\
             s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
             s.setsockopt(socket.SOL_SOCKET, 25, b'eth0')\n\
             s.sendto(bytes.fromhex('{bytes}'), ('224.0.0.81', 8848))\n"
        );
        host.run("python3", ["-c", &program]).map(drop)
    };
    // An established connection of 10.0.0.2:1001 with the virtual address.
    let record = "00060024000000000001\
                  03e900500050000000000000038\
                  40a0000020a0000640a00000b";
    let message = format!("0005002c01010000{record}");
    let short = "0005";
    let other = format!("0006002c01010000{record}");
    let counted = |reason: &str| {
        let dropped = state(first, SyncRole::Backup)?.dropped;
        let found = dropped.into_iter().find(|it| it.reason == reason);
        anyhow::Ok(found.map_or(0, |it| it.count))
    };
    let wait_for = |reason: &str| wait::until(reason, SOON, || Ok(counted(reason)? == 1));
    send(&pair.lab.client, &message)?;
    wait_for("stranger")?;
    send(&second.host, short)?;
    wait_for("too-short")?;
    send(&second.host, &other)?;
    wait_for("other-syncid")?;
    ensure!(connections(first)?.is_empty());
    send(&second.host, &message)?;
    wait_learned(first, &[1001])?;
    ensure!(connections(first)?[0].destination == "10.0.0.11:80");
    Ok(())
}

/// What was started goes on with the next daemon, and ends when it is told to.
#[test]
fn daemons_outlive_the_director() -> Result<()> {
    let mut pair = Pair::new()?;
    let start = "--start-daemon master --mcast-interface eth0 --syncid 5 --mcast-ttl 3";
    pair.other.ipvsadm(start)?;
    let again = pair.other.try_ipvsadm(start)?;
    ensure!(again.stderr == "Daemon has already run\n", "{again:?}");
    let listed = "master sync daemon (mcast=eth0, syncid=5, maxlen=1472, group=224.0.0.81, \
                  port=8848, ttl=3)\n";
    ensure!(pair.other.ipvsadm("-L --daemon")? == listed);
    pair.other.kill9()?;
    pair.other.start_rlvs_with(CONFIGURATION)?;
    ensure!(pair.other.ipvsadm("-L --daemon")? == listed);
    pair.other.ipvsadm("--stop-daemon master")?;
    ensure!(pair.other.ipvsadm("-L --daemon")?.is_empty());
    let none = pair.other.try_ipvsadm("--stop-daemon master")?;
    ensure!(none.stderr == "No daemon is running\n", "{none:?}");
    let nowhere = pair
        .other
        .try_ipvsadm("--start-daemon backup --mcast-interface nope")?;
    ensure!(nowhere.stderr == "No such device\n", "{nowhere:?}");
    Ok(())
}

/// `lvs_sync_daemon`: both daemons are the file's, and go with it.
#[test]
fn daemons_are_those_of_a_keepalived_conf() -> Result<()> {
    let lab = DirectRouting::ready(0)?;
    let director = &lab.director;
    let file = director.host.directory()?.join("keepalived.conf");
    let apply = |text: &str| {
        std::fs::write(&file, text)?;
        director.rlvs(&format!("apply {}", file.display()))
    };
    apply("global_defs {\n    lvs_sync_daemon eth0 id 9 ttl 2\n}\n")?;
    let line = |role| {
        format!(
            "{role} sync daemon (mcast=eth0, syncid=9, maxlen=1472, group=224.0.0.81, port=8848, \
             ttl=2)\n"
        )
    };
    let both = line("master") + &line("backup");
    ensure!(director.ipvsadm("-L --daemon")? == both);
    let again = director.try_ipvsadm("--start-daemon master --mcast-interface eth0")?;
    ensure!(again.stderr == "Daemon has already run\n", "{again:?}");
    let stop = director.try_ipvsadm("--stop-daemon backup")?;
    ensure!(stop.stderr.contains("the file's"), "{stop:?}");
    let followed = "global_defs {\n    lvs_sync_daemon eth0 VI_1 id 9 ttl 2\n}\n";
    let instance = "vrrp_instance VI_1 {\n    interface eth0\n    virtual_router_id 5\n    \
                    advert_int 1\n    virtual_ipaddress {\n        10.0.0.99/32\n    }\n}\n";
    apply(&format!("{followed}{instance}"))?;
    wait::until("it is master", SOON, || {
        Ok(director.ipvsadm("-L --daemon")? == line("master"))
    })?;
    apply("global_defs {\n    router_id none\n}\n")?;
    ensure!(director.ipvsadm("-L --daemon")?.is_empty());
    Ok(())
}

/// With `backup_only` what is for a service of a backup goes to its stack, where nobody listens.
#[test]
fn a_backup_may_balance_nothing() -> Result<()> {
    let lab = DirectRouting::ready(1)?;
    let director = &lab.director;
    let vip = lab.vips()[0];
    let at = |address| rlvs_lab::address::with_port(address, 80);
    let real = lab.real_servers[0].host.address().like(vip);
    director.ipvsadm(&format!("-A -t {} -s rr", at(vip)))?;
    director.ipvsadm(&format!("-a -t {} -r {} -g", at(vip), at(real)))?;
    let url = format!("http://{}/", at(vip));
    let wait_for = |status: i32| {
        wait::until(&format!("curl ends with {status}"), SOON, || {
            let curl = lab.client.try_run("curl", ["-s", "-m", "5", &url])?;
            Ok(curl.status.code() == Some(status))
        })
    };
    wait_for(0)?;
    director.rlvs("sysctl -w net.ipv4.vs.backup_only=1")?;
    wait_for(0)?;
    director.ipvsadm("--start-daemon backup --mcast-interface eth0")?;
    wait_for(7)?;
    // What is added is not balanced either.
    director.ipvsadm(&format!("-A -t {} -s rr", at(lab.vips()[1])))?;
    wait_for(7)?;
    director.ipvsadm("--stop-daemon backup")?;
    wait_for(0)
}
