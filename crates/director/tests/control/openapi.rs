//! What a director answers is what its OpenAPI document says, route by route.

use std::io::{BufRead, BufReader};
use std::sync::Arc;

use rlvs_control::{Change, ConnectionEntry, Error};
use rlvs_director::server::{Access, ConnectionSource, openapi};
use serde_json::{Value, json};

use crate::support::{self, Fake, ask, begin, service};

/// Two: of a template, and by full NAT.
struct Connections;

impl ConnectionSource for Connections {
    fn visit(&self, each: &mut dyn FnMut(ConnectionEntry) -> bool) {
        let entry = ConnectionEntry {
            protocol: "TCP".to_owned(),
            state: "ESTABLISHED".to_owned(),
            expires: 5,
            client: ([198, 51, 100, 1], 40000).into(),
            virtual_address: ([192, 0, 2, 1], 80).into(),
            destination: ([10, 0, 0, 1], 80).into(),
            local: None,
            learned: false,
            persistence_engine: Some(("sip".to_owned(), "call".to_owned())),
        };
        let local = Some(([10, 0, 0, 9], 1024).into());
        let _ = each(entry.clone()) && each(ConnectionEntry { local, ..entry });
    }
}

/// The document, and a director to compare with it.
struct Compared {
    document: Value,
    fake: Fake,
}

impl Compared {
    fn begin() -> Self {
        Self {
            document: serde_json::from_str(&openapi()).unwrap(),
            fake: Fake::with(Access::new(None).unwrap(), Arc::new(Connections)),
        }
    }

    /// `what` is what the schema allows.
    fn conforms(&self, schema: &Value, what: &Value) {
        let mut root = schema.clone();
        root["components"] = self.document["components"].clone();
        let validator = jsonschema::draft202012::new(&root).unwrap();
        let wrong: Vec<_> = validator.iter_errors(what).collect();
        assert!(wrong.is_empty(), "{wrong:?}\n{schema}\n{what}");
    }

    /// The schema of what an operation answers with a status.
    fn schema(&self, operation: &Value, status: u16) -> Value {
        let responses = &operation["responses"];
        let exact = responses.get(status.to_string());
        let response = exact.unwrap_or(&responses[format!("{}XX", status / 100)]);
        let response = match response["$ref"].as_str() {
            Some(place) => self.document.pointer(&place[1..]).unwrap(),
            None => response,
        };
        let content = response["content"].as_object().unwrap();
        let media = content.values().next().unwrap();
        media.get("x-each").unwrap_or(&media["schema"]).clone()
    }

    /// Asks, and looks at the answer; its status.
    fn ask(&self, operation: &Value, method: &str, path: &str, body: &Value) -> u16 {
        let text = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let (status, answer) = ask(self.fake.name(), &method.to_uppercase(), path, &text);
        let schema = self.schema(operation, status);
        assert!(!answer.is_empty(), "{path}");
        let mut values = serde_json::Deserializer::from_str(&answer).into_iter::<Value>();
        values.all(|value| {
            self.conforms(&schema, &value.unwrap());
            true
        });
        status
    }
}

#[test]
fn every_answer_is_as_described() {
    let all = Compared::begin();
    let mut asked = 0;
    for (path, operations) in all.document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            asked += 1;
            match operation["operationId"].as_str().unwrap() {
                "events" => events(&all, operation, path),
                "transaction" => transactions(&all, operation, path),
                "apply_site" | "plan_site" => {
                    let site = json!({ "path": "/x.toml", "text": "", "expected": 3 });
                    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
                    all.conforms(schema, &site);
                    assert_eq!(all.ask(operation, method, path, &site), 200);
                    assert_eq!(all.ask(operation, method, path, &json!({ "x": 1 })), 400);
                }
                "hand_over" => {
                    let of = json!({ "name": "VI_1" });
                    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
                    all.conforms(schema, &of);
                    assert_eq!(all.ask(operation, method, path, &of), 200);
                    assert_eq!(all.ask(operation, method, path, &json!({ "x": 1 })), 400);
                }
                "stop" => {
                    let stop = json!({ "forwarding": "drain", "drain_timeout": 60 });
                    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
                    all.conforms(schema, &stop);
                    assert_eq!(all.ask(operation, method, path, &stop), 200);
                    assert_eq!(all.ask(operation, method, path, &json!({ "x": 1 })), 400);
                }
                "metrics" => {
                    let (status, text) = ask(all.fake.name(), "GET", path, "");
                    all.conforms(&all.schema(operation, status), &Value::String(text));
                }
                _ => assert_eq!(all.ask(operation, method, path, &Value::Null), 200),
            }
            // What the path does not take is refused as any other.
            assert_eq!(all.ask(operation, "delete", path, &Value::Null), 405);
        }
    }
    assert!(asked >= 14, "{asked}");
    let any = &all.document["paths"]["/v1/version"]["get"];
    assert_eq!(all.ask(any, "get", "/v1/nothing", &Value::Null), 501);
}

fn events(all: &Compared, operation: &Value, path: &str) {
    let mut answer = BufReader::new(begin(all.fake.name(), "GET", path, "")).lines();
    // Once the head is there, the listener is.
    assert!(answer.by_ref().any(|line| line.unwrap().is_empty()));
    let schema = all.schema(operation, 200);
    for what in support::events() {
        all.fake.news.tell(what);
        let line = answer.by_ref().map(Result::unwrap);
        let data = line
            .filter_map(|line| line.strip_prefix("data: ").map(str::to_owned))
            .next();
        all.conforms(&schema, &serde_json::from_str(&data.unwrap()).unwrap());
    }
}

fn transactions(all: &Compared, operation: &Value, path: &str) {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    let make = |changes: Value, expected: u16| {
        let transaction = json!({ "changes": changes });
        all.conforms(schema, &transaction);
        let status = all.ask(operation, "post", path, &transaction);
        assert_eq!(status, expected, "{transaction}");
    };
    let change = |change: Change| serde_json::to_value(vec![change]).unwrap();
    let key = serde_json::to_value(service(80).key).unwrap();
    let real = |port: u16| json!({ "address": "192.0.2.2", "port": port });
    let destination = |method: Value| {
        json!({
            "address": "192.0.2.2", "port": 80, "method": method, "weight": 1,
            "upper_threshold": 9, "lower_threshold": 3,
        })
    };
    make(change(Change::AddService(service(80))), 200);
    make(change(Change::AddService(service(80))), 409);
    make(
        json!([{ "add-service": {
            "key": { "mark": { "family": "ipv6", "mark": 7 } },
            "scheduler": "sh", "scheduler_flags": 3, "client_address": "proxy", "slow_start": 0,
            "persistence": { "timeout": 300, "granularity": { "prefix": 64 } },
            "one_packet": false, "persistence_engine": "sip",
        } }]),
        200,
    );
    make(json!([{ "edit-service": service(81) }]), 404);
    for (verb, method) in [
        ("add-destination", json!("masquerade")),
        (
            "edit-destination",
            json!({ "tunnel": { "gre": { "checksum": true } } }),
        ),
        (
            "edit-destination",
            json!({ "tunnel": { "gue": { "port": 5, "checksum": "remote" } } }),
        ),
        ("edit-destination", json!({ "tunnel": "ipip" })),
        ("edit-destination", json!("fullnat")),
    ] {
        make(
            json!([{ verb: { "service": key, "destination": destination(method) } }]),
            200,
        );
    }
    make(
        json!([{ "add-local-address": { "service": key, "address": "10.0.0.9" } }]),
        200,
    );
    make(
        json!([{ "delete-local-address": { "service": key, "address": "10.0.0.9" } }]),
        200,
    );
    make(
        json!([{ "drain": {
            "service": key, "destination": real(80), "deadline": 5, "keep_clients": true,
        } }]),
        200,
    );
    make(
        json!([{ "undrain": { "service": key, "destination": real(80) } }]),
        200,
    );
    make(
        json!([{ "delete-destination": { "service": key, "destination": real(81) } }]),
        404,
    );
    make(
        json!([{ "set-timeouts": { "tcp": 0, "tcp_fin": 0, "udp": 5 } }]),
        200,
    );
    make(
        json!([{ "set-sysctl": { "name": "sloppy_tcp", "value": "1" } }]),
        200,
    );
    make(
        json!([{ "set-sysctl": { "name": "sloppy_tcp", "value": "x" } }]),
        422,
    );
    make(
        json!([{ "zero": { "service": key } }, { "zero": { "service": null } }]),
        200,
    );
    make(json!([{ "delete-service": key }, "flush"]), 200);
    assert_eq!(
        all.ask(operation, "post", path, &json!({ "changes": 5 })),
        400
    );
}

/// A conflict says what the number is.
#[test]
fn rules_that_are_others_than_expected_are_not_changed() {
    let fake = Fake::start();
    let add = |port: u16, expected: u64| {
        let transaction =
            json!({ "changes": [{ "add-service": service(port) }], "expected": expected });
        ask(
            fake.name(),
            "POST",
            "/v1/transaction",
            &transaction.to_string(),
        )
    };
    assert_eq!(add(80, 0), (200, json!({ "number": 1 }).to_string()));
    let (status, answer) = add(81, 0);
    let refused: Error = serde_json::from_str(&answer).unwrap();
    assert_eq!((status, refused.number), (409, Some(1)));
    assert_eq!(add(81, 1), (200, json!({ "number": 2 }).to_string()));
    let (_, listed) = ask(fake.name(), "GET", "/v1/services", "");
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["number"], 2);
}
