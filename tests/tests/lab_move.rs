//! Tables of other sizes, and packets that flow while everything moves there.

use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::{Director, Get, Masquerading, wait};
use rlvs_tests::in_both_modes;
use rlvs_tests::scene::stream::{streams, wait_for};
use rlvs_tests::scene::{
    Download, Mode, SOON, Scene, Stream, connections, counts, http, statistics, status,
    wait_attached,
};

in_both_modes!(connections_move, a_move_survives_its_daemon);

/// Connections, services and destinations there is room for.
type Sizes = (u32, u32, u32);

/// Addresses of the director inside that stand for clients.
const LOCALS: [&str; 2] = ["10.0.1.200", "fd00:0:0:1::200"];

const SMALL: Sizes = (3000, 40, 300);
const LARGE: Sizes = (200_000, 5000, 70_000);

fn configuration(mode: Mode, (connections, services, destinations): Sizes) -> String {
    let others = mode.configuration();
    let others = others.trim_start_matches("connections = 65536\n");
    format!(
        "connections = {connections}\nservices = {services}\ndestinations = {destinations}\n{others}"
    )
}

fn connections_move(mode: Mode) -> Result<()> {
    let mut scene = Scene::new(mode, 3)?;
    let vips = scene.vips();
    for (vip, persistence) in vips.into_iter().zip(["", "-p 600"]) {
        scene.add_http(vip, "wrr", &[3, 2, 1])?;
        let service = http(vip);
        scene
            .director
            .ipvsadm(&format!("-E {service} -s wrr {persistence}"))?;
    }
    let rules = scene.director.ipvsadm("-Sn")?;
    let mut streams = streams(&scene)?;
    let downloads: Vec<_> = vips
        .into_iter()
        .map(|vip| scene.download(vip, 1))
        .collect::<Result<_>>()?;
    let downloading = scene.downloading()?;
    for sizes in [LARGE, SMALL] {
        wait_for(&mut streams, 20)?;
        scene.director.kill9()?;
        scene
            .director
            .start_rlvs_with(&configuration(mode, sizes))?;
        wait_attached(&scene.director, "eth0", &mode.attachment())?;
        has_sizes(&scene.director, sizes)?;
        ensure!(scene.director.ipvsadm("-Sn")? == rules, "rules were lost");
        ensure!(scene.downloading()? == downloading);
        wait_for(&mut streams, 20)?;
        ensure!(tables(&scene.director)?.len() == 1, "old tables are left");
    }
    is_whole(&scene, streams)?;
    downloads.into_iter().try_for_each(Download::finish)?;
    ends_at_zero(&scene)
}

/// Whatever it was doing when it was killed, the next one goes on with it.
fn a_move_survives_its_daemon(mode: Mode) -> Result<()> {
    let mut scene = Scene::new(mode, 3)?;
    let vips = scene.vips();
    for vip in vips {
        scene.add_http(vip, "wrr", &[3, 2, 1])?;
    }
    let mut streams = streams(&scene)?;
    let download = scene.download(vips[0], 1)?;
    for (turn, delay) in (1..=8).map(|turn| (turn, 100 * turn)) {
        let sizes = if turn % 2 == 0 { SMALL } else { LARGE };
        scene.director.kill9()?;
        scene.director.spawn_rlvs(&configuration(mode, sizes))?;
        thread::sleep(Duration::from_millis(delay));
        wait_for(&mut streams, 5)?;
    }
    scene.director.kill9()?;
    scene
        .director
        .start_rlvs_with(&configuration(mode, SMALL))?;
    has_sizes(&scene.director, SMALL)?;
    wait_for(&mut streams, 20)?;
    ensure!(tables(&scene.director)?.len() == 1, "old tables are left");
    is_whole(&scene, streams)?;
    download.finish()?;
    ends_at_zero(&scene)
}

/// What is found by real servers' answers moves as well.
#[test]
fn answers_find_back_after_a_move() -> Result<()> {
    let mut lab = Masquerading::new(2)?;
    let [four, six] = LOCALS;
    lab.director.host.shell(&format!(
        "ip addr add {four}/32 dev eth1 && ip addr add {six}/128 dev eth1 nodad"
    ))?;
    lab.director.start_rlvs_with(&configuration_of_all(LARGE))?;
    let mut downloads = Vec::new();
    for vip in lab.vips() {
        for (port, method) in [(8080, "--fullnat"), (8081, "-m")] {
            serve(&lab, vip, port, method)?;
            let server = with_port(vip, port);
            let local = port + 1000 + 10 * u16::from(vip.is_ipv6());
            downloads.push(Download::start(&lab.client, &server, local)?);
        }
    }
    let before = established(&lab.director)?;
    ensure!(before.len() == downloads.len(), "{before:?}");
    for sizes in [SMALL, LARGE] {
        lab.director.kill9()?;
        lab.director.start_rlvs_with(&configuration_of_all(sizes))?;
        has_sizes(&lab.director, sizes)?;
        ensure!(established(&lab.director)? == before);
        for download in &mut downloads {
            let received = download.received();
            download.wait_for(received + (1 << 17))?;
        }
    }
    downloads.into_iter().try_for_each(Download::finish)
}

fn configuration_of_all(sizes: Sizes) -> String {
    configuration(Mode::Tc, sizes)
        .replace("names = [\"eth0\"]\n", "")
        .replace("mode = \"tc\"\n", "mode = \"auto\"\n")
}

/// Makes a service at `port` of `vip`, and waits until it answers.
fn serve(lab: &Masquerading, vip: IpAddr, port: u16, method: &str) -> Result<()> {
    let service = format!("-t {}", with_port(vip, port));
    lab.director.ipvsadm(&format!("-A {service} -s rr"))?;
    if method == "--fullnat" {
        let local = LOCALS[usize::from(vip.is_ipv6())];
        lab.director
            .ipvsadm(&format!("--add-laddr {service} --laddr {local}"))?;
    }
    for server in &lab.real_servers {
        let real = with_port(server.host.address().like(vip), 80);
        lab.director
            .ipvsadm(&format!("-a {service} -r {real} {method}"))?;
    }
    let get = Get::new(format!("http://{}/", with_port(vip, port)));
    wait::until("it answers", SOON, || Ok(get.once(&lab.client).is_ok()))
}

fn established(director: &Director) -> Result<Vec<(String, String)>> {
    let mut found: Vec<_> = connections(director)?
        .into_iter()
        .filter(|it| it.state == "ESTABLISHED")
        .map(|it| (it.client.to_string(), it.destination))
        .collect();
    found.sort();
    Ok(found)
}

/// Every request was answered, is counted, and has its connection; nothing was dropped but what is
/// sent again.
fn is_whole(scene: &Scene, streams: Vec<Stream>) -> Result<()> {
    for (vip, stream) in scene.vips().into_iter().zip(streams) {
        let requests: u32 = stream.finish()?.values().sum();
        let (whole, _) = statistics(&scene.director, &http(vip))?;
        let (active, inactive) = counts(&scene.director, &http(vip))?
            .values()
            .fold((0, 0), |(a, i), row| (a + row.0, i + row.1));
        // With a download, of one or of both.
        for counted in [whole.connections, u64::from(active + inactive)] {
            ensure!(
                counted.abs_diff(u64::from(requests)) <= 1,
                "{requests} requests, but {whole:?}, {active} and {inactive}"
            );
        }
    }
    let dropped = status(&scene.director)?.dropped;
    let mut dropped = dropped.iter().filter(|it| it.packets > 0);
    ensure!(dropped.all(|it| it.reason == "moving"), "{dropped:?}");
    Ok(())
}

fn has_sizes(director: &Director, (connections, ..): Sizes) -> Result<()> {
    for table in status(director)?.connections {
        let size = table.size as u32;
        ensure!(
            size.abs_diff(connections) < 100,
            "made for {size}, not {connections}"
        );
    }
    Ok(())
}

/// Folders with tables that are pinned.
fn tables(director: &Director) -> Result<Vec<String>> {
    let cookie = status(director)?.daemon.network_namespace.cookie;
    let pins = format!("/sys/fs/bpf/rlvs/{cookie}");
    let listed = director.host.run("ls", [pins])?;
    let listed = listed.lines().filter(|name| *name != "links");
    Ok(listed.map(str::to_owned).collect())
}

/// Counts are right for connections that came and went meanwhile.
fn ends_at_zero(scene: &Scene) -> Result<()> {
    scene.director.ipvsadm("--set 1 1 1")?;
    for vip in scene.vips() {
        let service = http(vip);
        wait::until("all counts are 0", SOON * 2, || {
            let rows = counts(&scene.director, &service).context("no counts")?;
            Ok(rows.values().all(|&row| row == (0, 0)))
        })?;
    }
    Ok(())
}
