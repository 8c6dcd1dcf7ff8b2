//! Rule files as ipvsadm 1.31 takes them, recorded by `corpus/record-restore.py`.

use serde::Deserialize;

use crate::bench::{Bench, Memory};

#[derive(Debug, Deserialize)]
struct Record {
    cmd: String,
    stdin: String,
    stdout: String,
    stderr: String,
    status: i32,
    saved_after: String,
    thresholds_after: String,
}

#[test]
fn recorded_files_are_taken_alike() {
    let records = include_str!("../corpus/restore.jsonl").lines();
    let records: Vec<Record> = records
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(records.len() > 60, "{}", records.len());
    for record in records {
        let mut bench = Bench::<Memory>::default();
        bench.make("ipvsadm -A -t 10.0.0.7:80 -s rr");
        let words: Vec<_> = record.cmd.split(' ').map(str::to_owned).collect();
        let outcome = bench.run_as(&words, &record.stdin, true);
        let found = (outcome.stdout, outcome.stderr, outcome.status);
        let recorded = (record.stdout, record.stderr, record.status);
        assert_eq!(found, recorded, "{} of {:?}", record.cmd, record.stdin);
        let saved = ["ipvsadm", "-Sn"].map(str::to_owned);
        let saved = bench.run_as(&saved, "", true).stdout;
        assert_eq!(saved, record.saved_after, "{:?}", record.stdin);
        let listing = bench.run("ipvsadm -Ln --thresholds").stdout;
        let (_, thresholds) = listing.split_once('\n').unwrap();
        assert_eq!(thresholds, record.thresholds_after, "{:?}", record.stdin);
    }
}
