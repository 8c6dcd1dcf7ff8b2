//! What ipvsadm 1.31 printed on Linux 6.1 with the kernel's IPVS, replayed.
//!
//! A corpus is JSON lines. The first has the hosts file and the sets of services that commands ran
//! on; of the others, `listing` ran on `kinds` or on nothing, `case` on `base`, alone or as `steps`,
//! and tells whether that changed the services (`ipvsadm -Sn` is `saved_after`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rlvs_control::ConnectionEntry;
use serde::Deserialize;

use crate::bench::{Bench, FixedNames, Memory, Outcome};

/// Lines where we differ on purpose (`docs/DIFFERENCES.md`), or that depend on what a director in
/// memory has not: whole commands, or what they contain.
const SKIPPED: [(&str, &str); 9] = [
    ("--help", "the help is our own"),
    ("--nosort", "the kernel's order is that of its hash tables"),
    (
        "-f 4294967295",
        "large marks are written as they are, and can be read back",
    ),
    (
        "-f 2147483648",
        "large marks are written as they are, and can be read back",
    ),
    ("-b flag-3", "a flag that sh and mh do not use is kept"),
    (
        "-s sh -b flag-1,flag-2,flag-3",
        "a flag that sh and mh do not use is kept",
    ),
    (
        "-s sh -b flag-2,flag-3",
        "a flag that sh and mh do not use is kept",
    ),
    (
        "-s mh -b flag-2,flag-3",
        "a flag that sh and mh do not use is kept",
    ),
    (
        "-r 10.98.0.255",
        "the broadcast addresses of networks are not known",
    ),
];

/// Of these, the lines whose options are wrong all the same.
const NOT_SKIPPED: [&str; 5] = ["Illegal", "illegal", "invalid", "multiple", "unexpected"];

#[derive(Debug, Deserialize)]
struct Head {
    hosts: String,
    #[serde(default)]
    kinds: String,
    base: String,
}

#[derive(Debug, Deserialize)]
struct Record {
    group: String,
    #[serde(default)]
    setup: String,
    #[serde(default)]
    traffic: bool,
    #[serde(flatten)]
    step: Option<Step>,
    #[serde(default)]
    steps: Vec<Step>,
    saved_after: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Step {
    cmd: String,
    stdout: String,
    stderr: String,
    status: i32,
}

struct Corpus {
    head: Head,
    records: Vec<Record>,
}

#[test]
fn recorded_cases() {
    Corpus::read(include_str!("../corpus/ipvsadm.jsonl")).replay_cases();
}

#[test]
fn recorded_command_lines() {
    Corpus::read(include_str!("../corpus/command-lines.jsonl")).replay_cases();
}

#[test]
fn recorded_listings() {
    let corpus = Corpus::read(include_str!("../corpus/ipvsadm.jsonl"));
    let (empty, full) = (corpus.bench(""), corpus.bench(&corpus.head.kinds));
    let mut failures = Vec::new();
    for record in corpus
        .records
        .iter()
        .filter(|record| record.group == "listing")
    {
        let step = record.step.as_ref().unwrap();
        if record.traffic || skipped(step) {
            continue;
        }
        let director = if record.setup == "none" {
            &empty
        } else {
            &full
        };
        let mut bench = Bench {
            director: director.clone(),
            names: corpus.names(),
        };
        check(&mut bench, step, &mut failures);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn recorded_connections() {
    let corpus = Corpus::read(include_str!("../corpus/ipvsadm.jsonl"));
    let table = corpus.step("cat /proc/net/ip_vs_conn");
    let connections = table
        .stdout
        .lines()
        .skip(1)
        .map(connection)
        .collect::<Vec<_>>();
    let mut director = corpus.bench(&corpus.head.kinds);
    director.connections.clone_from(&connections);
    let mut bench = Bench {
        director,
        names: corpus.names(),
    };
    let mut failures = Vec::new();
    let lists_them = |step: &&Step| {
        // The first was recorded while some were there that had ended when the table was read.
        step.cmd.starts_with("ipvsadm -L") && step.stdout.lines().count() == connections.len() + 2
    };
    let steps = corpus.records.iter().filter(|record| record.traffic);
    let steps = steps.filter_map(|record| record.step.as_ref());
    let listings = steps.filter(lists_them).collect::<Vec<_>>();
    assert_eq!(listings.len(), 6);
    for step in listings {
        let step = Step {
            stdout: timeless(&step.stdout),
            ..step.clone()
        };
        check_as(&mut bench, &step, timeless, &mut failures);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

impl Corpus {
    fn read(text: &str) -> Self {
        let mut lines = text.lines();
        let head = serde_json::from_str(lines.next().unwrap()).unwrap();
        let records = lines
            .map(|line| serde_json::from_str(line).expect(line))
            .collect();
        Self { head, records }
    }

    fn names(&self) -> FixedNames {
        FixedNames::of(&self.head.hosts)
    }

    fn step(&self, command: &str) -> &Step {
        let mut steps = self
            .records
            .iter()
            .filter_map(|record| record.step.as_ref());
        steps.find(|step| step.cmd == command).unwrap()
    }

    /// A director with services that were set up by these lines.
    fn bench(&self, lines: &str) -> Memory {
        let mut bench = Bench {
            director: Memory {
                interfaces: vec![("v1".to_owned(), 1500)],
                ..Memory::default()
            },
            names: self.names(),
        };
        for line in lines.lines() {
            bench.make(&format!("ipvsadm {line}"));
        }
        bench.director
    }

    fn replay_cases(&self) {
        let base = self.bench(&self.head.base);
        let mut failures = Vec::new();
        for record in self.records.iter().filter(|record| record.group == "case") {
            let steps = record.step.iter().chain(&record.steps).collect::<Vec<_>>();
            if steps.iter().any(|step| skipped(step)) {
                continue;
            }
            let mut bench = Bench {
                director: base.clone(),
                names: self.names(),
            };
            steps
                .iter()
                .for_each(|step| check(&mut bench, step, &mut failures));
            let saved = saved(&bench.director);
            let expected = match &record.saved_after {
                Some(saved) => saved.clone(),
                None => self::saved(&base),
            };
            if saved != expected {
                failures.push(format!("{}\n saved  {saved}", steps[0].cmd));
            }
        }
        assert!(
            failures.is_empty(),
            "{} failures\n{}",
            failures.len(),
            failures.join("\n")
        );
    }
}

/// The services as ipvsadm 1.31 would save them.
fn saved(director: &Memory) -> String {
    let mut bench = Bench {
        director: director.clone(),
        names: FixedNames::default(),
    };
    without_thresholds(&bench.run("ipvsadm -Sn").stdout)
}

fn skipped(step: &Step) -> bool {
    let differs = SKIPPED.iter().any(|(part, _)| step.cmd.contains(part));
    differs && !NOT_SKIPPED.iter().any(|end| step.stderr.starts_with(end))
}

fn check(bench: &mut Bench<Memory>, step: &Step, failures: &mut Vec<String>) {
    check_as(bench, step, without_thresholds, failures);
}

fn check_as(
    bench: &mut Bench<Memory>,
    step: &Step,
    comparable: impl Fn(&str) -> String,
    failures: &mut Vec<String>,
) {
    let outcome = bench.run(&step.cmd);
    let ours = Outcome {
        stdout: comparable(&outcome.stdout),
        ..outcome
    };
    let Step {
        stdout,
        stderr,
        status,
        ..
    } = step.clone();
    let theirs = Outcome {
        stdout,
        stderr,
        status,
    };
    if ours != theirs {
        failures.push(format!(
            "{}\n ours   {ours:?}\n theirs {theirs:?}",
            step.cmd
        ));
    }
}

/// Ours saves them, ipvsadm 1.31 does not.
fn without_thresholds(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.split('\n') {
        let mut words = line.split(' ').collect::<Vec<_>>();
        for flag in ["-x", "-y"] {
            if let Some(at) = words.iter().position(|word| *word == flag) {
                words.drain(at..at + 2);
            }
        }
        lines.push(words.join(" "));
    }
    lines.join("\n")
}

/// `pro 14:47 ...` without the time that is left.
fn timeless(text: &str) -> String {
    let line = |line: &str| {
        let words = line.split(' ').map(|word| match word.as_bytes() {
            [b'0'..=b'9', b'0'..=b'9', b':', b'0'..=b'9', b'0'..=b'9'] => "--:--",
            _ => word,
        });
        words.collect::<Vec<_>>().join(" ")
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

/// A line of /proc/net/ip_vs_conn.
fn connection(line: &str) -> ConnectionEntry {
    let words = line.split_whitespace().collect::<Vec<_>>();
    let endpoint = |at: usize| {
        SocketAddr::new(
            address(words[at]),
            u16::from_str_radix(words[at + 1], 16).unwrap(),
        )
    };
    ConnectionEntry {
        protocol: words[0].to_owned(),
        client: endpoint(1),
        virtual_address: endpoint(3),
        destination: endpoint(5),
        state: words[7].to_owned(),
        expires: words[8].parse().unwrap(),
        learned: false,
        persistence_engine: None,
        local: None,
    }
}

fn address(text: &str) -> IpAddr {
    match text.parse::<Ipv6Addr>() {
        Ok(address) => address.into(),
        Err(_) => Ipv4Addr::from_bits(u32::from_str_radix(text, 16).unwrap()).into(),
    }
}
