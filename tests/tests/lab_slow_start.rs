//! A destination that comes later gets its share slowly, whether or not the daemon lives on.

use anyhow::{Context as _, Result, ensure};
use rlvs_control::status::SlowStart;
use rlvs_lab::wait;
use rlvs_tests::scene::{Mode, SOON, Scene, http, status};

#[test]
fn a_late_destination_starts_slowly() -> Result<()> {
    let mut scene = Scene::new(Mode::Tc, 2)?;
    let vip = scene.vips()[0];
    let service = http(vip);
    let rules = format!(
        "-A {service} -s wrr --slow-start 600\n-a {service} -r {} -g -w 1\n",
        scene.real(vip, 0)
    );
    let restore = format!("ipvsadm -R <<'END'\n{rules}END");
    scene.director.host.run("bash", ["-c", &restore])?;
    scene.wait_mac(vip, 0, SOON)?;
    ensure!(starting(&scene)?.is_none(), "it came with its service");
    ensure!(scene.director.ipvsadm("-Sn")? == rules);
    scene.add_server(vip, 1, 1)?;
    expect_little(&scene, vip)?;
    scene.director.kill9()?;
    scene.start()?;
    expect_little(&scene, vip)?;
    let listing = scene.director.ipvsadm(&format!("-Ln {service}"))?;
    ensure!(listing.matches("Route   1 ").count() == 2, "{listing}");

    scene
        .director
        .ipvsadm(&format!("-E {service} -s wrr --slow-start 2"))?;
    wait::until(
        "it has its weight",
        SOON,
        || Ok(starting(&scene)?.is_none()),
    )?;
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let shares = scene.shares(vip, 20)?;
    ensure!(shares.values().all(|share| *share == 10), "{shares:?}");
    Ok(())
}

/// One part of 65 for the first ten seconds, a few in the minute after them.
fn expect_little(scene: &Scene, vip: std::net::IpAddr) -> Result<()> {
    let start = starting(scene)?.context("it does not start slowly")?;
    ensure!(start.percent < 20, "{start:?}");
    let shares = scene.shares(vip, 20)?;
    let got = shares.get("rs2").copied().unwrap_or(0);
    ensure!(got <= 4, "{shares:?}");
    Ok(())
}

fn starting(scene: &Scene) -> Result<Option<SlowStart>> {
    let services = status(&scene.director)?.services;
    let mut destinations = services.iter().flat_map(|it| &it.destinations);
    Ok(destinations.find_map(|it| it.slow_start))
}
