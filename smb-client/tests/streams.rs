//! The file as tokio's streams, on a server that answers when it likes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod fake;

use fake::file_on;
use smb_proto::{command::Command, header::Header, msg::*, status::NtStatus};
use std::{io::ErrorKind, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, SeekFrom},
    sync::mpsc,
    time::timeout,
};

/// A flush that was given up speaks for nothing that was written since.
#[tokio::test(start_paused = true)]
async fn what_is_written_during_a_flush_is_flushed_too() {
    let (told, mut tells) = mpsc::unbounded_channel();
    let file = file_on(0, |mut fake| async move {
        let mut held = None;
        loop {
            // The first FLUSH is answered when nothing more comes.
            let Ok(request) = timeout(Duration::from_secs(20), fake.recv()).await else {
                let flush: Header = held.take().expect("silence after the first FLUSH only");
                fake.answer(&flush, &FlushResponse).await;
                continue;
            };
            let Some(request) = request else { return };
            told.send(request.header.command).unwrap();
            match request.header.command {
                Command::WRITE => {
                    let count = u32::try_from(request.parse::<WriteRequest<'_>>().data.len()).unwrap();
                    fake.answer(&request.header, &WriteResponse { count }).await;
                }
                Command::FLUSH if held.is_none() => held = Some(request.header),
                Command::FLUSH => fake.answer(&request.header, &FlushResponse).await,
                Command::ECHO => fake.answer(&request.header, &EchoResponse).await,
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
    let mut writer = file.writer(0);
    writer.write_all(b"head").await.unwrap();
    timeout(Duration::from_secs(1), writer.flush()).await.expect_err("its FLUSH is not answered");
    writer.write_all(b"tail").await.unwrap();
    writer.shutdown().await.unwrap();
    let mut seen = Vec::new();
    while let Ok(command) = tells.try_recv() {
        seen.push(command);
    }
    assert_eq!(seen, [Command::WRITE, Command::FLUSH, Command::WRITE, Command::FLUSH]);
}

/// Whoever reads on after an error is not told that the file has ended.
#[tokio::test(start_paused = true)]
async fn an_error_is_no_end() {
    let file = file_on(1000, |mut fake| async move {
        let read = fake.expect(Command::READ).await;
        fake.refuse(&read.header, NtStatus::IO_TIMEOUT).await;
        while let Some(request) = fake.recv().await {
            match request.header.command {
                Command::READ if request.parse::<ReadRequest>().offset == 0 => {
                    fake.answer(&request.header, &ReadResponse { data: &[7; 10], remaining: 0, flags: 0 })
                        .await;
                }
                _ => fake.refuse(&request.header, NtStatus::END_OF_FILE).await,
            }
        }
    })
    .await;
    let (mut reader, mut buf) = (file.reader(0), Vec::new());
    for _ in 0..3 {
        assert_eq!(reader.read_to_end(&mut buf).await.unwrap_err().kind(), ErrorKind::Other);
    }
    assert!(buf.is_empty());
    reader.seek(SeekFrom::Start(0)).await.unwrap();
    assert_eq!(reader.read_to_end(&mut buf).await.unwrap(), 10);
    assert_eq!(buf, [7; 10]);
}
