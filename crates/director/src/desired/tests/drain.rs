//! Destinations on their way out.

use super::*;

#[test]
fn draining_keeps_the_weight_for_later() {
    let mut desired = with(&[service(80)]);
    make(&mut desired, add(80, weighing(1, 7))).unwrap();
    drain(&mut desired, Some(300), 1000).unwrap();
    drain(&mut desired, Some(60), 1100).unwrap();
    let draining = draining(&desired).unwrap();
    assert_eq!((draining.since, draining.until), (1000, Some(1160)));
    assert_eq!(weights(&desired), [0]);
    let text = serde_json::to_string(&desired).unwrap();
    assert_eq!(serde_json::from_str::<Desired>(&text).unwrap(), desired);
    make(&mut desired, undrain()).unwrap();
    assert_eq!(weights(&desired), [7]);
    assert_eq!(refusal(&mut desired, undrain()), Code::Invalid);
}

#[test]
fn an_edit_of_a_drained_destination_is_for_later() {
    let mut desired = with(&[service(80)]);
    make(&mut desired, add(80, weighing(1, 7))).unwrap();
    drain(&mut desired, None, 1000).unwrap();
    let edit = Change::EditDestination {
        service: key(80),
        destination: weighing(1, 9),
    };
    make(&mut desired, edit).unwrap();
    assert_eq!(weights(&desired), [0]);
    make(&mut desired, undrain()).unwrap();
    assert_eq!(weights(&desired), [9]);
}

#[test]
fn a_drained_destination_that_is_deleted_and_added_is_not_drained() {
    let mut desired = with(&[service(80)]);
    make(&mut desired, add(80, weighing(1, 7))).unwrap();
    drain(&mut desired, None, 1000).unwrap();
    let drained = desired.clone();
    let delete = Change::DeleteDestination {
        service: key(80),
        destination: destination(1).key,
    };
    let fails = Transaction::from(vec![delete.clone(), undrain()]);
    desired.apply(&fails, 1001, &mut |_, _| ()).unwrap_err();
    assert_eq!(desired, drained);
    make(&mut desired, delete).unwrap();
    make(&mut desired, add(80, weighing(1, 2))).unwrap();
    assert_eq!((weights(&desired), draining(&desired)), (vec![2], None));
}

fn drain(desired: &mut Desired, deadline: Option<u32>, now: u64) -> Result<(), Error> {
    let change = Change::Drain {
        service: key(80),
        destination: destination(1).key,
        deadline,
        keep_clients: false,
    };
    desired.apply(&change.into(), now, &mut |_, _| ())
}

fn undrain() -> Change {
    Change::Undrain {
        service: key(80),
        destination: destination(1).key,
    }
}

fn draining(desired: &Desired) -> Option<Draining> {
    let member = desired.service(&key(80))?.member(&destination(1).key)?;
    member.draining().copied()
}

fn weights(desired: &Desired) -> Vec<u32> {
    let service = desired.service(&key(80)).unwrap();
    service.destinations().map(|it| it.weight).collect()
}
