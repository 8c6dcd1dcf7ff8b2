use proptest::prelude::*;

use super::*;
use crate::spec::{Connect, Damping, Http, Options, Url};

const WELL: Outcome = Outcome::Success(Adjust::Keep);

fn ill() -> Outcome {
    Outcome::Failure("refused".into())
}

fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

fn options() -> Options {
    Options {
        delay_loop: seconds(10),
        delay_before_retry: seconds(2),
        retry: Some(2),
        ..Options::default()
    }
}

fn checker(kind: Kind, options: &Options) -> Checker {
    let check = Arc::new(Check::new(kind, Connect::default(), options));
    Checker::new(&check, Standing::new(&check.timing), Duration::ZERO, 0.5)
}

fn pages(count: usize, fast_recovery: bool) -> Kind {
    let urls = (0..count)
        .map(|page| Url::new(format!("/{page}")))
        .collect();
    Kind::Http(Http {
        fast_recovery,
        ..Http::new(urls)
    })
}

/// Results one after the other, each when it is due: up or not after each, and when it was due.
fn course(checker: &mut Checker, results: &str) -> Vec<(bool, u64)> {
    let hear = |letter| {
        let due = checker.due();
        checker.result(due, &if letter == '+' { WELL } else { ill() });
        (checker.standing().up, due.as_secs())
    };
    results.chars().map(hear).collect()
}

#[test]
fn the_first_result_decides_and_later_ones_are_asked_about_again() {
    let mut tcp = checker(Kind::Tcp, &options());
    assert_eq!(
        tcp.due(),
        Duration::from_secs(5),
        "half of warmup, which is delay_loop"
    );
    assert_eq!(
        course(&mut tcp, "-+---+"),
        [
            (false, 5),
            (true, 15),
            (true, 25),
            (true, 27),
            (false, 29),
            (true, 39)
        ]
    );
}

/// Seen of keepalived 2.2.7 with delay_loop 4, delay_before_retry 1 and retry 2: 4, 1, 1, 4 ...
#[test]
fn tcp_is_retried_also_while_it_is_down() {
    let times = |kind| -> Vec<u64> {
        let mut checker = checker(kind, &options());
        let times = course(&mut checker, "------");
        times.iter().map(|(_, time)| *time).collect()
    };
    assert_eq!(times(Kind::Tcp), [5, 15, 17, 19, 29, 31]);
    assert_eq!(times(Kind::Ping), [5, 15, 25, 35, 45, 55]);
}

#[test]
fn a_success_in_between_starts_the_count_anew() {
    let mut tcp = checker(Kind::Tcp, &options());
    let ups = course(&mut tcp, "+--+--+");
    assert!(ups.iter().all(|(up, _)| *up), "{ups:?}");
}

#[test]
fn alpha_is_down_until_the_first_success() {
    let alpha = Options {
        alpha: Some(true),
        ..options()
    };
    let mut tcp = checker(Kind::Tcp, &alpha);
    assert!(!tcp.standing().up);
    assert!(
        tcp.result(Duration::ZERO, &ill()).changed,
        "now it is known"
    );
    assert!(!tcp.result(Duration::ZERO, &ill()).changed);
    assert!(tcp.result(Duration::ZERO, &WELL).changed);
    assert!(tcp.standing().up);
}

#[test]
fn a_page_that_failed_is_asked_for_until_it_is_back_and_then_all_are() {
    let mut http = checker(pages(2, false), &options());
    let mut steps = Vec::new();
    for letter in "+++---+++".chars() {
        steps.push((http.step(), course(&mut http, &letter.to_string())[0].0));
    }
    let up = |step| (step, true);
    let down = |step| (step, false);
    assert_eq!(
        steps,
        [
            up(0),
            up(1),
            up(0),
            up(1),
            up(1),
            down(1),
            down(1),
            down(0),
            up(1)
        ]
    );
}

#[test]
fn one_page_needs_two_successes_after_a_failure() {
    let mut http = checker(pages(1, false), &options());
    assert_eq!(
        course(&mut http, "-++"),
        [(false, 5), (false, 15), (true, 25)]
    );
}

#[test]
fn fast_recovery_has_no_pause_between_pages() {
    let mut http = checker(pages(3, true), &options());
    let times: Vec<u64> = course(&mut http, "+++---+++++")
        .iter()
        .map(|(_, time)| *time)
        .collect();
    // At the start three at once; up, one a time; down at 19; back at 29, and all three at once.
    assert_eq!(times, [5, 5, 5, 15, 17, 19, 29, 29, 29, 29, 39]);
}

#[test]
fn failures_are_logged_while_it_is_up_if_wanted() {
    let logged = Options {
        log_all_failures: Some(true),
        ..options()
    };
    let mut tcp = checker(Kind::Tcp, &logged);
    let heard: Vec<_> = [WELL, ill(), ill(), ill(), ill()]
        .iter()
        .map(|outcome| tcp.result(Duration::ZERO, outcome))
        .map(|heard| (heard.changed, heard.log))
        .collect();
    let (quiet, log) = (false, true);
    assert_eq!(
        heard,
        [
            (true, quiet),
            (false, log),
            (false, log),
            (true, log),
            (false, quiet)
        ]
    );
}

#[test]
fn what_is_wrong_here_is_not_the_targets_fault() {
    let mut tcp = checker(Kind::Tcp, &options());
    let heard = tcp.result(Duration::ZERO, &Outcome::NotMade("no more files".into()));
    assert!(!heard.changed && tcp.standing().up && !tcp.standing().known);
}

#[test]
fn a_check_that_flaps_waits() {
    let damping = Damping {
        falls: 2,
        within: Duration::from_secs(100),
        hold: Duration::from_secs(25),
    };
    let damped = Options {
        damping: Some(damping),
        retry: Some(0),
        ..options()
    };
    let mut tcp = checker(Kind::Tcp, &damped);
    // Down at 5, back at 15 at once; down at 25 again: up when well for 25 seconds, 35 to 65.
    let ups: Vec<bool> = course(&mut tcp, "-+-+++++")
        .iter()
        .map(|(up, _)| *up)
        .collect();
    assert_eq!(ups, [false, true, false, false, false, false, true, true]);
}

#[test]
fn a_standing_outlives_a_restart() {
    let mut script = checker(Kind::Tcp, &options());
    script.result(Duration::ZERO, &Outcome::Success(Adjust::Set(7)));
    let text = serde_json::to_string(script.standing()).unwrap();
    let check = Arc::new(Check::new(Kind::Tcp, Connect::default(), &options()));
    let standing = serde_json::from_str(&text).unwrap();
    let mut again = Checker::new(&check, standing, Duration::ZERO, 0.0);
    assert_eq!(again.standing(), script.standing());
    assert!(
        !again.result(Duration::ZERO, &ill()).changed,
        "it has its retries"
    );
}

/// Whether all results so far make a check up, told from all of them at once: the last stretch of
/// failures or successes that was long enough decides.
fn reference(results: &[bool], retry: usize, rise: usize, alpha: bool) -> bool {
    let mut up = !alpha;
    let mut stretch = (false, 0);
    for (place, &well) in results.iter().enumerate() {
        stretch = if stretch.0 == well {
            (well, stretch.1 + 1)
        } else {
            (well, 1)
        };
        let enough = match (well, place, up) {
            (true, _, _) => stretch.1 >= rise,
            (false, 0, _) => true,
            (false, _, _) => stretch.1 > retry,
        };
        // What has gone up or down begins to count anew.
        if enough && well != up {
            up = well;
            stretch.1 = 0;
        }
    }
    up
}

proptest! {
    #[test]
    fn it_is_up_as_the_rules_say(
        results in prop::collection::vec(any::<bool>(), 1..60),
        retry in 0u32..4,
        rise in 1u32..4,
        alpha: bool,
    ) {
        let options = Options {
            retry: Some(retry),
            rise: Some(rise),
            alpha: Some(alpha),
            ..options()
        };
        let mut tcp = checker(Kind::Tcp, &options);
        let mut last = tcp.due();
        for (count, well) in results.iter().enumerate() {
            let now = tcp.due();
            prop_assert!(now >= last);
            last = now;
            let before = tcp.standing().clone();
            let heard = tcp.result(now, &if *well { WELL } else { ill() });
            prop_assert_eq!(heard.changed, before != *tcp.standing());
            prop_assert!(tcp.due() > now);
            let up = reference(&results[..=count], retry as usize, rise as usize, alpha);
            prop_assert_eq!(tcp.standing().up, up, "after {:?}", &results[..=count]);
        }
    }
}
