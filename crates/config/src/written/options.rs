//! Options of checks that a file, a service, a real server and a check can have; what one leaves
//! open comes from the next.

/// Adds them to a struct.
macro_rules! with_options {
    ($(#[$meta:meta])* pub(crate) struct $name:ident { $($body:tt)* }) => {
        $(#[$meta])*
        pub(crate) struct $name {
            $($body)*
            /// From one check's end to the next one's start; 60 s by default.
            #[serde(with = "rlvs_check::spec::seconds::option", skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<crate::written::schema::Time>")]
            pub(crate) delay_loop: Option<std::time::Duration>,
            /// How long a connection may take to come about, and each answer to begin; 5 s by
            /// default.
            #[serde(with = "rlvs_check::spec::seconds::option", skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<crate::written::schema::Time>")]
            pub(crate) connect_timeout: Option<std::time::Duration>,
            /// How long a check may take in all; five times `connect_timeout` by default.
            #[serde(with = "rlvs_check::spec::seconds::option", skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<crate::written::schema::Time>")]
            pub(crate) total_timeout: Option<std::time::Duration>,
            /// How many more failures in a row make it count as down; 1 by default, 3 for DNS, 0
            /// for scripts.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub(crate) retry: Option<u32>,
            /// From such a failure to the next check; 1 s by default, 3 s for HTTP.
            #[serde(with = "rlvs_check::spec::seconds::option", skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<crate::written::schema::Time>")]
            pub(crate) delay_before_retry: Option<std::time::Duration>,
            /// The first check comes after a random time up to this; `delay_loop` by default.
            #[serde(with = "rlvs_check::spec::seconds::option", skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<crate::written::schema::Time>")]
            pub(crate) warmup: Option<std::time::Duration>,
            /// Down until the first success, rather than up until the first failure.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub(crate) alpha: Option<bool>,
            /// Failures are logged also while they change nothing yet.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub(crate) log_all_failures: Option<bool>,
            /// Successes in a row until it is up again; 1 by default.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub(crate) rise: Option<u32>,
            /// What keeps a server down that goes up and down all the time.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schemars(with = "Option<crate::written::schema::Damping>")]
            pub(crate) damping: Option<rlvs_check::spec::Damping>,
        }

        impl $name {
            /// What is said here.
            pub(crate) fn options(&self) -> rlvs_check::spec::Options {
                rlvs_check::spec::Options {
                    connect_timeout: self.connect_timeout,
                    total_timeout: self.total_timeout,
                    delay_loop: self.delay_loop,
                    retry: self.retry,
                    delay_before_retry: self.delay_before_retry,
                    warmup: self.warmup,
                    alpha: self.alpha,
                    log_all_failures: self.log_all_failures,
                    rise: self.rise,
                    damping: self.damping,
                }
            }

            pub(crate) fn set_options(&mut self, options: &rlvs_check::spec::Options) {
                self.connect_timeout = options.connect_timeout;
                self.total_timeout = options.total_timeout;
                self.delay_loop = options.delay_loop;
                self.retry = options.retry;
                self.delay_before_retry = options.delay_before_retry;
                self.warmup = options.warmup;
                self.alpha = options.alpha;
                self.log_all_failures = options.log_all_failures;
                self.rise = options.rise;
                self.damping = options.damping;
            }
        }
    };
}

pub(super) use with_options;
