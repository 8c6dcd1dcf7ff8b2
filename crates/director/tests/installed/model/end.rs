//! When connections and templates are over, and what follows from that.

use rlvs_control::model::Persistence;
use rlvs_engine::settings::ticks;

use super::state::State;
use super::{ConnectionKey, Identity, Model, Template, TemplateKey};

/// How much later than packets the sweep calls something over.
const GRACE: u64 = 954;
const DEFAULT_PERSISTENCE: u32 = 360;

impl Model {
    /// One sweep.
    pub(crate) fn sweep(&mut self) {
        let over: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, it)| self.is_over(it.state, it.seen, GRACE) || self.is_forsaken(&it.to))
            .map(|(key, _)| *key)
            .collect();
        over.iter().for_each(|key| self.end(key));
    }

    /// The same for templates, which wait for connections.
    pub(crate) fn sweep_templates(&mut self) {
        let over: Vec<_> = self
            .templates
            .iter()
            .filter(|(_, it)| self.template_is_over(it, GRACE) || self.is_forsaken(&it.to))
            .map(|(key, _)| *key)
            .collect();
        over.iter().for_each(|key| self.end_template(key));
    }

    pub(super) fn end(&mut self, key: &ConnectionKey) {
        let ended = self.connections.remove(key).expect("it is there");
        self.count_state(ended.to, ended.state, false);
        let known = self.known.get_mut(&ended.to).expect("it is known");
        let left = known.active + known.inactive;
        let enough = if known.lower != 0 {
            left < known.lower
        } else {
            known.upper == 0 || left * 4 < known.upper * 3
        };
        known.overloaded &= !enough;
        if let Some(template) = ended.template.and_then(|key| self.templates.get_mut(&key))
            && template.to == ended.to
        {
            template.children = template.children.saturating_sub(1);
        }
    }

    pub(super) fn end_template(&mut self, key: &TemplateKey) {
        let ended = self.templates.remove(key).expect("it is there");
        self.known
            .get_mut(&ended.to)
            .expect("it is known")
            .templates -= 1;
    }

    /// What was sent to a removed destination need not wait.
    pub(super) fn is_forsaken(&self, to: &Identity) -> bool {
        self.known[to].removed.is_some() && self.sysctl("expire_nodest_conn") != 0
    }

    pub(super) fn is_over(&self, state: State, seen: u64, grace: u64) -> bool {
        self.tick - seen > u64::from(ticks(self.timeouts[&state])) + grace
    }

    pub(super) fn template_is_over(&self, template: &Template, grace: u64) -> bool {
        let service = self.services.get(&template.to.0);
        let persistence = service.and_then(|listed| listed.service.persistence);
        let timeout =
            persistence.map_or(DEFAULT_PERSISTENCE, |Persistence { timeout, .. }| timeout);
        let is_held = template.children > 0 && self.known[&template.to].removed.is_none();
        !is_held && self.tick - template.seen > u64::from(ticks(timeout)) + grace
    }
}
