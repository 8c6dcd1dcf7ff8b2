//! `ipvsadm` on a director that only remembers, for the targets.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};

use rlvs::ipvsadm::{Names, Program, Surroundings};
use rlvs_testing::remembering::Memory;

/// The statuses that ipvsadm ends with.
const STATUSES: [i32; 4] = [0, 1, 2, 255];

/// What a command left behind.
#[derive(Debug)]
pub struct Outcome {
    pub status: i32,
    pub stdout: Vec<u8>,
}

/// Runs a program.
///
/// # Panics
///
/// Where it ends with a status that is none of ipvsadm's, fails without a word, or fails and has
/// changed something.
pub fn run(director: &mut Memory, program: Program, words: &[&str], input: &[u8]) -> Outcome {
    let before = director.desired.clone();
    let outcome = run_as(director, program, words, input, false);
    if outcome.status != 0 {
        assert_eq!(director.desired, before, "{words:?}");
    }
    outcome
}

/// The same, which may change something and fail if it is strict.
///
/// # Panics
///
/// Where it ends with a status that is none of ipvsadm's, or fails without a word.
pub fn run_as(
    director: &mut Memory,
    program: Program,
    words: &[&str],
    input: &[u8],
    strict: bool,
) -> Outcome {
    let arguments: Vec<_> = words.iter().map(OsString::from).collect();
    let (mut stdout, mut stderr, mut input) = (Vec::new(), Vec::new(), input);
    let status = program.run(
        &arguments,
        &mut Surroundings {
            director,
            names: &FewNames,
            input: &mut input,
            output: &mut stdout,
            errors: &mut stderr,
            strict,
        },
    );
    assert!(STATUSES.contains(&status), "{words:?}: {status}");
    let silent = status == 0 || program == Program::Save;
    assert!(
        silent || !stderr.is_empty(),
        "{words:?} fails without a word"
    );
    Outcome { status, stdout }
}

/// Names as a host has them, without asking the network.
struct FewNames;

impl Names for FewNames {
    fn ipv4(&self, host: &str) -> Option<Ipv4Addr> {
        (host == "localhost").then_some(Ipv4Addr::LOCALHOST)
    }

    fn host(&self, address: IpAddr) -> Option<String> {
        address.is_loopback().then(|| "localhost".to_owned())
    }

    fn port(&self, service: &str, protocol: &str) -> Option<u16> {
        (service == "http" && protocol == "tcp").then_some(80)
    }

    fn service(&self, port: u16, protocol: &str) -> Option<String> {
        (port == 80 && protocol == "tcp").then(|| "http".to_owned())
    }
}
