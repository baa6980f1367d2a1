//! The conformance suite as another crate uses it: `cargo test -p smb-transport --features testing`.

use smb_transport::{MemoryOptions, memory, testing::Pair};

async fn pair() -> Pair {
    let (a, b) = memory::pair(MemoryOptions::default());
    (Box::new(a), Box::new(b))
}

smb_transport::conformance!(memory_from_outside, pair);
