//! A back end whose reads and writes wait in front of a gate.

use smb_proto::{
    msg::{FileAttributes, FileTimes},
    status::NtStatus,
};
use smb_server::backend::*;
use smb_transport::{BoxFuture, Gate, IoBuf};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

#[derive(Clone)]
pub struct Gated {
    pub reads: Gate,
    pub writes: Gate,
    pub flushes: Arc<AtomicUsize>,
    pub ends: Arc<Mutex<Vec<bool>>>,
    pub data: Arc<Mutex<Vec<u8>>>,
}

impl Gated {
    pub fn new() -> Self {
        Self {
            reads: Gate::opened(),
            writes: Gate::opened(),
            flushes: Arc::default(),
            ends: Arc::default(),
            data: Arc::default(),
        }
    }

    fn metadata(&self) -> Metadata {
        let size = self.data.lock().unwrap().len() as u64;
        Metadata {
            key: FileKey { volume: 1, file: 1 },
            attributes: FileAttributes::ARCHIVE,
            times: FileTimes::default(),
            end_of_file: size,
            allocation_size: size,
            links: 1,
        }
    }
}

impl Backend for Gated {
    fn capabilities(&self) -> Capabilities {
        Capabilities { writable: true, ..Capabilities::default() }
    }

    fn open<'a>(&'a self, _: &'a Caller, _: OpenRequest<'a>) -> BoxFuture<'a, Result<Opened>> {
        let handle: Arc<dyn Handle> = Arc::new(self.clone());
        Box::pin(
            async move { Ok(Opened { handle, created: false, metadata: self.metadata(), security: None }) },
        )
    }
}

impl Handle for Gated {
    fn metadata(&self) -> BoxFuture<'_, Result<Metadata>> {
        Box::pin(async { Ok(Self::metadata(self)) })
    }

    fn read(&self, offset: u64, mut buf: IoBuf) -> BoxFuture<'_, Result<IoBuf>> {
        Box::pin(async move {
            self.reads.pass().await;
            let data = self.data.lock().unwrap();
            let rest = data.get(offset as usize..).unwrap_or(&[]);
            let len = rest.len().min(buf.len());
            buf[..len].copy_from_slice(&rest[..len]);
            buf.truncate(len);
            Ok(buf)
        })
    }

    fn write(&self, offset: u64, buf: IoBuf, _: bool) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.writes.pass().await;
            let mut data = self.data.lock().unwrap();
            let end = offset as usize + buf.len();
            if data.len() < end {
                data.resize(end, 0);
            }
            data[offset as usize..end].copy_from_slice(&buf);
            Ok(())
        })
    }

    fn flush(&self) -> BoxFuture<'_, Result<()>> {
        self.flushes.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { Ok(()) })
    }

    fn set_len(&self, len: u64) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.data.lock().unwrap().resize(len as usize, 0);
            Ok(())
        })
    }

    fn remove(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Err(NtStatus::CANNOT_DELETE) })
    }

    fn close(&self, orderly: bool) -> BoxFuture<'_, Result<()>> {
        self.ends.lock().unwrap().push(orderly);
        Box::pin(async { Ok(()) })
    }
}
