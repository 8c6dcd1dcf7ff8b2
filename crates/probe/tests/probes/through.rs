//! By way of a virtual address: whose packets go so, and what counts as an answer.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rlvs_check::machine::Through;
use rlvs_check::spec::{Http, Kind, Url};
use rlvs_probe::{Journey, Prober, Ways};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{Came, UP, assert_down, assert_not_made, came, check, server, task};

/// Does nothing to packets, and remembers whose would be changed.
#[derive(Debug, Default)]
struct Noted {
    open: Mutex<Vec<(u64, Journey)>>,
    closed: Mutex<Vec<u64>>,
    /// Answers do not come from the virtual address.
    astray: AtomicBool,
    /// There is no room.
    full: AtomicBool,
}

impl Ways for Noted {
    fn open(&self, cookie: u64, journey: &Journey) -> io::Result<()> {
        if self.full.load(Ordering::Relaxed) {
            return Err(io::Error::other("no room"));
        }
        self.open.lock().unwrap().push((cookie, *journey));
        Ok(())
    }

    fn close(&self, cookie: u64) -> bool {
        self.closed.lock().unwrap().push(cookie);
        !self.astray.load(Ordering::Relaxed)
    }
}

/// Asks once, through a tunnel.
async fn ask(kind: Kind, target: SocketAddr, ways: &Arc<Noted>) -> Came {
    let (prober, mut reports) = Prober::start().unwrap();
    let mut task = task(0, check(kind), target);
    let probe = Arc::get_mut(&mut task.probe).unwrap();
    probe.through = Some(Through {
        virtual_address: "198.51.100.1".parse().unwrap(),
        tunnel: Some(0),
    });
    task.ways = Some(ways.clone());
    prober.add(vec![task]);
    came(reports.recv().await.unwrap())
}

#[tokio::test]
async fn each_socket_is_told_of_and_when_it_is_done() {
    let ways = Arc::new(Noted::default());
    let address = server::silent().await;
    assert_eq!(ask(Kind::Tcp, address, &ways).await, UP);
    let open = ways.open.lock().unwrap().clone();
    let [(cookie, journey)] = open[..] else {
        panic!("one socket, not {open:?}")
    };
    assert_eq!((journey.server, journey.protocol), (address, 6));
    assert_eq!(*ways.closed.lock().unwrap(), [cookie]);
}

#[tokio::test]
async fn the_host_that_is_asked_for_is_the_virtual_address() {
    let ways = Arc::new(Noted::default());
    let address = server::tcp(|mut stream| async move {
        let mut got = vec![0; 1024];
        let length = stream.read(&mut got).await.unwrap();
        let got = String::from_utf8_lossy(&got[..length]).to_lowercase();
        let status = match got.contains("host: 198.51.100.1:") {
            true => "200 OK",
            false => "404 Not Found",
        };
        let answer = format!("HTTP/1.0 {status}\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let http = Kind::Http(Http::new(vec![Url::new("/")]));
    assert_eq!(ask(http, address, &ways).await, UP);
}

#[tokio::test]
async fn a_failure_says_which_way_it_went() {
    let ways = Arc::new(Noted::default());
    let address = server::nobody().await;
    let reason = format!("through 198.51.100.1:{} by tunnel: ", address.port());
    let failed = ask(Kind::Tcp, address, &ways).await;
    assert_down(failed, &format!("{reason}connection refused"));
    assert!(!ways.closed.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_from_elsewhere_proves_nothing() {
    let ways = Arc::new(Noted::default());
    ways.astray.store(true, Ordering::Relaxed);
    let address = server::silent().await;
    assert_not_made(ask(Kind::Tcp, address, &ways).await, "did not come");
    ways.full.store(true, Ordering::Relaxed);
    assert_not_made(ask(Kind::Tcp, address, &ways).await, "no room");
}
