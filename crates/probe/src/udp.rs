//! UDP_CHECK: a datagram is answered, or at least not by an ICMP error.

use rlvs_check::machine::Adjust;
use rlvs_check::spec::Udp;
use tokio::time::timeout;

use crate::fault::{Fault, Result};
use crate::target::Target;

/// Bytes of a payload of our own (as many as keepalived's).
const RANDOM: usize = 64;

pub(crate) async fn run(target: &Target, udp: &Udp) -> Result<Adjust> {
    let socket = target.udp().await?;
    match &udp.payload {
        Some(payload) => socket.send(&payload.0).await?,
        None => {
            socket
                .send(&core::array::from_fn::<_, RANDOM, _>(|_| fastrand::u8(..)))
                .await?
        }
    };
    // One byte more than is accepted tells that it is too long.
    let room = udp
        .reply
        .as_ref()
        .map_or(1, |reply| usize::from(reply.max_length) + 1);
    let mut answer = vec![0; room];
    let length = match (
        timeout(target.timeout(), socket.recv(&mut answer)).await,
        &udp.reply,
    ) {
        (Ok(length), _) => length?,
        (Err(_), Some(_)) => return Err(Fault::target("no answer")),
        // As far as one can tell, it has arrived.
        (Err(_), None) => return Ok(Adjust::Keep),
    };
    match &udp.reply {
        Some(reply) if !reply.accepts(&answer[..length]) => {
            Err(Fault::target("the answer is not as wanted"))
        }
        _ => Ok(Adjust::Keep),
    }
}
