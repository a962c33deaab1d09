//! The locks and waits by which the audit log hands entries over. `rust/model` puts others in their place, whose every
//! step a scheduler decides: what is shared between threads there, and what waits, goes through this module.

pub(crate) use std::sync::atomic::AtomicBool;
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};

pub(crate) use tokio::time::timeout;
