use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rlvs_check::machine::ProbeId;
use rlvs_check::spec::{Check, Connect, Kind, Options};
use rlvs_probe::Prober;

use crate::{came, check, options, server, task};

fn often() -> Check {
    let options = Options {
        delay_loop: Some(Duration::from_millis(20)),
        delay_before_retry: Some(Duration::from_millis(20)),
        ..options()
    };
    Check::new(Kind::Tcp, Connect::default(), &options)
}

#[tokio::test]
async fn a_server_that_goes_and_comes_is_reported() {
    let address = server::nobody().await;
    let (prober, mut reports) = Prober::start().unwrap();
    prober.add(vec![task(7, often(), address)]);
    let report = reports.recv().await.unwrap();
    assert_eq!((report.id, report.standing.up), (ProbeId(7), false));
    let listener = std::net::TcpListener::bind(address).unwrap();
    assert!(reports.recv().await.unwrap().standing.up);
    drop(listener);
    assert!(!reports.recv().await.unwrap().standing.up);
}

#[tokio::test]
async fn checks_that_hang_hold_up_no_others() {
    let hanging = server::silent().await;
    let (prober, mut reports) = Prober::start().unwrap();
    let http = || {
        let http = rlvs_check::spec::Http::new(vec![rlvs_check::spec::Url::new("/")]);
        let long = Options {
            connect_timeout: Some(Duration::from_secs(600)),
            ..options()
        };
        Check::new(Kind::Http(http), Connect::default(), &long)
    };
    prober.add((0..50).map(|id| task(id, http(), hanging)).collect());
    prober.add(vec![task(100, check(Kind::Tcp), hanging)]);
    let report = reports.recv().await.unwrap();
    assert_eq!(report.id, ProbeId(100));
    assert_eq!(came(report), crate::UP);
}

#[tokio::test]
async fn who_is_not_active_or_has_ended_is_not_asked() {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    let address = server::tcp(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        async {}
    })
    .await;
    let (prober, mut reports) = Prober::start().unwrap();
    let mut sleeping = task(1, often(), address);
    sleeping.active = false;
    prober.add(vec![sleeping]);
    // Another one is asked, many times.
    let busy = server::silent().await;
    prober.add(vec![task(2, often(), busy)]);
    assert_eq!(reports.recv().await.unwrap().id, ProbeId(2));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(count.load(Ordering::Relaxed), 0);
    prober.set_active(vec![(ProbeId(1), true)]);
    assert_eq!(reports.recv().await.unwrap().id, ProbeId(1));
    prober.remove(vec![ProbeId(1)]);
    // One that is being made may still arrive.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let after = count.load(Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(count.load(Ordering::Relaxed), after);
}
