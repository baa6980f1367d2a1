//! A client under any series of answers: the whole driver over an in-memory wire, on one thread and paused time,
//! against a server that is honest until the fuzzer has it otherwise.
//!
//! The client must come to an end whatever it is told; use a MessageId once and none it was not granted; cancel a
//! request once at most; protect what it was asked to protect; and, where it signs or seals, take no data for the
//! file's that the server did not vouch for.

mod hostile;
mod server;

use crate::{bounded, source::Source};
use hostile::Hostile;
use smb_client::{Client, ClientBuilder, Encryption, Error, File, Session, Signing, Tree};
use smb_proto::{
    dialect::{Cipher, Dialect, SigningAlgorithm},
    msg::CtlCode,
};
use smb_transport::memory::{MemoryOptions, pair};
use std::time::Duration;

/// What a client and a server hold at a time.
const LIMIT: usize = 24 << 20;
/// The size of the one file.
const SIZE: u64 = 300_000;

/// The file's byte at an offset.
fn byte(offset: u64) -> u8 {
    u8::try_from((offset ^ (offset >> 8)) & 0xff).unwrap_or(0)
}

fn client(choices: &mut Source<'_>) -> (ClientBuilder, bool) {
    let signing = choices.pick(&[Signing::Required, Signing::Required, Signing::Allowed, Signing::Off]);
    let signing = signing.unwrap_or_default();
    let seals = choices.rarely(3);
    let dialects =
        [Dialect::SMB_3_1_1, Dialect::SMB_3_1_1, Dialect::SMB_3_0, Dialect::SMB_2_1, Dialect::SMB_2_0_2];
    let mut dialect = choices.pick(&dialects).unwrap_or(Dialect::SMB_3_1_1);
    if seals && !dialect.is_smb3() {
        dialect = Dialect::SMB_3_0_2;
    }
    let builder = Client::builder()
        .user(server::USER, server::PASSWORD)
        .dialects(Dialect::SMB_2_0_2..=dialect)
        .ciphers(&[Cipher::AES_128_GCM, Cipher::AES_128_CCM])
        .signing_algorithms(&[SigningAlgorithm::AES_GMAC])
        .signing(signing)
        .encryption(if seals { Encryption::Required } else { Encryption::Allowed })
        .credits(choices.pick(&[64, 1, 3, 512]).unwrap_or(64))
        .timeout(Duration::from_secs(20));
    (builder, signing == Signing::Required || seals)
}

/// Any series of answers.
pub fn run(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    bounded::within(LIMIT, || runtime.block_on(play(Source::new(data))));
    assert_eq!(runtime.metrics().num_alive_tasks(), 0, "tasks outlive their client");
}

async fn play(mut choices: Source<'_>) {
    let (builder, protected) = client(&mut choices);
    let plan = choices.blob().to_vec();
    let mut options = MemoryOptions::plain();
    (options.queue_messages, options.queue_bytes) = (1 << 20, 1 << 30);
    let (ours, theirs) = pair(options);
    let user = tokio::spawn(async move {
        if let Ok(session) = builder.connect_over(Box::new(ours), "server").await {
            use_session(session, &plan, protected).await;
        }
    });
    let mut server = Hostile::new(theirs, protected);
    server.serve(&mut choices).await;
    drop(server);
    let ended = tokio::time::timeout(Duration::from_secs(3600), user).await;
    ended.expect("the client hangs").expect("the client panics");
    // Its tasks say good-bye.
    tokio::time::sleep(Duration::from_secs(60)).await;
}

async fn use_session(session: Session, plan: &[u8], protected: bool) {
    let mut plan = Source::new(plan);
    if let Ok(tree) = session.tree("data").await {
        while !plan.is_over() {
            let what = plan.u8();
            if what & 0x40 != 0 {
                // Given up midway.
                let brief = Duration::from_millis(plan.u8().into());
                let _ = tokio::time::timeout(brief, act(&tree, what, &mut plan, protected)).await;
            } else if act(&tree, what, &mut plan, protected).await.is_err() && plan.rarely(4) {
                break;
            }
        }
        if plan.rarely(2) {
            let _ = tree.disconnect().await;
        }
    }
    session.log_off().await;
}

async fn act(tree: &Tree, what: u8, plan: &mut Source<'_>, protected: bool) -> Result<(), Error> {
    match what % 8 {
        0..3 => {
            let file = tree.open("f").await?;
            read_all(&file, plan, protected).await?;
            file.close().await.map(drop)
        }
        3 => {
            let file = tree.create("f").await?;
            let offset = u64::from(plan.u16());
            let (one, two) = (file.write_at(offset, vec![1; 70_000]), file.write_at(0, vec![2; 10]));
            let (one, two) = (std::pin::pin!(one), std::pin::pin!(two));
            one.await?;
            two.await?;
            file.flush().await
        }
        4 => tree.read_dir("").await?.collect().await.map(drop),
        5 => tree.rename("a", "b", true).await,
        6 => {
            let file = tree.open("f").await?;
            file.size().await?;
            file.fsctl(CtlCode(0x0009_00c4), Vec::new(), 100).await.map(drop)
        }
        _ => tree.session().echo().await,
    }
}

async fn read_all(file: &File, plan: &mut Source<'_>, protected: bool) -> Result<(), Error> {
    let (first, second) = (u64::from(plan.u16()), u64::from(plan.u16()));
    let len = usize::from(plan.u16()) + 1;
    let reads = [file.read_at(first, len), file.read_at(second, 2 * len)];
    for (offset, read) in [first, second].into_iter().zip(reads) {
        let data = read.await?;
        if protected {
            let true_to_file = (offset..).zip(&data).all(|(offset, found)| *found == byte(offset));
            assert!(true_to_file, "data nobody vouched for");
        }
    }
    Ok(())
}
