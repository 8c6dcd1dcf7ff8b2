use super::*;
use crate::examples::tcp;
use crate::message::Builder;

const MASTER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 9, 0, 1));

fn datagram() -> Vec<u8> {
    let mut builder = Builder::new(42, 1472);
    assert!(builder.push(&tcp()));
    builder.finish()
}

fn read(receiver: &Receiver, from: IpAddr) -> Result<usize, Reason> {
    let datagram = datagram();
    receiver.read(from, &datagram).map(Iterator::count)
}

#[test]
fn an_id_of_0_takes_all() {
    for (id, taken) in [(0, Ok(1)), (42, Ok(1)), (41, Err(Reason::OtherId(42)))] {
        let receiver = Receiver {
            id,
            ..Receiver::default()
        };
        assert_eq!(read(&receiver, MASTER), taken);
    }
}

#[test]
fn own_and_strangers_datagrams_are_not_read() {
    let other: IpAddr = [10, 9, 0, 2].into();
    let receiver = Receiver {
        own: [other].into(),
        peers: Some([MASTER].into()),
        ..Receiver::default()
    };
    assert_eq!(read(&receiver, MASTER), Ok(1));
    assert_eq!(read(&receiver, "::ffff:10.9.0.1".parse().unwrap()), Ok(1));
    assert_eq!(read(&receiver, other), Err(Reason::Own));
    assert_eq!(read(&receiver, [10, 9, 0, 3].into()), Err(Reason::Stranger));
    let nobody = Receiver {
        peers: Some(BTreeSet::new()),
        ..Receiver::default()
    };
    assert_eq!(read(&nobody, MASTER), Err(Reason::Stranger));
}
