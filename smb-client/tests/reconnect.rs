//! Connections that are lost and made again: what goes on, what fails, and what the failure says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod fake;

use fake::{Fake, SESSION, fake, plain};
use smb_client::{Advice, Connector, Error, Executed, Session};
use smb_proto::{command::Command, msg::*, status::NtStatus};
use smb_transport::{BoxFuture, MemoryOptions, Transport, TransportError};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

type Script = Box<dyn FnOnce(Fake) -> BoxFuture<'static, ()> + Send>;

/// What each connection meets, one after the other; `None` is refused, and so is everything behind the last.
#[derive(Clone, Default)]
struct Server {
    scripts: Arc<Mutex<VecDeque<Option<Script>>>>,
    dialled: Arc<Mutex<Vec<Instant>>>,
}

impl Server {
    fn then<F: Future<Output = ()> + Send + 'static>(
        self,
        script: impl FnOnce(Fake) -> F + Send + 'static,
    ) -> Self {
        self.scripts.lock().unwrap().push_back(Some(Box::new(|fake| Box::pin(script(fake)))));
        self
    }

    fn then_refuse(self, times: usize) -> Self {
        self.scripts.lock().unwrap().extend((0..times).map(|_| None));
        self
    }

    fn dials(&self) -> usize {
        self.dialled.lock().unwrap().len()
    }

    async fn session(&self) -> Session {
        plain().build().unwrap().connect_by(self.clone(), "server").await.unwrap()
    }
}

impl Connector for Server {
    fn connect(&self) -> BoxFuture<'static, Result<Box<dyn Transport>, TransportError>> {
        self.dialled.lock().unwrap().push(Instant::now());
        let script = self.scripts.lock().unwrap().pop_front().flatten();
        Box::pin(async move {
            let script = script.ok_or(TransportError::Closed)?;
            let (client, server) = fake(MemoryOptions::plain());
            tokio::spawn(script(server));
            let transport: Box<dyn Transport> = Box::new(client);
            Ok(transport)
        })
    }
}

/// Logs on, lets the client in to a share, and answers `creates` compounds of CREATE and CLOSE.
async fn stat(fake: &mut Fake, creates: usize) {
    for _ in 0..creates {
        let create = fake.expect(Command::CREATE).await;
        let close = fake.expect(Command::CLOSE).await;
        fake.answer(&create.header, &fake::created(5)).await;
        fake.answer(&close.header, &closed()).await;
    }
}

fn closed() -> CloseResponse {
    CloseResponse {
        flags: CloseFlags::NONE,
        times: FileTimes::default(),
        allocation_size: 0,
        end_of_file: 0,
        file_attributes: FileAttributes::NONE,
    }
}

async fn let_in(fake: &mut Fake) {
    assert!(fake.log_on().await);
    fake.share().await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_that_ended_is_made_again() {
    let server = Server::default()
        .then(|mut fake| async move {
            let_in(&mut fake).await;
            stat(&mut fake, 1).await;
        })
        .then(|mut fake| async move {
            fake.previous = Some(SESSION);
            let_in(&mut fake).await;
            stat(&mut fake, 2).await;
            fake.be_silent().await;
        });
    let session = server.session().await;
    let tree = session.tree("share").await.unwrap();
    assert_eq!(tree.metadata("file").await.unwrap().size, 5);
    while session.is_connected() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (one, two) = tokio::join!(tree.metadata("file"), tree.metadata("file"));
    assert_eq!((one.unwrap().size, two.unwrap().size), (5, 5));
    assert_eq!(server.dials(), 2, "one new connection for both");
    assert!(session.is_connected());
}

#[tokio::test(start_paused = true)]
async fn what_was_open_is_lost_and_says_so() {
    let server = Server::default().then(|mut fake| async move { fake.up_to_file(100).await }).then(
        |mut fake| async move {
            fake.up_to_file(100).await;
            let read = fake.expect(Command::READ).await;
            fake.answer(&read.header, &ReadResponse { data: &[7; 10], remaining: 0, flags: 0 }).await;
            fake.be_silent().await;
        },
    );
    let session = server.session().await;
    let tree = session.tree("share").await.unwrap();
    let file = tree.open("file").await.unwrap();
    while session.is_connected() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let error = file.read_at(0, 10).await.unwrap_err();
    assert!(matches!(&error, Error::OpenLost(why) if matches!(**why, Error::Transport(_))), "{error:?}");
    assert_eq!((error.executed(), error.advice()), (Executed::No, Advice::NewSession));
    assert_eq!(server.dials(), 1, "a lost file brings nothing back");
    let file = tree.open("file").await.unwrap();
    assert_eq!(file.read_at(0, 10).await.unwrap(), vec![7; 10]);
}

#[tokio::test(start_paused = true)]
async fn under_way_means_nobody_knows() {
    let server = Server::default().then(|mut fake| async move {
        let_in(&mut fake).await;
        for command in [Command::CREATE, Command::SET_INFO, Command::CLOSE] {
            fake.expect(command).await;
        }
    });
    let tree = server.session().await.tree("share").await.unwrap();
    let error = tree.rename("a", "b", false).await.unwrap_err();
    assert!(matches!(error, Error::Transport(_)), "{error:?}");
    assert_eq!(error.executed(), Executed::Maybe);
    assert_eq!(server.dials(), 1, "it is not made again behind the caller's back");
}

#[tokio::test(start_paused = true)]
async fn a_question_under_way_is_asked_again() {
    let server = Server::default()
        .then(|mut fake| async move {
            let_in(&mut fake).await;
            fake.expect(Command::CREATE).await;
        })
        .then(|mut fake| async move {
            let_in(&mut fake).await;
            stat(&mut fake, 1).await;
            fake.be_silent().await;
        });
    let tree = server.session().await.tree("share").await.unwrap();
    assert_eq!(tree.metadata("file").await.unwrap().size, 5);
    assert_eq!(server.dials(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_session_the_server_forgot_is_set_up_again() {
    for status in [NtStatus::USER_SESSION_DELETED, NtStatus::NETWORK_SESSION_EXPIRED] {
        let server = Server::default()
            .then(move |mut fake| async move {
                let_in(&mut fake).await;
                for command in [Command::CREATE, Command::SET_INFO, Command::CLOSE] {
                    let request = fake.expect(command).await;
                    fake.refuse(&request.header, status).await;
                }
                fake.be_silent().await;
            })
            .then(|mut fake| async move {
                let_in(&mut fake).await;
                answer_rename(&mut fake).await;
                fake.be_silent().await;
            });
        let tree = server.session().await.tree("share").await.unwrap();
        tree.rename("a", "b", false).await.unwrap();
        assert_eq!(server.dials(), 2, "{status}");
    }
}

/// That the session is over is the server's word on one request: of the others nobody knows before theirs has come.
#[tokio::test(start_paused = true)]
async fn a_session_that_is_over_says_nothing_of_what_is_under_way() {
    const RENAME: [Command; 3] = [Command::CREATE, Command::SET_INFO, Command::CLOSE];
    let server = Server::default()
        .then(|mut fake| async move {
            let_in(&mut fake).await;
            let mut first = Vec::new();
            for command in RENAME {
                first.push(fake.expect(command).await);
            }
            for command in RENAME {
                let request = fake.expect(command).await;
                fake.refuse(&request.header, NtStatus::USER_SESSION_DELETED).await;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            fake.answer(&first[0].header, &fake::created(5)).await;
            fake.answer(&first[1].header, &SetInfoResponse).await;
            fake.answer(&first[2].header, &closed()).await;
            fake.be_silent().await;
        })
        .then(|mut fake| async move {
            let_in(&mut fake).await;
            answer_rename(&mut fake).await;
            let again = fake.recv().await;
            assert!(again.is_none_or(|request| request.header.command == Command::TREE_DISCONNECT));
        });
    let tree = server.session().await.tree("share").await.unwrap();
    let (one, two) = tokio::join!(tree.rename("a", "b", false), tree.rename("c", "d", false));
    one.unwrap();
    two.unwrap();
    assert_eq!(server.dials(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_share_connection_the_server_forgot_is_made_again() {
    let server = Server::default().then(|mut fake| async move {
        assert!(fake.log_on().await);
        fake.share().await;
        for command in [Command::CREATE, Command::SET_INFO, Command::CLOSE] {
            let request = fake.expect(command).await;
            fake.refuse(&request.header, NtStatus::NETWORK_NAME_DELETED).await;
        }
        fake.share().await;
        answer_rename(&mut fake).await;
        fake.be_silent().await;
    });
    let tree = server.session().await.tree("share").await.unwrap();
    tree.rename("a", "b", false).await.unwrap();
    assert_eq!(server.dials(), 1, "the connection is sound");
}

async fn answer_rename(fake: &mut Fake) {
    let create = fake.expect(Command::CREATE).await;
    fake.answer(&create.header, &fake::created(5)).await;
    let set = fake.expect(Command::SET_INFO).await;
    fake.answer(&set.header, &SetInfoResponse).await;
    let close = fake.expect(Command::CLOSE).await;
    fake.answer(&close.header, &closed()).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_for_a_while() {
    let server = Server::default()
        .then(|mut fake| async move { let_in(&mut fake).await })
        .then_refuse(4)
        .then(|mut fake| async move {
            let_in(&mut fake).await;
            stat(&mut fake, 1).await;
            fake.be_silent().await;
        });
    let session = server.session().await;
    let tree = session.tree("share").await.unwrap();
    while session.is_connected() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tree.metadata("file").await.unwrap();
    let dialled = server.dialled.lock().unwrap().clone();
    let pauses: Vec<_> = dialled[1..].windows(2).map(|two| (two[1] - two[0]).as_millis()).collect();
    assert_eq!(pauses, [50, 100, 200, 400], "less and less often");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stays_away_is_given_up() {
    let server = Server::default().then(|mut fake| async move { let_in(&mut fake).await });
    let session = server.session().await;
    let tree = session.tree("share").await.unwrap();
    while session.is_connected() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let started = Instant::now();
    let (one, two) = tokio::join!(tree.metadata("file"), session.echo());
    for error in [one.unwrap_err(), two.unwrap_err()] {
        assert!(matches!(&error, Error::NotSent(why) if matches!(**why, Error::Transport(_))), "{error:?}");
        assert_eq!((error.executed(), error.advice()), (Executed::No, Advice::FailOver));
    }
    let waited = started.elapsed();
    assert!(waited > Duration::from_secs(5) && waited < Duration::from_secs(10), "{waited:?}");
    assert!(server.dials() < 20, "both wait for one: {}", server.dials());
}

#[tokio::test(start_paused = true)]
async fn a_password_that_is_wrong_now_is_not_tried_again() {
    let server = Server::default().then(|mut fake| async move { let_in(&mut fake).await }).then(
        |mut fake| async move {
            fake.negotiate().await;
            let request = fake.expect(Command::SESSION_SETUP).await;
            fake.refuse(&request.header, NtStatus::LOGON_FAILURE).await;
            fake.be_silent().await;
        },
    );
    let session = server.session().await;
    while session.is_connected() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let error = session.echo().await.unwrap_err();
    assert!(
        matches!(&error, Error::NotSent(why) if why.status() == Some(NtStatus::LOGON_FAILURE)),
        "{error:?}"
    );
    assert_eq!(server.dials(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_has_logged_off_does_not_come_back() {
    let server = Server::default().then(|mut fake| async move {
        let_in(&mut fake).await;
        fake.be_silent().await;
    });
    let session = server.session().await;
    let tree = session.tree("share").await.unwrap();
    session.log_off().await;
    assert!(matches!(tree.metadata("file").await, Err(Error::NotSent(_))));
    assert_eq!(server.dials(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_asked_whether_it_is_there() {
    let (heard, mut hear) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::default().then(move |mut fake| async move {
        assert!(fake.log_on().await);
        for _ in 0..2 {
            let echo = fake.expect(Command::ECHO).await;
            heard.send(Instant::now()).unwrap();
            fake.answer(&echo.header, &EchoResponse).await;
        }
        // The third is not answered.
        fake.be_silent().await;
    });
    let session = server.session().await;
    let began = Instant::now();
    for _ in 0..2 {
        hear.recv().await.unwrap();
    }
    let waited = began.elapsed();
    assert!(waited >= Duration::from_secs(120) && waited < Duration::from_secs(150), "{waited:?}");
    while session.is_connected() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(began.elapsed() < Duration::from_secs(240), "found dead without a request");
}
