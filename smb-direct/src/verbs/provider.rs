//! The provider.

use super::{cm::is_there, connect::connect, context::names, listen::VerbsAcceptor};
use crate::rdma::{Acceptor, Provider, QueuePair, RdmaError, SetUp};
use smb_transport::BoxFuture;
use std::net::SocketAddr;

/// The RDMA devices of this machine. Which one is used, the addresses say.
///
/// Connections must be made, and are driven, within a tokio runtime with I/O and time.
#[derive(Debug, Clone)]
pub struct Verbs {
    devices: Vec<String>,
}

impl Verbs {
    /// Looks for devices. The error says whether the libraries, the kernel's part or a device is missing.
    pub fn open() -> Result<Self, RdmaError> {
        is_there()?;
        let devices = names();
        if devices.is_empty() {
            return Err(RdmaError::NoDevice("this machine has none"));
        }
        Ok(Self { devices })
    }

    /// The names of the devices there were when they were looked for.
    pub fn devices(&self) -> &[String] {
        &self.devices
    }
}

impl Provider for Verbs {
    fn name(&self) -> &'static str {
        "verbs"
    }

    fn connect(&self, to: SocketAddr, with: SetUp) -> BoxFuture<'_, Result<Box<dyn QueuePair>, RdmaError>> {
        Box::pin(connect(to, with))
    }

    fn listen(&self, at: SocketAddr) -> BoxFuture<'_, Result<Box<dyn Acceptor>, RdmaError>> {
        Box::pin(async move {
            let acceptor: Box<dyn Acceptor> = Box::new(VerbsAcceptor::bind(at)?);
            Ok(acceptor)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_devices_is_told_so() {
        match Verbs::open() {
            Ok(verbs) => assert!(!verbs.devices().is_empty()),
            Err(error) => assert!(error.to_string().starts_with("no RDMA device: "), "{error}"),
        }
    }
}
