//! Rules saved and restored, and what persistence and thresholds do with real connections.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use rlvs_lab::{Process, wait};
use rlvs_tests::in_both_modes;
use rlvs_tests::scene::{Mode, SOON, Scene, connections, counts, dropped, http};

in_both_modes!(
    a_persistent_client_stays_with_its_server,
    thresholds_turn_connections_away,
);

const RULES: &str = "-A -t 10.0.0.100:80 -s wrr
-a -t 10.0.0.100:80 -r 10.0.0.12:80 -g -w 3 -x 100 -y 50
-a -t 10.0.0.100:80 -r 10.0.0.11:8080 -g -w 0
-A -u 10.0.0.100:53 -s rr -p 60 -M 255.255.255.0
-a -u 10.0.0.100:53 -r 10.0.0.11:53 -g -w 65535
-A -t [fd00::100]:443 -s lc -p 300 -M 64
-a -t [fd00::100]:443 -r [fd00::11]:443 -g -w 1
-A -u [fd00::100]:53 -s wlc
";

#[test]
fn what_is_saved_is_what_is_restored() -> Result<()> {
    let scene = Scene::new(Mode::Generic, 1)?;
    let host = &scene.director.host;
    let file = host.directory()?.join("rules");
    fs::write(&file, RULES)?;
    host.shell(&format!("ipvsadm -R < {}", file.display()))?;
    let saved = host.shell("ipvsadm -Sn")?;
    ensure!(saved.lines().count() == RULES.lines().count(), "{saved}");
    let listed = host.shell("ipvsadm -Ln; ipvsadm -Ln --thresholds")?;

    host.shell("ipvsadm -Sn > saved && ipvsadm -C && ipvsadm -R < saved; rm saved")?;
    ensure!(host.shell("ipvsadm -Sn")? == saved);
    ensure!(host.shell("ipvsadm -Ln; ipvsadm -Ln --thresholds")? == listed);
    // By names where there are some, and back.
    host.shell("ipvsadm -S > saved && ipvsadm -C && ipvsadm -R < saved; rm saved")?;
    ensure!(host.shell("ipvsadm -Sn")? == saved);
    Ok(())
}

#[test]
fn a_wrong_line_restores_nothing() -> Result<()> {
    let scene = Scene::new(Mode::Generic, 1)?;
    let host = &scene.director.host;
    scene.add_http(scene.vips()[0], "rr", &[1])?;
    let before = scene.director.ipvsadm("-Sn")?;
    let wrong = [
        // Not to be understood, refused by the director.
        "-A -t 10.0.0.100:99 -s rr\n-A -t 10.0.0.100:notaport -s rr\n",
        "-A -t 10.0.0.100:99 -s rr\n-a -t 10.0.0.100:98 -r 10.0.0.11:80 -g\n",
        "-D -t 10.0.0.100:80\n-A -t 10.0.0.100:99 -s nosuch\n",
    ];
    let file = host.directory()?.join("rules");
    for rules in wrong {
        fs::write(&file, rules)?;
        let line = format!("ipvsadm -R < {}", file.display());
        let ended = host.try_run("bash", ["-c", &line])?;
        ensure!(!ended.status.success(), "{rules} was taken");
        ensure!(ended.stderr.contains("line 2"), "{rules}{}", ended.stderr);
        ensure!(
            scene.director.ipvsadm("-Sn")? == before,
            "{rules} did something"
        );
    }
    ensure!(scene.ask(scene.vips()[0], 3)?.len() == 3);
    Ok(())
}

fn a_persistent_client_stays_with_its_server(mode: Mode) -> Result<()> {
    let scene = Scene::new(mode, 3)?;
    let others: [[IpAddr; 3]; 2] = [
        [
            "10.0.0.201".parse()?,
            "10.0.0.202".parse()?,
            "10.0.0.203".parse()?,
        ],
        [
            "fd00::201".parse()?,
            "fd00::202".parse()?,
            "fd00::203".parse()?,
        ],
    ];
    for (vip, clients) in scene.vips().into_iter().zip(others) {
        scene.add_http(vip, "rr", &[1, 1, 1])?;
        let service = http(vip);
        scene
            .director
            .ipvsadm(&format!("-E {service} -s rr -p 2"))?;
        let mut of_clients = BTreeMap::new();
        for client in clients {
            scene.client.add_address(client, "eth0")?;
            let get = scene.get(vip).from_address(client);
            let answers = get.times(&scene.client, 8)?;
            ensure!(
                answers.windows(2).all(|two| two[0] == two[1]),
                "{answers:?}"
            );
            of_clients.insert(answers[0].clone(), client);
        }
        ensure!(of_clients.len() == 3, "not by turns: {of_clients:?}");

        let templates: Vec<_> = connections(&scene.director)?
            .into_iter()
            .filter(|it| it.virtual_address.ip() == vip && it.client.port() == 0)
            .collect();
        ensure!(templates.len() == 3, "{templates:?}");
        for template in &templates {
            let name = scene.name_of(&template.destination)?;
            ensure!(of_clients[&name] == template.client.ip(), "{template:?}");
        }
        // A template lives as long as its connections, and then its own time.
        scene.director.ipvsadm("--set 1 1 1")?;
        wait::until("connections and templates end", SOON * 2, || {
            let left = connections(&scene.director)?;
            Ok(left.iter().all(|it| it.virtual_address.ip() != vip))
        })?;
        let rows = counts(&scene.director, &service)?;
        ensure!(rows.values().all(|&row| row == (0, 0)), "{rows:?}");
        scene.director.ipvsadm("--set 900 120 300")?;
    }
    Ok(())
}

fn thresholds_turn_connections_away(mode: Mode) -> Result<()> {
    let scene = Scene::new(mode, 2)?;
    for vip in scene.vips() {
        scene.add_http(vip, "rr", &[1, 1])?;
        let service = http(vip);
        for (number, limits) in ["-x 3 -y 2", "-x 2 -y 1"].into_iter().enumerate() {
            let real = scene.real(vip, number);
            scene
                .director
                .ipvsadm(&format!("-e {service} -r {real} -g -w 1 {limits}"))?;
        }
        let open = (1..=5)
            .map(|number| open_connection(&scene, vip, number))
            .collect::<Result<Vec<_>>>()?;
        let rows = counts(&scene.director, &service)?;
        ensure!(rows[&scene.real(vip, 0)] == (3, 0), "{rows:?}");
        ensure!(rows[&scene.real(vip, 1)] == (2, 0), "{rows:?}");

        let before = dropped(&scene.director, "no-destination")?;
        let get = scene.get(vip).limit(Duration::from_millis(500));
        ensure!(get.once(&scene.client).is_err(), "both are overloaded");
        ensure!(dropped(&scene.director, "no-destination")? > before);
        let rows = counts(&scene.director, &service)?;
        ensure!(
            rows.values().map(|row| row.0 + row.1).sum::<u32>() == 5,
            "{rows:?}"
        );

        // Free again once enough connections have ended, not before.
        drop(open);
        scene.director.ipvsadm("--set 1 1 1")?;
        wait::until("connections are taken again", SOON * 2, || {
            Ok(get.once(&scene.client).is_ok())
        })?;
        scene.director.ipvsadm("--set 900 120 300")?;
        scene.director.ipvsadm(&format!("-D {service}"))?;
    }
    Ok(())
}

/// The service's connection of this number, from 1 on: nothing is said in it, so it closes with a
/// FIN, and not with a reset, for whose end one waits longer.
fn open_connection(scene: &Scene, vip: IpAddr, number: u32) -> Result<Process> {
    let open = format!("exec 3<>/dev/tcp/{vip}/80; exec sleep 60");
    let name = format!("open-{number}");
    let client = scene.client.spawn(&name, "bash", ["-c", &open])?;
    wait::until("the connection is active", SOON, || {
        let rows = counts(&scene.director, &http(vip))?;
        Ok(rows.values().map(|row| row.0).sum::<u32>() == number)
    })?;
    Ok(client)
}
