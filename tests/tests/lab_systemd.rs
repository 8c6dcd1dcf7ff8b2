//! What systemd would do with the units in packaging/systemd, without it: they are well-formed and
//! shut in, the director works with no more capabilities than they give and says when it is ready,
//! and the rules of Debian's and Red Hat's ipvsadm are loaded and saved.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::command::{self, Finished};
use rlvs_lab::director::{CONFIGURATION, rlvs_binary};
use rlvs_lab::{Director, Host, Lab, Process, Segment};

const SOON: Duration = Duration::from_secs(60);
/// Tenths that `systemd-analyze security` may find: 10.0 is as exposed as can be.
const EXPOSURE: &str = "40";
const SAVED: &str = "\
-A -t 192.0.2.1:80 -s rr
-a -t 192.0.2.1:80 -r 10.0.0.9:80 -g -w 1
";
const OTHER: &str = "-A -u 192.0.2.7:53 -s wlc\n";

#[test]
fn units_are_well_formed_and_shut_in() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for name in ["rlvs.service", "ipvsadm.service"] {
        let unit = folder.path().join(name);
        fs::write(&unit, installed(&fs::read_to_string(packaging(name))?)?)?;
        let unit = unit.to_str().context("a path")?;
        let found = analyze(&["verify", "--man=no", unit])?;
        let of_it = |line: &&str| line.contains("rlvs") || line.contains("ipvsadm");
        let problems: Vec<_> = found.stderr.lines().filter(of_it).collect();
        ensure!(problems.is_empty(), "{name}: {problems:?}");
        let threshold = format!("--threshold={EXPOSURE}");
        analyze(&["security", "--offline=yes", &threshold, unit])?.success()?;
    }
    Ok(())
}

#[test]
fn the_director_works_as_its_unit_starts_it() -> Result<()> {
    let lab = Lab::new()?;
    let (mut host, segment) = (Host::new(&lab, "director")?, Segment::new(&lab, "lan", 1)?);
    host.join(&segment, 1)?;
    let director = Director::new(host)?;
    let socket = director.host.directory()?.join("notify");
    let manager = UnixDatagram::bind(&socket)?;
    manager.set_read_timeout(Some(SOON))?;
    let mut daemon = start(&director, &socket)?;
    let mut told = Vec::new();
    hear(&manager, "READY=1\n", &mut told).with_context(|| daemon.log())?;
    director.ipvsadm("-A -t 192.0.2.1:80 -s rr")?;
    director.ipvsadm("-a -t 192.0.2.1:80 -r 10.0.0.9:80 -m")?;
    director.ipvsadm("-A -f 7 -s lblc")?;
    hear(&manager, "WATCHDOG=1\n", &mut told)?;
    let status = director.rlvs("status")?;
    ensure!(
        status.contains("eth0") && !status.contains("detached"),
        "{status}"
    );
    let log = daemon.log();
    ensure!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
    daemon.stop()?;
    hear(&manager, "STOPPING=1\n", &mut told)?;
    // Its successor takes over what it left.
    let mut daemon = start(&director, &socket)?;
    hear(&manager, "READY=1\n", &mut told)?;
    ensure!(director.ipvsadm("-Sn")?.contains("-A -f 7 -s lblc"));
    daemon.stop()?;
    director.rlvs("down").map(drop)
}

#[test]
fn rules_are_loaded_and_saved_by_the_habits_of_distributions() -> Result<()> {
    let lab = Lab::new()?;
    let segment = Segment::new(&lab, "segment", 0)?;
    let mut host = Host::new(&lab, "director")?;
    host.join(&segment, 5)?;
    let mut director = Director::new(host)?;
    director.start_rlvs()?;
    nothing_is_touched_without_files(&director)?;
    debians_rules_are_loaded_and_kept(&director)?;
    red_hats_rules_are_saved_at_the_end(&director)?;
    synchronisation_is_started_and_stopped(&director)?;
    director.stop()?;
    director.rlvs("down").map(drop)
}

fn nothing_is_touched_without_files(director: &Director) -> Result<()> {
    director.ipvsadm("-A -u 192.0.2.7:53 -s wlc")?;
    let etc = etc(director, "none", &[])?;
    let said = rules(director, &etc, "start")?.success()?;
    ensure!(said.starts_with("no rules to load"), "{said}");
    rules(director, &etc, "stop")?.success()?;
    let off = [
        ("default/ipvsadm", "AUTO=\"false\"\n"),
        ("ipvsadm.rules", SAVED),
    ];
    let etc = self::etc(director, "off", &off)?;
    rules(director, &etc, "start")?.success()?;
    rules(director, &etc, "stop")?.success()?;
    expect(director, OTHER)
}

fn debians_rules_are_loaded_and_kept(director: &Director) -> Result<()> {
    let text = format!("# ipvsadm.rules\n{SAVED}");
    let files = [
        (
            "default/ipvsadm",
            "AUTO=\"true\"\nDAEMON=\"none\"\nIFACE=\"eth0\"\n",
        ),
        ("ipvsadm.rules", &text),
    ];
    let etc = etc(director, "debian", &files)?;
    rules(director, &etc, "start")?.success()?;
    expect(director, SAVED)?;
    director.ipvsadm("-A -u 192.0.2.7:53 -s wlc")?;
    rules(director, &etc, "reload")?.success()?;
    expect(director, SAVED)?;
    rules(director, &etc, "stop")?.success()?;
    expect(director, "")?;
    ensure!(fs::read_to_string(etc.join("ipvsadm.rules"))? == text);
    director.ipvsadm("-A -u 192.0.2.7:53 -s wlc")?;
    rules(director, &etc, "save")?.success()?;
    ensure!(fs::read_to_string(etc.join("ipvsadm.rules"))? == OTHER);
    Ok(())
}

fn red_hats_rules_are_saved_at_the_end(director: &Director) -> Result<()> {
    let etc = etc(director, "red-hat", &[("sysconfig/ipvsadm", SAVED)])?;
    let file = etc.join("sysconfig/ipvsadm");
    rules(director, &etc, "start")?.success()?;
    expect(director, SAVED)?;
    director.ipvsadm("-A -u 192.0.2.7:53 -s wlc")?;
    rules(director, &etc, "stop")?.success()?;
    expect(director, "")?;
    let both = format!("{SAVED}{OTHER}");
    ensure!(fs::read_to_string(&file)? == both);
    fs::write(
        etc.join("sysconfig/ipvsadm-config"),
        "IPVS_MODULES_UNLOAD=\"yes\"\nIPVS_SAVE_ON_STOP=\"no\"\n",
    )?;
    rules(director, &etc, "start")?.success()?;
    director.ipvsadm("-D -u 192.0.2.7:53")?;
    rules(director, &etc, "stop")?.success()?;
    expect(director, "")?;
    ensure!(fs::read_to_string(&file)? == both);
    Ok(())
}

fn synchronisation_is_started_and_stopped(director: &Director) -> Result<()> {
    let files = [
        (
            "default/ipvsadm",
            "AUTO=true\nDAEMON=both\nIFACE=eth0\nSYNCID=7\n",
        ),
        ("ipvsadm.rules", SAVED),
    ];
    let etc = etc(director, "daemon", &files)?;
    rules(director, &etc, "start")?.success()?;
    expect(director, SAVED)?;
    let daemons = director.ipvsadm("-L --daemon")?;
    for role in ["master", "backup"] {
        let line = format!("{role} sync daemon (mcast=eth0, syncid=7");
        ensure!(daemons.contains(&line), "{daemons}");
    }
    rules(director, &etc, "stop")?.success()?;
    ensure!(director.ipvsadm("-L --daemon")?.is_empty());
    expect(director, "")
}

/// With the capabilities of the unit, and its socket to systemd.
fn start(director: &Director, socket: &Path) -> Result<Process> {
    let configuration = director.configuration_file()?;
    fs::write(&configuration, CONFIGURATION)?;
    let set = format!("--bounding-set=-all,{}", capabilities()?);
    let words = [
        format!("NOTIFY_SOCKET={}", socket.display()),
        "WATCHDOG_USEC=60000000".to_owned(),
        "setpriv".to_owned(),
        "--no-new-privs".to_owned(),
        set,
        "rlvs".to_owned(),
        "run".to_owned(),
        format!("--config={}", configuration.display()),
    ];
    director.host.spawn("rlvs", "env", words)
}

/// As `setpriv` takes them: `+bpf,+net_admin`.
fn capabilities() -> Result<String> {
    let unit = fs::read_to_string(packaging("rlvs.service"))?;
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
    let names = line.context("no CapabilityBoundingSet")?.split(' ');
    let names = names.map(|name| format!("+{}", name.to_lowercase().replace("cap_", "")));
    Ok(names.collect::<Vec<_>>().join(","))
}

/// Waits for a message, and skips signs of life.
fn hear(manager: &UnixDatagram, wanted: &str, told: &mut Vec<String>) -> Result<()> {
    let mut bytes = [0; 512];
    loop {
        let length = manager
            .recv(&mut bytes)
            .with_context(|| format!("no {wanted:?} after {told:?}"))?;
        let message = String::from_utf8_lossy(&bytes[..length]).into_owned();
        let found = message == wanted;
        ensure!(
            found || message == "WATCHDOG=1\n",
            "{message:?} after {told:?}"
        );
        told.push(message);
        if found {
            return Ok(());
        }
    }
}

fn rules(director: &Director, etc: &Path, action: &str) -> Result<Finished> {
    let etc = format!("RLVS_ETC={}", etc.display());
    let script = packaging("ipvsadm-rules");
    let script = script.to_str().context("a path")?;
    director.host.try_run("env", [&etc, script, action])
}

fn etc(director: &Director, name: &str, files: &[(&str, &str)]) -> Result<PathBuf> {
    let etc = director.host.directory()?.join(name);
    for folder in ["default", "sysconfig"] {
        fs::create_dir_all(etc.join(folder))?;
    }
    for (file, text) in files {
        fs::write(etc.join(file), text)?;
    }
    Ok(etc)
}

fn expect(director: &Director, saved: &str) -> Result<()> {
    let found = director.ipvsadm("-Sn")?;
    ensure!(found == saved, "{found}");
    Ok(())
}

fn analyze(words: &[&str]) -> Result<Finished> {
    command::finish(Command::new("systemd-analyze").args(words), SOON)
}

/// The unit with what is not installed here where it is.
fn installed(unit: &str) -> Result<String> {
    let binary = rlvs_binary();
    let binary = binary.to_str().context("a path")?;
    let script = packaging("ipvsadm-rules");
    let script = script.to_str().context("a path")?;
    Ok(unit
        .replace("/usr/sbin/rlvs", binary)
        .replace("/usr/libexec/rlvs/ipvsadm-rules", script))
}

fn packaging(name: &str) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.join("../packaging/systemd").join(name)
}
