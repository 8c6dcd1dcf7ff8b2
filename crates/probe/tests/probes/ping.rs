use rlvs_check::spec::Kind;

use crate::{UP, ask, assert_down};

/// Others than root may need to be let (net.ipv4.ping_group_range).
fn may_ping() -> bool {
    nix::unistd::geteuid().is_root()
}

#[tokio::test]
async fn this_machine_answers() {
    if !may_ping() {
        return;
    }
    assert_eq!(ask(Kind::Ping, "127.0.0.1:0".parse().unwrap()).await, UP);
    assert_eq!(ask(Kind::Ping, "[::1]:80".parse().unwrap()).await, UP);
}

#[tokio::test]
async fn nobody_answers() {
    if !may_ping() {
        return;
    }
    // Class E: no route, or no answer.
    assert_down(
        ask(Kind::Ping, "255.255.255.254:0".parse().unwrap()).await,
        "",
    );
}
