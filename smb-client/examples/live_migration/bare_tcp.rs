//! The reference: the same bytes over a bare TCP socket, hashed on both ends as the SMB paths do, with nothing else.

use crate::{
    cpu::Side,
    memory::{CHUNK, Source},
    report::Outcome,
};
use std::io;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};

/// Chunks between a socket and the task that hashes.
const QUEUE: usize = 8;

/// Streams `source` and returns what both ends saw.
pub fn run(source: &Source, sender: &Side, receiver: &Side) -> io::Result<Outcome> {
    let listener = receiver.runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let receiving = receiver.runtime.spawn(receive(listener));
    let reader = source.open()?;
    let (length, sent) = sender.runtime.block_on(async {
        tokio::spawn(send(TcpStream::connect(address).await?, reader)).await.map_err(io::Error::other)?
    })?;
    let received = sender.runtime.block_on(receiving).map_err(io::Error::other)??;
    Ok(Outcome { length, sent: sent.into(), received: Some(received.into()) })
}

async fn send(mut socket: TcpStream, mut reader: crate::memory::Reader) -> io::Result<(u64, blake3::Hash)> {
    let (full, mut to_send) = mpsc::channel::<Vec<u8>>(QUEUE);
    let (empty, mut to_fill) = mpsc::channel::<Vec<u8>>(QUEUE + 2);
    let reading: JoinHandle<io::Result<(u64, blake3::Hash)>> = tokio::task::spawn_blocking(move || {
        let (mut hasher, mut length) = (blake3::Hasher::new(), 0);
        loop {
            let mut chunk = to_fill.try_recv().unwrap_or_default();
            chunk.resize(CHUNK, 0);
            let read = reader.read(&mut chunk)?;
            if read == 0 {
                return Ok((length, hasher.finalize()));
            }
            chunk.truncate(read);
            hasher.update(&chunk);
            length += read as u64;
            if full.blocking_send(chunk).is_err() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
    });
    while let Some(chunk) = to_send.recv().await {
        socket.write_all(&chunk).await?;
        let _ = empty.try_send(chunk);
    }
    let (length, digest) = reading.await.map_err(io::Error::other)??;
    socket.shutdown().await?;
    // The other end's digest says that all of it has arrived.
    socket.read_exact(&mut [0; 32]).await?;
    Ok((length, digest))
}

async fn receive(listener: TcpListener) -> io::Result<blake3::Hash> {
    let (mut socket, _) = listener.accept().await?;
    let (full, mut to_hash) = mpsc::channel::<Vec<u8>>(QUEUE);
    let (empty, mut to_fill) = mpsc::channel::<Vec<u8>>(QUEUE + 2);
    let hashing = tokio::task::spawn_blocking(move || {
        let mut hasher = blake3::Hasher::new();
        while let Some(chunk) = to_hash.blocking_recv() {
            hasher.update(&chunk);
            let _ = empty.try_send(chunk);
        }
        hasher.finalize()
    });
    loop {
        let mut chunk = to_fill.try_recv().unwrap_or_default();
        chunk.resize(CHUNK, 0);
        let mut filled = 0;
        while filled < CHUNK {
            match socket.read(&mut chunk[filled..]).await? {
                0 => break,
                read => filled += read,
            }
        }
        chunk.truncate(filled);
        if filled > 0 && full.send(chunk).await.is_err() {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if filled < CHUNK {
            break;
        }
    }
    drop(full);
    let digest = hashing.await.map_err(io::Error::other)?;
    socket.write_all(digest.as_bytes()).await?;
    Ok(digest)
}
