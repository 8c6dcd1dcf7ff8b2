//! A destination is drained: nobody new goes there, and it leaves when nobody is left.

use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rlvs_control::status::NextHop;
use rlvs_lab::address::with_port;
use rlvs_lab::{Process, RealServer, wait};
use rlvs_tests::scene::{Held, Mode, SOON, Scene, counts, http, next_hop, status};

/// FIN_WAIT is over in two seconds; then the sweep has to see it, and the director.
const END: Duration = Duration::from_secs(60);

/// The daemon is killed meanwhile, and an edit comes in between.
#[test]
fn it_is_removed_when_its_last_connection_ends() -> Result<()> {
    let mut scene = Scene::new(Mode::Tc, 2)?;
    let vip = scene.vips()[0];
    let service = http(vip);
    scene.director.ipvsadm("--set 0 2 0")?;
    scene.add_http(vip, "rr -p 300", &[1, 1])?;
    let held = Held::open(&scene, vip)?;
    let real = held.destination(&scene)?;
    let name = scene.name_of(&real)?;
    ensure!(
        scene.ask(vip, 2)? == [name.clone(), name.clone()],
        "persistence"
    );

    let mut drain = start(&scene, &format!("{real} {service}"))?;
    wait::until("it has weight 0", SOON, || {
        Ok(weight(&scene, &service, &real)? == "0")
    })?;
    let answers = scene.ask(vip, 4)?;
    ensure!(!answers.contains(&name), "{name} is drained: {answers:?}");

    scene.director.kill9()?;
    scene.start()?;
    scene
        .director
        .ipvsadm(&format!("-e {service} -r {real} -g -w 5"))?;
    ensure!(weight(&scene, &service, &real)? == "0", "an edit ended it");
    let listed = scene.director.rlvs("drain")?;
    let expected = format!("{real} of TCP {vip}:80: 1 active, ");
    ensure!(listed.starts_with(&expected), "{listed}");
    let draining = status(&scene.director)?.services[0]
        .destinations
        .iter()
        .find_map(|it| it.draining);
    ensure!(draining.context("status")?.weight == 5);

    ensure!(held.destination(&scene)? == real);
    held.close()?;
    ensure!(drain.wait(END)?.success(), "{}", drain.log());
    let log = drain.log();
    ensure!(
        log.contains("1 active") && log.contains("0 active"),
        "{log}"
    );
    ensure!(log.ends_with("removed, no connection was left\n"), "{log}");
    ensure!(!counts(&scene.director, &service)?.contains_key(&real));
    Ok(())
}

#[test]
fn it_is_removed_at_the_deadline_or_kept() -> Result<()> {
    let scene = Scene::new(Mode::Native, 2)?;
    let vip: IpAddr = scene.vips()[1];
    let service = http(vip);
    scene.add_http(vip, "wrr", &[3, 3])?;
    let held = Held::open(&scene, vip)?;
    let real = held.destination(&scene)?;

    scene.director.rlvs(&format!("drain {real} --detach"))?;
    let mut drain = start(&scene, &real)?;
    wait::until("the count is told", SOON, || {
        Ok(drain.log().contains("1 active"))
    })?;
    ensure!(weight(&scene, &service, &real)? == "0");
    scene.director.rlvs(&format!("undrain {real}"))?;
    ensure!(!drain.wait(END)?.success(), "{}", drain.log());
    ensure!(drain.log().contains("is kept: it takes connections again"));
    ensure!(weight(&scene, &service, &real)? == "3");
    let refused = scene.director.host.try_run("rlvs", ["undrain", &real])?;
    ensure!(
        refused.stderr.contains("is not being drained"),
        "{}",
        refused.stderr
    );

    let mut drain = start(&scene, &format!("{real} --deadline 2s"))?;
    ensure!(drain.wait(END)?.success(), "{}", drain.log());
    let log = drain.log();
    ensure!(
        log.ends_with("at the deadline, with 1 active, 0 inactive connections\n"),
        "{log}"
    );
    ensure!(!counts(&scene.director, &service)?.contains_key(&real));
    held.close()
}

const PORT: u16 = 9000;

/// Answers with its name.
const SERVER: &str = "
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[2], int(sys.argv[3])))
print('ready', flush=True)
while True:
    data, client = s.recvfrom(100)
    s.sendto(sys.argv[1].encode() + b' ' + data, client)
";

/// One socket asks again and again, and must be answered each time.
const CLIENT: &str = "
import os, socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
s.connect((sys.argv[1], int(sys.argv[2])))
number = 0
while number < 5000 and not os.path.exists(sys.argv[3]):
    s.send(str(number).encode())
    name, answered = s.recv(100).decode().split()
    assert int(answered) == number
    print(name, flush=True)
    number += 1
    time.sleep(0.01)
";

/// A UDP flow never ends by itself; it moves, and nothing is lost.
#[test]
fn a_udp_flow_moves_with_its_next_packet() -> Result<()> {
    let scene = Scene::new(Mode::Tc, 2)?;
    let vip = scene.vips()[0];
    let service = format!("-u {}", with_port(vip, PORT));
    let ipvsadm = |line: &str| scene.director.ipvsadm(line).map(drop);
    let servers = serve(&scene, vip)?;
    ipvsadm(&format!("-A {service} -s rr"))?;
    for number in 0..2 {
        let real = real(&scene, number);
        ipvsadm(&format!("-a {service} -r {real} -g"))?;
        wait::until("its MAC address is known", SOON, || {
            let hop = next_hop(&scene.director, &real)?;
            Ok(matches!(hop, NextHop::Resolved { .. }))
        })?;
    }
    let stop = scene.client.directory()?.join("flow.stop");
    let words = [
        "-c",
        CLIENT,
        &vip.to_string(),
        &PORT.to_string(),
        &stop.display().to_string(),
    ];
    let mut flow = scene.client.spawn("flow", "python3", words)?;
    let mut at = whom(&mut flow, None)?;
    let sysctl = |set: &str| scene.director.rlvs(&format!("sysctl -qw {set}")).map(drop);

    sysctl("expire_nodest_conn=1")?;
    ipvsadm(&format!("-d {service} -r {}", real(&scene, at)))?;
    at = whom(&mut flow, Some(at))?;
    ipvsadm(&format!("-a {service} -r {} -g", real(&scene, 1 - at)))?;

    let weigh = |weight: u32| {
        let real = real(&scene, at);
        ipvsadm(&format!("-e {service} -r {real} -g -w {weight}"))
    };
    weigh(0)?;
    ensure!(whom(&mut flow, None)? == at, "the setting is off");
    sysctl("expire_quiescent_udp=1")?;
    let left = at;
    at = whom(&mut flow, Some(at))?;
    ipvsadm(&format!("-e {service} -r {} -g -w 1", real(&scene, left)))?;

    let mut drain = start(&scene, &real(&scene, at))?;
    whom(&mut flow, Some(at))?;
    ensure!(drain.wait(END)?.success(), "{}", drain.log());
    fs::write(&stop, "")?;
    ensure!(flow.wait(SOON)?.success(), "{}", flow.log());
    drop(servers);
    Ok(())
}

fn serve(scene: &Scene, vip: IpAddr) -> Result<Vec<Process>> {
    let start = |server: &RealServer| {
        let words = [
            "-c",
            SERVER,
            server.name(),
            &vip.to_string(),
            &PORT.to_string(),
        ];
        let mut process = server.host.spawn("echo", "python3", words)?;
        process.wait_until(SOON, |process| Ok(process.log().contains("ready")))?;
        Ok(process)
    };
    scene.real_servers.iter().map(start).collect()
}

fn real(scene: &Scene, number: usize) -> String {
    with_port(scene.real_servers[number].host.address().v4, PORT)
}

/// The number of who answers now, which is another than `not`.
fn whom(flow: &mut Process, not: Option<usize>) -> Result<usize> {
    let seen = flow.log().lines().count();
    let number = |log: &str| {
        let last = log.lines().skip(seen + 2).last()?;
        last.strip_prefix("rs")?
            .parse::<usize>()
            .ok()?
            .checked_sub(1)
    };
    flow.wait_until(SOON, |flow| {
        let now = number(&flow.log());
        Ok(now.is_some() && now != not)
    })?;
    number(&flow.log()).context("nobody answers")
}

fn start(scene: &Scene, words: &str) -> Result<Process> {
    let words = ["drain"].into_iter().chain(words.split_whitespace());
    scene.director.host.spawn("drain", "rlvs", words)
}

/// As `ipvsadm -Ln` has it.
fn weight(scene: &Scene, service: &str, real: &str) -> Result<String> {
    let text = scene.director.ipvsadm(&format!("-Ln {service}"))?;
    let mut rows = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = rows.find(|row| row.get(1) == Some(&real));
    Ok(row.with_context(|| text.clone())?[3].to_owned())
}
