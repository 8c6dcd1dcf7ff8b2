//! Bodies of every kind of nonsense over the real socket: each is answered, with a clear error unless it
//! is right after all, and what is refused has changed nothing.

use std::net::IpAddr;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rlvs_control::endpoint::Version;
use rlvs_control::model::{Granularity, Persistence};
use rlvs_control::{
    Change, Destination, DestinationKey, Director, Error, ForwardingMethod, Protocol, Service,
    ServiceKey, Transaction, sysctl,
};
use serde_json::{Value, json};

use crate::support::{Fake, post, service};

/// Each is asked about before and after.
const CASES: u32 = 256;

#[test]
fn nonsense_is_refused_whole() {
    let fake = Fake::start();
    let mut client = fake.client();
    client
        .apply(&Change::AddService(service(80)).into())
        .unwrap();
    let mut runner = TestRunner::new(Config::with_cases(CASES));
    let outcome = runner.run(&bodies(), |body| {
        let mut client = fake.client();
        let before = (client.services().unwrap(), client.sysctls().unwrap());
        let answer = post(fake.name(), "/v1/transaction", "", &body);
        let text = String::from_utf8_lossy(&body);
        if !answer.starts_with("HTTP/1.1 200 ") {
            refused(&answer, &text)?;
            let after = (client.services().unwrap(), client.sysctls().unwrap());
            prop_assert_eq!(after, before, "{}", text);
        }
        prop_assert_eq!(client.version().unwrap(), Version::own());
        Ok(())
    });
    fake.stop();
    outcome.unwrap();
}

/// Said by a code and in words, in a status that means the client.
fn refused(answer: &str, body: &str) -> Result<(), TestCaseError> {
    let (head, error) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    prop_assert!(!head.starts_with("HTTP/1.1 500"), "{}: {}", body, answer);
    let error = serde_json::from_str::<Error>(error);
    let error = error.map_err(|error| TestCaseError::fail(format!("{body}: {answer}: {error}")))?;
    prop_assert!(error.message.len() > 10, "{}: {}", body, answer);
    Ok(())
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let text = |value: Value| serde_json::to_vec(&value).expect("JSON can be written");
    prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..64),
        2 => value().prop_map(move |value| text(json!({ "changes": value }))),
        6 => marred().prop_map(text),
        2 => (marred(), any::<prop::sample::Index>()).prop_map(move |(value, end)| {
            let mut text = text(value);
            text.truncate(end.index(text.len()));
            text
        }),
    ]
}

/// A right transaction of which one place is replaced.
fn marred() -> impl Strategy<Value = Value> {
    let changes = prop::collection::vec(change(), 1..5);
    let place = prop::option::weighted(0.8, any::<prop::sample::Index>());
    (changes, place, value()).prop_map(|(changes, place, new)| {
        let transaction = Transaction::from(changes);
        let mut value = serde_json::to_value(transaction).expect("it can be written");
        if let Some(place) = place {
            let count = nodes(&mut value, &mut |_, _| ());
            let place = place.index(count);
            nodes(&mut value, &mut |number, node| {
                if number == place {
                    *node = new.clone();
                }
            });
        }
        value
    })
}

/// Visits all values in a value, itself first; how many they are.
fn nodes(value: &mut Value, each: &mut dyn FnMut(usize, &mut Value)) -> usize {
    fn walk(value: &mut Value, count: &mut usize, each: &mut dyn FnMut(usize, &mut Value)) {
        let number = *count;
        *count += 1;
        match value {
            Value::Array(items) => items.iter_mut().for_each(|it| walk(it, count, each)),
            Value::Object(fields) => fields.values_mut().for_each(|it| walk(it, count, each)),
            _ => {}
        }
        each(number, value);
    }
    let mut count = 0;
    walk(value, &mut count, each);
    count
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(&[0u64, 1, 65_535, 65_536, 1 << 31, 1 << 32, u64::MAX][..])
            .prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(WORDS).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(prop::sample::select(WORDS), inner, 0..4).prop_map(|map| {
                let fields = map
                    .into_iter()
                    .map(|(name, value)| (name.to_owned(), value));
                Value::Object(fields.collect())
            }),
        ]
    })
}

const WORDS: &[&str] = &[
    "flush",
    "zero",
    "add-service",
    "add-destination",
    "set-sysctl",
    "key",
    "address",
    "mark",
    "port",
    "tcp",
    "ipv6",
    "method",
    "tunnel",
    "192.0.2.1",
    "255.255.255.255",
    "::",
    "fe80::1",
    "",
];

fn change() -> impl Strategy<Value = Change> {
    let add = (key(), prop::sample::select(&["rr", "wlc", "mh", "no"][..])).prop_map(
        |(key, scheduler)| {
            Change::AddService(Service {
                key,
                scheduler: scheduler.to_owned(),
                persistence: Some(Persistence {
                    timeout: 60,
                    granularity: Granularity::Prefix(64),
                }),
                ..service(80)
            })
        },
    );
    let destination =
        (key(), address(), 0u32..3).prop_map(|(service, address, weight)| Change::AddDestination {
            service,
            destination: Destination {
                key: DestinationKey { address, port: 80 },
                method: ForwardingMethod::Route,
                weight,
                upper_threshold: 0,
                lower_threshold: weight,
            },
        });
    let drain = (key(), address()).prop_map(|(service, address)| Change::Drain {
        service,
        destination: DestinationKey { address, port: 80 },
        deadline: Some(3),
        keep_clients: true,
    });
    let local = (key(), address())
        .prop_map(|(service, address)| Change::AddLocalAddress { service, address });
    let setting =
        (0..sysctl::SETTINGS.len(), "-?[0-9]{1,3}").prop_map(|(number, value)| Change::SetSysctl {
            name: sysctl::SETTINGS[number].name.to_owned(),
            value,
        });
    prop_oneof![
        4 => add,
        4 => destination,
        1 => drain,
        1 => local,
        2 => setting,
        1 => key().prop_map(Change::DeleteService),
        1 => any::<[u32; 3]>().prop_map(|[tcp, tcp_fin, udp]| Change::SetTimeouts {
            tcp,
            tcp_fin,
            udp
        }),
    ]
}

fn key() -> impl Strategy<Value = ServiceKey> {
    let protocol = prop::sample::select(&[Protocol::Tcp, Protocol::Udp, Protocol::Sctp][..]);
    (protocol, address(), 79u16..82).prop_map(|(protocol, address, port)| ServiceKey::Address {
        protocol,
        address,
        port,
    })
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop::sample::select(&["192.0.2.1", "10.0.0.1", "2001:db8::1", "224.0.0.1"][..])
        .prop_map(|text| text.parse().expect("it is an address"))
}
