//! Every kind of listing of services with everything, to the byte.

use std::path::Path;

use rlvs_control::sysctl::Value;
use rlvs_control::{
    ConnectionEntry, Director, Error, Overall, Services, Synchronisation, Timeouts, Transaction,
};

use crate::bench::Bench;

/// Shows what it is given.
#[derive(Debug)]
struct Exhibition {
    services: Services,
    connections: Vec<ConnectionEntry>,
    overall: Overall,
}

impl Director for Exhibition {
    fn apply(&mut self, _: &Transaction) -> Result<(), Error> {
        Ok(())
    }

    fn services(&mut self) -> Result<Services, Error> {
        Ok(self.services.clone())
    }

    fn overall(&mut self) -> Result<Overall, Error> {
        Ok(self.overall.clone())
    }

    fn connections(&mut self, each: &mut dyn FnMut(ConnectionEntry) -> bool) -> Result<(), Error> {
        self.connections.iter().cloned().all(each);
        Ok(())
    }

    fn timeouts(&mut self) -> Result<Timeouts, Error> {
        Ok(Timeouts::default())
    }

    fn sysctls(&mut self) -> Result<Vec<Value>, Error> {
        Ok(Vec::new())
    }

    fn synchronisation(&mut self) -> Result<Synchronisation, Error> {
        Ok(Synchronisation::default())
    }
}

/// Each file begins with the command that prints the rest of it.
#[test]
fn listings_are_as_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/listings");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let director = Exhibition {
        services: serde_json::from_str(&read("services.json")).unwrap(),
        connections: serde_json::from_str(&read("connections.json")).unwrap(),
        overall: Overall::default(),
    };
    let mut bench = Bench {
        director,
        names: Default::default(),
    };
    let mut listings = 0;
    for file in std::fs::read_dir(&folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".txt") {
            let text = read(&name);
            let (command, expected) = text.split_once('\n').unwrap();
            let outcome = bench.run(command.strip_prefix("$ ").unwrap());
            assert_eq!(outcome.stdout, expected, "{name}");
            assert_eq!((outcome.stderr.as_str(), outcome.status), ("", 0), "{name}");
            listings += 1;
        }
    }
    assert_eq!(listings, 12);
}
