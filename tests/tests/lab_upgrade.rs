//! The daemon is killed, restarted, and replaced by one with other tables, and by one of another version,
//! under load: no request fails, no connection is reset, and counters go on.

use std::net::IpAddr;

use anyhow::{Result, ensure};
use rlvs_lab::director;
use rlvs_tests::in_both_modes;
use rlvs_tests::scene::{
    Download, Idle, Load, Mode, Reuse, Scene, Stream, http, statistics, status, wait_attached,
};

in_both_modes!(nobody_notices);

/// Connections that must have begun before it goes on with something else.
const SOME: u64 = 2000;
const IDLE: u32 = 5;

fn nobody_notices(mode: Mode) -> Result<()> {
    let other_version = director::other_layout()?;
    let mut scene = Scene::new(mode, 3)?;
    let [loaded, other] = scene.vips();
    for vip in [loaded, other] {
        scene.add_http(vip, "wrr", &[3, 2, 1])?;
    }
    // The client stands for many, and has their ports again soon: each use of one is a connection.
    scene
        .director
        .rlvs("sysctl -w net.ipv4.vs.conn_reuse_mode=3")?;
    let idle: Vec<_> = [loaded, other]
        .into_iter()
        .flat_map(|vip| (0..IDLE).map(move |number| (vip, number)))
        .map(|(vip, number)| Idle::open(&scene.client, vip, number))
        .collect::<Result<_>>()?;
    let downloads = [scene.download(loaded, 1)?, scene.download(other, 1)?];
    let mut stream = Stream::start(&scene.client, other)?;
    let reuse = Reuse::start(&scene.client, other)?;
    let mut load = Load::start(&scene.client, loaded)?;
    some(&scene, loaded, &mut load)?;

    let usual = mode.configuration();
    let large = usual.replace("connections = 65536", "connections = 300000");
    let killed = |scene: &mut Scene| scene.director.kill9();
    let stopped = |scene: &mut Scene| scene.director.stop();
    type End = fn(&mut Scene) -> Result<()>;
    let ours = None;
    let theirs = Some(&other_version);
    for (ends, version, begins) in [
        (killed as End, ours, &usual),
        (stopped, ours, &usual),
        (killed, ours, &large),
        (stopped, ours, &usual),
        // Records are larger, and in another order.
        (killed, theirs, &usual),
        (stopped, theirs, &usual),
        (killed, ours, &usual),
        (stopped, theirs, &large),
        (stopped, ours, &usual),
    ] {
        ends(&mut scene)?;
        some_without_daemon(&mut stream)?;
        match version {
            Some(program) => scene.director.start_other_with(program, begins)?,
            None => scene.director.start_rlvs_with(begins)?,
        }
        wait_attached(&scene.director, "eth0", &mode.attachment())?;
        some(&scene, loaded, &mut load)?;
    }

    let answered = load.finish()?;
    stream.finish()?;
    ensure!(reuse.finish()? > 400, "too few ports came again");
    idle.into_iter().try_for_each(Idle::finish)?;
    downloads.into_iter().try_for_each(Download::finish)?;
    let (whole, _) = statistics(&scene.director, &http(loaded))?;
    let expected = answered.requests + u64::from(IDLE) + 1;
    // A port may come again before its last connection is over here: then it is the same one.
    let slack = answered.open + answered.requests / 1000;
    ensure!(
        expected.abs_diff(whole.connections) <= slack,
        "{answered:?}, but {whole:?}"
    );
    let dropped = status(&scene.director)?.dropped;
    let mut dropped = dropped.iter().filter(|it| it.packets > 0);
    ensure!(dropped.all(|it| it.reason == "moving"), "{dropped:?}");
    Ok(())
}

/// Waits until some connections have come.
fn some(scene: &Scene, vip: IpAddr, load: &mut Load) -> Result<()> {
    let count = || -> Result<u64> { Ok(statistics(&scene.director, &http(vip))?.0.connections) };
    let before = count()?;
    load.wait_until(|| Ok(count()? >= before + SOME))
}

fn some_without_daemon(stream: &mut Stream) -> Result<()> {
    stream.wait_for(20)
}
