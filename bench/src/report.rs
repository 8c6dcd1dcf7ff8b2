//! The table on the screen, the JSON file, the comparison.

use std::fs::File;
use std::io::{IsTerminal, Write, stderr};
use std::path::PathBuf;

use anyhow::{Context, Result};
use rlvs_wire::protocol::TCP;
use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::measure::{Floors, RUNS, Row};
use crate::packet::Version;
use crate::subject::{Subject, Target};

/// All of a run.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) floors: Floors,
    pub(crate) memory: Memory,
    pub(crate) rows: Vec<Row>,
}

/// Bytes of kernel memory for each connection that the table is made for.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Memory {
    ipv4: f64,
    ipv6: f64,
}

impl Memory {
    pub(crate) fn of_tables() -> Result<Self> {
        const CONNECTIONS: u32 = 1_000_000;
        let bytes = |version| {
            let subject = Subject::new(Target::new(version, TCP, "wlc", 1), CONNECTIONS)?;
            anyhow::Ok(subject.connection_bytes(version) as f64 / f64::from(CONNECTIONS))
        };
        Ok(Self {
            ipv4: bytes(Version::V4)?,
            ipv6: bytes(Version::V6)?,
        })
    }
}

impl Report {
    pub(crate) fn read(file: &PathBuf) -> Result<Self> {
        let name = || file.display().to_string();
        serde_json::from_reader(File::open(file).with_context(name)?).with_context(name)
    }

    pub(crate) fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

pub(crate) fn print_machine(machine: &Machine) {
    let Machine {
        processor,
        kernel,
        cpu,
    } = machine;
    println!("{processor}, Linux {kernel}, on CPU {cpu}");
    println!("nanoseconds a packet; medians of {RUNS} runs\n");
}

pub(crate) fn print_floors(floors: &Floors) {
    for (name, time) in [
        ("empty program", floors.empty),
        ("array look-up", floors.array),
        ("hash look-up, 16-byte key", floors.hash),
        ("wrapper, IPv4", floors.wrapper4),
        ("wrapper, IPv6", floors.wrapper6),
    ] {
        println!("{name:<NAME$} {:>8.1}", time.median);
    }
}

pub(crate) fn print_memory(Memory { ipv4, ipv6 }: &Memory) {
    println!("\nbytes of kernel memory a connection: IPv4 {ipv4:.1}, IPv6 {ipv6:.1}\n");
}

pub(crate) fn print_heading(compare: bool) {
    let changes = if compare { "   before  change" } else { "" };
    println!(
        "{:<NAME$} {:>8} {:>8} {:>8} {:>8} {:>8}{changes}",
        "", "total", "wrapper", "net", "least", "x empty"
    );
}

pub(crate) fn print_row(row: &Row, before: Option<&Report>) {
    let (
        Row {
            name,
            total,
            wrapper,
            ..
        },
        net,
    ) = (row, row.net());
    print!(
        "{name:<NAME$} {:>8.1} {:>8.1}",
        total.median, wrapper.median
    );
    print!(" {net:>8.1} {:>8.1} {:>8.1}", row.least_net(), row.ratio());
    let before = before.and_then(|report| report.rows.iter().find(|row| row.name == *name));
    match before.map(Row::net) {
        Some(before) => println!(" {before:>8.1} {:>+6.0} %", (net / before - 1.0) * 100.0),
        None => println!(),
    }
}

/// Says what is measured while it is, on a terminal.
pub(crate) fn progress<T>(name: &str, measure: impl FnOnce() -> Result<T>) -> Result<T> {
    let say = |text: &str| {
        if stderr().is_terminal() {
            // A closed standard error is no reason to stop.
            let _ = write!(stderr(), "\r\x1b[K{text}").and_then(|()| stderr().flush());
        }
    };
    say(&format!("{name} …"));
    let measured = measure().with_context(|| name.to_owned());
    say("");
    measured
}

/// Width of the first column.
const NAME: usize = 26;
