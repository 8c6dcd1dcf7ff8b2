//! A check that is ready to be made.

use core::time::Duration;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use rlvs_check::machine::{Adjust, Outcome, Probe, ProbeId, Through};
use rlvs_check::spec::Kind;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::AbortHandle;

use crate::fault::{Fault, Result, outcome};
use crate::target::Target;
use crate::through::{Crossing, Ways};
use crate::tools::Tools;
use crate::{
    dns, exchange, file, ftp, grpc, http, ldap, mailbox, mysql, ping, postgresql, redis, script,
    smtp, tcp, udp,
};

/// A check with all that stays the same from one time to the next.
#[derive(Debug)]
pub(crate) struct Ready {
    probe: Arc<Probe>,
    target: Target,
    ways: Option<Arc<dyn Ways>>,
    tools: Arc<Tools>,
}

/// What came of asking once.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) id: ProbeId,
    pub(crate) outcome: Outcome,
}

/// Where answers go.
pub(crate) type Answers = UnboundedSender<Answer>;

impl Ready {
    pub(crate) fn new(probe: Arc<Probe>, ways: Option<Arc<dyn Ways>>, tools: Arc<Tools>) -> Self {
        let target = Target::new(&probe);
        Self {
            probe,
            target,
            ways,
            tools,
        }
    }

    /// Asks once, in a task of its own, and sends what came of it.
    pub(crate) fn start(
        self: &Arc<Self>,
        id: ProbeId,
        step: usize,
        answers: &Answers,
    ) -> AbortHandle {
        let it = self.clone();
        let limit = self.limit();
        let answers = answers.clone();
        // Thousands of these may run at once, so they have a task that is no larger than they need.
        match (&self.probe.check.kind, self.probe.through) {
            (_, Some(through)) => ask(id, answers, async move {
                it.run_through(through, limit, step).await
            }),
            (Kind::Tcp, None) => ask(id, answers, async move { tcp::run(&it.target).await }),
            _ => ask(
                id,
                answers,
                bounded(limit, async move { it.run(&it.target, step).await }),
            ),
        }
    }

    async fn run_through(&self, through: Through, limit: Duration, step: usize) -> Result<Adjust> {
        let ways = self.ways.clone();
        let ways =
            ways.ok_or_else(|| Fault::here("nobody sends it by way of a virtual address"))?;
        let crossing = Arc::new(Crossing::new(ways, through));
        let target = self.target.crossing(crossing.clone());
        let result = bounded(limit, self.run(&target, step)).await;
        crossing.judge(&target, result)
    }

    async fn run(&self, target: &Target, step: usize) -> Result<Adjust> {
        let tools = &self.tools;
        let work: futures::future::BoxFuture<Result<Adjust>> = match &self.probe.check.kind {
            Kind::Tcp => Box::pin(tcp::run(target)),
            Kind::Http(http) => Box::pin(http::run(target, http, step, tools)),
            Kind::Smtp { helo_name } => Box::pin(smtp::run(target, helo_name, tools)),
            Kind::Dns(dns) => Box::pin(dns::run(target, dns)),
            Kind::Udp(udp) => Box::pin(udp::run(target, udp)),
            Kind::Ping => Box::pin(ping::run(target)),
            Kind::Script(script) => {
                Box::pin(script::run(script, self.probe.check.timing.delay_loop))
            }
            Kind::File(file) => Box::pin(file::run(file)),
            Kind::Exchange(exchange) => Box::pin(exchange::run(target, exchange, tools)),
            Kind::Ftp(ftp) => Box::pin(ftp::run(target, ftp, tools)),
            Kind::Imap(mailbox) => Box::pin(mailbox::imap(target, mailbox, tools)),
            Kind::Pop(mailbox) => Box::pin(mailbox::pop(target, mailbox, tools)),
            Kind::Ldap(directory) => Box::pin(ldap::run(target, directory, tools)),
            Kind::Mysql(database) => Box::pin(mysql::run(target, database, tools)),
            Kind::Postgresql(database) => Box::pin(postgresql::run(target, database, tools)),
            Kind::Sip(sip) => Box::pin(exchange::sip(target, sip, tools)),
            Kind::Redis(redis) => Box::pin(redis::run(target, redis, tools)),
            Kind::Grpc(grpc) => Box::pin(grpc::run(target, grpc, tools)),
        };
        work.await
    }

    /// How long it may take in all. A script has its own time, and some to end.
    fn limit(&self) -> Duration {
        let timing = &self.probe.check.timing;
        match &self.probe.check.kind {
            Kind::Script(script) => script.timeout.unwrap_or(timing.delay_loop) + script::ENDING,
            _ => timing.total_timeout,
        }
    }
}

/// Runs a probe; its panic is its own.
fn ask(
    id: ProbeId,
    answers: Answers,
    work: impl Future<Output = Result<Adjust>> + Send + 'static,
) -> AbortHandle {
    let task = async move {
        let result = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(result) => result,
            Err(_) => Err(Fault::here("the check panicked")),
        };
        let outcome = outcome(result);
        // Nobody listens any more when all of it ends.
        let _ = answers.send(Answer { id, outcome });
    };
    tokio::spawn(task).abort_handle()
}

/// Ends what takes too long in all. TCP has but one step, which has its own limit.
async fn bounded(limit: Duration, work: impl Future<Output = Result<Adjust>>) -> Result<Adjust> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(Fault::target(format!("took more than {limit:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    async fn came(work: impl Future<Output = Result<Adjust>> + Send + 'static) -> Outcome {
        let (answers, mut answered) = unbounded_channel();
        ask(
            ProbeId(1),
            answers,
            bounded(Duration::from_millis(50), work),
        );
        answered.recv().await.unwrap().outcome
    }

    #[tokio::test]
    async fn a_panic_is_no_failure_of_the_target() {
        let outcome = came(async { panic!("as if") }).await;
        assert_eq!(outcome, Outcome::NotMade("the check panicked".into()));
    }

    #[tokio::test]
    async fn what_hangs_is_ended() {
        let outcome = came(std::future::pending()).await;
        assert_eq!(outcome, Outcome::Failure("took more than 50ms".into()));
    }
}
