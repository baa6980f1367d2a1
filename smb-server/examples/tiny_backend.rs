//! A storage back end of one's own: a share of three read-only notes.
//! `cargo run --example tiny_backend`, then `smbclient -p 4450 -U alice%Passw0rd //127.0.0.1/notes -c 'ls; get today -'`
#![allow(clippy::as_conversions, clippy::indexing_slicing)]

use smb_proto::{
    msg::{FileAttributes, FileTimes},
    status::NtStatus,
};
use smb_server::{Server, Share, backend::*};
use smb_transport::{BoxFuture, IoBuf};
use std::sync::Arc;

const NOTES: [(&str, &str); 3] =
    [("today", "Write a back end.\n"), ("tomorrow", "Read it.\n"), ("someday", "Rest.\n")];

/// The share, and each of its open files: the directory is note number 0.
struct Notes;
struct Note(usize);

impl Note {
    fn text(&self) -> &'static str {
        self.0.checked_sub(1).and_then(|index| NOTES.get(index)).map_or("", |(_, text)| text)
    }

    fn about(&self) -> Metadata {
        let (key, size) = (FileKey { volume: 0, file: self.0 as u64 }, self.text().len() as u64);
        let attributes = if self.0 == 0 { FileAttributes::DIRECTORY } else { FileAttributes::READONLY };
        let times = FileTimes::default();
        Metadata { key, attributes, times, end_of_file: size, allocation_size: size, links: 1 }
    }
}

impl Backend for Notes {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
    fn open<'a>(&'a self, _: &'a Caller, request: OpenRequest<'a>) -> BoxFuture<'a, Result<Opened>> {
        let named = |name: &String| NOTES.iter().position(|(note, _)| note == name).map(|at| at + 1);
        let number =
            if let [name] = request.path { named(name) } else { request.path.is_empty().then_some(0) };
        Box::pin(async move {
            let note = Note(number.ok_or(NtStatus::OBJECT_NAME_NOT_FOUND)?);
            let metadata = note.about();
            Ok(Opened { handle: Arc::new(note), created: false, metadata, security: None })
        })
    }
}

impl Handle for Note {
    fn metadata(&self) -> BoxFuture<'_, Result<Metadata>> {
        Box::pin(async { Ok(self.about()) })
    }
    fn read(&self, offset: u64, mut buf: IoBuf) -> BoxFuture<'_, Result<IoBuf>> {
        let text = self.text().as_bytes().get(offset as usize..).unwrap_or(&[]);
        buf.truncate(text.len());
        let len = buf.len();
        buf.copy_from_slice(&text[..len]);
        Box::pin(async { Ok(buf) })
    }
    fn list<'a>(&'a self, after: Option<&'a str>, most: usize) -> BoxFuture<'a, Result<Vec<Entry>>> {
        let next =
            after.and_then(|name| NOTES.iter().position(|(note, _)| *note == name)).map_or(0, |at| at + 1);
        let entry =
            |at: usize| Entry { name: NOTES[at].0.into(), metadata: Note(at + 1).about(), security: None };
        Box::pin(async move { Ok((next..NOTES.len()).take(most).map(entry).collect()) })
    }
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder().listen("127.0.0.1:4450".parse()?).user("alice", "Passw0rd");
    server.share(Share::new("notes", Notes)).build()?.run(std::future::pending()).await;
    Ok(())
}
