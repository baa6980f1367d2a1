//! SMB Direct, where this machine can carry it.

use smb_direct::{DirectListener, SmbDirect, rdma::Provider, rdma::mem::MemNetwork, smbd::Config};
use std::{error::Error, net::SocketAddr, sync::Arc};

/// A way for SMB Direct, and the address that a server listens on there.
#[derive(Clone)]
pub struct Way {
    /// What to call it in the table.
    pub name: &'static str,
    provider: Arc<dyn Provider>,
    at: SocketAddr,
}

impl Way {
    /// The engine and the placement as they are, over a provider that copies within this process: what SMB Direct costs
    /// without a device, no measure of RDMA.
    pub fn in_process() -> Self {
        let at = SocketAddr::from(([127, 0, 0, 1], 5445));
        Self { name: "SMB Direct in process", provider: Arc::new(MemNetwork::default()), at }
    }

    /// The RDMA device behind one of this machine's addresses, where there is one.
    #[cfg(feature = "verbs")]
    pub async fn device() -> Option<Self> {
        let provider: Arc<dyn Provider> = Arc::new(smb_direct::verbs::Verbs::open().ok()?);
        for nic in smb_transport::nics().ok()?.into_iter().filter(|nic| !nic.loopback) {
            for address in nic.addresses {
                let at = SocketAddr::new(address, 0);
                if let Ok(acceptor) = provider.listen(at).await {
                    let at = acceptor.local()?;
                    return Some(Self { name: "SMB Direct over verbs", provider: provider.clone(), at });
                }
            }
        }
        None
    }

    /// A build without the feature looks for none.
    #[cfg(not(feature = "verbs"))]
    pub async fn device() -> Option<Self> {
        None
    }

    /// Listens.
    pub async fn listen(&self) -> Result<DirectListener, Box<dyn Error>> {
        Ok(DirectListener::bind(self.provider.clone(), self.at, Config::default()).await?)
    }

    /// Connects to who listens there.
    pub async fn connect(&self) -> Result<SmbDirect, Box<dyn Error>> {
        Ok(SmbDirect::connect(self.provider.as_ref(), self.at, Config::default()).await?)
    }
}
