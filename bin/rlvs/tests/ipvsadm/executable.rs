//! The program answers by the name it is called by.

use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

#[test]
fn names_select_programs() {
    let version = "ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)\n";
    for (name, arguments) in [
        ("/usr/sbin/ipvsadm", &["-v"][..]),
        ("rlvs", &["ipvsadm", "--version"][..]),
    ] {
        let Output { stdout, status, .. } = run(name, arguments);
        assert_eq!(String::from_utf8(stdout).unwrap(), version);
        assert!(status.success());
    }
    let Output { stdout, status, .. } = run("ipvsadm-save", &["-h"]);
    assert!(
        String::from_utf8(stdout)
            .unwrap()
            .starts_with("ipvsadm-save: ")
    );
    assert_eq!(status.code(), Some(1));
}

#[test]
fn flags_after_the_subcommand_are_ipvsadms() {
    let Output { stderr, status, .. } = run("rlvs", &["ipvsadm", "-C", "--stats"]);
    let text = "Illegal 'stats' option with the 'flush' command\n";
    assert_eq!(String::from_utf8(stderr).unwrap(), text);
    assert_eq!(status.code(), Some(2));
    let Output { stdout, .. } = run("rlvs", &["ipvsadm", "--help"]);
    assert!(
        String::from_utf8(stdout)
            .unwrap()
            .starts_with("ipvsadm v1.31")
    );
    assert_eq!(
        run("rlvs", &["ipvsadm", "--bogus"]).status.code(),
        Some(255)
    );
}

fn run(name: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rlvs"))
        .arg0(name)
        .args(arguments)
        .output()
        .unwrap()
}
