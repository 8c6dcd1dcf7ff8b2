//! A site of 2,277 virtual and 37,205 real servers, the size that keepalived's release notes of
//! 2.3.0 speak of, in both formats. RLVS_LARGE=DIRECTORY keeps the files.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use rlvs_config::{Site, keepalived, written};

const VIRTUAL: usize = 2_277;
const REAL: usize = 37_205;

#[test]
fn both_formats_say_the_same() {
    let text = keepalived_conf(VIRTUAL, REAL);
    let (site, keepalived_time) = read_keepalived(text.clone());
    let real = site.services.iter().map(|server| server.real.len());
    assert_eq!((site.services.len(), real.sum()), (VIRTUAL, REAL));
    let toml = written::write(&site);
    let (again, toml_time) = read_toml(toml.clone());
    assert!(again == site, "the sites differ");
    println!("keepalived.conf {} bytes: {keepalived_time:?}", text.len());
    println!("rlvs.toml {} bytes: {toml_time:?}", toml.len());
    if let Ok(directory) = std::env::var("RLVS_LARGE") {
        let directory = Path::new(&directory);
        std::fs::write(directory.join("keepalived.conf"), text).unwrap();
        std::fs::write(directory.join("rlvs.toml"), toml).unwrap();
    }
}

fn read_keepalived(text: String) -> (Site, std::time::Duration) {
    let start = Instant::now();
    let options = keepalived::Options::default();
    let reading = keepalived::read(Path::new("keepalived.conf"), text, &options);
    let time = start.elapsed();
    let reading = reading.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(
        reading.warnings.is_empty(),
        "{:?}",
        reading.warnings.iter().next()
    );
    (reading.site, time)
}

fn read_toml(text: String) -> (Site, std::time::Duration) {
    let start = Instant::now();
    let reading = written::read(Path::new("rlvs.toml"), text);
    let time = start.elapsed();
    let reading = reading.unwrap_or_else(|failure| panic!("{failure}"));
    (reading.site, time)
}

/// As sites generate them: a check for each real server.
fn keepalived_conf(services: usize, reals: usize) -> String {
    let mut text = String::from("global_defs {\n    router_id LARGE\n}\n");
    let mut left = reals;
    for service in 0..services {
        let count = left / (services - service);
        left -= count;
        let _ = write!(
            text,
            "\nvirtual_server 198.18.{}.{} 443 {{\n    delay_loop 10\n    lvs_sched wrr\n    \
             lvs_method DR\n    protocol TCP\n",
            service / 256,
            service % 256
        );
        for real in 0..count {
            let number = reals - left - count + real;
            let _ = write!(
                text,
                "    real_server 10.{}.{}.{} 443 {{\n        weight {}\n        TCP_CHECK {{\n            \
                 connect_timeout 3\n            retry 2\n        }}\n    }}\n",
                number / 65536,
                number / 256 % 256,
                number % 256,
                1 + number % 9
            );
        }
        text.push_str("}\n");
    }
    text
}
