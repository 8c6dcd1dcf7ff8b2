//! Who is let in.
//!
//! Linux keeps user and groups for every thread, so a thread of the test can be somebody else
//! than the server's. Only root may change them: for others these tests have nothing to try.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::Arc;
use std::thread;

use rlvs_control::{Change, Client, Code, Director, Error, Timeouts};
use rlvs_director::server::Access;
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::support::{Fake, NoConnections, connect, service, unused_name};

/// A user and a group that no database has.
const STRANGER: u32 = 4_000_000;

#[test]
fn a_stranger_is_refused() {
    if geteuid().is_root() {
        let fake = Fake::start();
        let name = fake.name();
        let error = as_stranger(|| timeouts(name)).unwrap_err();
        assert_eq!(error.code, Code::PermissionDenied);
        assert_eq!(error.message, "Permission denied (you must be root)");
    }
}

#[test]
fn a_stranger_with_a_large_request_reads_the_refusal_too() {
    if geteuid().is_root() {
        let fake = Fake::start();
        let name = fake.name();
        let mut large = service(80);
        large.scheduler = "x".repeat(4 << 20);
        let apply = || Client::connect_to(name)?.apply(&Change::AddService(large).into());
        assert_eq!(as_stranger(apply).unwrap_err().code, Code::PermissionDenied);
    }
}

#[test]
fn a_member_of_the_group_is_let_in() {
    if geteuid().is_root() {
        assert_eq!(ask_in_group(STRANGER), Ok(Timeouts::default()));
        let error = ask_in_group(STRANGER + 1).unwrap_err();
        assert_eq!(error.code, Code::PermissionDenied);
    }
}

#[test]
fn strangers_cannot_crowd_out_root() {
    if geteuid().is_root() {
        let fake = Fake::start();
        let name = fake.name();
        let crowd = as_stranger(|| (0..200).map(|_| connect(name)).collect::<Vec<_>>());
        assert_eq!(timeouts(name), Ok(Timeouts::default()));
        assert_eq!(crowd.len(), 200);
    }
}

#[test]
fn the_client_trusts_no_strangers_socket() {
    if geteuid().is_root() {
        let name = unused_name();
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let _listener = as_stranger(|| UnixListener::bind_addr(&address).unwrap());
        let error = timeouts(&name).unwrap_err();
        assert_eq!(error.code, Code::PermissionDenied);
        assert!(error.message.contains("belongs to user 4000000"), "{error}");
    }
}

fn timeouts(name: &str) -> Result<Timeouts, Error> {
    Client::connect_to(name)?.timeouts()
}

/// What a stranger gets from a director that lets the group `gid` in.
fn ask_in_group(gid: u32) -> Result<Timeouts, Error> {
    let access = Access::new(Some(&gid.to_string())).unwrap();
    let fake = Fake::with(access, Arc::new(NoConnections));
    let name = fake.name();
    as_stranger(|| timeouts(name))
}

/// Runs `work` on a thread that is neither root nor in any of its groups.
fn as_stranger<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let become_stranger = || {
        let (uid, gid) = (Uid::from_raw(STRANGER), Gid::from_raw(STRANGER));
        set_thread_groups(&[]).unwrap();
        set_thread_res_gid(gid, gid, gid).unwrap();
        set_thread_res_uid(uid, uid, uid).unwrap();
        work()
    };
    thread::scope(|scope| scope.spawn(become_stranger).join().unwrap())
}
