//! What every transport must do, as tests: [`conformance!`](crate::conformance).
//!
//! The suite asks only what the traits promise. A transport that learns of a refused access later than another, or
//! that takes more before it pushes back, passes all the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod messages;
mod placement;

pub use messages::*;
pub use placement::*;

use crate::{Halves, IoBuf, Kind, Msg, Received, Transport, TransportError};
use std::{
    future::{Future, poll_fn},
    task::Poll,
    time::Duration,
};

/// The two ends of one connection.
pub type Pair = (Box<dyn Transport>, Box<dyn Transport>);

/// Tests for a transport: `conformance!(name, make)`, where `make` is an async function without arguments that returns a
/// [`Pair`](crate::testing::Pair). `conformance!(run make, but names)` runs them one after the other where there is no test
/// harness, without those that the wire cannot pass, and says whether all went well. The crate that uses it needs tokio's
/// `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! conformance {
    ($name:ident, $make:expr) => {
        mod $name {
            use super::*;
            $crate::conformance!(@list each ($make));
        }
    };
    (run $make:expr, but $names:expr) => {
        $crate::conformance!(@list run ($make, $names))
    };
    (@list $how:ident $make:tt) => {
        $crate::conformance! {
            @$how $make;
            sizes, many_small, both_directions, limit, close_delivers, peer_gone, leaving_is_heard_of,
            recv_is_cancel_safe, dropped_send_never_garbles, back_pressure,
            no_placement_is_said, push_arrives, pull_arrives, many_pulls, wrong_token, wrong_access, overrun,
            reclaimed_is_out_of_reach, dropped_is_parked, short_descriptors, dead_connection_gives_back,
            invalidates_at_most_what_was_asked
        }
    };
    (@run ($make:expr, $names:expr); $($test:ident),*) => {{
        let names = $names;
        [$(if names.iter().any(|name| name == stringify!($test)) {
            println!("SKIP {}: the wire cannot", stringify!($test));
            true
        } else {
            $crate::testing::report(stringify!($test), || {
                $crate::testing::watched($crate::testing::$test($make))
            })
        }),*].into_iter().all(|passed| passed)
    }};
    (@each ($make:expr); $($test:ident),*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            $crate::testing::watched($crate::testing::$test($make)).await;
        }
    )*};
}

/// Runs a test that must not hang.
pub async fn watched(test: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(120), test).await.expect("the test hangs");
}

/// Runs one test on a runtime of its own, says how it went, and whether well.
pub fn report<F: Future<Output = ()>>(name: &str, test: impl FnOnce() -> F) -> bool {
    let passed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.unwrap().block_on(test());
    }));
    println!("{} {name}", if passed.is_ok() { "PASS" } else { "FAIL" });
    passed.is_ok()
}

/// Both ends, ready for large messages.
pub(crate) async fn connected(make: impl AsyncFn() -> Pair) -> (Halves, Halves) {
    let (a, b) = make().await;
    let (mut a, mut b) = (a.split(), b.split());
    a.receiver.set_limit(usize::MAX);
    b.receiver.set_limit(usize::MAX);
    (a, b)
}

/// The shortest message the connection carries: SMB Direct has no empty ones.
pub(crate) fn least(halves: &Halves) -> usize {
    usize::from(halves.info.kind == Kind::Rdma)
}

/// Bytes that differ from place to place and from seed to seed: a period of 251, prime to every size in use.
pub(crate) fn pattern(len: usize, seed: usize) -> Vec<u8> {
    const PERIOD: usize = 251;
    let period: Vec<u8> =
        (0..PERIOD).map(|at| u8::try_from((at * 31 + seed * 7) % PERIOD).unwrap()).collect();
    let mut bytes = period.repeat(len / PERIOD + 1);
    bytes.truncate(len);
    bytes
}

/// A message of `bytes`, all in a head of the connection's own.
pub(crate) fn message(halves: &Halves, bytes: &[u8]) -> Msg {
    let mut head = halves.buffers.buffer(bytes.len());
    head.copy_from_slice(bytes);
    Msg::inline(head)
}

/// A message of `bytes`, the last of them as payload.
pub(crate) fn split_message(halves: &Halves, bytes: &[u8], head: usize) -> Msg {
    let (head, payload) = bytes.split_at(head.min(bytes.len()));
    Msg { payload: payload.to_vec().into(), ..message(halves, head) }
}

pub(crate) async fn receive(halves: &mut Halves) -> Received {
    halves.receiver.recv().await.expect("a message").expect("no end")
}

/// Waits for the end, whichever it is; messages before it are passed over.
pub(crate) async fn end(halves: &mut Halves) -> Result<(), TransportError> {
    loop {
        match halves.receiver.recv().await {
            Ok(Some(_)) => {}
            Ok(None) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Polls `future` at most `polls` times, then drops it.
pub(crate) async fn at_most<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = std::pin::pin!(future);
    let mut polled = 0;
    poll_fn(|cx| {
        polled += 1;
        match future.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if polled >= polls => Poll::Ready(None),
            Poll::Pending => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await
}

/// A buffer of `len` bytes in the midst of `CANARY` bytes.
pub(crate) fn guarded(halves: &Halves, len: usize) -> IoBuf {
    let mut buf = halves.buffers.buffer(len + 2 * MARGIN);
    buf.fill(CANARY);
    buf.narrow(MARGIN..MARGIN + len);
    buf
}

/// Asserts that nothing around a [`guarded`] buffer's window was written.
pub(crate) fn assert_margins(buf: &IoBuf) {
    let window = buf.window();
    let all = buf.memory().bytes();
    let around = all[window.start - MARGIN..window.start].iter().chain(&all[window.end..window.end + MARGIN]);
    assert!(around.copied().all(|byte| byte == CANARY), "bytes outside the window were written");
}

pub(crate) const CANARY: u8 = 0xC5;
const MARGIN: usize = 513;
