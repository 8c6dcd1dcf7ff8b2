//! The API over TCP, with a core that knows little.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use rlvs_config::settings::Listen;
use rlvs_control::{Change, Client, Code, ConnectionEntry, Director, Made, Remote, Timeouts};
use tempfile::TempDir;

use super::*;
use crate::server::handle::{ConnectionSource, Request};
use crate::server::role::Role;

struct NoConnections;

impl ConnectionSource for NoConnections {
    fn visit(&self, _each: &mut dyn FnMut(ConnectionEntry) -> bool) {}
}

/// A director's doors, and the files of its `[api]`.
struct Scene {
    /// The core ends with it.
    _stop: oneshot::Sender<()>,
    doors: Doors,
    folder: TempDir,
    settings: Settings,
}

impl Scene {
    fn begin() -> Self {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runs = builder.enable_all().build().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (handle, mut requests) = Handle::new(Arc::new(NoConnections), Default::default());
        let core = async move {
            while let Some(request) = requests.recv().await {
                match request {
                    Request::Timeouts(reply) => reply.send(Ok(Timeouts::default())),
                    Request::Site(reply) => reply.send(Ok(Default::default())),
                    Request::Apply(_, reply) => reply.send(Ok(Made { number: 1 })),
                    other => panic!("{other:?}"),
                }
            }
        };
        std::thread::spawn(move || {
            runs.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = core => {}
                }
            });
        });
        let mut scene = Self {
            doors: Doors::new(handle).unwrap(),
            _stop: stop,
            folder: tempfile::tempdir().unwrap(),
            settings: Settings::default(),
        };
        scene.certify();
        scene.settings.api = Api {
            listen: Listen(vec![free_address()]),
            certificate: Some(scene.file("certificate")),
            key: Some(scene.file("key")),
            tokens: Some(scene.file("tokens")),
        };
        scene
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn address(&self) -> SocketAddr {
        self.settings.api.listen.0[0]
    }

    /// A new certificate.
    fn certify(&self) {
        let names = vec!["127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        std::fs::write(self.file("certificate"), made.cert.pem()).unwrap();
        let key = self.file("key");
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        restrict(&key);
    }

    fn token(&self, name: &str, role: Role) -> String {
        Tokens::add(&self.file("tokens"), name, role).unwrap()
    }

    fn take(&mut self) -> Result<(), Error> {
        let prepared = self.doors.prepare(&self.settings)?;
        self.doors.take(prepared);
        Ok(())
    }

    fn client(&self, token: &str) -> Client {
        let url = format!("https://{}", self.address());
        let certificate = self.file("certificate");
        Client::remote(Remote::new(&url, token, Some(&certificate)).unwrap()).unwrap()
    }

    fn refused(&self) -> [u64; 3] {
        let counts = self.doors.gate.handle.outside().refused;
        counts.map(|(_, count)| count)
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

fn restrict(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn set() -> Change {
    Change::SetSysctl {
        name: "sloppy_tcp".to_owned(),
        value: "1".to_owned(),
    }
}

#[test]
fn tokens_have_their_roles() {
    let mut scene = Scene::begin();
    let [reads, operates, all] =
        [Role::Read, Role::Operate, Role::Admin].map(|role| scene.token(role.name(), role));
    scene.take().unwrap();
    let denied = Some(Code::PermissionDenied);
    for (token, flush, sets, site) in [
        (&reads, denied, denied, denied),
        (&operates, None, denied, denied),
        (&all, None, None, None),
    ] {
        let mut client = scene.client(token);
        client.timeouts().unwrap();
        let code = |outcome: Result<(), rlvs_control::Error>| outcome.err().map(|it| it.code);
        assert_eq!(code(client.apply(&Change::Flush.into())), flush);
        assert_eq!(code(client.apply(&set().into())), sets);
        assert_eq!(code(client.site().map(drop)), site);
    }
    assert_eq!(scene.refused()[0], 0);
    let error = scene.client("rlvs_0").timeouts().unwrap_err();
    assert_eq!(error.code, Code::Unauthorized);
    assert!(error.message.contains("`rlvs token`"), "{error}");
    assert_eq!(scene.refused()[0], 1);
}

#[test]
fn what_is_new_in_the_files_holds_after_a_reload() {
    let mut scene = Scene::begin();
    let token = scene.token("a", Role::Read);
    scene.take().unwrap();
    let old = scene.client(&token);
    scene.certify();
    scene.take().unwrap();
    scene.client(&token).timeouts().unwrap();
    // The old certificate is not what the director shows any more.
    let mut old = old;
    let error = old.timeouts().unwrap_err();
    assert!(error.message.contains("certificate"), "{error}");

    // Who listens to events when its token goes hears no more.
    let mut listener = scene.client(&token);
    let listening = std::thread::spawn(move || listener.events(&mut |_| true));
    while scene.doors.gate.guests() == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::fs::write(scene.file("tokens"), "").unwrap();
    scene.take().unwrap();
    let ended = listening.join().unwrap();
    assert!(ended.is_err(), "{ended:?}");
    let error = scene.client(&token).timeouts().unwrap_err();
    assert_eq!(error.code, Code::Unauthorized);
}

#[test]
fn what_cannot_be_had_changes_nothing() {
    let mut scene = Scene::begin();
    let token = scene.token("a", Role::Read);
    scene.take().unwrap();
    let said = |scene: &mut Scene| scene.take().unwrap_err().to_string();

    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let right = scene.settings.clone();
    scene.settings.metrics.listen = Listen(vec![taken.local_addr().unwrap()]);
    assert!(said(&mut scene).starts_with("[metrics] listen: 127.0.0.1:"));
    scene.settings = right;
    std::fs::write(scene.file("key"), "none").unwrap();
    let error = said(&mut scene);
    assert!(error.starts_with("[api] certificate and key: ") && error.contains("/key: "));
    std::fs::remove_file(scene.file("tokens")).unwrap();
    assert!(said(&mut scene).starts_with("[api] tokens: "));
    scene.client(&token).timeouts().unwrap();

    // An address that is wanted no longer is free.
    let address = scene.address();
    scene.settings.api = Api::default();
    scene.take().unwrap();
    let patience = std::time::Instant::now() + Duration::from_secs(10);
    while TcpListener::bind(address).is_err() {
        assert!(
            std::time::Instant::now() < patience,
            "{address} is not free"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn idle_connections_crowd_out_nobody() {
    let mut scene = Scene::begin();
    let token = scene.token("a", Role::Read);
    scene.take().unwrap();
    // Of one who listens, and of many who say nothing, or begin to.
    let idle: Vec<_> = (0..300)
        .map(|number| {
            let mut stream = TcpStream::connect(scene.address()).unwrap();
            if number % 2 == 0 {
                stream.write_all(b"\x16\x03\x01\x02\x00").unwrap();
            }
            stream
        })
        .collect();
    scene.client(&token).timeouts().unwrap();
    assert!(scene.refused()[1] >= 200, "{:?}", scene.refused());
    drop(idle);
}

#[test]
fn those_with_tokens_are_not_without_limit() {
    let mut scene = Scene::begin();
    let token = scene.token("a", Role::Read);
    scene.settings.api.certificate = None;
    scene.settings.api.key = None;
    scene.take().unwrap();
    let ask = || {
        let mut stream = TcpStream::connect(scene.address()).unwrap();
        let head = "GET /v1/version HTTP/1.1\r\nHost: x\r\n";
        write!(stream, "{head}Authorization: Bearer {token}\r\n\r\n").unwrap();
        let mut answer = [0; 512];
        let length = stream.read(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]).into_owned();
        (stream, answer)
    };
    let mut all = Vec::new();
    let refused = loop {
        let (stream, answer) = ask();
        if !answer.starts_with("HTTP/1.1 200 ") {
            break answer;
        }
        all.push(stream);
    };
    assert!(refused.starts_with("HTTP/1.1 503 "), "{refused}");
    assert_eq!(all.len(), scene.doors.gate.guests());
    drop(all);
    let patience = std::time::Instant::now() + Duration::from_secs(10);
    while !ask().1.starts_with("HTTP/1.1 200 ") {
        assert!(std::time::Instant::now() < patience);
    }
}

#[test]
fn without_tls_a_stranger_is_told_how_and_no_more_is_read() {
    let mut scene = Scene::begin();
    scene.token("a", Role::Read);
    scene.settings.api.certificate = None;
    scene.settings.api.key = None;
    scene.take().unwrap();
    let mut stream = TcpStream::connect(scene.address()).unwrap();
    let head = "PUT /v1/site HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(answer.contains("www-authenticate: Bearer"), "{answer}");
    // A head without an end.
    let mut stream = TcpStream::connect(scene.address()).unwrap();
    let long = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(200_000));
    let _ = stream.write_all(long.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP/1.1 2"));
}
