use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use rlvs_check::machine::Adjust;
use rlvs_check::spec::{File, Kind, Script};

use crate::{Came, UP, ask, assert_down, assert_not_made};

async fn run(script: Script) -> Came {
    ask(Kind::Script(script), "127.0.0.1:1".parse().unwrap()).await
}

fn shell(command: &str) -> Script {
    Script {
        // As who runs the test, so that the test need not be root's.
        user: None,
        secure: false,
        ..Script::new(["/bin/sh", "-c", command])
    }
}

#[tokio::test]
async fn exit_codes() {
    assert_eq!(run(shell("exit 0")).await, UP);
    assert_down(run(shell("exit 1")).await, "status 1");
    assert_down(run(shell("exit 7")).await, "status 7");
    assert_down(run(shell("kill -9 $$")).await, "signal");
    let dynamic = |command: &str| Script {
        dynamic: true,
        ..shell(command)
    };
    assert_eq!(run(dynamic("exit 7")).await, Came::Up(Adjust::Set(5)));
    assert_eq!(run(dynamic("exit 0")).await, UP);
    assert_down(run(dynamic("exit 1")).await, "status 1");
}

#[tokio::test]
async fn a_script_that_hangs_ends_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let note = folder.path().join("pid");
    let hanging = Script {
        timeout: Some(Duration::from_millis(300)),
        ..shell(&format!("sleep 1000 & echo $! > {}; wait", note.display()))
    };
    assert_down(run(hanging).await, "timed out");
    let child = fs::read_to_string(&note).unwrap();
    let gone = || !Path::new(&format!("/proc/{}", child.trim())).exists() || zombie(child.trim());
    while !gone() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Dead, and not waited for yet by whoever does that on this machine.
fn zombie(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

#[tokio::test]
async fn what_cannot_be_run_is_not_the_targets_fault() {
    assert_not_made(run(Script::new(["/nothing/here"])).await, "/nothing/here");
    assert_not_made(run(Script::new(["relative"])).await, "absolute");
    assert_not_made(run(Script::new::<&str>([])).await, "no script");
    let nobody = Script {
        user: Some("no-such-user".into()),
        ..shell("true")
    };
    assert_not_made(run(nobody).await, "no user");
}

#[tokio::test]
async fn scripts_of_root_are_roots_alone() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let path = folder.path().join("script");
    fs::write(&path, "#!/bin/sh\ntest $(id -u) = 65534\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let script = |user: &str| Script {
        user: Some(user.into()),
        ..Script::new([path.to_str().unwrap()])
    };
    assert_not_made(run(script("root")).await, "chmod");
    assert_eq!(run(script("nobody")).await, UP);
}

#[tokio::test]
async fn numbers_in_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("number");
    let file = |weight| {
        Kind::File(File {
            path: path.clone(),
            weight,
            reverse: false,
        })
    };
    let target = "127.0.0.1:1".parse().unwrap();
    assert_eq!(ask(file(3), target).await, UP);
    fs::write(&path, "4\n").unwrap();
    assert_eq!(ask(file(3), target).await, Came::Up(Adjust::Add(12)));
    assert_down(ask(file(0), target).await, "has 4");
}
