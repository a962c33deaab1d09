//! The rules one by one.
#![allow(clippy::unwrap_used, reason = "a failed assumption is a failed test")]
#![allow(unused_must_use, reason = "each test looks at the effects it is about")]

mod bench;
mod children;
mod failure;
mod limits;
mod limits_property;
mod order;
mod replacement;
mod shape;
mod values;
mod waiting;

use bench::{Bench, branch, leaf};
