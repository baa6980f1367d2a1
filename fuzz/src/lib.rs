//! The subjects of the fuzz targets: one module for each, with a `run` that takes the fuzzer's bytes.
//!
//! Every target asks the same: nothing panics; memory stays within a multiple of the input; and what was accepted is a
//! fixed point: writing it and reading it again yields the same, and the same bytes.
#![deny(unsafe_code)]

pub mod bounded;
pub mod client;
pub mod compressed;
pub mod contexts;
pub mod control;
pub mod credits;
pub mod engine;
pub mod information;
pub mod login;
pub mod messages;
pub mod rpc;
pub mod sealed;
pub mod security;
pub mod server;
pub mod smbd;
pub mod source;

/// Prints what happens where FUZZ_TELL is set: what a finding replayed by hand is understood by.
pub fn tell(what: impl FnOnce() -> String) {
    static ASKED: std::sync::LazyLock<bool> =
        std::sync::LazyLock::new(|| std::env::var_os("FUZZ_TELL").is_some());
    if *ASKED {
        eprintln!("{}", what());
    }
}

/// Hands an input to one of the parts of a target: the first byte chooses it.
pub fn one_of(data: &[u8], parts: &[fn(&[u8])]) {
    let Some((which, rest)) = data.split_first() else { return };
    if let Some(part) = parts.get(usize::from(*which) % parts.len().max(1)) {
        part(rest);
    }
}

/// Bytes that `emit` writes.
pub fn bytes_of(emit: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    emit(&mut out);
    out
}

/// Reads `bytes` within bounded memory; what comes out is written, read and written again, and must not change.
/// `parse` and `emit` are closures, expanded twice so that borrowing messages work.
#[macro_export]
macro_rules! fixed_point {
    ($bytes:expr, $parse:expr, $emit:expr) => {{
        let bytes: &[u8] = $bytes;
        if let Ok(first) =
            $crate::bounded::within($crate::bounded::for_input(bytes.len()), || ($parse)(bytes))
        {
            let wire: Vec<u8> = ($emit)(&first);
            match ($parse)(&wire[..]) {
                Ok(again) => {
                    assert_eq!(again, first, "reads back as something else");
                    assert_eq!(($emit)(&again), wire, "is written in another way");
                }
                Err(error) => panic!("{error}: {first:?} does not read back"),
            }
        }
    }};
}
