//! What keepalived 2.2.7 makes of such files was tried with `keepalived -t`.

mod meaning;
mod site;
mod tree;
