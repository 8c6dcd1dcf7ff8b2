//! `ipvsadm-save`, the refusals that are ours, and what happens without a director.

use rlvs_control::sysctl::Value;
use rlvs_control::{
    Code, ConnectionEntry, Director, Error, Overall, Services, Synchronisation, Timeouts,
    Transaction,
};

use crate::bench::{Bench, Memory, Outcome};

/// Refuses everything in the same way.
#[derive(Debug)]
struct Refusing(Code);

impl Refusing {
    fn refuse<T>(&self) -> Result<T, Error> {
        Err(Error::new(self.0, "told so by the test"))
    }
}

impl Director for Refusing {
    fn apply(&mut self, _: &Transaction) -> Result<(), Error> {
        self.refuse()
    }

    fn services(&mut self) -> Result<Services, Error> {
        self.refuse()
    }

    fn overall(&mut self) -> Result<Overall, Error> {
        self.refuse()
    }

    fn connections(&mut self, _: &mut dyn FnMut(ConnectionEntry) -> bool) -> Result<(), Error> {
        self.refuse()
    }

    fn timeouts(&mut self) -> Result<Timeouts, Error> {
        self.refuse()
    }

    fn sysctls(&mut self) -> Result<Vec<Value>, Error> {
        self.refuse()
    }

    fn synchronisation(&mut self) -> Result<Synchronisation, Error> {
        self.refuse()
    }
}

#[test]
fn save_prints_commands() {
    let mut bench = Bench::<Memory>::default();
    bench.make("ipvsadm -A -t 192.0.2.1:80 -s rr");
    bench.make("ipvsadm -a -t 192.0.2.1:80 -r 10.0.0.1 -x 9 -y 5");
    let saved = "-A -t 192.0.2.1:80 -s rr\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -g -w 1 -x 9 -y 5\n";
    for line in ["ipvsadm-save -n", "ipvsadm-save -n -n", "ipvsadm-save x -n"] {
        assert_eq!(bench.run(line).stdout, saved);
    }
    assert!(
        bench
            .run("ipvsadm-save")
            .stdout
            .starts_with("-A -t 192.0.2.1:http -s rr\n")
    );
}

#[test]
fn save_explains_itself() {
    for line in ["ipvsadm-save -h", "ipvsadm-save --", "ipvsadm-save -nn"] {
        let outcome = Bench::<Memory>::default().run(line);
        assert!(outcome.stdout.starts_with("ipvsadm-save: Script to save"));
        assert_eq!((outcome.stderr.as_str(), outcome.status), ("", 1));
    }
}

#[test]
fn help_and_version_need_no_director() {
    let mut bench = Bench {
        director: Refusing(Code::NotRunning),
        names: Default::default(),
    };
    for line in ["ipvsadm -h", "ipvsadm --help", "ipvsadm -hL"] {
        let outcome = bench.run(line);
        assert!(outcome.stdout.starts_with("ipvsadm v1.31"));
        assert!(
            outcome.stdout.contains("  -A, --add-service"),
            "{}",
            outcome.stdout
        );
        assert_eq!(outcome.status, 0);
    }
}

#[test]
fn without_a_director_its_hint_is_passed_on() {
    let mut bench = Bench {
        director: Refusing(Code::NotRunning),
        names: Default::default(),
    };
    for line in [
        "ipvsadm -Ln",
        "ipvsadm -C",
        "ipvsadm -Lc",
        "ipvsadm -S",
        "ipvsadm -R",
    ] {
        let Outcome { stderr, status, .. } = bench.run(line);
        assert_eq!(stderr, "Can't initialize ipvs: told so by the test\n");
        assert_eq!(status, 2);
    }
}

#[test]
fn others_than_root_are_told() {
    let mut bench = Bench {
        director: Refusing(Code::PermissionDenied),
        names: Default::default(),
    };
    let Outcome { stderr, status, .. } = bench.run("ipvsadm -Ln");
    assert!(stderr.starts_with("Can't initialize ipvs: Permission denied (you must be root)\n"));
    assert_eq!(status, 2);
}

#[test]
fn refusals_without_a_text_of_ipvsadm_are_passed_on() {
    let mut bench = Bench {
        director: Refusing(Code::TableFull),
        names: Default::default(),
    };
    for line in ["ipvsadm -C", "ipvsadm -a -t 1.2.3.4:80 -r 5.6.7.8"] {
        let stderr = "told so by the test\n".to_owned();
        assert_eq!(
            bench.run(line),
            Outcome {
                stderr,
                status: 255,
                ..Outcome::default()
            }
        );
    }
}

/// As Linux 6.1 lists them: also those that are addresses of this host.
#[test]
fn masqueraded_and_local_destinations_are_listed_by_their_method() {}
