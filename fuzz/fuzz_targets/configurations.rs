//! Configuration files of all kinds: read with pictures of what is wrong, or written as rlvs.toml, which
//! says the same.
#![no_main]

use std::net::IpAddr;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use rlvs_config::names::Names;
use rlvs_config::{Failure, Reading, keepalived, ldirectord, written};

// The first byte says the kind.
fuzz_target!(|input: &[u8]| {
    let Some((kind, text)) = input.split_first() else {
        return;
    };
    let text = String::from_utf8_lossy(text).into_owned();
    // Other files are not what is tried, and some never end.
    if text.contains("include") {
        return;
    }
    let here = Path::new("/nonexistent/file");
    let read = match kind % 3 {
        0 => written::read(here, text),
        1 => keepalived::read(here, text, &keepalived::Options::default()),
        _ => ldirectord::read(here, text, &NoNames),
    };
    match read {
        Ok(reading) => again(&reading),
        Err(failure) => told(&failure),
    }
});

fn again(reading: &Reading) {
    let text = written::write(&reading.site);
    match written::read(Path::new("x.toml"), text.clone()) {
        Ok(again) => assert_eq!(again.site, reading.site, "{text}"),
        Err(failure) => panic!("{failure}\n{text}"),
    }
}

fn told(failure: &Failure) {
    assert!(failure.problems.errors() > 0);
    assert!(!failure.pictures().is_empty());
}

struct NoNames;

impl Names for NoNames {
    fn address(&self, _: &str) -> Option<IpAddr> {
        None
    }

    fn port(&self, service: &str, _: &str) -> Option<u16> {
        (service == "http").then_some(80)
    }
}
