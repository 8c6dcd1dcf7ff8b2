//! `rlvs proc` against what Debian's 6.1 kernel had in /proc/net after the same commands and packets.

use std::net::SocketAddr;
use std::path::Path;

use rlvs::proc::{File, write};
use rlvs_control::listing::Statistics;
use rlvs_control::{ConnectionEntry, Director, Overall};

use crate::bench::{Bench, Memory};

#[test]
fn services_are_as_the_kernel_shows_them() {
    // In the order in which the kernel's hash table had the services.
    let mut bench = Bench::<Memory>::default();
    for line in [
        "-A -u 192.0.2.1:53 -s rr -o",
        "-a -u 192.0.2.1:53 -r 10.0.0.7 -i",
        "-A -t 192.0.2.1:80",
        "-a -t 192.0.2.1:80 -r 10.0.0.1:8080 -m",
        "-a -t 192.0.2.1:80 -r 10.0.0.2:80 -w 22",
        "-a -t 192.0.2.1:80 -r 10.0.0.200:8080 -m -x 20 -y 3",
        "-A --sctp-service 192.0.2.2:3868 -s rr -p 9",
        "-A -t [2001:db8::80]:443 -s sh -b sh-fallback,sh-port -p 300 -M 64",
        "-a -t [2001:db8::80]:443 -r [2001:db8::a0a0]:443 -m",
        "-A -f 7 -s wrr -p 77 -M 255.255.255.0",
        "-a -f 7 -r 127.0.0.1",
        "-A -f 8 -6 -s rr -b flag-1,flag-2",
        "-A -f 9 -s rr -b flag-3",
    ] {
        bench.make(&format!("ipvsadm {line}"));
    }
    assert_eq!(shown(File::IpVs, &mut bench.director), recorded("ip_vs"));
    // Recorded as well: only IPv6 addresses hide that each packet is scheduled for itself.
    bench.make("ipvsadm -C");
    bench.make("ipvsadm -A -u [fd00::100]:53 -s rr -o");
    bench.make("ipvsadm -A -f 10 -s rr -o");
    let shown = shown(File::IpVs, &mut bench.director);
    assert!(
        shown.ends_with(
            "UDP  [fd00:0000:0000:0000:0000:0000:0000:0100]:0035 rr \nFWM  0000000A rr ops \n"
        ),
        "{shown}"
    );
}

#[test]
fn connections_are_as_the_kernel_shows_them() {
    let mut director = Memory {
        connections: connections(),
        ..Memory::default()
    };
    for (file, name) in [
        (File::IpVsConn, "ip_vs_conn"),
        (File::IpVsConnSync, "ip_vs_conn_sync"),
    ] {
        assert_eq!(shown(file, &mut director), recorded(name));
    }
}

#[test]
fn statistics_are_as_the_kernel_shows_them() {
    let counted = |connections, packets_in, bytes_in| Statistics {
        connections,
        packets_in,
        bytes_in,
        ..Statistics::default()
    };
    let mut director = Memory {
        overall: Overall {
            statistics: Statistics {
                connections_rate: 1,
                packets_in_rate: 1,
                bytes_in_rate: 0x2b,
                ..counted(7, 10, 0x247)
            },
            cpus: vec![counted(4, 5, 0x111), counted(3, 5, 0x136)],
        },
        ..Memory::default()
    };
    for (file, name) in [
        (File::IpVsStats, "ip_vs_stats"),
        (File::IpVsStatsPercpu, "ip_vs_stats_percpu"),
        (File::IpVsApp, "ip_vs_app"),
    ] {
        assert_eq!(shown(file, &mut director), recorded(name));
    }
}

fn shown(file: File, director: &mut dyn Director) -> String {
    let mut output = Vec::new();
    write(file, director, &mut output).unwrap();
    String::from_utf8(output).unwrap()
}

fn recorded(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/proc");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// What `ipvsadm -Lc` listed at that time.
fn connections() -> Vec<ConnectionEntry> {
    let entry = |(protocol, client, virtual_address, destination, state, expires): Row| {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        ConnectionEntry {
            protocol: protocol.to_owned(),
            state: state.to_owned(),
            expires,
            client: at(client),
            virtual_address: at(virtual_address),
            destination: at(destination),
            local: None,
            learned: false,
            persistence_engine: None,
        }
    };
    let mut entries: Vec<_> = ROWS.into_iter().map(entry).collect();
    entries[2].persistence_engine = Some(("sip".to_owned(), "abc@host".to_owned()));
    entries
}

type Row = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    u32,
);

#[rustfmt::skip]
const ROWS: [Row; 9] = [
    ("TCP", "10.0.0.2:60372", "10.0.0.100:80", "10.0.0.11:8080", "SYN_RECV", 51),
    ("UDP", "10.0.0.2:47845", "10.0.0.100:53", "10.0.0.11:53", "UDP", 296),
    ("UDP", "10.0.0.2:0", "10.0.0.100:5060", "10.0.0.11:5060", "NONE", 59),
    ("TCP", "10.0.0.2:38790", "10.0.0.100:81", "10.0.0.11:81", "SYN_RECV", 53),
    ("UDP", "[fd00::11]:59990", "[fd00::100]:55", "10.0.0.11:55", "UDP", 298),
    ("IP", "10.0.0.2:0", "0.0.0.7:0", "10.0.0.11:0", "NONE", 25),
    ("TCP", "[fd00::11]:42770", "[fd00::100]:80", "[fd00::11]:8080", "SYN_RECV", 55),
    ("TCP", "10.0.0.2:0", "10.0.0.100:80", "10.0.0.11:8080", "NONE", 90),
    ("TCP", "[fd00::]:0", "[fd00::100]:80", "[fd00::11]:8080", "NONE", 94),
];
