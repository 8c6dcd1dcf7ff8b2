//! What checks share: TLS settings and regular expressions, each made once.

use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rlvs_check::spec::{Regex, Tls};
use rustls::ClientConfig;
use tokio::time::Instant;

use crate::fault::{Fault, Result};
use crate::regex::Matcher;
use crate::tls::{self, Alpn};

/// How long certificates that were read from files are used before they are read again.
const FRESH: Duration = Duration::from_secs(60);

/// What checks share.
#[derive(Debug, Default)]
pub(crate) struct Tools {
    configs: tokio::sync::Mutex<HashMap<(Tls, Alpn), Made>>,
    matchers: Mutex<HashMap<Regex, Arc<Matcher>>>,
}

#[derive(Debug)]
struct Made {
    at: Instant,
    config: Arc<ClientConfig>,
}

impl Tools {
    /// The settings of such connections. Certificates may be renewed: files are read again after a
    /// minute.
    pub(crate) async fn config(&self, tls: &Tls, alpn: Alpn) -> Result<Arc<ClientConfig>> {
        let mut configs = self.configs.lock().await;
        let key = (tls.clone(), alpn);
        if let Some(made) = configs.get(&key)
            && made.at.elapsed() < FRESH
        {
            return Ok(made.config.clone());
        }
        let wanted = tls.clone();
        let config = tokio::task::spawn_blocking(move || tls::config(&wanted, alpn))
            .await
            .map_err(|_| Fault::here("reading certificates failed"))?
            .map_err(Fault::Here)?;
        let config = Arc::new(config);
        // What nobody has used for a while belongs to checks that are gone.
        configs.retain(|_, made| made.at.elapsed() < FRESH * 10);
        let at = Instant::now();
        let made = Made {
            at,
            config: config.clone(),
        };
        configs.insert(key, made);
        Ok(config)
    }

    /// The expression, compiled.
    pub(crate) fn matcher(&self, regex: &Regex) -> Result<Arc<Matcher>> {
        let mut matchers = self.matchers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(matcher) = matchers.get(regex) {
            return Ok(matcher.clone());
        }
        let matcher = Arc::new(Matcher::new(regex).map_err(Fault::Here)?);
        // Those that only this holds belong to checks that are gone, or wait.
        if matchers.len() >= 1024 {
            matchers.retain(|_, matcher| Arc::strong_count(matcher) > 1);
        }
        matchers.insert(regex.clone(), matcher.clone());
        Ok(matcher)
    }
}
