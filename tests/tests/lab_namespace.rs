//! A director belongs to its network namespace: who reaches it, what it sees, what it shares.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rlvs_control::status::Attachment;
use rlvs_lab::command::{self, Finished};
use rlvs_lab::host::LIMIT;
use rlvs_lab::{Director, Host, Process, Segment, wait};
use rlvs_tests::foreign::ForeignProgram;
use rlvs_tests::scene::{Mode, SOON, Scene, attachment, connections, http, statistics, status};

#[test]
fn each_namespace_has_its_own_director() -> Result<()> {
    let scene = Scene::new(Mode::Generic, 1)?;
    let mut other = Host::new(&scene.lab, "other")?;
    other.join(&scene.switch, 6)?;
    let mut other = Director::new(other)?;
    ensure!(other.try_ipvsadm("-Ln")?.status.code() == Some(2));
    other.start_rlvs_with(&Mode::Native.configuration())?;
    let vip = scene.vips()[0];
    scene.add_http(vip, "rr", &[1])?;
    other.ipvsadm("-A -u 10.0.0.101:53 -s wlc")?;

    let first = ip_netns_exec(&scene.director.host, &["ipvsadm", "-Sn"])?.success()?;
    let second = ip_netns_exec(&other.host, &["ipvsadm", "-Sn"])?.success()?;
    ensure!(
        first.contains("10.0.0.100:80") && !first.contains(":53"),
        "{first}"
    );
    ensure!(second == "-A -u 10.0.0.101:53 -s wlc\n", "{second}");
    let listed = ip_netns_exec(&scene.director.host, &["ipvsadm", "-Ln"])?.success()?;
    ensure!(listed == scene.director.ipvsadm("-Ln")?);

    let (own, its) = (status(&scene.director)?.daemon, status(&other)?.daemon);
    ensure!(own.network_namespace != its.network_namespace && own.pid != its.pid);
    let name = scene.director.host.namespace();
    ensure!(own.network_namespace.name == Some(name), "{own:?}");

    // One ends, the other stays.
    scene.ask(vip, 4)?;
    other.stop()?;
    other.rlvs("down")?;
    ensure!(scene.ask(vip, 4)?.len() == 4);
    let (whole, _) = statistics(&scene.director, &http(vip))?;
    ensure!(whole.connections == 8, "{whole:?}");
    ensure!(connections(&scene.director)?.len() == 8);
    Ok(())
}

#[test]
fn a_namespace_has_one_director() -> Result<()> {
    let scene = Scene::new(Mode::Generic, 1)?;
    let vip = scene.vips()[0];
    scene.add_http(vip, "rr", &[1])?;
    let file = scene.director.configuration_file()?;
    let words = ["run".as_ref(), "--config".as_ref(), file.as_os_str()];
    let second = scene.director.host.try_run("rlvs", words)?;
    ensure!(second.status.code() == Some(1), "{}", second.status);
    ensure!(
        second
            .stderr
            .contains("a director runs in this network namespace already"),
        "{}",
        second.stderr
    );
    ensure!(scene.ask(vip, 4)?.len() == 4);
    ensure!(attachment(&scene.director, "eth0")? == Some(Attachment::Generic));
    Ok(())
}

/// `ip netns exec` gives a program a /sys of its own, in which nothing can be pinned that lasts.
#[test]
fn a_director_started_by_ip_netns_exec_is_adopted() -> Result<()> {
    let mut scene = Scene::new(Mode::Native, 2)?;
    let vip = scene.vips()[0];
    let cookie = status(&scene.director)?.daemon.network_namespace.cookie;
    scene.director.stop()?;
    scene.director.rlvs("down")?;

    let mut daemon = run_by_ip_netns_exec(&scene)?;
    let pinned = format!("/sys/fs/bpf/rlvs/{cookie}");
    ensure!(Path::new(&pinned).exists(), "{pinned} is not there");
    scene.add_http(vip, "rr", &[1, 1])?;
    let download = scene.download(vip, 1)?;
    let rules = scene.director.ipvsadm("-Sn")?;
    daemon.kill9()?;
    ensure!(scene.ask(vip, 10)?.len() == 10, "it died with its daemon");

    let mut daemon = run_by_ip_netns_exec(&scene)?;
    ensure!(scene.director.ipvsadm("-Sn")? == rules);
    ensure!(scene.connection(vip, 1)?.state == "ESTABLISHED");
    daemon.kill9()?;
    // Whichever way the next one comes.
    scene.start()?;
    let (whole, _) = statistics(&scene.director, &http(vip))?;
    ensure!(whole.connections == 11, "{whole:?}");
    download.finish()?;
    scene.director.stop()?;
    ip_netns_exec(&scene.director.host, &["rlvs", "down"])?.success()?;
    ensure!(!Path::new(&pinned).exists(), "{pinned} is left");
    scene.expect_refused(vip)
}

/// The shell that it was started from, and what that saw, is gone when it ends.
#[test]
fn a_director_without_parents_is_removed_whole() -> Result<()> {
    let mut scene = Scene::new(Mode::Tc, 1)?;
    let cookie = status(&scene.director)?.daemon.network_namespace.cookie;
    scene.director.stop()?;
    scene.director.rlvs("down")?;
    let host = &scene.director.host;
    let line = format!(
        "ip netns exec {} rlvs run --config {} & wait",
        host.namespace(),
        scene.director.configuration_file()?.display(),
    );
    let mut shell = host.spawn("shell", "sh", ["-c", &line])?;
    shell.wait_until(SOON * 3, |it| {
        Ok(it.log().contains("the director is ready"))
    })?;
    shell.kill9()?;
    let pinned = format!("/sys/fs/bpf/rlvs/{cookie}");
    ensure!(Path::new(&pinned).exists(), "{pinned} is not there");
    scene.director.rlvs("stop --remove")?;
    ensure!(!Path::new(&pinned).exists(), "{pinned} is left");
    Ok(())
}

fn run_by_ip_netns_exec(scene: &Scene) -> Result<Process> {
    let host = &scene.director.host;
    let (namespace, file) = (host.namespace(), scene.director.configuration_file()?);
    let file = file.to_str().context("a path that is no text")?;
    let words = ["netns", "exec", &namespace, "rlvs", "run", "--config", file];
    let mut daemon = host.spawn("rlvs", "ip", words)?;
    daemon.wait_until(SOON * 3, |it| {
        Ok(it.log().contains("the director is ready"))
    })?;
    wait::until("it is attached", SOON, || {
        Ok(attachment(&scene.director, "eth0")? == Some(Attachment::Native))
    })?;
    Ok(daemon)
}

#[test]
fn an_interface_with_another_program_is_reported_and_left() -> Result<()> {
    let mut scene = Scene::new(Mode::Generic, 1)?;
    let second = Segment::new(&scene.lab, "second", 2)?;
    scene.director.host.join(&second, 5)?;
    let foreign = ForeignProgram::load(scene.lab.name())?;
    let host = &scene.director.host;
    let pin = foreign.pin().to_str().context("a path that is no text")?;
    host.run(
        "ip",
        ["link", "set", "dev", "eth1", "xdpgeneric", "pinned", pin],
    )?;
    let before = host.run("ip", ["-d", "link", "show", "dev", "eth1"])?;
    ensure!(before.contains("xdpgeneric"), "{before}");

    scene.director.stop()?;
    let configuration = Mode::Generic.configuration_of_all();
    scene.director.start_rlvs_with(&configuration)?;
    wait::until("eth1 is looked at", SOON, || {
        Ok(attachment(&scene.director, "eth1")?.is_some())
    })?;
    let interfaces = status(&scene.director)?.interfaces;
    let eth1 = interfaces.iter().find(|it| it.name == "eth1");
    let eth1 = eth1.context("no eth1")?;
    ensure!(
        eth1.attachment == Attachment::Detached,
        "the other program was pushed aside"
    );
    let reason = &eth1.reason;
    ensure!(
        reason.contains("another XDP program") && reason.contains("eth1"),
        "{reason}"
    );
    let host = &scene.director.host;
    ensure!(host.run("ip", ["-d", "link", "show", "dev", "eth1"])? == before);
    ensure!(attachment(&scene.director, "eth0")? == Some(Attachment::Generic));

    // And what it says helps.
    host.run("ip", ["link", "set", "dev", "eth1", "xdpgeneric", "off"])?;
    wait::until("eth1 is attached", SOON, || {
        Ok(attachment(&scene.director, "eth1")? == Some(Attachment::Generic))
    })
}

fn ip_netns_exec(host: &Host, words: &[&str]) -> Result<Finished> {
    let program = host.lab().directory().join("bin").join(words[0]);
    let mut ip = Command::new("ip");
    ip.args(["netns", "exec", &host.namespace()]);
    ip.arg(program).args(&words[1..]);
    command::finish(&mut ip, LIMIT)
}
