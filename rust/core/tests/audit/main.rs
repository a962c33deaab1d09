//! The audit log against disks that fail, stall and lose what was not synced.
#![allow(clippy::unwrap_used)]

mod crash;
mod disk;
mod encode;
mod faults;
mod files;
mod order;
mod waiting;
