//! Real servers in network namespaces of the tests' own.

mod segment;

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use rlvs_realserver::{Error, Report, Wanted, down, status, up};
use segment::{Namespace, segment};

const V4: &str = "192.0.2.100";
const OTHER: &str = "192.0.2.101";
const V6: &str = "2001:db8::100";

fn wanted(vips: &[&str]) -> Wanted {
    Wanted {
        vips: vips.iter().map(|vip| vip.parse().unwrap()).collect(),
        ..Wanted::default()
    }
}

fn bring_up(server: &Namespace, vips: &[&str]) {
    server.run(async || up(&wanted(vips)).await).unwrap();
}

fn take_down(server: &Namespace, vips: &[&str]) {
    server.run(async || down(&wanted(vips)).await).unwrap();
}

fn state(server: &Namespace, vips: &[&str]) -> Report {
    server.run(async || status(&wanted(vips)).await).unwrap()
}

fn settings(server: &Namespace) -> [String; 4] {
    [
        "all/arp_ignore",
        "lo/arp_ignore",
        "all/arp_announce",
        "lo/arp_announce",
    ]
    .map(|setting| server.setting(setting))
}

#[test]
fn up_status_and_down_restore_what_was_there() {
    let Some((server, _client)) = segment() else {
        return;
    };
    server.set("all/arp_announce", "1");
    assert!(!state(&server, &[V4]).right);
    bring_up(&server, &[V4, V6]);
    assert_eq!(settings(&server), ["1", "1", "2", "2"]);
    let report = state(&server, &[V4, V6]);
    assert!(report.right, "{report}");
    bring_up(&server, &[V4, V6]);
    bring_up(&server, &[OTHER]);
    assert!(state(&server, &[]).right);
    take_down(&server, &[V4]);
    assert_eq!(
        settings(&server),
        ["1", "1", "2", "2"],
        "another VIP needs them"
    );
    take_down(&server, &[OTHER, V6]);
    assert_eq!(settings(&server), ["0", "0", "1", "0"]);
    assert!(!server.ip("addr show dev lo").contains(".10"));
    take_down(&server, &[OTHER]);
    let nothing = server.run(async || status(&Wanted::default()).await);
    assert!(matches!(nothing, Err(Error::NoVip)));
}

#[test]
fn nobody_on_the_segment_hears_of_the_vip() {
    let Some((server, client)) = segment() else {
        return;
    };
    server.ip(&format!("addr add {V4}/32 dev lo"));
    assert!(client.hears_of(V4), "Linux answers where nothing is set");
    server.set("eth0/arp_ignore", "3");
    bring_up(&server, &[V4, V6]);
    assert!(!client.hears_of(V4));
    assert!(!client.hears_of(V6));
    assert!(
        client.hears_of("192.0.2.2"),
        "for its own address it answers"
    );
    assert!(client.hears_of("2001:db8::2"));
    server.set("eth0/arp_ignore", "3");
    assert!(client.hears_of(V4), "3 undoes it");
    let text = state(&server, &[V4]).to_string();
    assert!(
        text.contains("WRONG  net.ipv4.conf.eth0.arp_ignore"),
        "{text}"
    );
    take_down(&server, &[]);
    assert_eq!(server.setting("eth0/arp_ignore"), "3");
}

#[test]
fn a_solicitation_to_the_servers_own_mac_is_not_answered_for_the_vip() {
    let Some((server, client)) = segment() else {
        return;
    };
    bring_up(&server, &[V6]);
    let mac = server.mac();
    client.ip(&format!(
        "neigh replace {V6} lladdr {mac} dev eth0 nud probe"
    ));
    std::thread::sleep(Duration::from_secs(4));
    assert!(
        client
            .ip(&format!("neigh show {V6} dev eth0"))
            .contains("FAILED")
    );
    take_down(&server, &[]);
}

#[test]
fn what_the_director_sends_is_served_with_no_further_route() {
    let Some((server, client)) = segment() else {
        return;
    };
    bring_up(&server, &[V4, V6]);
    let mac = server.mac();
    for vip in [V4, V6] {
        client.ip(&format!(
            "neigh replace {vip} lladdr {mac} dev eth0 nud permanent"
        ));
        let address = SocketAddr::new(vip.parse::<IpAddr>().unwrap(), 8080);
        let listener = server.within(|| TcpListener::bind(address).unwrap());
        // A link-local address is tentative at first, and the server asks for the client from it.
        let limit = Duration::from_secs(10);
        let mut stream = client.within(|| TcpStream::connect_timeout(&address, limit).unwrap());
        let (mut accepted, peer) = listener.accept().unwrap();
        assert_eq!(peer.ip(), stream.local_addr().unwrap().ip());
        accepted.write_all(b"served").unwrap();
        drop(accepted);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "served");
    }
    take_down(&server, &[]);
}

#[test]
fn each_namespace_has_a_state_of_its_own() {
    let Some((server, client)) = segment() else {
        return;
    };
    bring_up(&server, &[V4]);
    let other = client.run(async || status(&Wanted::default()).await);
    assert!(matches!(other, Err(Error::NoVip)));
    take_down(&server, &[]);
}

#[test]
fn a_vip_of_another_interface_is_refused_and_nothing_changed() {
    let Some((server, _client)) = segment() else {
        return;
    };
    let refused = server.run(async || up(&wanted(&["192.0.2.2"])).await);
    assert!(
        matches!(refused, Err(Error::OnAnotherInterface { .. })),
        "{refused:?}"
    );
    assert_eq!(settings(&server), ["0", "0", "0", "0"]);
    let mut named = wanted(&[V4]);
    named.interface = Some("eth7".into());
    let refused = server.run(async || up(&named).await);
    assert!(
        matches!(refused, Err(Error::NoSuchInterface(_))),
        "{refused:?}"
    );
}

#[test]
fn the_commands_of_the_report_mend_what_is_wrong() {
    let Some((server, _client)) = segment() else {
        return;
    };
    let broken = state(&server, &[V4, V6]);
    for command in broken.checks.iter().flat_map(|check| &check.mend) {
        let (tool, arguments) = command.split_once(' ').unwrap();
        match tool {
            "ip" => _ = server.ip(arguments),
            _ => {
                let (key, value) = arguments
                    .split_once("net.ipv4.conf.")
                    .unwrap()
                    .1
                    .split_once('=')
                    .unwrap();
                server.set(&key.replace('.', "/"), value);
            }
        }
    }
    let mended = state(&server, &[V4, V6]);
    assert!(!broken.right && mended.right, "{mended}");
}
