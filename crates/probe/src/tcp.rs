//! TCP_CHECK: a connection comes about.

use rlvs_check::machine::Adjust;

use crate::fault::Result;
use crate::target::Target;

pub(crate) async fn run(target: &Target) -> Result<Adjust> {
    target.connect().await?;
    Ok(Adjust::Keep)
}
