//! Rules changed while traffic flows: weights, schedulers, destinations and services that go and
//! come back.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use rlvs_lab::wait;
use rlvs_tests::in_both_modes;
use rlvs_tests::scene::{
    Download, Mode, Numbers, SOON, Scene, connections, counts, dropped, http, statistics, status,
};

in_both_modes!(
    weights_and_schedulers_change_under_traffic,
    weight_zero_keeps_what_is_established,
    a_removed_destination_comes_back_with_its_connections,
    a_removed_service_comes_back_with_its_connections,
);

fn weights_and_schedulers_change_under_traffic(mode: Mode) -> Result<()> {
    let scene = Scene::new(mode, 2)?;
    for vip in scene.vips() {
        scene.add_http(vip, "wrr", &[1, 1])?;
        let service = http(vip);
        let download = scene.download(vip, 1)?;
        let kept = scene.connection(vip, 1)?;
        share(&scene, vip, [20, 20])?;
        let real = scene.real(vip, 0);
        scene
            .director
            .ipvsadm(&format!("-e {service} -r {real} -g -w 3"))?;
        share(&scene, vip, [30, 10])?;
        scene.director.ipvsadm(&format!("-E {service} -s rr"))?;
        share(&scene, vip, [20, 20])?;
        ensure!(scene.connection(vip, 1)? == kept);
        drop(download);
        scene.director.ipvsadm(&format!("-D {service}"))?;
    }
    Ok(())
}

/// 40 requests, shared so, give or take what an earlier round had begun.
fn share(scene: &Scene, vip: IpAddr, expected: [u32; 2]) -> Result<()> {
    let shares = scene.shares(vip, 40)?;
    for (name, expected) in ["rs1", "rs2"].into_iter().zip(expected) {
        let got = shares.get(name).copied().unwrap_or(0);
        ensure!(
            got.abs_diff(expected) <= 2,
            "{shares:?}, not {expected} of {name}"
        );
    }
    Ok(())
}

fn weight_zero_keeps_what_is_established(mode: Mode) -> Result<()> {
    let scene = Scene::new(mode, 2)?;
    for vip in scene.vips() {
        scene.add_http(vip, "wrr", &[1, 1])?;
        let service = http(vip);
        let mut download = scene.download(vip, 1)?;
        let draining = scene.connection(vip, 1)?.destination;
        let weigh = |real: &str, weight| {
            let line = format!("-e {service} -r {real} -g -w {weight}");
            scene.director.ipvsadm(&line).map(drop)
        };
        weigh(&draining, 0)?;
        let other = scene.name_of(&draining)?;
        let answers = scene.ask(vip, 20)?;
        ensure!(
            !answers.contains(&other),
            "{other} has weight 0: {answers:?}"
        );

        for number in 0..2 {
            weigh(&scene.real(vip, number), 0)?;
        }
        let before = dropped(&scene.director, "no-destination")?;
        let get = scene.get(vip).limit(Duration::from_millis(500));
        ensure!(get.once(&scene.client).is_err(), "all have weight 0");
        ensure!(dropped(&scene.director, "no-destination")? > before);
        ensure!(download.is_running()?, "it must outlast the changes");
        download.finish()?;

        weigh(&draining, 1)?;
        ensure!(scene.ask(vip, 3)? == vec![other; 3]);
    }
    Ok(())
}

fn a_removed_destination_comes_back_with_its_connections(mode: Mode) -> Result<()> {
    let scene = Scene::new(mode, 2)?;
    for vip in scene.vips() {
        scene.add_http(vip, "rr", &[1, 1])?;
        let service = http(vip);
        let mut download = scene.download(vip, 1)?;
        let connection = scene.connection(vip, 1)?;
        let real = connection.destination.clone();
        let name = scene.name_of(&real)?;
        let counted = statistics(&scene.director, &service)?.0.connections;

        scene.director.ipvsadm(&format!("-d {service} -r {real}"))?;
        expect_stalled(&scene, &mut download)?;
        let answers = scene.ask(vip, 10)?;
        ensure!(!answers.contains(&name), "{name} is removed: {answers:?}");
        ensure!(counts(&scene.director, &service)?.len() == 1);
        ensure!(scene.connection(vip, 1)? == connection, "it is only idle");

        scene
            .director
            .ipvsadm(&format!("-a {service} -r {real} -g"))?;
        ensure!(counts(&scene.director, &service)?[&real] == (1, 0));
        ensure!(scene.connection(vip, 1)? == connection);
        download.finish()?;
        let whole = statistics(&scene.director, &service)?.0;
        ensure!(whole.connections == counted + 10, "{whole:?}");
    }
    Ok(())
}

fn a_removed_service_comes_back_with_its_connections(mode: Mode) -> Result<()> {
    let scene = Scene::new(mode, 2)?;
    for (vip, removal) in scene.vips().into_iter().zip(["-D", "-C"]) {
        scene.add_http(vip, "rr", &[1, 1])?;
        let service = http(vip);
        let mut download = scene.download(vip, 1)?;
        let connection = scene.connection(vip, 1)?;
        match removal {
            "-C" => scene.director.ipvsadm("-C")?,
            _ => scene.director.ipvsadm(&format!("-D {service}"))?,
        };
        ensure!(scene.director.ipvsadm("-Sn")?.is_empty());
        ensure!(status(&scene.director)?.services.is_empty());
        expect_stalled(&scene, &mut download)?;
        scene.expect_refused(vip)?;
        ensure!(connections(&scene.director)?.contains(&connection));

        scene.add_http(vip, "rr", &[1, 1])?;
        let (whole, each) = statistics(&scene.director, &service)?;
        ensure!(
            whole.connections == 0,
            "a new service counts anew: {whole:?}"
        );
        ensure!(each.values().all(|numbers| numbers.connections == 0));
        ensure!(counts(&scene.director, &service)?[&connection.destination] == (1, 0));
        download.finish()?;
        ensure!(scene.ask(vip, 4)?.len() == 4);
        let (whole, each) = statistics(&scene.director, &service)?;
        let sum = each.values().fold(Numbers::default(), |sum, it| Numbers {
            connections: sum.connections + it.connections,
            packets: sum.packets + it.packets,
            bytes: sum.bytes + it.bytes,
        });
        ensure!(
            whole == sum && whole.connections == 4,
            "{whole:?}, {each:?}"
        );
        scene.director.ipvsadm("-C")?;
    }
    Ok(())
}

/// Packets of a connection whose destination was removed are dropped, counted by that reason, and
/// the connection waits.
fn expect_stalled(scene: &Scene, download: &mut Download) -> Result<()> {
    let before = dropped(&scene.director, "destination-gone")?;
    wait::until("packets are dropped", SOON, || {
        Ok(dropped(&scene.director, "destination-gone")? > before)
    })?;
    let mut received = download.received();
    wait::until("nothing comes any more", SOON, || {
        std::thread::sleep(Duration::from_millis(300));
        let before = std::mem::replace(&mut received, download.received());
        Ok(before == received)
    })?;
    ensure!(download.is_running()?, "it ended before its destination");
    Ok(())
}
