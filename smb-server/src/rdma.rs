//! `--listen-rdma`: SMB Direct for the command line.

use crate::cli::Failure;
use smb_transport::Listener;
use std::{fmt, net::SocketAddr, str::FromStr};

/// `verbs://ADDR:PORT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RdmaAddress(SocketAddr);

impl FromStr for RdmaAddress {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = text.strip_prefix("verbs://").and_then(|address| address.parse().ok());
        address.map(Self).ok_or("verbs://ADDR:PORT is wanted")
    }
}

impl fmt::Display for RdmaAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "verbs://{}", self.0)
    }
}

/// Listens there.
#[cfg(feature = "verbs")]
pub async fn listen(at: RdmaAddress) -> Result<Box<dyn Listener>, Failure> {
    use smb_direct::{DirectListener, smbd::Config, verbs::Verbs};
    let failed = |error: &dyn fmt::Display| format!("cannot listen on {at}: {error}");
    let verbs = Verbs::open().map_err(|error| failed(&error))?;
    let listener = DirectListener::bind(std::sync::Arc::new(verbs), at.0, Config::default()).await;
    Ok(Box::new(listener.map_err(|error| failed(&error))?))
}

/// Says how to get it.
#[cfg(not(feature = "verbs"))]
pub async fn listen(at: RdmaAddress) -> Result<Box<dyn Listener>, Failure> {
    Err(format!(
        "cannot listen on {at}: this smb-server was built without RDMA; build it with --features verbs"
    )
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let at: RdmaAddress = "verbs://[::1]:5445".parse().unwrap();
        assert_eq!(at.to_string(), "verbs://[::1]:5445");
        for wrong in ["10.0.0.1:445", "verbs://10.0.0.1", "tcp://10.0.0.1:445", "verbs://host:445"] {
            assert!(wrong.parse::<RdmaAddress>().is_err(), "{wrong}");
        }
    }

    #[cfg(not(feature = "verbs"))]
    #[tokio::test]
    async fn without_the_feature_it_says_what_to_do() {
        let error = listen("verbs://127.0.0.1:5445".parse().unwrap()).await.err().unwrap();
        assert!(error.to_string().contains("--features verbs"), "{error}");
    }
}
