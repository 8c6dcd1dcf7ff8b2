//! `rlvs sysctl`, as sysctl(8) would print it.

use std::io::Write as _;

use clap::{Args as _, Command, FromArgMatches as _};
use rlvs::sysctl::{Arguments, run};
use rlvs_control::Director as _;

use crate::bench::Memory;

/// What is printed, or why not.
fn sysctl(director: &mut Memory, arguments: &[&str]) -> Result<String, String> {
    let command = Arguments::augment_args(Command::new("sysctl"));
    let matches = command
        .try_get_matches_from(["sysctl"].iter().chain(arguments))
        .map_err(|error| error.to_string())?;
    let arguments = Arguments::from_arg_matches(&matches).unwrap();
    run(&arguments, director).map_err(|error| format!("{error:#}"))
}

fn strict() -> Memory {
    Memory {
        strict: true,
        ..Memory::default()
    }
}

/// What `sysctl -a` of stock Linux 6.1 has below net.ipv4.vs, with the modules of lblc and lblcr; but
/// for `sync_qlen_max`, which depends on the memory.
const ALL: &str = "\
net.ipv4.vs.am_droprate = 10
net.ipv4.vs.amemthresh = 1024
net.ipv4.vs.backup_only = 0
net.ipv4.vs.cache_bypass = 0
net.ipv4.vs.conn_reuse_mode = 1
net.ipv4.vs.conntrack = 0
net.ipv4.vs.drop_entry = 0
net.ipv4.vs.drop_packet = 0
net.ipv4.vs.expire_nodest_conn = 0
net.ipv4.vs.expire_quiescent_template = 0
net.ipv4.vs.expire_quiescent_udp = 0
net.ipv4.vs.ignore_tunneled = 0
net.ipv4.vs.lblc_expiration = 86400
net.ipv4.vs.lblcr_expiration = 86400
net.ipv4.vs.nat_icmp_send = 0
net.ipv4.vs.pmtu_disc = 1
net.ipv4.vs.run_estimation = 1
net.ipv4.vs.schedule_icmp = 0
net.ipv4.vs.secure_tcp = 0
net.ipv4.vs.sloppy_sctp = 0
net.ipv4.vs.sloppy_tcp = 0
net.ipv4.vs.snat_reroute = 1
net.ipv4.vs.sync_persist_mode = 0
net.ipv4.vs.sync_ports = 1
net.ipv4.vs.sync_qlen_max = 32768
net.ipv4.vs.sync_refresh_period = 0
net.ipv4.vs.sync_retries = 0
net.ipv4.vs.sync_sock_size = 0
net.ipv4.vs.sync_threshold = 3\t50
net.ipv4.vs.sync_version = 1
";

#[test]
fn all_are_listed_as_by_the_kernel() {
    for arguments in [&[][..], &["-a"]] {
        assert_eq!(sysctl(&mut strict(), arguments).unwrap(), ALL);
    }
    let values = sysctl(&mut strict(), &["-n"]).unwrap();
    assert!(values.starts_with("10\n1024\n0\n0\n1\n0\n") && values.ends_with("\n3\t50\n1\n"));
}

#[test]
fn some_are_read_by_any_form_of_their_name() {
    let names = [
        "net/ipv4/vs/sloppy_tcp",
        "net.ipv4.vs.sync_threshold",
        "conntrack",
    ];
    let expected = "net.ipv4.vs.sloppy_tcp = 0\nnet.ipv4.vs.sync_threshold = 3\t50\nnet.ipv4.vs.conntrack = 0\n";
    assert_eq!(sysctl(&mut strict(), &names).unwrap(), expected);
    let error = sysctl(&mut strict(), &["sloppy"]).unwrap_err();
    assert_eq!(
        error,
        "there is no setting net.ipv4.vs.sloppy: `rlvs sysctl` lists those there are"
    );
}

#[test]
fn what_is_set_is_printed_and_there() {
    let mut director = strict();
    let set = [
        "-w",
        "net.ipv4.vs.sloppy_tcp=1",
        "expire_nodest_conn=0x2",
        "conntrack=0",
    ];
    let expected = "net.ipv4.vs.sloppy_tcp = 1\nnet.ipv4.vs.expire_nodest_conn = 2\nnet.ipv4.vs.conntrack = 0\n";
    assert_eq!(sysctl(&mut director, &set).unwrap(), expected);
    assert_eq!(sysctl(&mut director, &["-n", "sloppy_tcp"]).unwrap(), "1\n");
    assert_eq!(sysctl(&mut director, &["-q", "sloppy_tcp=0"]).unwrap(), "");
    assert_eq!(sysctl(&mut director, &["-n", "sloppy_tcp"]).unwrap(), "0\n");
}

#[test]
fn one_that_is_refused_leaves_all_as_they_were() {
    let refused = [
        ("conntrack=1", "net.ipv4.vs.conntrack stays 0 in rlvs: "),
        (
            "secure_tcp=4",
            "net.ipv4.vs.secure_tcp takes a number from 0 to 3, not `4'",
        ),
        (
            "sloppy_sctp=",
            "net.ipv4.vs.sloppy_sctp takes a number from -2147483648 to 2147483647, not `'",
        ),
        ("slopy=1", "there is no setting net.ipv4.vs.slopy"),
        (
            "sloppy_sctp",
            "sloppy_sctp: to be set it needs a value: `-w sloppy_sctp=VALUE'",
        ),
    ];
    for (bad, message) in refused {
        let mut director = strict();
        let error = sysctl(&mut director, &["-w", "sloppy_tcp=1", bad]).unwrap_err();
        assert!(error.starts_with(message), "{error}");
        assert_eq!(
            director.sysctls().unwrap(),
            strict().sysctls().unwrap(),
            "{bad}"
        );
    }
}

#[test]
fn a_file_is_read_as_sysctl_conf() {
    let file = |text: &str| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    };
    let load = |text: &str| {
        let file = file(text);
        let path = file.path().to_str().unwrap();
        let mut director = strict();
        let outcome = sysctl(&mut director, &["-p", path]);
        (
            outcome.map_err(|error| error.replace(path, "FILE")),
            director,
        )
    };
    let text = "# of the director\n; too\nnet.ipv4.ip_forward = 1\n\nnet.ipv4.vs.sloppy_tcp = 1\n\
                -net.ipv4.vs.conntrack=1\n-net.ipv4.vs.new_one = 1\nnet/ipv4/vs/sync_threshold=3  50\n";
    let expected = "net.ipv4.vs.sloppy_tcp = 1\nnet.ipv4.vs.sync_threshold = 3\t50\n";
    assert_eq!(load(text).0.unwrap(), expected);
    assert_eq!(load("kernel.panic = 1\n").0.unwrap(), "");
    let (outcome, mut director) = load("net.ipv4.vs.sloppy_tcp=1\n\nnet.ipv4.vs.conntrack = 1\n");
    let error = outcome.unwrap_err();
    assert!(
        error.starts_with("FILE:3: net.ipv4.vs.conntrack stays 0"),
        "{error}"
    );
    assert_eq!(director.sysctls().unwrap(), strict().sysctls().unwrap());
    let error = load("net.ipv4.vs.sloppy_tcp\n").0.unwrap_err();
    assert!(
        error.starts_with("FILE:1: net.ipv4.vs.sloppy_tcp takes"),
        "{error}"
    );
    let error = sysctl(&mut strict(), &["--load=/nonexistent"]).unwrap_err();
    assert!(error.starts_with("/nonexistent: No such file"), "{error}");
}
