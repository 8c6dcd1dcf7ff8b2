//! `rlvs check` says all that applying a file would say of it.

use std::fs;
use std::process::Command;

const INSTANCE: &str = "[[vrrp.instance]]\nname = \"VI\"\ninterface = \"eth0\"\n\
    virtual_ipaddress = [{ address = \"192.0.2.1/32\" }]\n";

/// The exit status, and all that is said.
fn check(text: &str) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rlvs.toml");
    fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_rlvs"));
    let output = command.arg("check").arg(&file).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn vrrp_is_looked_at() {
    let (status, said) = check(INSTANCE);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("cannot be used"), "{said}");
    assert!(
        said.contains("vrrp_instance VI: it has no virtual_router_id"),
        "{said}"
    );
    let right = format!("{INSTANCE}virtual_router_id = 7\nlinkbeat_use_polling = true\n");
    let (status, said) = check(&right);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("is right"), "{said}");
    assert!(
        said.contains("vrrp_instance VI: linkbeat_use_polling"),
        "{said}"
    );
}
