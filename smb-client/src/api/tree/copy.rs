//! Copies within a share.

use super::Tree;
use crate::{
    api::{File, OpenOptions, is_same_path},
    core::copy::CopyLimits,
    error::{Error, TransferError, UsageError},
    transfer::{Reads, TransferOptions, Writes, upload_check_size},
};
use smb_proto::{
    command::Command,
    error::{PeerViolation, StatusError},
    msg::{
        CtlCode, IoctlResponse, ShareAccess,
        fsctl::copychunk::{CopyChunkRequest, CopyChunkResponse, ResumeKeyResponse},
    },
    status::NtStatus,
};

/// How a copy was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyWay {
    /// By the server: the data did not cross the network.
    Server,
    /// Read and written by the client, since the server refused to copy, with that status.
    Client(NtStatus),
}

/// A copy that is complete and durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// Bytes.
    pub bytes: u64,
    /// How.
    pub way: CopyWay,
}

impl Tree {
    /// Opens a file to copy it: for reading, and so that nobody opens it for writing meanwhile, unless somebody has already. A
    /// target that is the same file by another name is then refused, with STATUS_SHARING_VIOLATION, before it is emptied.
    pub async fn open_to_copy(&self, path: &str) -> Result<File, Error> {
        let alone = OpenOptions::read().share(ShareAccess::READ | ShareAccess::DELETE);
        match alone.open(self, path).await {
            Err(error) if error.status() == Some(NtStatus::SHARING_VIOLATION) => self.open(path).await,
            outcome => outcome,
        }
    }

    /// Copies the data of the file `from` to the file `to`, which is created, or emptied where it is there. The server
    /// copies, in chunks within its limits (FSCTL_SRV_COPYCHUNK_WRITE, [MS-SMB2] 3.3.5.15.6); where it refuses, the
    /// client reads and writes, and [`Copied::way`] says so. Of `options`, the limit and the progress count.
    ///
    /// On failure, or when its future is dropped, the target is incomplete, and stays.
    pub async fn copy(&self, from: &str, to: &str, options: &TransferOptions) -> Result<Copied, Error> {
        if is_same_path(from, to)? {
            return Err(UsageError::Path("source and target are the same file").into());
        }
        let source = self.open_to_copy(from).await?;
        // Some servers want to read the target, too.
        let target = OpenOptions::write_and_read().open(self, to).await?;
        copy(&source, &target, options).await
    }
}

/// Copies all of `source` to the start of `target`, which must be open for writing, makes it durable and checks its size.
/// See [`Tree::copy`].
pub async fn copy(source: &File, target: &File, options: &TransferOptions) -> Result<Copied, Error> {
    let size = source.opened().size;
    options.progress.begin(Some(size));
    let refusal = match source.session().is_same(target.session()) {
        true => on_server(source, target, size, options).await?,
        // The key that names the source is the session's.
        false => Some(NtStatus::NOT_SAME_DEVICE),
    };
    let way = match refusal {
        None => CopyWay::Server,
        Some(refusal) => {
            through_client(source, target, size, options).await?;
            CopyWay::Client(refusal)
        }
    };
    target.flush().await?;
    upload_check_size(target, size).await?;
    Ok(Copied { bytes: size, way })
}

/// Whether a status means that the server cannot copy here, as opposed to that something is wrong with the files.
fn is_refusal(status: NtStatus) -> bool {
    matches!(
        status,
        NtStatus::NOT_SUPPORTED
            | NtStatus::INVALID_DEVICE_REQUEST
            | NtStatus::NOT_IMPLEMENTED
            | NtStatus::INVALID_PARAMETER
            | NtStatus::OBJECT_NAME_NOT_FOUND
            | NtStatus::ACCESS_DENIED
    )
}

/// Lets the server copy; the status with which it refuses to do so at all.
async fn on_server(
    source: &File,
    target: &File,
    size: u64,
    options: &TransferOptions,
) -> Result<Option<NtStatus>, Error> {
    if size == 0 {
        return Ok(None);
    }
    let key = match source.fsctl(CtlCode::SRV_REQUEST_RESUME_KEY, Vec::new(), 32).await {
        Ok(output) => ResumeKeyResponse::parse(&output)?.key,
        Err(error) => return error.status().filter(|status| is_refusal(*status)).map(Some).ok_or(error),
    };
    let (mut limits, mut told, mut offset) = (CopyLimits::default(), false, 0);
    while offset < size {
        let request = CopyChunkRequest { source_key: key, chunks: limits.chunks(offset, size) };
        let reply = target.fsctl_reply(CtlCode::SRV_COPYCHUNK_WRITE, request.to_bytes(), 12).await?;
        if reply.status() == NtStatus::INVALID_PARAMETER && !told {
            // The answer says what the server would take, once.
            told = true;
            let body = reply.parse_any::<IoctlResponse>();
            let said = body.ok().and_then(|body| CopyChunkResponse::parse(&body.output).ok());
            if let Some(smaller) = said.as_ref().and_then(CopyLimits::of) {
                limits = smaller;
                continue;
            }
        }
        let status = reply.status();
        if status != NtStatus::SUCCESS {
            // A server that copied a part knows how to; then the refusal is about the files.
            if offset == 0 && is_refusal(status) {
                return Ok(Some(status));
            }
            return Err(StatusError { command: Command::IOCTL, status }.into());
        }
        let response = CopyChunkResponse::parse(&reply.parse::<IoctlResponse>()?.output)?;
        let asked: u64 = request.chunks.iter().map(|chunk| u64::from(chunk.length)).sum();
        let copied = u64::from(response.total_bytes_written);
        if copied > asked {
            let rule = "more was copied than asked for";
            return Err(PeerViolation::Response { command: Command::IOCTL, rule }.into());
        }
        if copied == 0 {
            return Err(TransferError::RemoteShrank { expected: size, found: offset }.into());
        }
        offset = offset.saturating_add(copied);
        options.progress.reached(offset);
        if let Some(limit) = &options.limit {
            limit.pass(usize::try_from(copied).unwrap_or(usize::MAX)).await;
        }
    }
    Ok(None)
}

/// Reads and writes, pipelined.
async fn through_client(
    source: &File,
    target: &File,
    size: u64,
    options: &TransferOptions,
) -> Result<(), Error> {
    let mut reads = Reads::new(source.clone(), 0, size, options.window);
    let mut writes = Writes::new(target.clone(), 0, options.window);
    while let Some(piece) = reads.next().await {
        let (_, bytes) = piece?;
        if let Some(limit) = &options.limit {
            limit.pass(bytes.len()).await;
        }
        writes.room().await?;
        options.progress.reached(writes.completed());
        writes.push(bytes);
    }
    writes.done().await?;
    options.progress.reached(writes.completed());
    let found = writes.position();
    if found == size { Ok(()) } else { Err(TransferError::RemoteShrank { expected: size, found }.into()) }
}
