//! Command lines and rule files of every kind of nonsense: none ends the program but by a status, and
//! none that fails has changed anything.

use proptest::prelude::*;

use crate::bench::{Bench, Memory, Outcome};

const STATUSES: [i32; 4] = [0, 1, 2, 255];

/// Flags in both forms, joined ones, and what is nearly one.
const FLAGS: &[&str] = &[
    "-A",
    "-E",
    "-D",
    "-C",
    "-R",
    "-S",
    "-a",
    "-e",
    "-d",
    "-L",
    "-l",
    "-Z",
    "-h",
    "-v",
    "-Ln",
    "-Lcn",
    "-lnc",
    "-t",
    "-u",
    "-f",
    "-6",
    "-s",
    "-p",
    "-M",
    "-r",
    "-g",
    "-i",
    "-m",
    "-w",
    "-x",
    "-y",
    "-o",
    "-n",
    "-c",
    "-b",
    "-X",
    "-at",
    "-tA",
    "--",
    "-",
    "---",
    "--set",
    "--add-service",
    "--list",
    "--li",
    "--tcp-service=10.0.0.1:80",
    "--tcp-service",
    "--sctp-service",
    "--fwmark-service",
    "--scheduler",
    "--persistent",
    "--persistent=9",
    "--netmask",
    "--real-server",
    "--weight",
    "--weight=",
    "--pe",
    "--u-threshold",
    "--stats",
    "--rate",
    "--timeout",
    "--daemon",
    "--exact",
    "--nosort",
    "--ops",
    "--start-daemon",
    "--stop-daemon",
    "--tun-type",
    "--tun-port",
    "--tun-csum",
    "--sched-flags",
    "--fullnat",
    "--add-laddr",
    "--laddr",
    "--slow-start",
    "--client-address",
    "--no-such-flag",
];

const VALUES: &[&str] = &[
    "10.0.0.1:80",
    "10.0.0.1",
    "10.0.0.1:0",
    "10.0.0.1:65536",
    "10.0.0.1:",
    ":80",
    "10.0.0.256:80",
    "255.255.255.255:80",
    "224.0.0.1:80",
    "0.0.0.0:0",
    "[fd00::1]:80",
    "[fd00::1]",
    "fd00::1",
    "[::]:1",
    "[fd00::1",
    "fd00::1]:80",
    "nobody.invalid:http",
    "10.0.0.1:http",
    "rr",
    "wrr",
    "mh",
    "no-such",
    "0",
    "1",
    "-1",
    "+1",
    "007",
    "0x10",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "99999999999999999999",
    "1.5",
    "",
    " ",
    "\t",
    "255.255.255.0",
    "24",
    "128",
    "129",
    "sip",
    "gue",
    "gre",
    "sh-port,sh-fallback",
    "flag-1,,flag-2",
    "toa",
    "master",
    "\u{0}",
    "\u{e4}\u{1f600}",
    "%s%n",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        5 => prop::sample::select(FLAGS).prop_map(str::to_owned),
        5 => prop::sample::select(VALUES).prop_map(str::to_owned),
        1 => "[ -~]{0,12}",
        1 => any::<String>(),
    ]
}

/// A line that is right, but for a word of it now and then.
fn line() -> impl Strategy<Value = Vec<String>> {
    const LINES: &[&str] = &[
        "-A -t 10.0.0.1:80 -s rr",
        "-A -t 10.0.0.1:81 -s wlc -p 60 -M 255.255.255.0",
        "-A -u [fd00::1]:53 -s mh -b mh-port",
        "-A -f 7 -6 -s lblcr",
        "-E -t 10.0.0.1:80 -s sh",
        "-a -t 10.0.0.1:80 -r 10.0.0.9:8080 -m -w 3",
        "-a -t 10.0.0.1:80 -r 10.0.0.8 -i --tun-type gue --tun-port 6080",
        "-a -u [fd00::1]:53 -r [fd00::9]:53 -g -x 9 -y 3",
        "-e -t 10.0.0.1:80 -r 10.0.0.9:8080 -m -w 0",
        "-d -t 10.0.0.1:80 -r 10.0.0.9:8080",
        "-D -t 10.0.0.1:81",
        "--set 10 20 30",
        "-Z",
        "-C",
    ];
    let line = prop::sample::select(LINES);
    let changes = prop::option::weighted(0.3, (any::<prop::sample::Index>(), word()));
    (line, changes).prop_map(|(line, change)| {
        let mut words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        if let Some((place, word)) = change {
            let place = place.index(words.len());
            words[place] = word;
        }
        words
    })
}

fn words() -> impl Strategy<Value = Vec<String>> {
    prop_oneof![line(), prop::collection::vec(word(), 0..9)]
}

/// Runs a program; what is there after a failure is what was there before.
fn run(bench: &mut Bench<Memory>, program: &str, words: Vec<String>, stdin: &str) -> Outcome {
    let before = bench.director.desired.clone();
    let mut all = vec![program.to_owned()];
    all.extend(words);
    let outcome = bench.run_words(&all, stdin);
    assert!(STATUSES.contains(&outcome.status), "{all:?}: {outcome:?}");
    if outcome.status != 0 {
        assert_ne!(outcome.stderr, "", "{all:?} fails without a word");
        assert_eq!(bench.director.desired, before, "{all:?}: {outcome:?}");
    }
    outcome
}

proptest! {
    #[test]
    fn command_lines_fail_whole(lines in prop::collection::vec(words(), 1..8)) {
        let mut bench = Bench::<Memory>::default();
        for words in lines {
            run(&mut bench, "ipvsadm", words, "-A -t 10.0.0.1:82\n");
        }
    }

    #[test]
    fn rule_files_are_taken_whole_or_not(
        lines in prop::collection::vec(line(), 0..8),
        garbage in prop::option::weighted(0.3, any::<String>()),
        program in prop::sample::select(&["-R", "ipvsadm-restore"][..]),
    ) {
        let mut text: Vec<String> = lines.iter().map(|words| words.join(" ")).collect();
        text.extend(garbage);
        let mut bench = Bench::<Memory>::default();
        bench.make("ipvsadm -A -t 10.0.0.7:80");
        let (program, words) = match program {
            "-R" => ("ipvsadm", vec!["-R".to_owned()]),
            other => (other, Vec::new()),
        };
        let outcome = run(&mut bench, program, words, &text.join("\n"));
        if outcome.status == 0 {
            let saved = bench.run("ipvsadm -Sn").stdout;
            let mut other = Bench::<Memory>::default();
            prop_assert_eq!(other.run_with("ipvsadm-restore", &saved), Outcome::default());
            prop_assert_eq!(other.run("ipvsadm -Sn").stdout, saved);
        }
    }
}
