//! The laboratory by itself, without a director: its parts work, and nothing of it remains.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Result;
use rlvs_lab::capture::Capture;
use rlvs_lab::counters::Counters;
use rlvs_lab::real_server::dig;
use rlvs_lab::{Get, Host, Lab, RealServer, Segment, wait, warden};

fn client_and_server(lab: &Lab) -> Result<(Host, RealServer)> {
    let switch = Segment::new(lab, "switch", 0)?;
    let mut client = Host::new(lab, "client")?;
    client.join(&switch, 2)?;
    let mut server = Host::new(lab, "rs1")?;
    server.join(&switch, 11)?;
    Ok((client, RealServer::start(server)?))
}

#[test]
fn a_real_server_says_who_it_is_over_both_families() -> Result<()> {
    let lab = Lab::new()?;
    let (client, server) = client_and_server(&lab)?;
    let address = server.host.address();
    assert_eq!(
        Get::new(format!("http://{}/who", address.v4)).once(&client)?,
        "rs1\n"
    );
    assert_eq!(
        Get::new(format!("http://[{}]/", address.v6)).once(&client)?,
        "rs1\n"
    );
    assert_eq!(dig(&client, address.v6, "TXT")?, "rs1");
    assert_eq!(dig(&client, address.v4, "A")?, address.v4.to_string());

    let from = Get::new(format!("http://[{}]/client", address.v6)).from_port(4000);
    assert_eq!(
        from.once(&client)?,
        format!("{} 4000\n", client.address().v6)
    );
    Ok(())
}

#[test]
fn requests_and_frames_are_counted() -> Result<()> {
    let lab = Lab::new()?;
    let (client, server) = client_and_server(&lab)?;
    let address = server.host.address();
    let before = Counters::read(&client, "eth0")?;
    let capture = Capture::start(
        &client,
        "eth0",
        "tcp src port 80 and tcp[tcpflags] & tcp-syn != 0",
    )?;
    let answers = Get::new(format!("http://{}/who", address.v4)).times(&client, 30)?;
    assert_eq!(answers, vec!["rs1"; 30]);

    let sources = capture.sources()?;
    assert_eq!(sources.get(&address.mac), Some(&30));
    assert!(
        Counters::read(&client, "eth0")?
            .since(before)
            .received_packets
            >= 90
    );
    Ok(())
}

#[test]
fn a_real_server_goes_and_comes_back_as_another_machine() -> Result<()> {
    let lab = Lab::new()?;
    let switch = Segment::new(&lab, "switch", 0)?;
    let mut client = Host::new(&lab, "client")?;
    client.join(&switch, 2)?;
    let mut host = Host::new(&lab, "rs1")?;
    let address = host.join(&switch, 11)?.v4.to_string();
    let mut server = RealServer::start(host)?;
    let get = Get::new(format!("http://{address}/")).limit(Duration::from_secs(1));
    get.once(&client)?;

    switch.set_plugged(&server.host, false)?;
    assert!(get.once(&client).is_err());
    server.host.set_mac("02:00:0a:00:0a:11")?;
    switch.set_plugged(&server.host, true)?;
    client.run("ip", ["neigh", "flush", "dev", "eth0"])?;
    wait::until("an answer", Duration::from_secs(20), || {
        Ok(get.once(&client).is_ok())
    })?;
    let neighbour = client.run("ip", ["neigh", "show", &address])?;
    assert!(
        neighbour.contains(&server.host.address().mac),
        "{neighbour}"
    );
    Ok(())
}

#[test]
fn nothing_is_left_of_a_lab() -> Result<()> {
    let lab = Lab::new()?;
    let (client, server) = client_and_server(&lab)?;
    let (name, pid) = (lab.name().to_owned(), server.nginx.id());
    assert!(warden::exists(&name));
    drop((lab, client, server));
    assert!(!warden::exists(&name));
    assert!(!fs::exists(format!("/proc/{pid}"))?);
    Ok(())
}

#[test]
fn a_lab_that_is_kept_lives_on_until_it_is_removed() -> Result<()> {
    let lab = Lab::new()?;
    let (client, server) = client_and_server(&lab)?;
    let (name, pid) = (lab.name().to_owned(), server.nginx.id());
    lab.keep()?;
    drop((lab, client, server));
    assert!(warden::exists(&name));
    assert!(fs::read_to_string(format!("/proc/{pid}/comm"))?.starts_with("nginx"));
    warden::remove(&name)?;
    assert!(!warden::exists(&name));
    Ok(())
}

/// The owner of this lab is this very test, in another process, which is killed.
#[test]
fn nothing_is_left_of_a_lab_whose_owner_is_killed() -> Result<()> {
    const FILE: &str = "RLVS_LAB_NAME_FILE";
    if let Some(file) = std::env::var_os(FILE) {
        let lab = Lab::new()?;
        let parts = client_and_server(&lab)?;
        fs::write(file, lab.name())?;
        std::thread::sleep(Duration::from_secs(60));
        drop(parts);
        return Ok(());
    }
    let file = tempfile::NamedTempFile::new()?;
    let mut owner = Command::new(std::env::current_exe()?)
        .args(["--exact", "nothing_is_left_of_a_lab_whose_owner_is_killed"])
        .env(FILE, file.path())
        .stdout(Stdio::null())
        .spawn()?;
    let name = || fs::read_to_string(file.path());
    wait::until("the lab is built", Duration::from_secs(60), || {
        Ok(!name()?.is_empty())
    })?;
    let name = name()?;
    assert!(warden::exists(&name));
    owner.kill()?;
    owner.wait()?;
    wait::until("the lab is removed", Duration::from_secs(20), || {
        Ok(!warden::exists(&name))
    })
}

#[test]
fn waiting_ends_at_its_deadline() {
    let started = Instant::now();
    let limit = Duration::from_millis(100);
    assert!(wait::until("never", limit, || Ok(false)).is_err());
    assert!(started.elapsed() >= limit);
}
