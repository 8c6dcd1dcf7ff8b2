//! `rlvs doctor` names what is wrong with a machine, and the commands that it prints mend it.

use anyhow::{Context, Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::{Host, Segment, wait};
use rlvs_tests::foreign::ForeignProgram;
use rlvs_tests::scene::{Mode, SOON, Scene, attachment};
use serde_json::Value;

#[test]
fn a_director_that_is_well() -> Result<()> {
    let scene = Scene::new(Mode::Generic, 1)?;
    for vip in scene.vips() {
        scene.add_http(vip, "rr", &[1])?;
    }
    let host = &scene.director.host;
    let doctor = host.try_run("rlvs", ["doctor"])?;
    ensure!(doctor.status.code() == Some(0), "{}", doctor.stdout);
    ensure!(!doctor.stdout.contains("WARNING"), "{}", doctor.stdout);
    for id in ["director", "vip-local", "next-hop", "attachment"] {
        ensure!(
            severities(host, "", id)?.iter().all(|it| it == "ok"),
            "{id}"
        );
    }
    // Nobody masquerades, so nobody needs it.
    host.sysctl(&[("net.ipv4.ip_forward", "0")])?;
    ensure!(severities(host, "", "ip-forward")? == ["ok"]);
    Ok(())
}

#[test]
fn what_is_wrong_with_a_director_is_mended() -> Result<()> {
    let mut scene = Scene::new(Mode::Generic, 1)?;
    let second = Segment::new(&scene.lab, "second", 2)?;
    scene.director.host.join(&second, 5)?;
    let [vip4, vip6] = scene.vips();
    for vip in [vip4, vip6] {
        scene.add_http(vip, "rr", &[1])?;
    }
    let host = &scene.director.host;

    host.sysctl(&[("net.ipv4.conf.all.rp_filter", "1")])?;
    cured(host, "", "rp-filter")?;
    host.sysctl(&[
        ("net.ipv4.conf.all.rp_filter", "0"),
        ("net.ipv4.conf.eth1.rp_filter", "1"),
    ])?;
    cured(host, "", "rp-filter")?;

    masquerading(&scene)?;

    for (vip, length) in [(vip4, 32), (vip6, 128)] {
        host.shell(&format!("ip address del {vip}/{length} dev eth0"))?;
        cured(host, "", "vip-local")?;
    }

    // What a real server that became a director has.
    host.shell(&format!("ip address del {vip4}/32 dev eth0"))?;
    host.shell(&format!("ip address add {vip4}/32 dev lo"))?;
    host.sysctl(&[("net.ipv4.conf.all.arp_ignore", "1")])?;
    cured(host, "", "arp-ignore")?;

    host.sysctl(&[("net.ipv4.ip_forward", "1")])?;
    cured(host, "", "accept-local")
}

/// Clients and real servers are in one network here.
fn masquerading(scene: &Scene) -> Result<()> {
    let host = &scene.director.host;
    host.sysctl(&[("net.ipv4.ip_forward", "0")])?;
    ensure!(severities(host, "", "ip-forward")? == ["ok"]);
    let (service, real) = (
        with_port(scene.vips()[0], 81),
        scene.real(scene.vips()[0], 0),
    );
    scene.director.ipvsadm(&format!("-A -t {service} -s rr"))?;
    scene
        .director
        .ipvsadm(&format!("-a -t {service} -r {real} -m"))?;
    cured(host, "", "ip-forward")?;

    host.sysctl(&[("net.ipv4.conf.all.send_redirects", "1")])?;
    // It is looked at once the real server's interface is known.
    wait::until("redirects are found", SOON, || {
        Ok(faults(host, "", "send-redirects").is_ok_and(|faults| !faults.is_empty()))
    })?;
    cured(host, "", "send-redirects")?;
    scene
        .director
        .ipvsadm(&format!("-D -t {service}"))
        .map(drop)
}

#[test]
fn a_foreign_program_is_removed() -> Result<()> {
    let mut scene = Scene::new(Mode::Generic, 1)?;
    let second = Segment::new(&scene.lab, "second", 2)?;
    scene.director.host.join(&second, 5)?;
    let foreign = ForeignProgram::load(scene.lab.name())?;
    let pin = foreign.pin().display().to_string();
    for kind in ["xdpgeneric", "xdpdrv"] {
        scene.director.stop()?;
        let host = &scene.director.host;
        host.shell(&format!("ip link set dev eth1 {kind} pinned {pin}"))?;
        let configuration = Mode::Generic.configuration_of_all();
        scene.director.start_rlvs_with(&configuration)?;
        let host = &scene.director.host;
        wait::until("eth1 is known", SOON, || {
            Ok(attachment(&scene.director, "eth1")?.is_some())
        })?;
        ensure!(severities(host, "", "foreign-xdp")?.contains(&"error".to_owned()));
        cured(host, "", "foreign-xdp")?;
    }
    Ok(())
}

#[test]
fn the_daemon_may_be_gone() -> Result<()> {
    let mut scene = Scene::new(Mode::Native, 1)?;
    let host = &scene.director.host;
    // Its other end is the switch's.
    ensure!(severities(host, "", "veth-checksum")? == ["note"]);
    scene.director.stop()?;
    let host = &scene.director.host;
    ensure!(severities(host, "", "director")? == ["warning"]);
    // What it left behind is known for its own.
    ensure!(severities(host, "", "foreign-xdp")? == ["ok"]);

    host.run("rlvs", ["down"])?;
    ensure!(severities(host, "", "director")? == ["note"]);
    host.sysctl(&[
        ("net.ipv4.ip_forward", "0"),
        ("net.ipv6.conf.all.forwarding", "0"),
    ])?;
    cured(host, "", "ip-forward")?;
    cured(host, "", "ipv6-forward")?;
    host.sysctl(&[("net.ipv4.conf.eth0.forwarding", "0")])?;
    cured(host, "", "ip-forward")
}

#[test]
fn a_real_server() -> Result<()> {
    let scene = Scene::new(Mode::Generic, 1)?;
    let host = &scene.real_servers[0].host;
    let side = "--real-server";
    let doctor = host.try_run("rlvs", ["doctor", side])?;
    ensure!(doctor.status.code() == Some(0), "{}", doctor.stdout);

    host.sysctl(&[
        ("net.ipv4.conf.all.arp_ignore", "0"),
        ("net.ipv4.conf.all.arp_announce", "0"),
    ])?;
    host.shell(&format!("ip address del {}/32 dev lo", scene.vips()[0]))?;
    let doctor = host.try_run("rlvs", ["doctor", side])?;
    ensure!(doctor.status.code() == Some(1), "{}", doctor.stdout);
    for id in ["arp-ignore", "arp-announce", "vip-local"] {
        cured(host, side, id)?;
    }
    let doctor = host.try_run("rlvs", ["doctor", side])?;
    ensure!(doctor.status.code() == Some(0), "{}", doctor.stdout);

    let other = host.try_run("rlvs", ["doctor", side, "--vip", "10.0.0.101"])?;
    ensure!(
        other.stdout.contains("vip-local address 10.0.0.101"),
        "{}",
        other.stdout
    );
    Ok(())
}

/// Finds `id`, runs the commands that a person is shown for it, and finds it no more.
fn cured(host: &Host, side: &str, id: &str) -> Result<()> {
    let faults = faults(host, side, id)?;
    ensure!(!faults.is_empty(), "{id} is not found");
    let shown = host
        .try_run("bash", ["-c", &format!("rlvs doctor {side}")])?
        .stdout;
    ensure!(shown.contains(id), "{id} is not in:\n{shown}");
    for finding in &faults {
        let commands = finding["mend"].as_array();
        let commands = commands.with_context(|| format!("no command in {finding}"))?;
        for command in commands {
            let command = command.as_str().context("a command that is no text")?;
            ensure!(
                shown.contains(&format!("mend: {command}\n")),
                "{command} is not in:\n{shown}"
            );
            host.shell(command)?;
        }
    }
    wait::until(&format!("{id} is mended"), SOON, || {
        Ok(self::faults(host, side, id)?.is_empty())
    })
}

/// The findings of one check that are not ok.
fn faults(host: &Host, side: &str, id: &str) -> Result<Vec<Value>> {
    let mut findings = findings(host, side, id)?;
    findings.retain(|finding| finding["severity"] != "ok");
    Ok(findings)
}

fn severities(host: &Host, side: &str, id: &str) -> Result<Vec<String>> {
    let text = |finding: &Value| finding["severity"].as_str().map(str::to_owned);
    Ok(findings(host, side, id)?.iter().filter_map(text).collect())
}

fn findings(host: &Host, side: &str, id: &str) -> Result<Vec<Value>> {
    let output = host.try_run("bash", ["-c", &format!("rlvs doctor {side} --json")])?;
    let answer: Value = serde_json::from_str(&output.stdout).with_context(|| output.stderr)?;
    let found = answer["findings"].as_array().context("no findings")?;
    let found: Vec<_> = found.iter().filter(|it| it["id"] == id).cloned().collect();
    ensure!(!found.is_empty(), "{id} is not checked");
    Ok(found)
}
