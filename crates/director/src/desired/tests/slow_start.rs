//! Weights of destinations that are new, or back.

use proptest::prelude::*;

use super::*;

const BEGUN: u64 = 1000;

fn slow(seconds: u32) -> Service {
    Service {
        slow_start: seconds,
        ..service(80)
    }
}

/// Destinations 1, 2, ... with these weights from the beginning, and another one later.
fn with_late(seconds: u32, weights: &[u32], late: u32) -> Desired {
    let mut desired = Desired::default();
    let mut changes = vec![Change::AddService(slow(seconds))];
    for (host, &weight) in (1..).zip(weights) {
        changes.push(add(80, weighing(host, weight)));
    }
    let transaction = Transaction::from(changes);
    desired.apply(&transaction, BEGUN, &mut |_, _| ()).unwrap();
    at(&mut desired, BEGUN, add(80, weighing(99, late)));
    desired
}

fn at(desired: &mut Desired, now: u64, change: Change) {
    desired.apply(&change.into(), now, &mut |_, _| ()).unwrap();
}

fn present(desired: &Desired, now: u64) -> Present {
    desired.service(&key(80)).unwrap().present(now)
}

fn edit(weight: u32) -> Change {
    Change::EditDestination {
        service: key(80),
        destination: weighing(99, weight),
    }
}

proptest! {
    /// The newest comes first.
    #[test]
    fn a_weight_rises_to_what_it_is(
        seconds in 1u32..200,
        others in prop::collection::vec(0u32..=i32::MAX.cast_unsigned(), 0..4),
        weight in prop_oneof![1u32..200, Just(i32::MAX.cast_unsigned())],
    ) {
        let desired = with_late(seconds, &others, weight);
        let end = BEGUN + u64::from(seconds);
        let mut before = 0;
        for now in BEGUN..end {
            let Present { weights, rise } = present(&desired, now);
            prop_assert!(rise && weights[0] >= before.max(1));
            let most = u128::from(*weights[1..].iter().max().unwrap_or(&0));
            let others_most = u128::from(*others.iter().max().unwrap_or(&0));
            // Never more than its share by the weights that are wanted.
            if others_most > 0 && weights[0] > 1 {
                prop_assert!(u128::from(weights[0]) * others_most <= u128::from(weight) * most);
            }
            for (scaled, wanted) in weights[1..].iter().zip(others.iter().rev()) {
                prop_assert_eq!(u128::from(*scaled) * others_most, u128::from(*wanted) * most);
            }
            before = weights[0];
        }
        let Present { weights, rise } = present(&desired, end);
        let wanted: Vec<_> = [weight].into_iter().chain(others.into_iter().rev()).collect();
        prop_assert_eq!((weights, rise), (wanted, false));
    }
}

#[test]
fn even_a_weight_of_one_rises() {
    let desired = with_late(30, &[1, 1], 1);
    let first = |now| present(&desired, now).weights;
    assert_eq!(first(BEGUN), [1, 64, 64]);
    assert_eq!(first(BEGUN + 15), [32, 64, 64]);
    assert_eq!(first(BEGUN + 29), [61, 64, 64]);
    assert_eq!(first(BEGUN + 30), [1, 1, 1]);
}

#[test]
fn what_comes_with_its_service_does_not_start_slowly() {
    let mut desired = with_late(30, &[1, 3], 0);
    let weights = present(&desired, BEGUN);
    assert_eq!((weights.weights, weights.rise), (vec![0, 3, 1], false));
    at(&mut desired, BEGUN + 500, edit(7));
    assert!(present(&desired, BEGUN + 500).rise, "it is back");
    at(&mut desired, BEGUN + 510, edit(14));
    let service = desired.service(&key(80)).unwrap();
    let member = service.member(&weighing(99, 14).key).unwrap();
    assert_eq!(service.starting(member, BEGUN + 515), Some((50, 15)));
    assert_eq!(service.starting(member, BEGUN + 530), None);
    let text = serde_json::to_string(&desired).unwrap();
    assert_eq!(serde_json::from_str::<Desired>(&text).unwrap(), desired);
}

#[test]
fn only_schedulers_by_weight_start_slowly() {
    let mut desired = Desired::default();
    for (scheduler, taken) in [("wrr", true), ("wlc", true), ("rr", false), ("mh", false)] {
        let service = Service {
            scheduler: scheduler.into(),
            ..slow(10)
        };
        let made = make(&mut desired, Change::AddService(service));
        assert_eq!(made.is_ok(), taken, "{scheduler}");
        make(&mut desired, Change::Flush).unwrap();
    }
}
