//! `-R` and `ipvsadm-restore`: all lines or none.

use crate::bench::{Bench, Memory, Outcome};

const SAVED: &str = "\
-A -t 192.0.2.1:80 -s rr -p 60
-a -t 192.0.2.1:80 -r 10.0.0.1:80 -g -w 1 -x 9 -y 5
-A -t 192.0.2.2:80 -s wlc
";

#[test]
fn what_was_saved_is_restored() {
    let mut bench = Bench::<Memory>::default();
    assert_eq!(bench.run_with("ipvsadm -R", SAVED), Outcome::default());
    assert_eq!(bench.run("ipvsadm -Sn").stdout, SAVED);
}

#[test]
fn comments_blanks_and_scripts_are_read() {
    let mut bench = Bench::<Memory>::default();
    let text = "# web\n\n  ipvsadm -A -t\t192.0.2.2:80  \n   # more\n-Z\n--set 5 0 0";
    assert_eq!(bench.run_with("ipvsadm -R", text), Outcome::default());
    assert_eq!(
        bench.run("ipvsadm -Sn").stdout,
        "-A -t 192.0.2.2:80 -s wlc\n"
    );
    let timeouts = bench.run("ipvsadm -L --timeout").stdout;
    assert_eq!(timeouts, "Timeout (tcp tcpfin udp): 5 120 300\n");
}

#[test]
fn a_line_that_is_wrong_changes_nothing() {
    let mut bench = Bench::<Memory>::default();
    bench.make("ipvsadm -A -t 192.0.2.1:80");
    for (bad, status, text) in [
        (
            "-A -t 192.0.2.9:80 -w 5",
            2,
            "Illegal 'weight' option with the 'add-service' command",
        ),
        (
            "foo",
            255,
            "Try `ipvsadm -h' or 'ipvsadm --help' for more information.",
        ),
        (
            "-L -n",
            2,
            "only commands that change something can be restored",
        ),
        (
            "-A -t 192.0.2.1:80",
            255,
            "the service TCP 192.0.2.1:80 exists already",
        ),
        (
            "-a -t 192.0.2.8:80 -r 10.0.0.1",
            255,
            "there is no service TCP 192.0.2.8:80",
        ),
    ] {
        let input = format!("# first\n-A -t 192.0.2.2:80\n{bad}\n-A -t 192.0.2.3:80\n");
        let outcome = bench.run_with("ipvsadm -R", &input);
        let text = format!("line 3: `{bad}': {text}");
        assert!(outcome.stderr.starts_with(&text), "{}", outcome.stderr);
        assert_eq!((outcome.stdout.as_str(), outcome.status), ("", status));
        assert_eq!(
            bench.run("ipvsadm -Sn").stdout,
            "-A -t 192.0.2.1:80 -s wlc\n"
        );
    }
}

#[test]
fn the_restore_program_replaces_everything() {
    let mut bench = Bench::<Memory>::default();
    bench.make("ipvsadm -A -t 192.0.2.1:80");
    bench.make("ipvsadm -A -t 192.0.2.7:80");
    let outcome = bench.run_with(
        "ipvsadm-restore",
        "-A -t 192.0.2.2:80\n-A -t 192.0.2.2:80\n",
    );
    let text = "line 2: `-A -t 192.0.2.2:80': the service TCP 192.0.2.2:80 exists";
    assert!(outcome.stderr.starts_with(text), "{}", outcome.stderr);
    assert_eq!(bench.run("ipvsadm -Sn").stdout.lines().count(), 2);
    assert_eq!(bench.run_with("ipvsadm-restore", SAVED), Outcome::default());
    assert_eq!(bench.run("ipvsadm -Sn").stdout, SAVED);
}
