//! Options that all checks have alike are written once: for the file, a service, a real server.

use rlvs_check::spec::Options;

use super::check::{Checks, WrittenCheck};
use super::service::WrittenService;

/// Takes out what all checks of the file have alike, which is the result, and notes in each service
/// what those that are left have alike there.
pub(super) fn share(services: &mut [WrittenService]) -> Options {
    let mut all: Vec<_> = services.iter_mut().flat_map(checks).collect();
    let of_file = take(&mut all);
    for service in services {
        let mut all: Vec<_> = checks(service).collect();
        let common = take(&mut all);
        service.set_options(&common);
        for real in &mut service.real {
            let lists = real.check.iter_mut();
            let mut all: Vec<_> = lists.flat_map(with_options).collect();
            let common = take(&mut all);
            real.set_options(&common);
        }
    }
    of_file
}

fn checks(service: &mut WrittenService) -> impl Iterator<Item = &mut WrittenCheck> {
    let of_real = service.real.iter_mut().filter_map(|it| it.check.as_mut());
    service
        .check
        .iter_mut()
        .chain(of_real)
        .flat_map(with_options)
}

fn with_options(Checks(list): &mut Checks) -> impl Iterator<Item = &mut WrittenCheck> {
    list.iter_mut().filter(|check| check.has_options())
}

/// Of one check alone, they stay with it.
fn take(checks: &mut [&mut WrittenCheck]) -> Options {
    let [first, _, ..] = checks else {
        return Options::default();
    };
    let first = first.options();
    let mut all = checks.iter().map(|check| check.options());
    let common = all.try_fold(first, |common, options| {
        let common = fieldwise(&common, &options, &Same);
        (common != Options::default()).then_some(common)
    });
    let common = common.unwrap_or_default();
    for check in checks {
        let left = fieldwise(&check.options(), &common, &Left);
        check.set_options(&left);
    }
    common
}

/// What becomes of one option in two places.
trait Rule {
    fn apply<T: PartialEq>(&self, one: Option<T>, other: Option<T>) -> Option<T>;
}

struct Same;

impl Rule for Same {
    fn apply<T: PartialEq>(&self, one: Option<T>, other: Option<T>) -> Option<T> {
        if one == other { one } else { None }
    }
}

/// What the other place does not say.
struct Left;

impl Rule for Left {
    fn apply<T: PartialEq>(&self, one: Option<T>, other: Option<T>) -> Option<T> {
        if other.is_some() { None } else { one }
    }
}

fn fieldwise(one: &Options, other: &Options, rule: &impl Rule) -> Options {
    Options {
        connect_timeout: rule.apply(one.connect_timeout, other.connect_timeout),
        total_timeout: rule.apply(one.total_timeout, other.total_timeout),
        delay_loop: rule.apply(one.delay_loop, other.delay_loop),
        retry: rule.apply(one.retry, other.retry),
        delay_before_retry: rule.apply(one.delay_before_retry, other.delay_before_retry),
        warmup: rule.apply(one.warmup, other.warmup),
        alpha: rule.apply(one.alpha, other.alpha),
        log_all_failures: rule.apply(one.log_all_failures, other.log_all_failures),
        rise: rule.apply(one.rise, other.rise),
        damping: rule.apply(one.damping, other.damping),
    }
}
