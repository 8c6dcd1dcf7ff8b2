//! A test that fails, or dies without a word, leaves neither namespaces nor what is pinned.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use rlvs_lab::director::CONFIGURATION;
use rlvs_lab::{Director, Host, wait, warden};
use rlvs_tests::scene::{Mode, SOON, Scene};
use tempfile::NamedTempFile;

/// Set for this very test in another process: where it says what there is of it, and then what it
/// does.
const REPORT: &str = "RLVS_KILLED_REPORT";
const END: &str = "RLVS_KILLED_END";

#[test]
fn nothing_is_left_of_a_test_that_fails() -> Result<()> {
    nothing_is_left("nothing_is_left_of_a_test_that_fails", "fail")
}

#[test]
fn nothing_is_left_of_a_test_that_is_killed() -> Result<()> {
    nothing_is_left("nothing_is_left_of_a_test_that_is_killed", "sleep")
}

fn nothing_is_left(test: &str, end: &str) -> Result<()> {
    if let Some(report) = env::var_os(REPORT) {
        return be_ended(Path::new(&report));
    }
    let report = NamedTempFile::new()?;
    let mut owner = Command::new(env::current_exe()?)
        .args(["--exact", test])
        .envs([(REPORT, report.path().as_os_str()), (END, end.as_ref())])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let told = || fs::read_to_string(report.path());
    wait::until("it says what there is", SOON * 4, || {
        Ok(told()?.ends_with("end\n"))
    })?;
    if end == "sleep" {
        owner.kill()?;
    }
    ensure!(!owner.wait()?.success(), "it was to fail");
    let told = told()?;
    let lines: Vec<_> = told.lines().collect();
    let (name, paths) = (lines[0], &lines[1..lines.len() - 1]);
    ensure!(paths.len() == 4, "{paths:?}");
    wait::until("the lab is removed", SOON * 4, || Ok(!warden::exists(name)))?;
    for path in paths {
        ensure!(!Path::new(path).exists(), "{path} is left");
    }
    Ok(())
}

/// Has a director with a service and a real server, and one more that is started like any program; says
/// where they keep what, and ends badly.
fn be_ended(report: &Path) -> Result<()> {
    let scene = Scene::new(Mode::Tc, 1)?;
    scene.add_http(scene.vips()[0], "rr", &[1])?;
    let director = scene.director.host.cookie()?;
    let server = scene.real_servers[0].host.cookie()?;
    let another = Director::new(Host::new(&scene.lab, "another")?)?;
    let file = another.configuration_file()?;
    fs::write(&file, CONFIGURATION)?;
    let words = ["run".as_ref(), "--config".as_ref(), file.as_os_str()];
    let mut daemon = another.host.spawn("rlvs", "rlvs", words)?;
    daemon.wait_until(SOON * 4, |_| {
        Ok(another.try_ipvsadm("-Ln")?.status.success())
    })?;
    let another = another.host.cookie()?;
    let paths = [
        format!("/sys/fs/bpf/rlvs/{another}"),
        format!("/sys/fs/bpf/rlvs/{director}"),
        format!("/run/rlvs/{director}"),
        format!("/run/rlvs/realserver/{server}.json"),
    ];
    for path in &paths {
        ensure!(Path::new(path).exists(), "{path} is not there");
    }
    let text = format!("{}\n{}\nend\n", scene.lab.name(), paths.join("\n"));
    fs::write(report, text)?;
    ensure!(env::var(END)? == "sleep", "as asked");
    sleep(Duration::from_secs(60));
    Ok(())
}
