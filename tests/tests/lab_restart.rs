//! The daemon dies or is stopped, and nobody notices; `rlvs down` ends it all.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use rlvs_control::status::Attachment;
use rlvs_lab::{Director, wait};
use rlvs_tests::in_both_modes;
use rlvs_tests::scene::stream::{streams, wait_for};
use rlvs_tests::scene::{
    Mode, SOON, Scene, Stream, attachment, connections, counts, http, statistics, status,
};

in_both_modes!(a_killed_daemon_is_missed_by_nobody, down_leaves_nothing);

/// Wherever its program was before: no packet finds none.
#[test]
fn another_mode_after_a_restart() -> Result<()> {
    let mut scene = Scene::new(Mode::Native, 2)?;
    let vip = scene.vips()[0];
    scene.add_http(vip, "rr", &[1, 1])?;
    let mut stream = Stream::start(&scene.client, vip)?;
    let download = scene.download(vip, 1)?;
    for mode in [Mode::Tc, Mode::Generic, Mode::Native, Mode::Generic] {
        scene.restart(mode)?;
        stream.wait_for(20)?;
    }
    stream.finish()?;
    download.finish()?;
    let status = status(&scene.director)?;
    let eth0 = status.interfaces.iter().find(|it| it.name == "eth0");
    let eth0 = eth0.context("no eth0")?;
    ensure!(eth0.reason == "asked for in rlvs.toml", "{}", eth0.reason);
    ensure!(status.dropped.iter().all(|it| it.packets == 0));
    let links = format!(
        "/sys/fs/bpf/rlvs/{}/links",
        status.daemon.network_namespace.cookie
    );
    let left = scene.director.host.run("ls", [links])?;
    let left: Vec<_> = left.lines().collect();
    // Loopback's is always the same.
    ensure!(
        matches!(left[..], ["1-tc", eth0] if eth0.ends_with("-generic")),
        "{left:?}"
    );
    Ok(())
}

fn a_killed_daemon_is_missed_by_nobody(mode: Mode) -> Result<()> {
    let mut scene = Scene::new(mode, 3)?;
    let vips = scene.vips();
    for vip in vips {
        scene.add_http(vip, "wrr", &[3, 2, 1])?;
    }
    scene.director.ipvsadm("--set 800 70 200")?;
    scene.director.rlvs("sysctl -w net.ipv4.vs.sloppy_tcp=1")?;
    let settings = scene.director.rlvs("sysctl")?;
    ensure!(settings.contains("sloppy_tcp = 1\n"), "{settings}");
    let rules = scene.director.ipvsadm("-Sn")?;
    let mut streams = streams(&scene)?;
    let mut downloads = Vec::new();
    for vip in vips {
        downloads.push(scene.download(vip, 1)?);
    }
    wait_for(&mut streams, 20)?;
    let downloading = scene.downloading()?;

    scene.director.kill9()?;
    expect_unreachable(&scene.director)?;
    wait_for(&mut streams, 60)?;
    scene.start()?;
    ensure!(scene.director.ipvsadm("-Sn")? == rules, "rules were lost");
    let timeouts = scene.director.ipvsadm("-L --timeout")?;
    ensure!(timeouts.contains("800 70 200"), "{timeouts}");
    ensure!(
        scene.director.rlvs("sysctl")? == settings,
        "settings were lost"
    );
    ensure!(scene.downloading()? == downloading, "{downloading:?}");
    wait_for(&mut streams, 60)?;

    // Now with a change in between, which the dead daemon had acknowledged.
    scene
        .director
        .ipvsadm(&format!("-E {} -s rr", http(vips[0])))?;
    let rules = scene.director.ipvsadm("-Sn")?;
    scene.director.kill9()?;
    wait_for(&mut streams, 20)?;
    scene.start()?;
    ensure!(scene.director.ipvsadm("-Sn")? == rules, "a change was lost");
    wait_for(&mut streams, 20)?;

    for (vip, stream) in vips.into_iter().zip(streams) {
        let requests: u32 = stream.finish()?.values().sum();
        let (whole, _) = statistics(&scene.director, &http(vip))?;
        ensure!(
            whole.connections == u64::from(requests) + 1,
            "{requests} requests and a download, but {whole:?}"
        );
        let (active, inactive) = counts(&scene.director, &http(vip))?
            .values()
            .fold((0, 0), |(a, i), row| (a + row.0, i + row.1));
        ensure!(
            active + inactive == requests + 1,
            "{requests} requests, but {active} and {inactive}"
        );
    }
    for download in downloads {
        download.finish()?;
    }
    ensure!(
        status(&scene.director)?
            .dropped
            .iter()
            .all(|it| it.packets == 0)
    );
    ends_at_zero(&scene)
}

/// Counts are right for connections that came while no daemon was there to see them.
fn ends_at_zero(scene: &Scene) -> Result<()> {
    scene.director.ipvsadm("--set 1 1 1")?;
    wait::until("all counts are 0", SOON * 2, || {
        let mut rows = Vec::new();
        for vip in scene.vips() {
            rows.extend(counts(&scene.director, &http(vip))?.into_values());
        }
        Ok(rows.len() == 6 && rows.iter().all(|&row| row == (0, 0)))
    })?;
    ensure!(connections(&scene.director)?.is_empty());
    Ok(())
}

fn expect_unreachable(director: &Director) -> Result<()> {
    for line in ["-Ln", "-C"] {
        let ended = director.try_ipvsadm(line)?;
        ensure!(ended.status.code() == Some(2), "{}", ended.status);
        ensure!(!ended.stderr.trim().is_empty());
        ensure!(ended.stdout.is_empty(), "{}", ended.stdout);
    }
    Ok(())
}

fn down_leaves_nothing(mode: Mode) -> Result<()> {
    let mut scene = Scene::new(mode, 2)?;
    let vips = scene.vips();
    for vip in vips {
        scene.add_http(vip, "rr", &[1, 1])?;
        scene.ask(vip, 4)?;
    }
    let cookie = status(&scene.director)?.daemon.network_namespace.cookie;
    let pinned = format!("/sys/fs/bpf/rlvs/{cookie}");
    let state = format!("/run/rlvs/{cookie}");
    ensure!(Path::new(&pinned).exists() && Path::new(&state).exists());

    let refusal = scene.director.host.try_run("rlvs", ["down"])?;
    let daemon = scene.director.daemon().context("no daemon")?;
    let pid = daemon.id().to_string();
    ensure!(
        !refusal.status.success() && refusal.stderr.contains(&pid),
        "{}",
        refusal.stderr
    );

    daemon.signal(rustix::process::Signal::TERM)?;
    let ended = daemon.wait(SOON)?;
    ensure!(ended.success(), "{ended}");
    expect_unreachable(&scene.director)?;
    for vip in vips {
        ensure!(scene.ask(vip, 10)?.len() == 10, "forwarding has ended");
    }
    scene.start()?;
    for vip in vips {
        let (whole, _) = statistics(&scene.director, &http(vip))?;
        ensure!(whole.connections == 14, "{whole:?}");
    }

    scene.director.stop()?;
    scene.director.rlvs("down")?;
    ensure!(!Path::new(&pinned).exists(), "{pinned} is left");
    ensure!(!Path::new(&state).exists(), "{state} is left");
    let host = &scene.director.host;
    let link = host.run("ip", ["-d", "link", "show", "dev", "eth0"])?;
    ensure!(!link.contains("xdp"), "{link}");
    let sockets = host.run("cat", ["/proc/thread-self/net/unix"])?;
    ensure!(!sockets.contains("rlvs"), "{sockets}");
    let neighbours = host.run("ip", ["neigh", "show"])?;
    ensure!(!neighbours.contains("managed"), "{neighbours}");
    for vip in vips {
        scene.expect_refused(vip)?;
    }
    let again = scene.director.rlvs("down")?;
    ensure!(again.contains("nothing"), "{again}");

    // What comes after it begins anew.
    scene.start()?;
    ensure!(scene.director.ipvsadm("-Sn")?.is_empty());
    ensure!(connections(&scene.director)?.is_empty());
    ensure!(attachment(&scene.director, "eth0")? == Some(mode.attachment()));
    let loopback = attachment(&scene.director, "lo")?;
    ensure!(loopback == Some(Attachment::Tc), "{loopback:?}");
    Ok(())
}
