//! Much at a time on one session: concurrency, compounds, large directories, and callers that change their minds.

use smb_client::{Encryption, OpenOptions, Session, Signing};
use smb_proto::{
    codec::{Body, Message},
    command::Command,
    compound,
    header::{Header, HeaderFlags},
    msg::{CloseFlags, CloseRequest, EchoRequest, FileId, ReadResponse},
    status::NtStatus,
};
use smb_tests::{House, Raw, bounded, client, pattern, polled, read, write};
use std::collections::BTreeSet;

const PIECE: usize = 128 << 10;

/// Writes and reads regions of a file that all share, and a file of its own.
async fn one_of_many(session: Session, task: usize) {
    let tree = session.tree("data").await.unwrap();
    let shared = OpenOptions::read_write().open(&tree, "shared").await.unwrap();
    let own = OpenOptions::read_write().open(&tree, &format!("own-{task}")).await.unwrap();
    for round in 0..10 {
        let at = u64::try_from((task * 10 + round) * PIECE).unwrap();
        let data = pattern(PIECE, task * 100 + round);
        let own_at = u64::try_from(round * 1000).unwrap();
        let (one, two) = tokio::join!(shared.write_at(at, data.clone()), own.write_at(own_at, data.clone()));
        one.unwrap();
        two.unwrap();
        let (one, two) = tokio::join!(shared.read_at(at, PIECE), own.read_at(own_at, PIECE));
        assert!(one.unwrap() == data && two.unwrap() == data, "task {task}, round {round}");
    }
    own.close().await.unwrap();
    shared.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_tasks_on_one_session() {
    let signed = client().signing(Signing::Required);
    let sealed = client().encryption(Encryption::Required);
    for builder in [client(), signed, sealed] {
        let house = House::new();
        let session = builder.connect_over(Box::new(house.dial()), "server").await.unwrap();
        let tasks: Vec<_> = (0..8).map(|task| tokio::spawn(one_of_many(session.clone(), task))).collect();
        for task in tasks {
            bounded("a task", task).await.unwrap();
        }
        let file = house.tree().await.open("shared").await.unwrap();
        for n in 0..80 {
            let data = file.read_at(u64::try_from(n * PIECE).unwrap(), PIECE).await.unwrap();
            assert!(data == pattern(PIECE, n / 10 * 100 + n % 10), "region {n}");
        }
        drop((file, session));
        house.is_left_clean().await;
    }
}

#[tokio::test]
async fn a_directory_of_five_thousand() {
    let house = House::new();
    let tree = house.tree().await;
    tree.create_dir("many").await.unwrap();
    let name = |n: usize| format!("file number {n:04} with a rather long name, as files have them.dat");
    let makers: Vec<_> = (0..8)
        .map(|part| {
            let tree = tree.clone();
            tokio::spawn(async move {
                for n in (part..5000).step_by(8) {
                    tree.create(&format!("many/{}", name(n))).await.unwrap().close().await.unwrap();
                }
            })
        })
        .collect();
    for maker in makers {
        maker.await.unwrap();
    }
    let listed = tree.read_dir("many").await.unwrap().collect().await.unwrap();
    let names: BTreeSet<_> = listed.iter().map(|entry| entry.name.clone()).collect();
    assert_eq!(listed.len(), 5000, "none twice");
    assert_eq!(names, (0..5000).map(name).collect());
    let some = tree.read_dir_matching("many", "file number 12?? *").await.unwrap().collect().await.unwrap();
    assert_eq!(some.len(), 100);
    assert!(tree.read_dir_matching("many", "nothing*").await.unwrap().collect().await.unwrap().is_empty());
    drop(tree);
    house.is_left_clean().await;
}

/// Frames made by hand: a chain in one frame.
struct Chain<'a> {
    raw: &'a mut Raw,
    builder: compound::Builder,
    first: bool,
    related: bool,
}

impl<'a> Chain<'a> {
    fn new(raw: &'a mut Raw, related: bool) -> Self {
        Self { raw, builder: compound::Builder::new(), first: true, related }
    }

    fn with<'m, M: Message<'m>>(mut self, message: &M) -> Self {
        let mut header = self.raw.header(M::COMMAND, 1);
        if self.related && !self.first {
            header.flags = header.flags.with(HeaderFlags::RELATED_OPERATIONS);
        }
        self.first = false;
        self.builder.push(&header, message);
        self
    }

    /// The answers, whether they come in one frame or several.
    async fn answers(self, count: usize) -> Vec<(Header, Vec<u8>)> {
        self.raw.send(&self.builder.finish()).await.unwrap();
        let mut answers = Vec::new();
        while answers.len() < count {
            let frame = self.raw.receive().await.unwrap().unwrap();
            for range in compound::ranges(&frame) {
                let part = frame[range.unwrap()].to_vec();
                answers.push((Header::parse(&part).unwrap().0, part));
            }
        }
        answers
    }
}

fn close(file_id: FileId) -> CloseRequest {
    CloseRequest { flags: CloseFlags::NONE, file_id }
}

fn statuses(answers: &[(Header, Vec<u8>)]) -> Vec<NtStatus> {
    answers.iter().map(|(header, _)| header.status().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn chains_of_related_requests() {
    let house = House::new();
    let mut raw = Raw::on_share(house.dial(), "data").await;
    let chain = Chain::new(&mut raw, true)
        .with(&Raw::create_request("chained"))
        .with(&write(FileId::ANY, 0, b"all in one"))
        .with(&read(FileId::ANY, 0, 100))
        .with(&close(FileId::ANY));
    let answers = chain.answers(4).await;
    assert_eq!(statuses(&answers), [NtStatus::SUCCESS; 4]);
    let response = ReadResponse::parse(&Body::new(&answers[2].1).unwrap()).unwrap();
    assert_eq!(response.data, b"all in one");
    assert_eq!(house.handle.open_files(), 0);
    // What fails at its head fails as a whole, with the same status.
    let chain = Chain::new(&mut raw, true)
        .with(&Raw::create_request("no\\such\\path"))
        .with(&read(FileId::ANY, 0, 100))
        .with(&close(FileId::ANY));
    let answers = chain.answers(3).await;
    assert_eq!(statuses(&answers), [NtStatus::OBJECT_PATH_NOT_FOUND; 3]);
    // A later failure leaves what comes behind it alone.
    let chain = Chain::new(&mut raw, true)
        .with(&Raw::create_request("empty"))
        .with(&read(FileId::ANY, 0, 100))
        .with(&close(FileId::ANY));
    let answers = chain.answers(3).await;
    assert_eq!(statuses(&answers), [NtStatus::SUCCESS, NtStatus::END_OF_FILE, NtStatus::SUCCESS]);
    assert_eq!(house.handle.open_files(), 0);
}

#[tokio::test(start_paused = true)]
async fn chains_of_unrelated_requests() {
    let house = House::new();
    let mut raw = Raw::on_share(house.dial(), "data").await;
    let (one, two) = (raw.create("one").await, raw.create("two").await);
    let nobody = FileId { persistent: 99, volatile: 99 };
    let chain = Chain::new(&mut raw, false)
        .with(&write(one, 0, b"first"))
        .with(&write(nobody, 0, b"nowhere"))
        .with(&write(two, 0, b"second"))
        .with(&EchoRequest)
        .with(&read(one, 0, 10));
    let answers = chain.answers(5).await;
    let wanted =
        [NtStatus::SUCCESS, NtStatus::FILE_CLOSED, NtStatus::SUCCESS, NtStatus::SUCCESS, NtStatus::SUCCESS];
    assert_eq!(statuses(&answers), wanted);
    let response = ReadResponse::parse(&Body::new(&answers[4].1).unwrap()).unwrap();
    assert_eq!(response.data, b"first");
    // Related to nothing: the first of a frame cannot continue a chain.
    let mut header = raw.header(Command::CLOSE, 1);
    header.flags = HeaderFlags::RELATED_OPERATIONS;
    raw.send(&compound::single(&header, &close(FileId::ANY))).await.unwrap();
    let (header, _) = raw.answer().await;
    assert_eq!(header.status(), Some(NtStatus::INVALID_PARAMETER));
    drop(raw);
    house.is_left_clean().await;
}

/// Every request dropped after each number of polls: no open is left behind, no credit is lost.
#[tokio::test]
async fn callers_that_change_their_minds() {
    let signed = client().signing(Signing::Required);
    for builder in [client(), signed] {
        let house = House::new();
        let session = builder.connect_over(Box::new(house.dial()), "server").await.unwrap();
        let tree = session.tree("data").await.unwrap();
        let file = OpenOptions::read_write().open(&tree, "file").await.unwrap();
        file.write_at(0, pattern(1 << 20, 1)).await.unwrap();
        let largest = session.channels()[0].max_read;
        for polls in (0..6).cycle().take(120) {
            polled(polls, tree.open("file")).await;
            polled(polls, tree.create("other")).await;
            polled(polls, tree.metadata("file")).await;
            polled(polls, file.read_at(0, 300_000)).await;
            polled(polls, file.write_at(0, pattern(1 << 20, 1))).await;
            polled(polls, file.flush()).await;
            polled(polls, file.size()).await;
            polled(polls, session.echo()).await;
            polled(polls, session.tree("data")).await;
            polled(polls, async { tree.read_dir("").await?.collect().await }).await;
            let closing = tree.open("file").await.unwrap();
            polled(polls, closing.close()).await;
        }
        assert_eq!(session.channels()[0].max_read, largest);
        file.set_len(u64::try_from(largest).unwrap()).await.unwrap();
        for _ in 0..4 {
            // It takes the most credits that a request can.
            let data = bounded("the largest READ", file.read_at(0, largest)).await.unwrap();
            assert!(data.len() == largest && data[..1 << 20] == pattern(1 << 20, 1));
        }
        file.close().await.unwrap();
        smb_tests::until("all opens are closed", || house.handle.open_files() == 0).await;
        drop((tree, session));
        house.is_left_clean().await;
    }
}
