//! The example, errors with their places.

mod services;
mod settings;
