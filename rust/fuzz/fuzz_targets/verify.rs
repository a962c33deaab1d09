//! Whatever the bytes, verification ends with a verdict: no panic, and the same on one thread and on three.
#![no_main]

use libfuzzer_sys::fuzz_target;
use theus_core::audit::verify::{Options, verify_bytes};

fuzz_target!(|data: &[u8]| {
    // The first byte chooses between a plain and a keyed chain.
    let Some((choice, log)) = data.split_first() else {
        return;
    };
    let key = (choice & 1 == 1).then(|| b"a key for tests, known to everybody".to_vec());
    let judge = |threads| {
        verify_bytes(
            log,
            &Options {
                key: key.clone(),
                threads,
                ..Options::default()
            },
        )
        .ok()
    };
    assert_eq!(judge(1), judge(3));
});
