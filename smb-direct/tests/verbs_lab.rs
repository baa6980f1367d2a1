//! What every provider must do, on an RDMA device: `verbs_lab ADDRESS`, where ADDRESS is the device's.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use smb_direct::{rdma::testing::Made, verbs::Verbs};
use std::{net::SocketAddr, process::ExitCode, sync::Arc};

async fn device() -> Made {
    let address = std::env::args().nth(1).expect("an address of a device");
    let verbs = Verbs::open().unwrap();
    (Arc::new(verbs), SocketAddr::new(address.parse().unwrap(), 46_700))
}

fn main() -> ExitCode {
    let passed = smb_direct::provider_conformance!(run device);
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
