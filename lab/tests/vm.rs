//! The virtual machine: what a command prints and how it ends come back.

use std::fs;
use std::time::Duration;

use anyhow::Result;
use rlvs_lab::{Get, Host, Lab, RealServer, Segment, Vm, vm};

#[test]
fn streams_and_status_of_a_command_come_back() -> Result<()> {
    let script = "uname -r; pwd; echo \"$WORD\" >&2; exit 7";
    let output = Vm::new()
        .env("WORD", "it's $1 \"one\"")
        .run(&["sh", "-c", script])?;
    let mut lines = output.stdout.lines();
    assert!(
        lines
            .next()
            .is_some_and(|release| release.starts_with("6."))
    );
    assert_eq!(lines.next(), std::env::current_dir()?.to_str());
    assert_eq!(output.stderr, "it's $1 \"one\"\n");
    assert_eq!(output.status, 7);
    Ok(())
}

#[test]
fn only_a_share_keeps_what_is_written() -> Result<()> {
    let (shared, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let script = format!("touch /shared/file {}/file", other.path().display());
    let machine = Vm::new().share(shared.path(), "/shared");
    assert_eq!(machine.run(&["sh", "-c", &script])?.status, 0);
    assert!(shared.path().join("file").exists());
    assert!(!other.path().join("file").exists());
    Ok(())
}

#[test]
fn a_machine_that_dies_or_hangs_is_an_error_with_its_last_words() -> Result<()> {
    let log = tempfile::NamedTempFile::new()?;
    let crash = ["sh", "-c", "echo c >/proc/sysrq-trigger"];
    let error = Vm::new().kernel_log(log.path()).run(&crash).unwrap_err();
    assert!(
        format!("{error:#}").contains("sysrq triggered crash"),
        "{error:#}"
    );
    assert!(fs::read_to_string(log.path())?.contains("sysrq triggered crash"));

    let error = Vm::new()
        .limit(Duration::from_secs(2))
        .run(&["sleep", "60"])
        .unwrap_err();
    assert!(format!("{error:#}").contains("timed out"), "{error:#}");
    Ok(())
}

#[test]
fn a_machine_that_does_not_come_up_is_started_once_more() -> Result<()> {
    let second = Vm::new()
        .boot_limit(Duration::from_secs(1))
        .run(&["echo", "up"])?;
    assert_eq!(second.stdout, "up\n");
    Ok(())
}

#[test]
fn a_test_runs_in_the_machine_with_a_lab() -> Result<()> {
    if !vm::inside() {
        return Vm::new().run_test("a_test_runs_in_the_machine_with_a_lab");
    }
    let lab = Lab::new()?;
    let switch = Segment::new(&lab, "switch", 0)?;
    let mut host = Host::new(&lab, "rs1")?;
    host.join(&switch, 11)?;
    let server = RealServer::start(host)?;
    let url = format!("http://[{}]/who", server.host.address().v6);
    assert_eq!(Get::new(url).once(&server.host)?, "rs1\n");
    Ok(())
}

#[test]
fn instructions_are_counted() -> Result<()> {
    let script = "a=$(date +%s); sleep 1000; b=$(date +%s); echo $((b - a))";
    let output = Vm::new().icount(true).run(&["sh", "-c", script])?;
    let slept: u64 = output.stdout.trim().parse()?;
    // A busy host adds to it.
    assert!((1000..3000).contains(&slept), "{slept}");
    Ok(())
}
