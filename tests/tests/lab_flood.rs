//! A flood of SYNs from senders that do not exist, with a connection table that is full of them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_control::status::ConnectionTable;
use rlvs_lab::{Director, Process, wait};
use rlvs_tests::in_both_modes;
use rlvs_tests::scene::{Mode, Scene, Stream, status, wait_attached};

in_both_modes!(who_is_there_stays_and_who_comes_is_let_in);

/// Packets, which are many times as many as the table has room for.
const FLOOD: u32 = 120_000;
const LIMIT: Duration = Duration::from_secs(90);

fn who_is_there_stays_and_who_comes_is_let_in(mode: Mode) -> Result<()> {
    let mut scene = Scene::new(mode, 2)?;
    scene.director.stop()?;
    scene.director.rlvs("down")?;
    let small = mode.configuration().replace("65536", "2048");
    scene.director.start_rlvs_with(&small)?;
    wait_attached(&scene.director, "eth0", &mode.attachment())?;
    let vip = scene.vips()[0];
    scene.add_http(vip, "wlc", &[1, 1])?;

    let download = scene.download(vip, 1)?;
    let before = scene.connection(vip, 1)?;
    let mut flood = flood(&scene)?;
    flood.wait_until(LIMIT, |_| Ok(table(&scene.director)?.evicted > 0))?;
    let mut clients = Stream::start(&scene.client, vip)?;
    let status = flood.wait(LIMIT)?;
    clients.wait_for(20)?;
    let answered = clients.finish()?;
    let table = table(&scene.director)?;
    println!("{mode:?}: hping3 {status}, {table:?}, answered {answered:?}");

    ensure!(table.evicted > u64::from(FLOOD) / 4, "{table:?}");
    ensure!(answered.len() == 2, "balanced all the time: {answered:?}");
    let now = scene.connection(vip, 1)?;
    ensure!(now.destination == before.destination, "{now:?}");
    download.finish()?;
    defences_go_on(&mut scene, &small)
}

/// While memory is short; also of a daemon that begins anew, and not for longer.
fn defences_go_on(scene: &mut Scene, configuration: &str) -> Result<()> {
    let director = &mut scene.director;
    director.rlvs("sysctl -w drop_entry=1 drop_packet=1 secure_tcp=2")?;
    modes_are(director, 2)?;
    director.kill9()?;
    director.start_rlvs_with(configuration)?;
    modes_are(director, 2)?;
    wait::until("the flood is thinned", LIMIT, || {
        Ok(table(director)?.thinned > 0)
    })?;
    director.rlvs("sysctl -w amemthresh=0")?;
    wait::until("memory is not short", LIMIT, || {
        Ok(modes(director)? == "1\n1\n1\n")
    })
}

fn modes_are(director: &Director, mode: u8) -> Result<()> {
    let modes = modes(director)?;
    ensure!(modes == format!("{mode}\n").repeat(3), "{modes}");
    Ok(())
}

fn modes(director: &Director) -> Result<String> {
    director.rlvs("sysctl -n drop_entry drop_packet secure_tcp")
}

/// hping3 from the client's host; the real servers have no way to answer.
fn flood(scene: &Scene) -> Result<Process> {
    let (count, vip) = (FLOOD.to_string(), scene.vip4().to_string());
    let words = [
        "60",
        "hping3",
        "--rand-source",
        "--syn",
        "--destport",
        "80",
        "--interval",
        "u1",
        "--quiet",
        "--count",
        &count,
        &vip,
    ];
    scene.client.spawn("flood", "timeout", words)
}

fn table(director: &Director) -> Result<ConnectionTable> {
    let tables = status(director)?.connections;
    tables.into_iter().next().context("a table for IPv4")
}
