//! Looks at the machine: everything is read, nothing is changed.

mod installed;
mod ip_vs;
mod kernel;
mod links;
mod parameters;
mod programs;
mod routes;

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use rlvs_control::{Client, Code};
use rlvs_realserver::Wanted;
use rtnetlink::Handle;

use crate::facts::{Director, DirectorFacts, Facts, RealServerFacts, Running, Side};

/// Why the machine could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {action}: {source}")]
    Io {
        action: &'static str,
        source: io::Error,
    },
    #[error(transparent)]
    RealServer(#[from] rlvs_realserver::Error),
}

pub(crate) fn director() -> Result<Facts, Error> {
    // The client has a runtime of its own and must not be used inside another one.
    let mut director = ask();
    run(async |handle| {
        let interfaces = links::read(&handle).await?;
        if let Director::Running(running) = &mut director {
            routes::measure(&handle, &interfaces, running).await;
        }
        let running = match &director {
            Director::Running(running) => Some(running),
            _ => None,
        };
        let mut facts = Facts {
            sysctls: parameters::read(&interfaces),
            interfaces,
            side: Side::default(),
        };
        programs::name(&mut facts.interfaces, running);
        facts.side = Side::Director(Box::new(DirectorFacts {
            kernel: kernel::read(),
            ip_vs: ip_vs::read(),
            director,
        }));
        Ok(facts)
    })
}

pub(crate) fn real_server(vips: BTreeSet<IpAddr>) -> Result<Facts, Error> {
    let wanted = Wanted {
        vips,
        ..Wanted::default()
    };
    run(async |handle| {
        let interfaces = links::read(&handle).await?;
        let report = match rlvs_realserver::status(&wanted).await {
            Ok(report) => Some(report),
            Err(rlvs_realserver::Error::NoVip) => None,
            Err(error) => return Err(error.into()),
        };
        Ok(Facts {
            sysctls: parameters::read(&interfaces),
            interfaces,
            side: Side::RealServer(RealServerFacts {
                report,
                default_routes: routes::defaults(&handle).await?,
            }),
        })
    })
}

fn ask() -> Director {
    match Client::connect().and_then(|mut client| client.status()) {
        Ok(status) => Director::Running(Running::from(status)),
        Err(error) if error.code == Code::NotRunning => Director::Absent {
            installed: installed::is_any(),
        },
        Err(error) => Director::Silent {
            reason: error.message,
        },
    }
}

fn run<T>(look: impl AsyncFnOnce(Handle) -> Result<T, Error>) -> Result<T, Error> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_io().build();
    let runtime = runtime.map_err(|source| Error::io("wait for the kernel", source))?;
    runtime.block_on(async {
        let opened = rtnetlink::new_connection();
        let (connection, handle, _) =
            opened.map_err(|source| Error::io("open a netlink socket", source))?;
        tokio::spawn(connection);
        look(handle).await
    })
}

impl Error {
    fn io(action: &'static str, source: io::Error) -> Self {
        Self::Io { action, source }
    }

    fn netlink(action: &'static str, error: rtnetlink::Error) -> Self {
        let source = match error {
            rtnetlink::Error::NetlinkError(message) => message.to_io(),
            other => io::Error::other(other.to_string()),
        };
        Self::io(action, source)
    }
}
