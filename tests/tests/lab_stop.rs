//! What becomes of forwarding when the daemon ends: by choice it goes on, drains, or is removed.

use std::fs;

use anyhow::{Context, Result, ensure};
use rlvs_lab::wait;
use rlvs_tests::scene::{Held, Mode, SOON, Scene};
use rustix::process::Signal;

const GONE: &str = "There was nothing of a director here.\n";

/// A director that serves, with a file that says what becomes of it.
fn scene(stop: &str) -> Result<Scene> {
    let mut scene = Scene::new(Mode::Tc, 2)?;
    let vip = scene.vips()[0];
    scene.director.ipvsadm("--set 0 2 0")?;
    scene.add_http(vip, "rr", &[1, 1])?;
    apply(&mut scene, stop)?;
    Ok(scene)
}

fn apply(scene: &mut Scene, stop: &str) -> Result<()> {
    let file = scene.director.configuration_file()?;
    let text = Mode::Tc.configuration();
    fs::write(&file, format!("{text}{stop}"))?;
    let applied = format!("apply {}", file.display());
    scene.director.rlvs(&applied).map(drop)
}

fn terminate(scene: &mut Scene) -> Result<()> {
    let daemon = scene.director.daemon().context("no daemon")?;
    daemon.signal(Signal::TERM)
}

fn wait_for_end(scene: &mut Scene) -> Result<()> {
    let daemon = scene.director.daemon().context("no daemon")?;
    ensure!(daemon.wait(SOON)?.success(), "{}", daemon.log());
    Ok(())
}

#[test]
fn it_drains() -> Result<()> {
    let mut scene = scene("[stop]\nforwarding = \"drain\"\n")?;
    let vip = scene.vips()[0];
    let held = Held::open(&scene, vip)?;
    terminate(&mut scene)?;
    wait::until("nobody new is served", SOON, || {
        Ok(scene.get(vip).once(&scene.client).is_err())
    })?;
    let refused = scene.director.try_ipvsadm("-A -t 192.0.2.1:80")?;
    ensure!(
        refused.stderr.contains("The director ends"),
        "{}",
        refused.stderr
    );
    // Who dies meanwhile has changed nothing.
    scene.director.kill9()?;
    scene.start()?;
    ensure!(scene.shares(vip, 4)?.len() == 2);

    let serving = held.destination(&scene)?;
    apply(&mut scene, "[stop]\nforwarding = \"drain\"\n")?;
    terminate(&mut scene)?;
    wait::until("nobody new is served", SOON, || {
        Ok(scene.get(vip).once(&scene.client).is_err())
    })?;
    ensure!(held.destination(&scene)? == serving);
    held.close()?;
    wait_for_end(&mut scene)?;
    ensure!(scene.director.rlvs("down")? == GONE);
    scene.expect_refused(vip)
}

#[test]
fn it_is_removed_or_left() -> Result<()> {
    let mut scene = scene("[stop]\nforwarding = \"remove\"\n")?;
    let vip = scene.vips()[0];
    let held = Held::open(&scene, vip)?;
    terminate(&mut scene)?;
    wait_for_end(&mut scene)?;
    ensure!(scene.director.rlvs("down")? == GONE);
    scene.expect_refused(vip)?;
    drop(held);

    // Who is told twice does not wait.
    scene.start()?;
    scene.add_http(vip, "rr", &[1, 1])?;
    apply(
        &mut scene,
        "[stop]\nforwarding = \"drain\"\ndrain_timeout = 3600\n",
    )?;
    let held = Held::open(&scene, vip)?;
    terminate(&mut scene)?;
    wait::until("nobody new is served", SOON, || {
        Ok(scene.get(vip).once(&scene.client).is_err())
    })?;
    terminate(&mut scene)?;
    wait_for_end(&mut scene)?;
    ensure!(scene.director.rlvs("down")? == GONE);
    drop(held);

    scene.start()?;
    scene.add_http(vip, "rr", &[1, 1])?;
    terminate(&mut scene)?;
    wait_for_end(&mut scene)?;
    ensure!(scene.shares(vip, 4)?.len() == 2, "it goes on");
    Ok(())
}

#[test]
fn a_command_ends_it() -> Result<()> {
    let mut scene = scene("")?;
    let vip = scene.vips()[0];
    let told = scene.director.rlvs("stop")?;
    ensure!(
        told == "The daemon has ended; forwarding goes on.\n",
        "{told}"
    );
    wait_for_end(&mut scene)?;
    ensure!(scene.shares(vip, 4)?.len() == 2, "it goes on");

    scene.start()?;
    let held = Held::open(&scene, vip)?;
    let told = scene.director.rlvs("stop --drain 3")?;
    ensure!(
        told == "No new connections; those there are have 3 seconds.\n\
                 The daemon has ended, and forwarding with it.\n",
        "{told}"
    );
    wait_for_end(&mut scene)?;
    ensure!(scene.director.rlvs("down")? == GONE);
    drop(held);
    scene.expect_refused(vip)
}
