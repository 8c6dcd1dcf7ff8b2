//! Real HTTP and DNS through the director: who answers, what is counted, what is left alone.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use rlvs_control::status::NextHop;
use rlvs_lab::address::with_port;
use rlvs_lab::{Address, Get, Process, wait};
use rlvs_tests::in_both_modes;
use rlvs_tests::scene::{
    Frames, Mode, Numbers, SOON, Scene, connections, counts, http, next_hop, statistics, status,
};

in_both_modes!(
    http_by_every_scheduler,
    dns_sticks_to_the_client_port,
    options_and_extensions_are_balanced,
    what_is_no_service_is_the_directors_own,
);

const REQUESTS: u32 = 60;
/// Scheduler, weights of rs1 to rs3, and how many requests of 60 each is to have.
const SHARES: [(&str, [u32; 3], [u32; 3]); 4] = [
    ("rr", [1, 1, 1], [20, 20, 20]),
    ("wrr", [3, 2, 1], [30, 20, 10]),
    ("lc", [1, 1, 1], [20, 20, 20]),
    ("wlc", [3, 2, 1], [30, 20, 10]),
];

fn http_by_every_scheduler(mode: Mode) -> Result<()> {
    let scene = Scene::new(mode, 3)?;
    // Each scheduler has virtual addresses of its own, so nobody's connections count for others.
    for (number, (scheduler, weights, shares)) in (101..).zip(SHARES) {
        let vips = Address::new(0, number).both();
        scene.director.add_vips(&vips)?;
        for server in &scene.real_servers {
            server.up(&vips)?;
        }
        for vip in vips {
            balance(&scene, vip, scheduler, weights, shares)
                .with_context(|| format!("{scheduler} at {vip}"))?;
        }
    }
    for vip in scene.vips() {
        rotation(&scene, vip)?;
        open_connections_are_spread(&scene, vip)?;
    }
    ends_at_zero(&scene)
}

/// Exact shares, and exact counters.
fn balance(
    scene: &Scene,
    vip: IpAddr,
    scheduler: &str,
    weights: [u32; 3],
    shares: [u32; 3],
) -> Result<()> {
    scene.add_http(vip, scheduler, &weights)?;
    let service = http(vip);
    let frames = Frames::count(
        &scene.client,
        &format!("dst host {vip} and tcp dst port 80"),
    )?;
    let expected: BTreeMap<_, _> = (1..).map(|n| format!("rs{n}")).zip(shares).collect();
    let answered = scene.shares(vip, REQUESTS)?;
    ensure!(answered == expected, "{answered:?}");

    let (packets, bytes) = finish(frames, scene, &service)?;
    let (whole, each) = statistics(&scene.director, &service)?;
    let sent = Numbers {
        connections: REQUESTS.into(),
        packets,
        bytes,
    };
    ensure!(whole == sent, "{whole:?}, but {sent:?} were sent");
    ensure!(sum(each.values()) == whole, "{each:?} is not {whole:?}");
    for (number, share) in shares.into_iter().enumerate() {
        let counted = each[&scene.real(vip, number)].connections;
        ensure!(counted == u64::from(share), "server {number}: {counted}");
    }
    for (real, (active, inactive)) in counts(&scene.director, &service)? {
        let share = expected[&scene.name_of(&real)?];
        ensure!(
            (active, inactive) == (0, share),
            "{real}: {active}, {inactive}"
        );
    }
    Ok(())
}

/// Packets and bytes that were sent: at least those that the service has counted.
fn finish(frames: Frames, scene: &Scene, service: &str) -> Result<(u64, u64)> {
    let (whole, _) = statistics(&scene.director, service)?;
    frames.finish(whole.packets)
}

fn sum<'a>(numbers: impl Iterator<Item = &'a Numbers>) -> Numbers {
    numbers.fold(Numbers::default(), |sum, next| Numbers {
        connections: sum.connections + next.connections,
        packets: sum.packets + next.packets,
        bytes: sum.bytes + next.bytes,
    })
}

/// As IPVS goes round: from the destination that was added last to the first.
fn rotation(scene: &Scene, vip: IpAddr) -> Result<()> {
    scene.add_http(vip, "rr", &[1, 1, 1])?;
    let answers = scene.ask(vip, 6)?;
    ensure!(
        answers == ["rs3", "rs2", "rs1", "rs3", "rs2", "rs1"],
        "{answers:?}"
    );
    Ok(())
}

/// Least connections sees what is still open: one download each.
fn open_connections_are_spread(scene: &Scene, vip: IpAddr) -> Result<()> {
    scene.director.ipvsadm(&format!("-E {} -s lc", http(vip)))?;
    let mut downloads = Vec::new();
    for number in 1..=3 {
        downloads.push(scene.download(vip, number)?);
    }
    let counts = counts(&scene.director, &http(vip))?;
    ensure!(
        counts.values().all(|&(active, _)| active == 1),
        "{counts:?}"
    );
    Ok(())
}

/// Short timeouts hold for connections that are there already, and every count goes back to 0.
fn ends_at_zero(scene: &Scene) -> Result<()> {
    scene.director.ipvsadm("--set 1 1 1")?;
    // A reset connection has IPVS's own 10 s.
    wait::until("all counts are 0", SOON * 2, || {
        let services = status(&scene.director)?.services;
        let mut rows = services.iter().flat_map(|service| &service.destinations);
        ensure!(rows.clone().count() == 30, "{services:?}");
        Ok(rows.all(|it| (it.active_connections, it.inactive_connections) == (0, 0)))
    })?;
    let listed = scene.director.ipvsadm("-Ln")?;
    let rows = listed.lines().filter_map(|line| line.strip_prefix("  -> "));
    let at_zero = rows.filter(|row| row.trim_end().ends_with(&format!("0{:10}0", "")));
    ensure!(at_zero.count() == 30, "{listed}");
    wait::until("no connection is left", SOON, || {
        let entries = status(&scene.director)?.connections;
        Ok(connections(&scene.director)?.is_empty()
            && entries.iter().all(|table| table.entries == 0))
    })
}

/// Client ports that ask the name server.
const PORTS: std::ops::Range<u16> = 20_000..20_010;

fn dns_sticks_to_the_client_port(mode: Mode) -> Result<()> {
    let scene = Scene::new(mode, 2)?;
    for (vip, client) in scene.vips().into_iter().zip(scene.client.address().both()) {
        let service = format!("-u {}", with_port(vip, 53));
        scene.director.ipvsadm(&format!("-A {service} -s rr"))?;
        for server in &scene.real_servers {
            let real = with_port(server.host.address().like(vip), 53);
            scene
                .director
                .ipvsadm(&format!("-a {service} -r {real} -g"))?;
            wait::until("the server is known", SOON, || {
                let hop = next_hop(&scene.director, &real)?;
                Ok(matches!(hop, NextHop::Resolved { .. }))
            })?;
        }
        scene.director.ipvsadm("--set 0 0 60")?;
        let first = ask_dns(&scene, vip, client)?;
        let again = ask_dns(&scene, vip, client)?;
        ensure!(first == again, "{first:?} became {again:?}");
        let by_turns: Vec<_> = ["rs2", "rs1"]
            .into_iter()
            .cycle()
            .take(PORTS.len())
            .collect();
        ensure!(first == by_turns, "{first:?}");

        let (whole, _) = statistics(&scene.director, &service)?;
        ensure!((whole.connections, whole.packets) == (10, 20), "{whole:?}");
        let listed = counts(&scene.director, &service)?;
        ensure!(listed.values().all(|&(a, i)| a + i == 5), "{listed:?}");
        // It holds for those that are there.
        scene.director.ipvsadm("--set 0 0 2")?;
        wait::until("UDP connections end", SOON, || {
            let counts = counts(&scene.director, &service)?;
            Ok(counts.values().all(|&row| row == (0, 0)))
        })?;
    }
    Ok(())
}

/// Who answers each client port.
fn ask_dns(scene: &Scene, vip: IpAddr, client: IpAddr) -> Result<Vec<String>> {
    let ask = |port| {
        let (from, at) = (format!("{client}#{port}"), format!("@{vip}"));
        let words = [
            "-b", &from, "+short", "+tries=1", "+time=3", &at, "who.lab", "TXT",
        ];
        let answer = scene.client.run("dig", words)?;
        Ok(answer.trim().trim_matches('"').to_owned())
    };
    PORTS.map(ask).collect()
}

/// Router alert in IPv4, four bytes of padding as hop-by-hop options in IPv6, in every packet.
fn options_and_extensions_are_balanced(mode: Mode) -> Result<()> {
    let scene = Scene::new(mode, 2)?;
    let cases = [
        (
            scene.vips()[0],
            "TCP4",
            "ipoptions=x94040000",
            "ip[0] & 15 > 5",
        ),
        (
            scene.vips()[1],
            "TCP6",
            "setsockopt-listen=41:54:x0000010400000000",
            "ip6[6] == 0",
        ),
    ];
    for (vip, protocol, option, filter) in cases {
        scene.add_http(vip, "rr", &[1, 1])?;
        let frames = Frames::count(&scene.client, &format!("dst host {vip} and {filter}"))?;
        let address = with_port(vip, 80);
        let mut answers = Vec::new();
        for _ in 0..4 {
            let line = format!(
                "printf 'GET /who HTTP/1.0\\r\\n\\r\\n' | \
                 socat -T 5 - '{protocol}:{address},{option}'"
            );
            let answer = scene.client.shell(&line)?;
            answers.push(answer.lines().last().unwrap_or_default().to_owned());
        }
        ensure!(answers == ["rs2", "rs1", "rs2", "rs1"], "{answers:?}");
        let (packets, bytes) = finish(frames, &scene, &http(vip))?;
        let (whole, _) = statistics(&scene.director, &http(vip))?;
        let sent = Numbers {
            connections: 4,
            packets,
            bytes,
        };
        ensure!(whole == sent, "{whole:?}, but {sent:?} were sent");
    }
    Ok(())
}

/// Another port of the virtual address, echo requests, and packets of no connection.
fn what_is_no_service_is_the_directors_own(mode: Mode) -> Result<()> {
    let scene = Scene::new(mode, 1)?;
    let _nginx = own_nginx(&scene)?;
    // Neighbour discovery for the virtual address is ICMPv6, too.
    let [v4, v6] = scene.vips();
    let icmp = format!("(icmp and dst host {v4}) or (icmp6 and dst host {v6})");
    let icmp = Frames::count(&scene.client, &icmp)?;
    for vip in scene.vips() {
        scene.add_http(vip, "rr", &[1])?;
        let url = format!("http://{}/", with_port(vip, 8080));
        let get = Get::new(&url);
        let [own, _] = scene.director.host.address().both();
        // Not by the virtual address, for the program is on lo as well, and counts.
        let ready = Get::new(format!("http://{}/", with_port(own, 8080)));
        wait::until("nginx on the director", SOON, || {
            Ok(ready.once(&scene.director.host).is_ok())
        })?;
        let answers = get.times(&scene.client, 20)?;
        ensure!(answers == vec!["director"; 20], "{answers:?}");
        ensure!(scene.ask(vip, 3)? == vec!["rs1"; 3]);
        ping(&scene, vip)?;
        let (whole, _) = statistics(&scene.director, &http(vip))?;
        ensure!(whole.connections == 3, "{whole:?}");
    }
    let passed = status(&scene.director)?.passed;
    let passed = |reason: &str| {
        passed
            .iter()
            .find(|it| it.reason == reason)
            .map(|it| it.packets)
    };
    let [services, connections, protocols] =
        ["no-service", "no-connection", "protocol"].map(|reason| passed(reason).unwrap_or(0));
    ensure!(services == 2 * 20, "{services} SYNs to no service");
    ensure!(connections >= 2 * 20 * 3, "{connections} later packets");
    let (sent, _) = icmp.finish(protocols.max(2))?;
    ensure!(protocols == sent, "{protocols} of {sent} ICMP packets");
    Ok(())
}

/// One echo request; the reply's type comes after the header that IPv4 leaves on.
fn ping(scene: &Scene, vip: IpAddr) -> Result<()> {
    let (request, address, reply) = match vip {
        IpAddr::V4(vip) => (
            "\\x08\\0\\xf7\\xfe\\0\\0\\0\\x01",
            format!("IP4:{vip}:1"),
            " 00 00 ff fe 00",
        ),
        IpAddr::V6(vip) => (
            "\\x80\\0\\0\\0\\0\\0\\0\\x01",
            format!("IP6:[{vip}]:58"),
            " 81 00 ",
        ),
    };
    let line = format!("printf '{request}' | socat -t 0.5 - {address} | od -An -v -w128 -tx1");
    let answer = scene.client.shell(&line)?;
    ensure!(answer.contains(reply), "no echo from {vip}: {answer}");
    Ok(())
}

fn own_nginx(scene: &Scene) -> Result<Process> {
    let host = &scene.director.host;
    let directory = host.directory()?;
    let file = directory.join("nginx.conf");
    fs::write(
        &file,
        "daemon off; user root; worker_processes 1; pid nginx.pid; error_log stderr warn;
         events { worker_connections 128; }
         http { access_log off; client_body_temp_path body; proxy_temp_path proxy;
                fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                server { listen 8080; listen [::]:8080 ipv6only=on;
                         location / { return 200 'director\\n'; } } }",
    )?;
    let (directory, file) = (directory.display().to_string(), file.display().to_string());
    host.spawn("nginx", "nginx", ["-p", &directory, "-c", &file])
}
